-- So many answered questions (ROWS) of four people, in a thousand chats.
CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS
  (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ROWS) SELECT i FROM n;

INSERT INTO messages (id, bot_id, chat_id, topic_id, turn_id, sender_id, role, content, at_ms)
  SELECT 2 * i - 1, BOT, i % 1000, 0, 2 * i - 1, 1 + i % 4, 'user',
         '[{"type":"text","text":"a question"}]', i FROM n;
INSERT INTO messages (id, bot_id, chat_id, topic_id, turn_id, role, content, at_ms)
  SELECT 2 * i, BOT, i % 1000, 0, 2 * i - 1, 'assistant',
         '[{"type":"text","text":"an answer"}]', i FROM n;
INSERT INTO answers (message_id, bot_id, provider, model, input_tokens, duration_ms, stop_reason, sources)
  SELECT 2 * i, BOT, 'echo', '', 1, 1, 'end', '[]' FROM n;
INSERT INTO inbox (bot_id, update_id, chat_id, message_id, body, received_ms, done_ms)
  SELECT BOT, -i, i % 1000, i, '', i, i FROM n;
INSERT INTO outbox (bot_id, chat_id, seq, text, extra, state, due_ms, created_ms)
  SELECT BOT, i % 1000, i, '', '', 2, i, i FROM n;
UPDATE bots SET turns = turns + ROWS, input_tokens = input_tokens + ROWS WHERE bot_id = BOT;
DROP TABLE n;
