//! The inbox: updates that were accepted and are not done.
//!
//! Invariant: the next offset is stored in the commit that stores the updates before it.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::model::ids::{InboxSeq, MessageId};
use crate::model::limits;
use crate::model::message::Update;

/// An update that waits in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its place in the order of acceptance.
    pub seq: InboxSeq,
    /// When it was accepted, Unix milliseconds.
    pub received_ms: i64,
    /// The update.
    pub update: Update,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Updates that are new in the inbox.
    pub stored: u64,
    /// Updates that had been accepted before.
    pub repeated: u64,
}

impl Store {
    /// The offset to poll with next (Bot API `getUpdates.offset`); 0 before the first poll, and
    /// again after six quiet days: after a week without updates Telegram's ids start anew, maybe
    /// below the old offset. What is delivered twice because of it is known and not stored again.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_offset(&self) -> Result<i64, StoreError> {
        self.read(|conn| {
            let mut find =
                conn.prepare_cached("SELECT next_offset, offset_ms FROM bots WHERE bot_id = ?1")?;
            let row = find.query_row([self.bot().0], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?)));
            let (offset, at_ms) = row.optional()?.unwrap_or_default();
            let quiet_ms = self.now_ms().saturating_sub(at_ms);
            Ok(if quiet_ms > limits::OFFSET_LIFE_MS { 0 } else { offset })
        })
    }

    /// Stores a batch and the offset after it in one commit. Updates that are known are left as
    /// they are.
    ///
    /// # Errors
    /// When the commit fails: then nothing of the batch is stored and the offset stays.
    pub async fn accept(
        &self,
        updates: Vec<Update>,
        next_offset: i64,
    ) -> Result<Accepted, StoreError> {
        let (bot, now) = (self.bot().0, self.now_ms());
        self.write(move |tx| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO inbox (bot_id, update_id, chat_id, message_id, body, received_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (bot_id, update_id) DO NOTHING",
            )?;
            let mut accepted = Accepted::default();
            for update in &updates {
                let body = serde_json::to_string(&update.event)
                    .map_err(|source| StoreError::Row { table: "inbox", source })?;
                let rows = insert.execute(params![
                    bot,
                    update.id.0,
                    update.chat().map(|c| c.0),
                    update.message_id().map(|m| m.0),
                    body,
                    now
                ])?;
                if rows == 1 { accepted.stored += 1 } else { accepted.repeated += 1 }
            }
            tx.prepare_cached(
                "UPDATE bots SET next_offset = ?2, offset_ms = ?3 WHERE bot_id = ?1",
            )?
            .execute(params![bot, next_offset, now])?;
            Ok(accepted)
        })
        .await
    }

    /// New updates after `after`, in order of acceptance, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read. A row whose body cannot be read comes back as
    /// [`crate::model::message::UpdateEvent::Ignored`] of kind `unreadable`, so that it cannot block
    /// the rest.
    pub fn new_updates(&self, after: InboxSeq, limit: usize) -> Result<Vec<Queued>, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT seq, received_ms, update_id, body FROM inbox
                 WHERE bot_id = ?1 AND done_ms IS NULL AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?;
            let rows = find.query_map(params![self.bot().0, after.0, limit], queued)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// New updates of one chat after `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn new_updates_of(
        &self,
        chat: Option<crate::model::ids::ChatId>,
        after: InboxSeq,
        limit: usize,
    ) -> Result<Vec<Queued>, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT seq, received_ms, update_id, body FROM inbox
                 WHERE bot_id = ?1 AND done_ms IS NULL AND seq > ?2 AND chat_id IS ?3
                 ORDER BY seq LIMIT ?4",
            )?;
            let chat = chat.map(|c| c.0);
            let rows = find.query_map(params![self.bot().0, after.0, chat, limit], queued)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// An update that is done but was kept for another try, if it still is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn kept_update(&self, seq: InboxSeq) -> Result<Option<Queued>, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT seq, received_ms, update_id, body FROM inbox
                 WHERE bot_id = ?1 AND seq = ?2 AND done_ms IS NOT NULL AND body <> ''",
            )?;
            Ok(find.query_row(params![self.bot().0, seq.0], queued).optional()?)
        })
    }

    /// How many updates are not done, and when the oldest of them was accepted (Unix ms).
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn inbox_depth(&self) -> Result<(u64, Option<i64>), StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT count(*), min(received_ms) FROM inbox
                 WHERE bot_id = ?1 AND done_ms IS NULL",
            )?;
            Ok(find.query_row([self.bot().0], |r| Ok((r.get(0)?, r.get(1)?)))?)
        })
    }

    /// Message ids of the latest messages that people wrote, newest first, at most `limit`, with
    /// the chat each stands in.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn recent_message_ids(
        &self,
        limit: usize,
    ) -> Result<Vec<(crate::model::ids::ChatId, MessageId)>, StoreError> {
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT chat_id, message_id FROM
                   (SELECT seq, chat_id, message_id FROM inbox
                    WHERE bot_id = ?1 ORDER BY seq DESC LIMIT ?2)
                 WHERE message_id IS NOT NULL AND chat_id IS NOT NULL",
            )?;
            let rows = find.query_map(params![self.bot().0, limit], |r| {
                Ok((crate::model::ids::ChatId(r.get(0)?), MessageId(r.get(1)?)))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn queued(row: &rusqlite::Row<'_>) -> rusqlite::Result<Queued> {
    use crate::model::ids::UpdateId;
    use crate::model::message::UpdateEvent;
    let body = row.get_ref(3)?.as_str().unwrap_or_default();
    let event = serde_json::from_str(body)
        .unwrap_or_else(|_| UpdateEvent::Ignored { kind: "unreadable".into(), chat: None });
    Ok(Queued {
        seq: InboxSeq(row.get(0)?),
        received_ms: row.get(1)?,
        update: Update { id: UpdateId(row.get(2)?), event },
    })
}
