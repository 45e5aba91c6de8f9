//! The history: what was said, and what was answered.

use rusqlite::{Connection, params};

use super::{Store, StoreError};
use crate::model::conversation::{Exchange, Usage};
use crate::model::ids::{ChatId, UserId};

/// An exchange that is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExchange {
    /// Where it was said.
    pub chat: ChatId,
    /// Who asked.
    pub user: UserId,
    /// Question and answer.
    pub said: Exchange,
    /// Which provider answered.
    pub provider: &'static str,
    /// From the question's turn to the whole answer, in milliseconds.
    pub duration_ms: i64,
    /// Tokens, where the provider told.
    pub usage: Option<Usage>,
}

/// Figures about all that is kept of this bot's conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Exchanges kept.
    pub exchanges: u64,
    /// Chats they were said in.
    pub chats: u64,
    /// Tokens of all prompts.
    pub input_tokens: u64,
    /// Tokens of all answers.
    pub output_tokens: u64,
}

pub(super) fn insert_exchange(
    tx: &Connection,
    bot: i64,
    now: i64,
    new: &NewExchange,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO exchanges (bot_id, chat_id, user_id, question, answer, provider, at_ms,
                                duration_ms, input_tokens, output_tokens)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        bot,
        new.chat.0,
        new.user.0,
        new.said.question,
        new.said.answer,
        new.provider,
        now,
        new.duration_ms,
        new.usage.map(|u| u.input_tokens),
        new.usage.map(|u| u.output_tokens)
    ])?;
    Ok(())
}

impl Store {
    /// The last exchanges of a chat since it was started afresh, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn history(&self, chat: ChatId, limit: usize) -> Result<Vec<Exchange>, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT question, answer FROM exchanges
                 WHERE bot_id = ?1 AND chat_id = ?2 AND id > coalesce(
                   (SELECT history_from FROM chats WHERE bot_id = ?1 AND chat_id = ?2), 0)
                 ORDER BY id DESC LIMIT ?3",
            )?;
            let rows = find.query_map(params![self.bot().0, chat.0, limit], |r| {
                Ok(Exchange { question: r.get(0)?, answer: r.get(1)? })
            })?;
            let mut exchanges = rows.collect::<Result<Vec<_>, _>>()?;
            exchanges.reverse();
            Ok(exchanges)
        })
    }

    /// Exchanges of one person that are kept, over all chats.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn exchanges_of(&self, user: UserId) -> Result<u64, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT count(*) FROM exchanges WHERE bot_id = ?1 AND user_id = ?2",
            )?;
            Ok(find.query_row(params![self.bot().0, user.0], |r| r.get(0))?)
        })
    }

    /// Figures about the whole history.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn totals(&self) -> Result<Totals, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT count(*), count(DISTINCT chat_id), coalesce(sum(input_tokens), 0),
                        coalesce(sum(output_tokens), 0)
                 FROM exchanges WHERE bot_id = ?1",
            )?;
            Ok(find.query_row([self.bot().0], |r| {
                Ok(Totals {
                    exchanges: r.get(0)?,
                    chats: r.get(1)?,
                    input_tokens: r.get(2)?,
                    output_tokens: r.get(3)?,
                })
            })?)
        })
    }
}
