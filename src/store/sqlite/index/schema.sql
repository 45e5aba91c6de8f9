-- The index of the documents. All of it can be made again: a file of another schema is replaced.

CREATE TABLE documents (
  document_id INTEGER PRIMARY KEY,
  source      TEXT NOT NULL,
  path        TEXT NOT NULL,
  title       TEXT,
  device      INTEGER NOT NULL,
  inode       INTEGER NOT NULL,
  size        INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  changed_ns  INTEGER NOT NULL,
  hash        BLOB NOT NULL,
  read_by     TEXT NOT NULL,
  problem     TEXT,
  remark      TEXT,
  passages    INTEGER NOT NULL,
  bytes       INTEGER NOT NULL,
  indexed_ms  INTEGER NOT NULL,
  UNIQUE (source, path)
) STRICT;

-- All passages are counted for each question.
CREATE INDEX documents_by_passages ON documents (passages);

-- AUTOINCREMENT: a number that was given once leads to this passage or to none.
CREATE TABLE passages (
  passage_id  INTEGER PRIMARY KEY AUTOINCREMENT,
  document_id INTEGER NOT NULL,
  place       INTEGER NOT NULL,
  title       TEXT NOT NULL,
  anchor      TEXT,
  page        INTEGER,
  text        TEXT NOT NULL,
  language    TEXT,
  hash        BLOB NOT NULL
) STRICT;
CREATE INDEX passages_of_document ON passages (document_id, place);
CREATE INDEX passages_by_hash ON passages (hash, document_id);
CREATE INDEX passages_by_language ON passages (language);

-- The words are cut and stemmed by the program, so that each language and script is served: only spaces
-- separate them here. The texts themselves are in the table above.
CREATE VIRTUAL TABLE words USING fts5 (
  title, body, content = '', contentless_delete = 1, tokenize = 'ascii');
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, 'row');

CREATE TABLE generations (
  generation_id  INTEGER PRIMARY KEY AUTOINCREMENT,
  model          TEXT NOT NULL,
  base_url       TEXT NOT NULL,
  dimensions     INTEGER NOT NULL,
  query_prefix   TEXT NOT NULL,
  passage_prefix TEXT NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('building', 'active', 'old')),
  begun_ms       INTEGER NOT NULL,
  activated_ms   INTEGER
) STRICT;
CREATE UNIQUE INDEX one_active ON generations (state) WHERE state = 'active';

-- Generations that were dropped here, and whose copies elsewhere are still to be.
CREATE TABLE dropped (
  generation_id INTEGER PRIMARY KEY,
  begun_ms      INTEGER NOT NULL
) STRICT;

-- What a passage must be nearer than to count as found, by the language of the question, and how many vectors there
-- were when that was learned.
CREATE TABLE floors (
  generation_id INTEGER NOT NULL,
  language      TEXT NOT NULL,
  near          REAL NOT NULL,
  likely        REAL NOT NULL,
  of            INTEGER NOT NULL,
  PRIMARY KEY (generation_id, language)
) STRICT, WITHOUT ROWID;

-- In the order of the hashes, as passages_by_hash has them, so that the codes of all passages are read within a second;
-- apart from the exact numbers.
CREATE TABLE codes (
  generation_id INTEGER NOT NULL,
  hash          BLOB NOT NULL,
  vector_id     INTEGER NOT NULL,
  scale         REAL NOT NULL,
  code          BLOB NOT NULL,
  PRIMARY KEY (generation_id, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE exact (
  vector_id INTEGER PRIMARY KEY,
  numbers   BLOB NOT NULL
) STRICT;

-- The last look through the sources: one row for when, and one for each thing that it left out.
CREATE TABLE looks (
  look_id  INTEGER PRIMARY KEY CHECK (look_id = 1),
  begun_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  beyond   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE left_out (
  -- Of a folder that cannot be read; without it, the row is about files of an ending.
  source TEXT,
  what   TEXT NOT NULL,
  files  INTEGER NOT NULL
) STRICT;

CREATE TABLE requests (
  request_id INTEGER PRIMARY KEY AUTOINCREMENT,
  wanted     TEXT NOT NULL,
  generation INTEGER,
  asked_ms   INTEGER NOT NULL,
  is_done    INTEGER NOT NULL DEFAULT 0,
  result     TEXT,
  failure    TEXT
) STRICT;
