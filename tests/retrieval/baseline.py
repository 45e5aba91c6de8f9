"""What SQLite's full-text search finds by itself: FTS5 with its porter stemmer, every word of the question, ranked by bm25."""

import re
import sqlite3

AMONG = 5


def porter(folder, questions):
    """The share of questions that find one of their sections among the first five pieces below a folder."""
    index = sqlite3.connect(":memory:")
    index.execute("CREATE VIRTUAL TABLE pieces USING fts5(place UNINDEXED, text, tokenize = 'porter unicode61')")
    for path in sorted(folder.rglob("*.md")):
        index.execute("INSERT INTO pieces VALUES (?, ?)", (str(path.relative_to(folder)), path.read_text(encoding="utf-8")))
    hits = 0
    for line in questions:
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", line["question"]))
        found = index.execute(f"SELECT place FROM pieces WHERE pieces MATCH ? ORDER BY bm25(pieces) LIMIT {AMONG}", (words,))
        wanted = tuple(place["source"] for place in line["expect"])
        hits += any(place.startswith(wanted) for (place,) in found)
    return hits / len(questions)
