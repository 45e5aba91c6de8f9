-- "Katn" in the header: this file is Katana's, whatever name it has.
PRAGMA application_id = 1264677998;

-- What programs of older schemas have to know of later migrations, to go on with the file: works_from: the
-- oldest schema whose programs can; statements: JSON, what was changed in the schema.
CREATE TABLE compatible (
    version    INTEGER PRIMARY KEY,
    works_from INTEGER NOT NULL,
    statements TEXT NOT NULL
);

-- Conversations are made of messages, one row each. A turn is a question and all that answers it;
-- its number is the id of its first message. topic_id: 0 outside topics. sender_id: the person who
-- said it; null for what the model and its tools said. content: JSON, as model::conversation has it.
CREATE TABLE messages (
    id        INTEGER PRIMARY KEY,
    bot_id    INTEGER NOT NULL,
    chat_id   INTEGER NOT NULL,
    topic_id  INTEGER NOT NULL,
    turn_id   INTEGER NOT NULL,
    sender_id INTEGER,
    role      TEXT NOT NULL,
    content   TEXT NOT NULL,
    at_ms     INTEGER NOT NULL
);

-- What is known of the answer that ended a turn. seq: the update that asked, as buttons name it. cost: millionths of a US dollar; null where no price
-- is known. sources: JSON, names of files, best first. passages: JSON, what it was written from.
CREATE TABLE answers (
    message_id    INTEGER PRIMARY KEY,
    bot_id        INTEGER NOT NULL,
    seq           INTEGER,
    provider      TEXT NOT NULL,
    model         TEXT NOT NULL,
    input_tokens  INTEGER,
    output_tokens INTEGER,
    cost          INTEGER,
    duration_ms   INTEGER NOT NULL,
    stop_reason   TEXT NOT NULL,
    sources       TEXT NOT NULL,
    passages      TEXT NOT NULL DEFAULT '[]'
);

-- What is set for a conversation. after_turn: it was started afresh there; turns up to this one are no
-- longer part of it. model: the one chosen for it; null for the configured one.
CREATE TABLE conversations (
    bot_id     INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,
    topic_id   INTEGER NOT NULL,
    after_turn INTEGER NOT NULL,
    model      TEXT,
    PRIMARY KEY (bot_id, chat_id, topic_id)
) WITHOUT ROWID;

-- An exchange becomes two messages outside of topics. 0.2 wrote into the answer's text why it had
-- been cut.
INSERT INTO messages (id, bot_id, chat_id, topic_id, turn_id, sender_id, role, content, at_ms)
SELECT 2 * id - 1, bot_id, chat_id, 0, 2 * id - 1, user_id, 'user',
       json_array(json_object('type', 'text', 'text', CAST(question AS TEXT))), at_ms
FROM exchanges ORDER BY id;

CREATE TEMP TABLE notes (note TEXT PRIMARY KEY, stop_reason TEXT NOT NULL);
INSERT INTO notes VALUES
    (char(10, 10) || '_(The answer reached its length limit and is cut.)_', 'length'),
    (char(10, 10) || '_(The provider''s filter stopped this answer.)_', 'filtered');

INSERT INTO messages (id, bot_id, chat_id, topic_id, turn_id, role, content, at_ms)
SELECT 2 * id, bot_id, chat_id, 0, 2 * id - 1, 'assistant',
       json_array(json_object('type', 'text', 'text',
           CAST(substr(answer, 1, length(answer) - coalesce(length(note), 0)) AS TEXT))), at_ms
FROM exchanges LEFT JOIN notes ON substr(answer, -length(note)) = note ORDER BY id;

INSERT INTO answers (message_id, bot_id, provider, model, input_tokens, output_tokens, duration_ms,
                     stop_reason, sources)
SELECT 2 * id, bot_id, provider, '', input_tokens, output_tokens, duration_ms,
       coalesce(stop_reason, 'end'), '[]'
FROM exchanges LEFT JOIN notes ON substr(answer, -length(note)) = note ORDER BY id;

INSERT INTO conversations (bot_id, chat_id, topic_id, after_turn, model)
SELECT bot_id, chat_id, 0, max(2 * history_from - 1, 0), model FROM chats
WHERE history_from > 0 OR model IS NOT NULL;

