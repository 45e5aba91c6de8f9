//! The outbox: parts of replies on their way to Telegram.
//!
//! Invariants: an update is done in the commit that stores its replies; a part is *sending* on
//! disk before the request that sends it is written.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::delivery::{DeliveryOutcome, DeliveryRecord};
use super::history::{NewExchange, insert_exchange};
use super::{Store, StoreError, chats};
use crate::model::effect::Effect;
use crate::model::ids::{ChatId, InboxSeq, MessageId, PartId};
use crate::model::reply::Button;
use crate::model::text::{Entity, Rich};

/// Everything that one update led to; stored in one commit.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The update that is done with this.
    pub seq: InboxSeq,
    /// How it ended, in one word: `answered`, `command`, `ignored`, …
    pub outcome: &'static str,
    /// Whether the update's text is kept, so that somebody can ask for another try.
    pub keep_body: bool,
    /// What is remembered of it.
    pub effects: Vec<Effect>,
    /// Question and answer, for the history.
    pub exchange: Option<NewExchange>,
    /// Parts to send, in order. The first may be marked *sending* at once, see `first_attempt`.
    pub parts: Vec<NewPart>,
    /// The last message id known in the chat's counter, when the caller sends the first part
    /// right after the commit.
    pub first_attempt: Option<MessageId>,
}

/// A part that is not stored yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPart {
    /// Where to.
    pub chat: ChatId,
    /// Text and entities.
    pub rich: Rich,
    /// Buttons and the message it answers.
    pub extra: PartExtra,
}

/// What goes with a part's text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartExtra {
    /// Formatting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<Entity>,
    /// Rows of buttons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Vec<Button>>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Forum topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<i64>,
    /// Of an answer to a question, rather than to a command; for the figures.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answer: bool,
}

/// Whether a part has been tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartState {
    /// Not tried, or surely not arrived.
    Due,
    /// Tried; nobody knows whether it arrived.
    Sending {
        /// Last message id known in the counter before the attempt.
        id_before: MessageId,
        /// When it was tried, Unix milliseconds.
        at_ms: i64,
    },
}

/// A part that has not been settled.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenPart {
    /// Its place in the order of leaving.
    pub id: PartId,
    /// Where to.
    pub chat: ChatId,
    /// What it says.
    pub text: String,
    /// What goes with the text.
    pub extra: PartExtra,
    /// Whether it was tried.
    pub state: PartState,
    /// Tries that surely failed.
    pub attempts: u32,
    /// Not before this time, Unix milliseconds.
    pub due_ms: i64,
    /// When it was stored, Unix milliseconds.
    pub created_ms: i64,
}

impl Store {
    /// Marks an update done together with everything it led to. Answers the parts as stored.
    ///
    /// # Errors
    /// When the commit fails; then the update is still new.
    pub async fn finish(&self, finish: Finish) -> Result<Vec<OpenPart>, StoreError> {
        let (bot, now) = (self.bot().0, self.now_ms());
        let fold = finish.effects.iter().any(|e| matches!(e, Effect::Forget(_)));
        let after = Arc::clone(&self.inner.fold);
        self.write(move |tx| {
            // Set within the transaction, so that it is this one's commit that is folded.
            after.fetch_or(fold, Ordering::SeqCst);
            let done = tx
                .prepare_cached(
                    "UPDATE inbox SET done_ms = ?2, outcome = ?3,
                       body = CASE WHEN ?4 THEN body ELSE '' END
                     WHERE seq = ?1 AND done_ms IS NULL",
                )?
                .execute(params![finish.seq.0, now, finish.outcome, finish.keep_body])?;
            if done == 0 {
                // Done before: storing its replies again would send them twice.
                return Ok(Vec::new());
            }
            for effect in &finish.effects {
                chats::apply(tx, bot, now, effect)?;
            }
            if let Some(exchange) = &finish.exchange {
                insert_exchange(tx, bot, now, exchange)?;
            }
            let mut first = finish.first_attempt;
            let mut stored = Vec::with_capacity(finish.parts.len());
            for part in finish.parts {
                stored.push(insert(tx, bot, now, finish.seq, part, first.take())?);
            }
            Ok(stored)
        })
        .await
    }

