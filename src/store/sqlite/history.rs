//! The history: messages, in turns.
//!
//! Invariants: a turn is stored and removed as a whole; its number is the id of its first message,
//! and ids are never used again.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{message_role, word};
use super::db::Sqlite;
use super::numbers::MessageNumbers;
use super::sources;
use crate::model::conversation::{Content, ConversationId, Message, Role};
use crate::model::effect::Continued;
use crate::model::ids::{ChatId, InboxSeq, UserId};
use crate::model::limits;
use crate::store::failure::StoreError;
use crate::store::history::{CutAnswer, KeptTurn, NewTurn, Totals};

/// Removes the turns of the messages that a condition selects: from the figures, then the answers'
/// metadata, then the messages.
macro_rules! remove_turns {
    ($condition:literal) => {{
        macro_rules! ids {
            () => {
                concat!(
                    "(SELECT m.id FROM messages q JOIN messages m ON m.bot_id = q.bot_id
                       AND m.chat_id = q.chat_id AND m.topic_id = q.topic_id
                       AND m.turn_id = q.turn_id WHERE ",
                    $condition,
                    ")"
                )
            };
        }
        [
            concat!(
                "UPDATE bots SET (turns, input_tokens, output_tokens) =
                   (SELECT bots.turns - count(*),
                           bots.input_tokens - coalesce(sum(a.input_tokens), 0),
                           bots.output_tokens - coalesce(sum(a.output_tokens), 0)
                    FROM answers a WHERE a.message_id IN ",
                ids!(),
                " AND a.bot_id = bots.bot_id)
                 WHERE bot_id IN (SELECT bot_id FROM answers WHERE message_id IN ",
                ids!(),
                ")"
            ),
            concat!("DELETE FROM answers WHERE message_id IN ", ids!()),
            concat!("DELETE FROM messages WHERE id IN ", ids!()),
        ]
    }};
}

/// Stores a turn inside the running transaction; `finishing` is the update that is done with it.
pub(super) fn insert(
    tx: &Connection,
    bot: i64,
    now: i64,
    turn: &NewTurn,
    finishing: InboxSeq,
    numbers: &MessageNumbers,
) -> Result<(), StoreError> {
    let asked_by = if turn.asked_by == InboxSeq(0) { finishing } else { turn.asked_by };
    let ConversationId { chat, topic } = turn.conversation;
    let mut insert = tx.prepare_cached(
        "INSERT INTO messages (id, bot_id, chat_id, topic_id, turn_id, sender_id, role, content, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let first = numbers.take(turn.quoted.len() + turn.messages.len());
    let mut last = first;
    let quoted = turn.quoted.iter().map(|(author, message)| (Some(author.0), message));
    let said = turn.messages.iter().map(|message| {
        let sender = (message.role == Role::User).then_some(turn.sender.0);
        (sender, message)
    });
    for (id, (sender, message)) in (first..).zip(quoted.chain(said)) {
        let content =
            serde_json::to_string(&message.content).map_err(|e| StoreError::row("messages", e))?;
        let role = word(message.role);
        insert.execute(params![id, bot, chat.0, topic, first, sender, role, content, now])?;
        last = id;
    }
    let answer = &turn.answer;
    let sources =
        serde_json::to_string(&answer.sources).map_err(|e| StoreError::row("answers", e))?;
    tx.prepare_cached(
        "INSERT INTO answers (message_id, bot_id, provider, model, input_tokens, output_tokens,
                              cost, duration_ms, stop_reason, sources, seq, passages)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        last,
        bot,
        answer.provider,
        answer.model,
        answer.usage.map(|u| u.input_tokens),
        answer.usage.map(|u| u.output_tokens),
        answer.cost,
        answer.duration_ms,
        word(answer.stop_reason),
        sources,
        asked_by.0,
        sources::column(&answer.passages)?
    ])?;
    tx.prepare_cached(
        "UPDATE bots SET turns = turns + 1, input_tokens = input_tokens + ?2,
                         output_tokens = output_tokens + ?3 WHERE bot_id = ?1",
    )?
    .execute(params![
        bot,
        answer.usage.map_or(0, |u| u.input_tokens),
        answer.usage.map_or(0, |u| u.output_tokens)
    ])?;
    Ok(())
}

/// An answer went on: the turn has one answer, with the figures of both. Nothing is stored if it was
/// deleted meanwhile.
pub(super) fn go_on(tx: &Connection, bot: i64, continued: &Continued) -> Result<(), StoreError> {
    let content = [Content::Text { text: continued.text.clone() }];
    let content = serde_json::to_string(&content).map_err(|e| StoreError::row("messages", e))?;
    let mut update =
        tx.prepare_cached("UPDATE messages SET content = ?3 WHERE id = ?1 AND bot_id = ?2")?;
    if update.execute(params![continued.answer, bot, content])? == 0 {
        return Ok(());
    }
    let (more, usage) = (&continued.more, continued.more.usage);
    let (input, output) = (usage.map(|u| u.input_tokens), usage.map(|u| u.output_tokens));
    tx.prepare_cached(
        "UPDATE answers SET duration_ms = duration_ms + ?2, stop_reason = ?3,
           input_tokens = coalesce(input_tokens + ?4, input_tokens, ?4),
           output_tokens = coalesce(output_tokens + ?5, output_tokens, ?5), passages = ?6
         WHERE message_id = ?1",
    )?
    .execute(params![
        continued.answer,
        more.duration_ms,
        word(more.stop_reason),
        input,
        output,
        sources::column(&more.passages)?
    ])?;
    tx.prepare_cached(
        "UPDATE bots SET input_tokens = input_tokens + ?2, output_tokens = output_tokens + ?3
         WHERE bot_id = ?1",
    )?
    .execute(params![bot, input.unwrap_or(0), output.unwrap_or(0)])?;
    Ok(())
}

/// What was said so far in a conversation is no longer part of it.
pub(super) fn start_afresh(
    tx: &Connection,
    bot: i64,
    conversation: ConversationId,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO conversations (bot_id, chat_id, topic_id, after_turn)
         SELECT ?1, ?2, ?3, coalesce(max(turn_id), 0) FROM messages
           WHERE bot_id = ?1 AND chat_id = ?2 AND topic_id = ?3
         ON CONFLICT (bot_id, chat_id, topic_id) DO UPDATE SET
           after_turn = max(after_turn, excluded.after_turn)",
    )?
    .execute(params![bot, conversation.chat.0, conversation.topic])?;
    Ok(())
}

