//! What is set for a chat, and for the bot itself.

use rusqlite::{Connection, OptionalExtension, params};

use super::db::Sqlite;
use super::users::valid_claim_code;
use crate::model::ids::{ChatId, MessageId, PartId, UserId};
use crate::store::failure::StoreError;
use crate::store::people::{ChatState, Settings};

impl Sqlite {
    pub(in crate::store) async fn chat(&self, chat: ChatId) -> Result<ChatState, StoreError> {
        let bot = self.bot();
        self.look_up(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT allowed, absent, moved_to, moved_from FROM chats
                 WHERE bot_id = ?1 AND chat_id = ?2",
            )?;
            let state = find.query_row(params![bot, chat.0], |r| {
                Ok(ChatState {
                    allowed: r.get(0)?,
                    absent: r.get(1)?,
                    moved_to: r.get::<_, Option<i64>>(2)?.map(ChatId),
                    moved_from: r.get::<_, Option<i64>>(3)?.map(ChatId),
                })
            });
            Ok(state.optional()?.unwrap_or_default())
        })
        .await
    }

    pub(in crate::store) async fn last_sent(
        &self,
        chat: ChatId,
    ) -> Result<Option<MessageId>, StoreError> {
        let bot = self.bot();
        // Memory first: what leaves it is on disk by then.
        let arrived = self.riding.arrivals.last_in(chat);
        let stored = self.look_up(move |conn| Ok(last_sent(conn, bot, chat)?)).await?;
        Ok(arrived.max(stored))
    }

    pub(in crate::store) async fn asker(&self, part: PartId) -> Result<Option<UserId>, StoreError> {
        let bot = self.bot();
        self.look_up(move |conn| {
            let sql = "SELECT sender_id FROM outbox WHERE id = ?1 AND bot_id = ?2";
            let mut find = conn.prepare_cached(sql)?;
            let row = find.query_row([part.0, bot], |r| r.get::<_, Option<i64>>(0));
            Ok(row.optional()?.flatten().map(UserId))
        })
        .await
    }

    pub(in crate::store) async fn settings(&self) -> Result<Settings, StoreError> {
        let (bot, now) = (self.bot(), self.now_ms());
        self.look_up(move |conn| {
            let sql = "SELECT paused, claim_code, claim_code_ms FROM bots WHERE bot_id = ?1";
            let row = conn.prepare_cached(sql)?.query_row([bot], |r| {
                Ok(Settings { paused: r.get(0)?, claim_code: valid_claim_code(r, 1, now)? })
            });
            Ok(row.optional()?.unwrap_or_default())
        })
        .await
    }
}

/// The last message that surely arrived in a chat.
pub(super) fn last_sent(
    conn: &Connection,
    bot: i64,
    chat: ChatId,
) -> rusqlite::Result<Option<MessageId>> {
    let sql = "SELECT last_sent_id FROM chats WHERE bot_id = ?1 AND chat_id = ?2";
    let found = conn.prepare_cached(sql)?.query_row([bot, chat.0], |r| r.get(0)).optional()?;
    Ok(found.flatten().map(MessageId))
}