    /// Marks a part as *sending*: to be called before the request is written. `false`: it is
    /// settled already, for instance forgotten, and must not be sent.
    ///
    /// # Errors
    /// When the commit fails; then nothing may be sent.
    pub async fn mark_sending(&self, id: PartId, id_before: MessageId) -> Result<bool, StoreError> {
        let now = self.now_ms();
        self.write(move |tx| mark(tx, now, id, id_before)).await
    }

    /// Stores what became of parts, with whatever has to be remembered because of it.
    ///
    /// # Errors
    /// When the commit fails; then the parts are still *sending* and the reconciler will look.
    pub async fn record_delivery(
        &self,
        settled: Vec<DeliveryRecord>,
        effects: Vec<Effect>,
    ) -> Result<(), StoreError> {
        let (bot, now) = (self.bot().0, self.now_ms());
        self.write(move |tx| {
            for row in &settled {
                record_one(tx, row)?;
            }
            for effect in &effects {
                chats::apply(tx, bot, now, effect)?;
            }
            Ok(())
        })
        .await
    }

    /// [`Store::record_delivery`] for one part and [`Store::mark_sending`] for the next, in one commit.
    /// `false`: the next one must not be sent.
    ///
    /// # Errors
    /// As theirs.
    pub async fn record_delivery_and_mark(
        &self,
        settled: DeliveryRecord,
        next: PartId,
        id_before: MessageId,
    ) -> Result<bool, StoreError> {
        let now = self.now_ms();
        self.write(move |tx| {
            record_one(tx, &settled)?;
            mark(tx, now, next, id_before)
        })
        .await
    }

    /// Drops everything that is due in a chat; answers how many parts that were.
    ///
    /// # Errors
    /// When the commit fails; then nothing is dropped.
    pub async fn drop_due(&self, chat: ChatId, reason: &'static str) -> Result<usize, StoreError> {
        let bot = self.bot().0;
        self.write(move |tx| {
            Ok(tx.execute(
                "UPDATE outbox SET state = 3, reason = ?3, text = '', extra = ''
                 WHERE bot_id = ?1 AND chat_id = ?2 AND state = 0",
                params![bot, chat.0, reason],
            )?)
        })
        .await
    }