/// The conversation is answered by this model from now on.
pub(super) fn set_model(
    tx: &Connection,
    bot: i64,
    conversation: ConversationId,
    model: Option<&str>,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO conversations (bot_id, chat_id, topic_id, after_turn, model)
         VALUES (?1, ?2, ?3, 0, ?4)
         ON CONFLICT (bot_id, chat_id, topic_id) DO UPDATE SET model = excluded.model",
    )?
    .execute(params![bot, conversation.chat.0, conversation.topic, model])?;
    Ok(())
}

/// Removes turns in which a person said something, at most `limit`; answers how many messages.
pub(super) fn forget(
    tx: &Connection,
    bot: i64,
    user: UserId,
    limit: usize,
) -> Result<usize, StoreError> {
    let mut removed = 0;
    for sql in remove_turns!(
        "q.id IN (SELECT id FROM messages WHERE bot_id = ?1 AND chat_id = ?2 AND sender_id = ?2
                  UNION ALL
                  SELECT id FROM messages WHERE bot_id = ?1 AND sender_id = ?2
                    AND sender_id <> chat_id LIMIT ?3)"
    ) {
        removed = tx.prepare_cached(sql)?.execute(params![bot, user.0, limit])?;
    }
    Ok(removed)
}

/// A group has another id; its conversations move along.
pub(super) fn move_chat(
    tx: &Connection,
    bot: i64,
    from: ChatId,
    to: ChatId,
) -> Result<(), StoreError> {
    for sql in [
        "UPDATE messages SET chat_id = ?3 WHERE bot_id = ?1 AND chat_id = ?2",
        "INSERT INTO conversations (bot_id, chat_id, topic_id, after_turn, model)
         SELECT bot_id, ?3, topic_id, after_turn, model FROM conversations
           WHERE bot_id = ?1 AND chat_id = ?2
         ON CONFLICT (bot_id, chat_id, topic_id) DO UPDATE SET
           after_turn = max(after_turn, excluded.after_turn),
           model = coalesce(model, excluded.model)",
    ] {
        tx.execute(sql, params![bot, from.0, to.0])?;
    }
    let sql = "DELETE FROM conversations WHERE bot_id = ?1 AND chat_id = ?2";
    tx.execute(sql, params![bot, from.0])?;
    Ok(())
}

/// Removes the turn that begins with this message, if it is older than `horizon`; answers how many
/// messages.
pub(super) fn remove_old(tx: &Connection, first: i64, horizon: i64) -> Result<usize, StoreError> {
    let mut removed = 0;
    for sql in remove_turns!("q.id = ?1 AND q.at_ms < ?2") {
        removed = tx.prepare_cached(sql)?.execute([first, horizon])?;
    }
    Ok(removed)
}