DROP TABLE notes;
DROP TABLE exchanges;
ALTER TABLE chats DROP COLUMN history_from;
ALTER TABLE chats DROP COLUMN model;
CREATE INDEX messages_turn ON messages (bot_id, chat_id, topic_id, turn_id);
-- A private chat has the number of its person, so `messages_turn` finds what they said there.
CREATE INDEX messages_sender ON messages (bot_id, sender_id, turn_id) WHERE sender_id <> chat_id;
-- No later turn may lie at or below one of these.
CREATE INDEX conversations_after ON conversations (after_turn);
-- Answers that can go on.
CREATE INDEX answers_cut ON answers (bot_id, seq) WHERE stop_reason = 'length';

-- What is kept of all conversations, so that no one has to count it.
ALTER TABLE bots ADD COLUMN turns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bots ADD COLUMN input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bots ADD COLUMN output_tokens INTEGER NOT NULL DEFAULT 0;
UPDATE bots SET (turns, input_tokens, output_tokens) =
    (SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0)
     FROM answers WHERE answers.bot_id = bots.bot_id);

-- When the last claim code was made; null if there never was one. Of an older one it is not known, so it
-- counts as expired.
ALTER TABLE bots ADD COLUMN claim_code_ms INTEGER;
UPDATE bots SET claim_code_ms = 0;

-- Whether unused space of the file may still hold what was deleted.
ALTER TABLE bots ADD COLUMN erasing INTEGER NOT NULL DEFAULT 0;

-- The last message that surely arrived in a chat. Whatever is in doubt there came later.
ALTER TABLE chats ADD COLUMN last_sent_id INTEGER;
INSERT INTO chats (bot_id, chat_id, last_sent_id)
SELECT bot_id, chat_id, max(message_id) FROM outbox WHERE message_id > 0 GROUP BY bot_id, chat_id
ON CONFLICT (bot_id, chat_id) DO UPDATE SET last_sent_id = excluded.last_sent_id;

-- The id that a supergroup had as a group, which the configuration may still name.
ALTER TABLE chats ADD COLUMN moved_from INTEGER;
INSERT INTO chats (bot_id, chat_id, moved_from)
SELECT bot_id, moved_to, chat_id FROM chats WHERE moved_to IS NOT NULL
ON CONFLICT (bot_id, chat_id) DO UPDATE SET moved_from = excluded.moved_from;

-- Owners, strangers by age, and whose code it is.
CREATE INDEX users_role ON users (role, since_ms);
CREATE INDEX users_code ON users (code) WHERE code IS NOT NULL;

-- Who sent an update, and whom a part answers, where it goes to the chat of that update. AUTOINCREMENT
-- writes one more row for each insertion; the last row of these tables is never removed instead, so that
-- numbers are not used again. Of an empty table it stands for the rows that were there.
CREATE TABLE updates (
    seq         INTEGER PRIMARY KEY,
    bot_id      INTEGER NOT NULL,
    update_id   INTEGER NOT NULL,
    chat_id     INTEGER,
    message_id  INTEGER,
    body        TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    done_ms     INTEGER,
    outcome     TEXT,
    sender_id   INTEGER
);
INSERT INTO updates
SELECT seq, bot_id, update_id, chat_id, message_id, body, received_ms, done_ms, outcome,
       CASE WHEN body <> '' AND json_valid(body)
       THEN coalesce(json_extract(body, '$.Message.from.id'), json_extract(body, '$.Press.from.id'))
       END
FROM inbox ORDER BY seq;
INSERT INTO updates (seq, bot_id, update_id, body, received_ms, done_ms)
SELECT seq, 0, 0, '', 0, 0 FROM sqlite_sequence
WHERE name = 'inbox' AND seq > (SELECT coalesce(max(seq), 0) FROM inbox);
DROP TABLE inbox;
ALTER TABLE updates RENAME TO inbox;
CREATE UNIQUE INDEX inbox_update ON inbox (bot_id, update_id);
CREATE INDEX inbox_new ON inbox (bot_id, seq) WHERE done_ms IS NULL;
CREATE INDEX inbox_kept ON inbox (bot_id, sender_id) WHERE done_ms IS NOT NULL AND body <> '';