    /// Chats that have parts which are not settled.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open_chats(&self) -> Result<Vec<ChatId>, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT DISTINCT chat_id FROM outbox WHERE bot_id = ?1 AND state < 2",
            )?;
            let rows = find.query_map([self.bot().0], |r| Ok(ChatId(r.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Due parts of one chat, in order, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn due_parts(&self, chat: ChatId, limit: usize) -> Result<Vec<OpenPart>, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(&format!(
                "{OPEN_PART} AND state = 0 AND chat_id = ?2 ORDER BY id LIMIT ?3"
            ))?;
            let rows = find.query_map(params![self.bot().0, chat.0, limit], open_part)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// All parts in *sending*: what an earlier process left behind, at most one per chat.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn parts_in_doubt(&self) -> Result<Vec<OpenPart>, StoreError> {
        self.read(|conn| {
            let mut find =
                conn.prepare_cached(&format!("{OPEN_PART} AND state = 1 ORDER BY id"))?;
            let rows = find.query_map([self.bot().0], open_part)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// How many parts are not settled, and when the oldest was stored (Unix ms).
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn outbox_depth(&self) -> Result<(u64, Option<i64>), StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT count(*), min(created_ms) FROM outbox WHERE bot_id = ?1 AND state < 2",
            )?;
            Ok(find.query_row([self.bot().0], |r| Ok((r.get(0)?, r.get(1)?)))?)
        })
    }

    /// To how many chats parts are not settled.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn outbox_chats(&self) -> Result<u64, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT count(DISTINCT chat_id) FROM outbox WHERE bot_id = ?1 AND state < 2",
            )?;
            Ok(find.query_row([self.bot().0], |r| r.get(0))?)
        })
    }

    /// Message ids of the latest parts that arrived, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn recent_sent_ids(&self, limit: usize) -> Result<Vec<(ChatId, MessageId)>, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT chat_id, message_id FROM
                   (SELECT id, chat_id, message_id FROM outbox
                    WHERE bot_id = ?1 ORDER BY id DESC LIMIT ?2)
                 WHERE message_id IS NOT NULL",
            )?;
            let rows = find.query_map(params![self.bot().0, limit], |r| {
                Ok((ChatId(r.get(0)?), MessageId(r.get(1)?)))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// Columns in the order that [`open_part`] reads them; `state < 2` makes the index fit.
const OPEN_PART: &str = "SELECT id, chat_id, text, extra, state, attempts, due_ms, floor_id, \
     attempted_ms, created_ms FROM outbox WHERE bot_id = ?1 AND state < 2";

fn insert(
    tx: &Connection,
    bot: i64,
    now: i64,
    seq: InboxSeq,
    part: NewPart,
    id_before: Option<MessageId>,
) -> Result<OpenPart, StoreError> {
    let NewPart { chat, rich, mut extra } = part;
    extra.entities = rich.entities;
    let json = serde_json::to_string(&extra)
        .map_err(|source| StoreError::Row { table: "outbox", source })?;
    tx.prepare_cached(
        "INSERT INTO outbox (bot_id, chat_id, seq, text, extra, state, due_ms, floor_id,
                             attempted_ms, created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?7)",
    )?
    .execute(params![
        bot,
        chat.0,
        seq.0,
        rich.text,
        json,
        i64::from(id_before.is_some()),
        now,
        id_before.map(|m| m.0),
        id_before.map(|_| now)
    ])?;
    Ok(OpenPart {
        id: PartId(tx.last_insert_rowid()),
        chat,
        text: rich.text,
        extra,
        state: id_before
            .map_or(PartState::Due, |id_before| PartState::Sending { id_before, at_ms: now }),
        attempts: 0,
        due_ms: now,
        created_ms: now,
    })
}

fn mark(tx: &Connection, now: i64, id: PartId, id_before: MessageId) -> Result<bool, StoreError> {
    let rows = tx
        .prepare_cached(
            "UPDATE outbox SET state = 1, floor_id = ?2, attempted_ms = ?3
             WHERE id = ?1 AND state < 2",
        )?
        .execute(params![id.0, id_before.0, now])?;
    Ok(rows == 1)
}

fn record_one(tx: &Connection, row: &DeliveryRecord) -> Result<(), StoreError> {
    // A settled part needs only its message id: the words live in the history, if anywhere.
    match &row.outcome {
        DeliveryOutcome::Sent(message) => tx
            .prepare_cached(
                "UPDATE outbox SET state = 2, message_id = ?2, text = '', extra = '' WHERE id = ?1",
            )?
            .execute(params![row.id.0, message.0])?,
        DeliveryOutcome::Retry { due_ms, reason } => tx
            .prepare_cached(
                "UPDATE outbox SET state = 0, due_ms = ?2, attempts = attempts + 1, reason = ?3
                 WHERE id = ?1",
            )?
            .execute(params![row.id.0, due_ms, reason])?,
        DeliveryOutcome::Dropped(reason) => tx
            .prepare_cached(
                "UPDATE outbox SET state = 3, reason = ?2, text = '', extra = '' WHERE id = ?1",
            )?
            .execute(params![row.id.0, reason])?,
    };
    Ok(())
}

fn open_part(row: &rusqlite::Row<'_>) -> rusqlite::Result<OpenPart> {
    let extra = row.get_ref(3)?.as_str().unwrap_or_default();
    let state = match row.get::<_, i64>(4)? {
        0 => PartState::Due,
        _ => PartState::Sending {
            id_before: MessageId(row.get::<_, Option<i64>>(7)?.unwrap_or_default()),
            at_ms: row.get::<_, Option<i64>>(8)?.unwrap_or_default(),
        },
    };
    Ok(OpenPart {
        id: PartId(row.get(0)?),
        chat: ChatId(row.get(1)?),
        text: row.get(2)?,
        extra: serde_json::from_str(extra).unwrap_or_default(),
        state,
        attempts: row.get(5)?,
        due_ms: row.get(6)?,
        created_ms: row.get(9)?,
    })
}