impl Sqlite {
    pub(in crate::store) async fn history(
        &self,
        conversation: ConversationId,
        turns: usize,
    ) -> Result<Vec<KeptTurn>, StoreError> {
        let (bot, ConversationId { chat, topic }) = (self.bot(), conversation);
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT role, content, turn_id FROM messages
                 WHERE bot_id = ?1 AND chat_id = ?2 AND topic_id = ?3 AND turn_id >= (
                   SELECT min(turn_id) FROM (
                     SELECT DISTINCT turn_id FROM messages
                     WHERE bot_id = ?1 AND chat_id = ?2 AND topic_id = ?3 AND turn_id > coalesce(
                       (SELECT after_turn FROM conversations
                        WHERE bot_id = ?1 AND chat_id = ?2 AND topic_id = ?3), 0)
                     ORDER BY turn_id DESC LIMIT ?4))
                 ORDER BY turn_id, id",
            )?;
            let mut rows = find.query(params![bot, chat.0, topic, turns])?;
            let mut turns: Vec<KeptTurn> = Vec::new();
            while let Some(row) = rows.next()? {
                let (message, number) = (message(row)?, row.get(2)?);
                match turns.last_mut() {
                    Some(turn) if turn.number == number => turn.messages.push(message),
                    _ => turns.push(KeptTurn { number, messages: vec![message] }),
                }
            }
            Ok(turns)
        })
        .await
    }

    pub(in crate::store) async fn cut_answer(
        &self,
        seq: InboxSeq,
    ) -> Result<Option<CutAnswer>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT m.id, m.chat_id, m.topic_id, m.turn_id, a.provider, a.passages
                 FROM answers a JOIN messages m ON m.id = a.message_id
                 WHERE a.bot_id = ?1 AND a.seq = ?2 AND a.stop_reason = 'length'",
            )?;
            let found = find.query_row(params![bot, seq.0], |r| {
                let conversation = ConversationId { chat: ChatId(r.get(1)?), topic: r.get(2)? };
                Ok((
                    r.get(0)?,
                    conversation,
                    r.get(3)?,
                    r.get(4)?,
                    sources::passages(r.get_ref(5)?),
                ))
            });
            let Some((answer, conversation, number, provider, passages)) = found.optional()? else {
                return Ok(None);
            };
            let mut find = conn.prepare_cached(
                "SELECT role, content, sender_id FROM messages
                 WHERE bot_id = ?1 AND chat_id = ?2 AND topic_id = ?3 AND turn_id = ?4 ORDER BY id",
            )?;
            let key = params![bot, conversation.chat.0, conversation.topic, number];
            let (mut rows, mut messages, mut asker) = (find.query(key)?, Vec::new(), None);
            while let Some(row) = rows.next()? {
                messages.push(message(row)?);
                asker = row.get::<_, Option<i64>>(2)?.map(UserId).or(asker);
            }
            let turn = KeptTurn { number, messages };
            Ok(Some(CutAnswer { answer, conversation, asker, provider, turn, passages }))
        })
        .await
    }

    pub(in crate::store) async fn chosen_model(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<String>, StoreError> {
        let (bot, ConversationId { chat, topic }) = (self.bot(), conversation);
        self.look_up(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT model FROM conversations
                 WHERE bot_id = ?1 AND chat_id = ?2 AND topic_id = ?3",
            )?;
            Ok(find.query_row([bot, chat.0, topic], |r| r.get(0)).optional()?.flatten())
        })
        .await
    }

    pub(in crate::store) async fn turns_of(&self, user: UserId) -> Result<u64, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                // In the private chat, and in groups: who was only quoted is not the last who speaks.
                "SELECT (SELECT count(*) FROM (SELECT DISTINCT topic_id, turn_id FROM messages
                           WHERE bot_id = ?1 AND chat_id = ?2 AND sender_id = ?2 LIMIT ?3))
                      + (SELECT count(*) FROM (SELECT DISTINCT turn_id FROM messages m
                           WHERE bot_id = ?1 AND sender_id = ?2 AND sender_id <> chat_id
                             AND NOT EXISTS (SELECT 1 FROM messages later
                               WHERE later.bot_id = m.bot_id AND later.chat_id = m.chat_id
                                 AND later.topic_id = m.topic_id AND later.turn_id = m.turn_id
                                 AND later.id > m.id AND later.sender_id <> m.sender_id)
                           LIMIT ?3))",
            )?;
            let most = limits::COUNTED_TURNS + 1;
            let count: u64 = find.query_row(params![bot, user.0, most], |r| r.get(0))?;
            Ok(count.min(most))
        })
        .await
    }

    pub(in crate::store) async fn totals(&self) -> Result<Totals, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                // From one chat to the next by the index; counting would read every message.
                "WITH RECURSIVE each_chat (chat_id) AS (
                   SELECT min(chat_id) FROM messages WHERE bot_id = ?1
                   UNION ALL
                   SELECT (SELECT min(m.chat_id) FROM messages m
                           WHERE m.bot_id = ?1 AND m.chat_id > each_chat.chat_id)
                   FROM each_chat WHERE each_chat.chat_id IS NOT NULL)
                 SELECT turns, (SELECT count(chat_id) FROM each_chat), input_tokens, output_tokens
                 FROM bots WHERE bot_id = ?1",
            )?;
            Ok(find.query_row([bot], |r| {
                Ok(Totals {
                    turns: r.get(0)?,
                    chats: r.get(1)?,
                    input_tokens: r.get(2)?,
                    output_tokens: r.get(3)?,
                })
            })?)
        })
        .await
    }
}

pub(super) fn message(row: &Row<'_>) -> Result<Message, StoreError> {
    let role = message_role(row.get_ref(0)?.as_str().unwrap_or_default());
    let content = row.get_ref(1)?.as_str().unwrap_or_default();
    // What a later version wrote must not take the rest of the conversation with it.
    let content = serde_json::from_str::<Vec<Content>>(content).unwrap_or_default();
    Ok(Message { role, content })
}
