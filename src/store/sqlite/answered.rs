//! What is left of questions that are done: what an edit of one is compared with.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::word;
use super::db::Sqlite;
use super::history::message;
use super::inbox::queued;
use crate::model::conversation::{Message, Role};
use crate::model::ids::{ChatId, MessageId, UserId};
use crate::model::limits;
use crate::store::failure::StoreError;
use crate::store::updates::{LastAnswer, Queued, UpdateOutcome};

impl Sqlite {
    pub(in crate::store) async fn kept_updates_of(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Vec<Queued>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT seq, received_ms, update_id, body FROM inbox
                 WHERE bot_id = ?1 AND sender_id = ?2 AND done_ms IS NOT NULL AND body <> ''
                   AND chat_id = ?3 ORDER BY seq DESC LIMIT ?4",
            )?;
            let key = params![bot, user.0, chat.0, limits::KEPT_UPDATES];
            Ok(find.query_map(key, queued)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn last_answer(
        &self,
        chat: ChatId,
        messages: Vec<MessageId>,
    ) -> Result<Option<LastAnswer>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut last = None;
            for message in &messages {
                last = last.max(answered(conn, bot, chat, *message)?);
            }
            let Some((seq, at_ms)) = last else { return Ok(None) };
            Ok(Some(LastAnswer { at_ms, question: question(conn, bot, seq)? }))
        })
        .await
    }
}

/// The update that asked last in a message and is done, and when that was.
fn answered(
    conn: &Connection,
    bot: i64,
    chat: ChatId,
    message: MessageId,
) -> Result<Option<(i64, i64)>, StoreError> {
    let [answered, failed] = [UpdateOutcome::Answered, UpdateOutcome::Failed];
    // By the key: an index of messages would cost every update more than this costs an edit.
    let mut find = conn.prepare_cached(
        "SELECT seq, done_ms FROM inbox
         WHERE seq > (SELECT max(seq) FROM inbox) - ?4 AND +bot_id = ?1
           AND chat_id = ?2 AND message_id = ?3 AND outcome IN (?5, ?6)
         ORDER BY seq DESC LIMIT 1",
    )?;
    let (answered, failed) = (answered.as_str(), failed.as_str());
    let key = params![bot, chat.0, message.0, limits::EDITABLE_UPDATES, answered, failed];
    Ok(find.query_row(key, |r| Ok((r.get(0)?, r.get(1)?))).optional()?)
}

/// What this update asked, as the history has it.
fn question(conn: &Connection, bot: i64, seq: i64) -> Result<Option<Message>, StoreError> {
    // By the key, too: each update leads to one answer at most, and a turn has few messages.
    let mut find = conn.prepare_cached(
        "SELECT role, content FROM messages WHERE id = (
           SELECT max(q.id) FROM answers a
             JOIN messages m ON m.id = a.message_id
             JOIN messages q ON q.bot_id = m.bot_id AND q.chat_id = m.chat_id
               AND q.topic_id = m.topic_id AND q.turn_id = m.turn_id AND q.role = ?4
           WHERE a.message_id > (SELECT max(message_id) FROM answers) - 4 * ?3
             AND +a.bot_id = ?1 AND a.seq = ?2)",
    )?;
    let key = params![bot, seq, limits::EDITABLE_UPDATES, word(Role::User)];
    let mut rows = find.query(key)?;
    rows.next()?.map(message).transpose()
}
