//! Chats, and the effects that commands have on what is remembered.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError};
use crate::model::effect::Effect;
use crate::model::ids::ChatId;

/// Settings and state of one chat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatState {
    /// The bot may answer in this group.
    pub allowed: bool,
    /// The bot cannot write here: blocked or kicked.
    pub absent: bool,
    /// The model chosen for this chat.
    pub model: Option<String>,
    /// The id the chat has now, when it became a supergroup.
    pub moved_to: Option<ChatId>,
}

/// State of the bot itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Questions wait on disk.
    pub paused: bool,
    /// The code that makes its sender the owner, while there is no owner.
    pub claim_code: Option<String>,
}

impl Store {
    /// What is known of a chat; the default when nothing is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn chat(&self, chat: ChatId) -> Result<ChatState, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT allowed, absent, model, moved_to FROM chats
                 WHERE bot_id = ?1 AND chat_id = ?2",
            )?;
            let state = find.query_row(params![self.bot().0, chat.0], |r| {
                Ok(ChatState {
                    allowed: r.get(0)?,
                    absent: r.get(1)?,
                    model: r.get(2)?,
                    moved_to: r.get::<_, Option<i64>>(3)?.map(ChatId),
                })
            });
            Ok(state.optional()?.unwrap_or_default())
        })
    }

    /// State of the bot itself.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn settings(&self) -> Result<Settings, StoreError> {
        self.read(|conn| {
            let mut find =
                conn.prepare_cached("SELECT paused, claim_code FROM bots WHERE bot_id = ?1")?;
            let row = find.query_row([self.bot().0], |r| {
                Ok(Settings { paused: r.get(0)?, claim_code: r.get(1)? })
            });
            Ok(row.optional()?.unwrap_or_default())
        })
    }
}

/// Stores one effect inside the running transaction.
pub(super) fn apply(
    tx: &Connection,
    bot: i64,
    now: i64,
    effect: &Effect,
) -> Result<(), StoreError> {
    let set = |column: &str, chat: ChatId, value: &dyn rusqlite::ToSql| {
        // `column` is one of the literals below, never somebody's text.
        tx.prepare_cached(&format!(
            "INSERT INTO chats (bot_id, chat_id, {column}) VALUES (?1, ?2, ?3)
             ON CONFLICT (bot_id, chat_id) DO UPDATE SET {column} = excluded.{column}"
        ))?
        .execute(params![bot, chat.0, value])
    };
    match effect {
        Effect::AllowChat { chat, allowed } => {
            set("allowed", *chat, allowed)?;
        }
        Effect::SetModel { chat, model } => {
            set("model", *chat, model)?;
        }
        Effect::Presence { chat, present } => {
            set("absent", *chat, &!present)?;
        }
        Effect::StartAfresh(chat) => {
            let last: i64 = tx
                .prepare_cached(
                    "SELECT coalesce(max(id), 0) FROM exchanges WHERE bot_id = ?1 AND chat_id = ?2",
                )?
                .query_row(params![bot, chat.0], |r| r.get(0))?;
            set("history_from", *chat, &last)?;
        }
        Effect::Forget(user) => {
            tx.prepare_cached("DELETE FROM exchanges WHERE bot_id = ?1 AND user_id = ?2")?
                .execute(params![bot, user.0])?;
            // Questions that were kept for another try are the person's words, too.
            tx.prepare_cached(
                "UPDATE inbox SET body = '' WHERE bot_id = ?1 AND done_ms IS NOT NULL
                   AND body <> '' AND json_extract(body, '$.Message.from.id') = ?2",
            )?
            .execute(params![bot, user.0])?;
            // What still waits is not answered either: not in another chat, not after a pause.
            tx.prepare_cached(
                "UPDATE inbox SET body = '', done_ms = ?3, outcome = 'forgotten'
                 WHERE bot_id = ?1 AND done_ms IS NULL
                   AND json_extract(body, '$.Message.from.id') = ?2",
            )?
            .execute(params![bot, user.0, now])?;
            tx.prepare_cached(
                "UPDATE outbox SET state = 3, reason = 'forgotten', text = '', extra = ''
                 WHERE bot_id = ?1 AND chat_id = ?2 AND state = 0",
            )?
            .execute(params![bot, user.0])?;
        }
        Effect::Used(seq) => {
            tx.prepare_cached("UPDATE inbox SET body = '' WHERE seq = ?1 AND done_ms IS NOT NULL")?
                .execute([seq.0])?;
        }
        Effect::Pause(paused) => {
            tx.prepare_cached("UPDATE bots SET paused = ?2 WHERE bot_id = ?1")?
                .execute(params![bot, paused])?;
        }
        Effect::MoveChat { from, to } => move_chat(tx, bot, *from, *to)?,
        Effect::Claim(_) | Effect::Approve(_) | Effect::Remove(_) | Effect::OfferCode { .. } => {
            super::users::apply(tx, bot, now, effect)?;
        }
    }
    Ok(())
}

fn move_chat(tx: &Connection, bot: i64, from: ChatId, to: ChatId) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO chats (bot_id, chat_id, allowed, model, history_from)
         SELECT bot_id, ?3, allowed, model, history_from FROM chats
         WHERE bot_id = ?1 AND chat_id = ?2
         ON CONFLICT (bot_id, chat_id) DO UPDATE SET
           allowed = max(allowed, excluded.allowed), model = coalesce(model, excluded.model)",
        params![bot, from.0, to.0],
    )?;
    tx.execute(
        "INSERT INTO chats (bot_id, chat_id, moved_to) VALUES (?1, ?2, ?3)
         ON CONFLICT (bot_id, chat_id) DO UPDATE SET moved_to = excluded.moved_to",
        params![bot, from.0, to.0],
    )?;
    for sql in [
        "UPDATE exchanges SET chat_id = ?3 WHERE bot_id = ?1 AND chat_id = ?2",
        "UPDATE outbox SET chat_id = ?3 WHERE bot_id = ?1 AND chat_id = ?2 AND state = 0",
    ] {
        tx.execute(sql, params![bot, from.0, to.0])?;
    }
    Ok(())
}
