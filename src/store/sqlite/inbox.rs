//! The inbox: updates that were accepted and are not done.
//!
//! Invariant: the next offset is stored in the commit that stores the updates before it.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::db::Sqlite;
use super::finish::Finishing;
use super::outbox::Asked;
use crate::model::ids::{ChatId, InboxSeq, MessageId, PartId, UpdateId};
use crate::model::limits;
use crate::model::message::{Update, UpdateEvent};
use crate::store::failure::StoreError;
use crate::store::updates::{Accepted, Finish, Queued};

impl Sqlite {
    pub(in crate::store) async fn next_offset(&self) -> Result<i64, StoreError> {
        let (bot, now) = (self.bot(), self.now_ms());
        self.look_up(move |conn| {
            let mut find =
                conn.prepare_cached("SELECT next_offset, offset_ms FROM bots WHERE bot_id = ?1")?;
            let row = find.query_row([bot], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?)));
            let (offset, at_ms) = row.optional()?.unwrap_or_default();
            let quiet_ms = now.saturating_sub(at_ms);
            Ok(if quiet_ms > limits::OFFSET_LIFE_MS { 0 } else { offset })
        })
        .await
    }

    pub(in crate::store) async fn accept(
        &self,
        updates: Vec<Update>,
        next_offset: Option<i64>,
    ) -> Result<Accepted, StoreError> {
        self.accept_and_finish(updates, next_offset, Vec::new()).await
    }

    pub(in crate::store) async fn accept_and_finish(
        &self,
        updates: Vec<Update>,
        next_offset: Option<i64>,
        finished: Vec<(usize, Arc<Finish>)>,
    ) -> Result<Accepted, StoreError> {
        let (bot, now) = (self.bot(), self.now_ms());
        let mut finishing = Finishing::of_each(now, updates.len(), finished, &self.finishing())?;
        let rows = updates
            .iter()
            .zip(&finishing)
            .map(|(update, finishing)| NewRow::of(update, finishing.as_ref().map(|f| &*f.finish)))
            .collect::<Result<Vec<_>, _>>()?;
        let (rows, shared) = (Arc::new(rows), Arc::new(finishing));
        let places = {
            let (rows, finishing) = (rows, Arc::clone(&shared));
            self.write(move |tx| {
                let places = insert(tx, bot, now, &rows, &finishing)?;
                if let Some(offset) = next_offset {
                    tx.prepare_cached(
                        "UPDATE bots SET next_offset = ?2, offset_ms = ?3 WHERE bot_id = ?1",
                    )?
                    .execute(params![bot, offset, now])?;
                }
                Ok(places)
            })
            .await?
        };
        finishing = Arc::unwrap_or_clone(shared);
        let mut accepted = Accepted::default();
        for (number, ((update, place), finishing)) in
            updates.into_iter().zip(places).zip(finishing).enumerate()
        {
            match (place, finishing) {
                (None, _) => accepted.repeated += 1,
                (Some((seq, _)), None) => {
                    accepted.stored.push(Queued {
                        seq,
                        received_ms: now,
                        update,
                        others: Vec::new(),
                    });
                }
                (Some((_, ids)), Some(finishing)) => {
                    accepted.finished.push((number, finishing.stored(ids)));
                }
            }
        }
        Ok(accepted)
    }

    pub(in crate::store) async fn new_updates(
        &self,
        after: InboxSeq,
        limit: usize,
    ) -> Result<Vec<Queued>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT seq, received_ms, update_id, body FROM inbox
                 WHERE bot_id = ?1 AND done_ms IS NULL AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?;
            let rows = find.query_map(params![bot, after.0, limit], queued)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn new_updates_at(
        &self,
        places: Vec<InboxSeq>,
    ) -> Result<Vec<Queued>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT seq, received_ms, update_id, body FROM inbox
                 WHERE bot_id = ?1 AND seq = ?2 AND done_ms IS NULL",
            )?;
            let rows = places.iter().filter_map(|seq| {
                find.query_row(params![bot, seq.0], queued).optional().transpose()
            });
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn kept_update(
        &self,
        seq: InboxSeq,
    ) -> Result<Option<Queued>, StoreError> {
        let bot = self.bot();
        self.look_up(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT seq, received_ms, update_id, body FROM inbox
                 WHERE bot_id = ?1 AND seq = ?2 AND done_ms IS NOT NULL AND body <> ''",
            )?;
            Ok(find.query_row(params![bot, seq.0], queued).optional()?)
        })
        .await
    }

    pub(in crate::store) async fn inbox_depth(&self) -> Result<(u64, Option<i64>), StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT count(*), (SELECT received_ms FROM inbox
                   WHERE bot_id = ?1 AND done_ms IS NULL ORDER BY seq LIMIT 1)
                 FROM inbox WHERE bot_id = ?1 AND done_ms IS NULL",
            )?;
            Ok(find.query_row([bot], |r| Ok((r.get(0)?, r.get(1)?)))?)
        })
        .await
    }

    pub(in crate::store) async fn recent_message_ids(
        &self,
        limit: usize,
    ) -> Result<Vec<(ChatId, MessageId)>, StoreError> {
        self.message_ids(
            // `+`: by the key, not by an index of the bot that would have to be sorted.
            "SELECT chat_id, message_id FROM inbox
             WHERE seq > (SELECT max(seq) FROM inbox) - ?2 AND +bot_id = ?1
               AND message_id IS NOT NULL AND chat_id IS NOT NULL ORDER BY seq DESC",
            limit,
        )
        .await
    }
}

