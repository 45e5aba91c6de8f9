//! The history: what was said, and what was answered.

use rusqlite::{Connection, params};

use super::db::Sqlite;
use crate::model::conversation::Exchange;
use crate::model::ids::{ChatId, UserId};
use crate::store::failure::StoreError;
use crate::store::history::{NewExchange, Totals};

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

impl Sqlite {
    pub(in crate::store) async fn history(
        &self,
        chat: ChatId,
        limit: usize,
    ) -> Result<Vec<Exchange>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT question, answer FROM exchanges
                 WHERE bot_id = ?1 AND chat_id = ?2 AND id > coalesce(
                   (SELECT history_from FROM chats WHERE bot_id = ?1 AND chat_id = ?2), 0)
                 ORDER BY id DESC LIMIT ?3",
            )?;
            let rows = find.query_map(params![bot, chat.0, limit], |r| {
                Ok(Exchange { question: r.get(0)?, answer: r.get(1)? })
            })?;
            let mut exchanges = rows.collect::<Result<Vec<_>, _>>()?;
            exchanges.reverse();
            Ok(exchanges)
        })
        .await
    }

    pub(in crate::store) async fn exchanges_of(&self, user: UserId) -> Result<u64, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT count(*) FROM exchanges WHERE bot_id = ?1 AND user_id = ?2",
            )?;
            Ok(find.query_row(params![bot, user.0], |r| r.get(0))?)
        })
        .await
    }

    pub(in crate::store) async fn totals(&self) -> Result<Totals, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT count(*), count(DISTINCT chat_id), coalesce(sum(input_tokens), 0),
                        coalesce(sum(output_tokens), 0)
                 FROM exchanges WHERE bot_id = ?1",
            )?;
            Ok(find.query_row([bot], |r| {
                Ok(Totals {
                    exchanges: r.get(0)?,
                    chats: r.get(1)?,
                    input_tokens: r.get(2)?,
                    output_tokens: r.get(3)?,
                })
            })?)
        })
        .await
    }
}
