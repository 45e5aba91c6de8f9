"""The set that search is measured on: the Debian FAQ in English and German, cut into pieces, among other manuals.

Section titles that end in a question mark are the questions, and what stands below them is what has to be found.
Needs the packages debian-faq, debian-faq-de, debian-reference-en, debian-reference-de and developers-reference.
"""

import html.parser
import json
import pathlib
import re

DOC = pathlib.Path("/usr/share/doc/debian/FAQ")
REFERENCE = pathlib.Path("/usr/share/debian-reference")
DEVELOPERS = pathlib.Path("/usr/share/developers-reference")
PACKAGES = ("debian-faq", "debian-faq-de", "debian-reference-en", "debian-reference-de", "developers-reference")

# Characters of a piece, and pieces of an index, as the first measurements had them.
PIECE, PIECES = 900, 1000

# Characters of a section at least: what is shorter cannot be found without its title.
SECTION = 120

BLOCKS = {"p", "pre", "li", "dt", "dd", "div", "tr", "table", "ul", "ol", "dl", "section", "blockquote"}
VOID = {"br", "img", "hr", "meta", "link", "input", "col", "wbr", "base"}
NOISE = {"navheader", "navfooter", "toc", "related", "sphinxsidebar", "footer", "headerlink"}


class Sections(html.parser.HTMLParser):
    """The sections of a page: (id, number, title, text) in order, without navigation."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found, self.open, self.heading, self.anchor = [], [], None, None

    @property
    def silent(self):
        return any(noise for _, noise in self.open)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        classes = set((attributes.get("class") or "").split())
        role = attributes.get("role")
        noise = bool(classes & NOISE) or tag in ("script", "style", "head", "nav") or role == "navigation"
        if tag not in VOID:
            self.open.append((tag, noise))
        if tag in ("section", "a", "div") and attributes.get("id") and not attributes["id"].startswith("idm"):
            self.anchor = attributes["id"]
        if re.fullmatch("h[1-6]", tag) and not self.silent:
            self.heading = ""
        elif tag in BLOCKS or tag == "br":
            self.write("\n")

    def handle_endtag(self, tag):
        if re.fullmatch("h[1-6]", tag) and self.heading is not None:
            _, number, title = re.fullmatch(r"(Chapter |Kapitel )?([\d.]*)\s*(.*)", " ".join(self.heading.split())).groups()
            self.found.append([self.anchor, number, title, ""])
            self.heading = None
        for index in range(len(self.open) - 1, -1, -1):
            if self.open[index][0] == tag:
                del self.open[index:]
                break
        if tag in BLOCKS:
            self.write("\n")

    def handle_data(self, text):
        if self.silent:
            return
        if self.heading is not None:
            self.heading += text
        else:
            self.write(text)

    def write(self, text):
        if self.found and self.heading is None and not self.silent:
            self.found[-1][3] += text


def sections(path):
    page = Sections()
    page.feed(path.read_text(encoding="utf-8"))
    tidy = lambda text: re.sub(r"\n{2,}", "\n\n", "\n".join(" ".join(line.split()) for line in text.splitlines()))
    return [(anchor, number, title, tidy(text).strip()) for anchor, number, title, text in page.found]


def pieces(text):
    """A text in pieces of at most PIECE characters, at ends of lines, sentences or words."""
    while len(text) > PIECE:
        head = text[:PIECE]
        ends = (head.rfind("\n"), head.rfind(". ") + 1, head.rfind(" "))
        end = next((end for end in ends if end > PIECE // 2), PIECE)
        yield head[:end].strip()
        text = text[end:].strip()
    if text:
        yield text


def faq(language):
    """{(chapter, id): (number, title, text)} of the FAQ in a language."""
    found = {}
    for path in sorted((DOC / language if language != "en" else DOC).glob(f"*.{language}.html")):
        chapter = path.name.split(".")[0]
        if chapter != "index":
            found |= {(chapter, anchor): rest for anchor, *rest in sections(path) if len(rest[2]) >= SECTION}
    return found


def distractors(language):
    paths = [(path.name.split(".")[0], path) for path in sorted(REFERENCE.glob(f"ch*.{language}.html"))]
    if language == "en":
        paths += [(f"dev-{path.stem}", path) for path in sorted(DEVELOPERS.glob("*.html"))]
    for name, path in paths:
        for _, _, title, text in sections(path):
            if len(text) > 200:
                yield from ((name, title, piece) for piece in pieces(text))


def build(folder, language, headed, most=PIECES):
    """Writes the pieces of a language below a folder, each a file: the FAQ, and others until there are `most`."""
    own, count = faq(language), 0
    for (chapter, anchor), (_, title, text) in own.items():
        place = folder / "faq" / chapter / anchor
        place.mkdir(parents=True)
        for number, piece in enumerate(pieces(text), 1):
            head = f"# {title}\n\n" if headed else ""
            (place / f"{number}.md").write_text(head + escaped(piece) + "\n")
            count += 1
    others = list(distractors(language))
    step = max(1.0, len(others) / max(1, most - count))
    for number in range(max(0, min(len(others), most - count))):
        name, title, piece = others[int(number * step)]
        (folder / "other" / name).mkdir(parents=True, exist_ok=True)
        head = f"# {title}\n\n" if headed else ""
        (folder / "other" / name / f"{number}.md").write_text(head + escaped(piece) + "\n")
        count += 1
    return count


def escaped(text):
    """A piece is text: what would be a heading in Markdown is none."""
    return re.sub(r"(?m)^(#+ )", r"\\\1", text)


def questions(asked_in, over):
    """Questions in a language about the sections of another, aligned by chapter and id. What stands in the subsections of
    a section stands in it."""
    asked, there = faq(asked_in), faq(over)
    for key, (number, title, _) in asked.items():
        if key in there and title.endswith("?"):
            within = [other for other, (below, _, _) in there.items() if below.startswith(number) and number.count(".") > 1]
            expect = [{"source": f"faq/{chapter}/{anchor}/"} for chapter, anchor in {key: 0} | dict.fromkeys(within)]
            yield {"question": title, "language": f"{asked_in}-{over}", "expect": expect}


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
