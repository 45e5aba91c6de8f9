-- One row per bot account that ever used this file. All other tables carry its id, so that a
-- changed token never meets the old account's offset or people.
CREATE TABLE bots (
    bot_id      INTEGER PRIMARY KEY,
    next_offset INTEGER NOT NULL DEFAULT 0,
    offset_ms   INTEGER NOT NULL DEFAULT 0,
    claim_code  TEXT,
    paused      INTEGER NOT NULL DEFAULT 0
);

-- Updates that were accepted. new: done_ms is null. The row outlives its body, because Telegram
-- may deliver an update again for a day.
CREATE TABLE inbox (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    bot_id      INTEGER NOT NULL,
    update_id   INTEGER NOT NULL,
    chat_id     INTEGER,
    message_id  INTEGER,
    body        TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    done_ms     INTEGER,
    outcome     TEXT
);
CREATE UNIQUE INDEX inbox_update ON inbox (bot_id, update_id);
CREATE INDEX inbox_new ON inbox (bot_id, seq) WHERE done_ms IS NULL;

-- Parts of replies. state: 0 due, 1 sending, 2 sent, 3 dropped.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
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
    reason       TEXT
);
CREATE INDEX outbox_open ON outbox (bot_id, chat_id, id) WHERE state < 2;

-- What was said, one row per question with its answer.
CREATE TABLE exchanges (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    bot_id        INTEGER NOT NULL,
    chat_id       INTEGER NOT NULL,
    user_id       INTEGER NOT NULL,
    question      TEXT NOT NULL,
    answer        TEXT NOT NULL,
    provider      TEXT NOT NULL,
    at_ms         INTEGER NOT NULL,
    duration_ms   INTEGER NOT NULL,
    input_tokens  INTEGER,
    output_tokens INTEGER
);
CREATE INDEX exchanges_chat ON exchanges (bot_id, chat_id, id);

-- People who wrote to the bot and were let in, or wait for it. role: stranger, member, owner.
CREATE TABLE users (
    bot_id     INTEGER NOT NULL,
    user_id    INTEGER NOT NULL,
    role       TEXT NOT NULL,
    name       TEXT NOT NULL,
    username   TEXT,
    code       TEXT,
    code_at_ms INTEGER,
    since_ms   INTEGER NOT NULL,
    PRIMARY KEY (bot_id, user_id)
) WITHOUT ROWID;

-- Settings and state of a chat.
CREATE TABLE chats (
    bot_id       INTEGER NOT NULL,
    chat_id      INTEGER NOT NULL,
    allowed      INTEGER NOT NULL DEFAULT 0,
    absent       INTEGER NOT NULL DEFAULT 0,
    model        TEXT,
    history_from INTEGER NOT NULL DEFAULT 0,
    moved_to     INTEGER,
    PRIMARY KEY (bot_id, chat_id)
) WITHOUT ROWID;