/// An update as it will be stored; made before it is the writer's turn.
struct NewRow {
    update: i64,
    chat: Option<i64>,
    message: Option<i64>,
    sender: Option<i64>,
    body: String,
    outcome: Option<&'static str>,
}

impl NewRow {
    /// `finish`: the update is done in the same commit.
    fn of(update: &Update, finish: Option<&Finish>) -> Result<Self, StoreError> {
        let body = match finish {
            Some(finish) if !finish.keep_body => String::new(),
            _ => serde_json::to_string(&update.event).map_err(|e| StoreError::row("inbox", e))?,
        };
        Ok(Self {
            update: update.id.0,
            chat: update.chat().map(|c| c.0),
            message: update.message_id().map(|m| m.0),
            sender: update.from().map(|person| person.id.0),
            body,
            outcome: finish.map(|finish| finish.outcome.as_str()),
        })
    }
}

/// The place of an update that is new, and the ids of its parts.
type Place = (InboxSeq, Vec<PartId>);

/// Stores updates, and what those of them led to that are done already. Answers the place of each; none
/// where it was known.
fn insert(
    tx: &Connection,
    bot: i64,
    now: i64,
    rows: &[NewRow],
    finishing: &[Option<Finishing>],
) -> Result<Vec<Option<Place>>, StoreError> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO inbox (bot_id, update_id, chat_id, message_id, body, received_ms, sender_id,
                            done_ms, outcome)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (bot_id, update_id) DO NOTHING",
    )?;
    let mut insert = |(row, finishing): (&NewRow, &Option<Finishing>)| {
        let count = insert.execute(params![
            bot,
            row.update,
            row.chat,
            row.message,
            row.body,
            now,
            row.sender,
            row.outcome.map(|_| now),
            row.outcome
        ])?;
        if count == 0 {
            return Ok(None);
        }
        let seq = InboxSeq(tx.last_insert_rowid());
        let ids = match finishing {
            Some(finishing) => {
                let asked = Asked { seq, chat: row.chat, sender: row.sender };
                finishing.store(tx, bot, now, &asked)?
            }
            None => Vec::new(),
        };
        Ok(Some((seq, ids)))
    };
    rows.iter().zip(finishing).map(&mut insert).collect()
}

pub(super) fn queued(row: &Row<'_>) -> rusqlite::Result<Queued> {
    let body = row.get_ref(3)?.as_str().unwrap_or_default();
    let event = serde_json::from_str(body)
        .unwrap_or_else(|_| UpdateEvent::Ignored { kind: "unreadable".into(), chat: None });
    Ok(Queued {
        seq: InboxSeq(row.get(0)?),
        received_ms: row.get(1)?,
        update: Update { id: UpdateId(row.get(2)?), event },
        others: Vec::new(),
    })
}
