"""Questions in other words than the text, by others who did not know the search: two sets of 40, never used to tune anything.

`short.jsonl` has one short sentence each, as people ask in a chat. `riddles.jsonl` describes a situation in two or three sentences
and avoids every word of the text. Both name all sections that answer. What vectors can find at all differs from set to set, so
Katana is held to what a plain scan finds over the same vectors of the same pieces.
"""

import json
import pathlib
import urllib.request

import corpus

HERE = pathlib.Path(__file__).resolve().parent
SETS = {"short": "one short sentence", "riddles": "a situation described"}
AMONG = 3


def questions(name):
    return [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def vectors(url, texts):
    """A vector for each text, from the server."""
    found = []
    for begin in range(0, len(texts), 16):
        body = json.dumps({"model": "multilingual-e5-small", "input": texts[begin : begin + 16]}).encode()
        request = urllib.request.Request(f"{url}/embeddings", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            data = json.load(answer)["data"]
        found += [row["embedding"] for row in sorted(data, key=lambda row: row["index"])]
    return found


def plain_scan(url, over, asked):
    """How many questions find one of their sections among the first by nothing but the product of vectors."""
    pieces, places = [], []
    for (chapter, anchor), (_, title, text) in corpus.faq(over).items():
        for piece in corpus.pieces(text):
            pieces.append(f"passage: {title}\n\n{piece}")
            places.append(f"faq/{chapter}/{anchor}/")
    there, hits = vectors(url, pieces), 0
    for line, vector in zip(asked, vectors(url, [f"query: {line['question']}" for line in asked])):
        near = sorted(range(len(there)), key=lambda index: -sum(a * b for a, b in zip(vector, there[index])))
        hits += bool({places[index] for index in near[:AMONG]} & {place["source"] for place in line["expect"]})
    return hits
