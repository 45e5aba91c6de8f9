"""Compares rendered messages with Telegram's own parser (PyPI: tdjson), which runs offline.

Standard input has one message a line as JSON: name, text, entities as the Bot API takes them and, for
sources that are Telegram's own HTML, html. Prints each difference; exits with 1 when there is one.

* Telegram's cleaning of entities must leave text and formatting of each message as they are.
* The same formatting written as Telegram's HTML must be read back as the same.
* A source in Telegram's HTML must have been rendered as Telegram reads it.
"""

import json
import sys

import tdjson

KINDS = {
    "textEntityTypeBold": "bold",
    "textEntityTypeItalic": "italic",
    "textEntityTypeUnderline": "underline",
    "textEntityTypeStrikethrough": "strikethrough",
    "textEntityTypeCode": "code",
    "textEntityTypePre": "pre",
    "textEntityTypePreCode": "pre",
    "textEntityTypeTextUrl": "text_link",
    "textEntityTypeBlockQuote": "blockquote",
}
NAMES = {"bold": "Bold", "italic": "Italic", "underline": "Underline", "strikethrough": "Strikethrough",
         "code": "Code", "blockquote": "BlockQuote"}
TAGS = {"bold": "b", "italic": "i", "underline": "u", "strikethrough": "s", "code": "code",
        "blockquote": "blockquote"}


def ask(request):
    answer = json.loads(tdjson.td_execute(json.dumps(request).encode()))
    if answer["@type"] == "error":
        raise ValueError(f"{answer['message']}")
    return answer


def units(text):
    """UTF-16 units, each as a number."""
    raw = text.encode("utf-16-le", "surrogatepass")
    return [raw[i] | raw[i + 1] << 8 for i in range(0, len(raw), 2)]


def url(address):
    """An address as Telegram writes it: host in lower case, with a path."""
    scheme, rest = address.split("://", 1)
    end = min([rest.find(c) for c in "/?#" if c in rest], default=len(rest))
    host, path = rest[:end].lower(), rest[end:]
    return f"{scheme.lower()}://{host}{path if path.startswith('/') else '/' + path}"


def mark(kind, entity):
    return (kind, url(entity["url"]) if kind == "text_link" else entity.get("language") or "")


def ours(message):
    return [(e["offset"], e["length"], mark(e["type"], e)) for e in message["entities"]]


def theirs(answer):
    found = []
    for e in answer["entities"]:
        # What Telegram finds by itself (mentions, addresses) is not formatting.
        kind = KINDS.get(e["type"]["@type"])
        if kind:
            found.append((e["offset"], e["length"], mark(kind, e["type"])))
    return found


def formats(length, entities):
    """For each unit, its formatting."""
    marks = [set() for _ in range(length)]
    for offset, size, what in entities:
        for i in range(offset, offset + size):
            marks[i].add(what)
    return marks


def cleaned(message):
    """The message through Telegram's cleaning. Characters that its Markdown knows become letters of the
    same width, so that only the entities speak."""
    neutral = message["text"].translate({ord(c): "x" for c in "*_`~|[]()\\"})
    entities = []
    for e in message["entities"]:
        kind = {"@type": "textEntityType" + NAMES[e["type"]]} if e["type"] in NAMES else None
        if e["type"] == "pre" and e.get("language"):
            kind = {"@type": "textEntityTypePreCode", "language": e["language"]}
        elif e["type"] == "pre":
            kind = {"@type": "textEntityTypePre"}
        elif e["type"] == "text_link":
            kind = {"@type": "textEntityTypeTextUrl", "url": e["url"]}
        entities.append({"@type": "textEntity", "offset": e["offset"], "length": e["length"], "type": kind})
    text = {"@type": "formattedText", "text": neutral, "entities": entities}
    return neutral, ask({"@type": "parseMarkdown", "text": text})


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def as_html(message):
    """The message in Telegram's HTML."""
    wide = units(message["text"])
    opens, closes = {}, {}
    for i, e in enumerate(message["entities"]):
        opens.setdefault(e["offset"], []).append((i, e))
        closes.setdefault(e["offset"] + e["length"], []).append((i, e))

    def tags(e):
        if e["type"] == "pre" and e.get("language"):
            return f'<pre><code class="language-{e["language"]}">', "</code></pre>"
        if e["type"] == "pre":
            return "<pre>", "</pre>"
        if e["type"] == "text_link":
            return f'<a href="{escaped(e["url"])}">', "</a>"
        return f'<{TAGS[e["type"]]}>', f'</{TAGS[e["type"]]}>'

    html, last = "", 0
    for at in sorted(set(opens) | set(closes) | {len(wide)}):
        raw = b"".join(u.to_bytes(2, "little") for u in wide[last:at])
        html += escaped(raw.decode("utf-16-le"))
        for _, e in sorted(closes.get(at, []), key=lambda pair: -pair[0]):
            html += tags(e)[1]
        for _, e in opens.get(at, []):
            html += tags(e)[0]
        last = at
    return html


def read(html):
    mode = {"@type": "textParseModeHTML"}
    return ask({"@type": "parseTextEntities", "text": html, "parse_mode": mode})


def faults(message):
    length = len(units(message["text"]))
    neutral, clean = cleaned(message)
    if clean["text"] != neutral:
        yield f"Telegram changes the text to {clean['text']!r}"
    elif formats(length, theirs(clean)) != formats(length, ours(message)):
        yield f"Telegram changes the formatting to {theirs(clean)}"
    back = read(as_html(message))
    if back["text"] != message["text"]:
        yield f"as HTML it is read as {back['text']!r}"
    elif sorted(theirs(back)) != sorted(ours(message)):
        yield f"as HTML it is read with {theirs(back)}"
    if "html" in message:
        source = read(message["html"])
        if source["text"].strip() != message["text"]:
            yield f"Telegram reads the source as {source['text']!r}"
        elif formats(length, theirs(source)) != formats(length, ours(message)):
            yield f"Telegram reads the source with {theirs(source)}"


def main():
    ask({"@type": "setLogVerbosityLevel", "new_verbosity_level": 0})
    count = bad = 0
    for line in sys.stdin:
        message = json.loads(line)
        count += 1
        for fault in faults(message):
            bad += 1
            print(f"{message['name']}: {fault}\n  {message['text']!r}\n  {message['entities']}")
    print(f"{count} messages compared with Telegram's parser, {bad} differences")
    return 1 if bad or not count else 0


sys.exit(main())