CREATE TABLE parts (
    id           INTEGER PRIMARY KEY,
    bot_id       INTEGER NOT NULL,
    chat_id      INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    text         TEXT NOT NULL,
    extra        TEXT NOT NULL,
    state        INTEGER NOT NULL DEFAULT 0,
    attempts     INTEGER NOT NULL DEFAULT 0,
    due_ms       INTEGER NOT NULL,
    floor_id     INTEGER,
    attempted_ms INTEGER,
    message_id   INTEGER,
    created_ms   INTEGER NOT NULL,
    reason       TEXT,
    sender_id    INTEGER
);
INSERT INTO parts
SELECT id, bot_id, chat_id, seq, text, extra, state, attempts, due_ms, floor_id, attempted_ms,
       message_id, created_ms, reason,
       CASE WHEN state < 2 THEN (SELECT sender_id FROM inbox WHERE inbox.seq = outbox.seq
                                 AND inbox.chat_id = outbox.chat_id) END
FROM outbox ORDER BY id;
INSERT INTO parts (id, bot_id, chat_id, seq, text, extra, state, due_ms, created_ms)
SELECT seq, 0, 0, 0, '', '', 3, 0, 0 FROM sqlite_sequence
WHERE name = 'outbox' AND seq > (SELECT coalesce(max(id), 0) FROM outbox);
DROP TABLE outbox;
ALTER TABLE parts RENAME TO outbox;
CREATE INDEX outbox_open ON outbox (bot_id, chat_id, id) WHERE state < 2;

-- Money, in millionths of a US dollar. A call of a provider is written down before it is made, with the most
-- that it can cost (state 0); what the provider reports takes that place (1). A call that reports nothing, also
-- because of a crash, keeps the most. day: days since 1970-01-01 in UTC. user_id, chat_id: null for questions of
-- our own, and for people who asked to be forgotten.
CREATE TABLE calls (
    id               INTEGER PRIMARY KEY,
    bot_id           INTEGER NOT NULL,
    day              INTEGER NOT NULL,
    at_ms            INTEGER NOT NULL,
    user_id          INTEGER,
    chat_id          INTEGER,
    provider         TEXT NOT NULL,
    model            TEXT NOT NULL,
    purpose          TEXT NOT NULL,
    state            INTEGER NOT NULL,
    cost             INTEGER NOT NULL,
    input_tokens     INTEGER NOT NULL DEFAULT 0,
    cached_tokens    INTEGER NOT NULL DEFAULT 0,
    output_tokens    INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX calls_day ON calls (bot_id, day, user_id);

-- What was spent in a day, so that no one has to add it up. scope: 0 all, 1 the person owner_id, 2 the chat
-- owner_id, 3 questions of our own.
CREATE TABLE spent (
    bot_id           INTEGER NOT NULL,
    scope            INTEGER NOT NULL,
    owner_id         INTEGER NOT NULL,
    day              INTEGER NOT NULL,
    cost             INTEGER NOT NULL,
    calls            INTEGER NOT NULL,
    input_tokens     INTEGER NOT NULL DEFAULT 0,
    cached_tokens    INTEGER NOT NULL DEFAULT 0,
    output_tokens    INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (bot_id, scope, owner_id, day)
) WITHOUT ROWID;
CREATE INDEX spent_day ON spent (day);

-- What people have heard about budgets, and until when they need not hear it again. about: 0 the person owner_id
-- has no answer, 1 a budget of the scope owner_id is used up, 2 four fifths of the total are.
CREATE TABLE budget_notices (
    bot_id   INTEGER NOT NULL,
    about    INTEGER NOT NULL,
    owner_id INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (bot_id, about, owner_id)
) WITHOUT ROWID;

-- Models of providers that are not asked, because they fail; as many rows as fail now.
CREATE TABLE breakers (
    bot_id      INTEGER NOT NULL,
    provider    TEXT NOT NULL,
    model       TEXT NOT NULL,
    class       TEXT NOT NULL,
    is_unusable INTEGER NOT NULL,
    since_ms    INTEGER NOT NULL,
    until_ms    INTEGER NOT NULL,
    cooldown_ms INTEGER NOT NULL,
    PRIMARY KEY (bot_id, provider, model)
) WITHOUT ROWID;

-- Documents that an owner sent, as their extracted text: they cannot be read again from anywhere. document: JSON, as
-- the crate extract has it. hash: SHA-256 of the file.
CREATE TABLE learned (
    id       INTEGER PRIMARY KEY,
    bot_id   INTEGER NOT NULL,
    name     TEXT NOT NULL,
    added_ms INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    passages INTEGER NOT NULL,
    document TEXT NOT NULL
);
CREATE UNIQUE INDEX learned_name ON learned (bot_id, name);
