//! What thinking and sending led to, with the effects of it.
//!
//! Invariant: an update is done in the commit that stores its replies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension, params};

use super::db::Sqlite;
use super::history;
use super::numbers::MessageNumbers;
use super::outbox::{self, Asked, Prepared};
use super::{effects, settle};
use crate::model::effect::Effect;
use crate::model::ids::{PartId, UserId};
use crate::model::limits;
use crate::store::failure::StoreError;
use crate::store::parts::{DeliveryRecord, OpenPart};
use crate::store::updates::{Finish, UpdateOutcome};

impl Sqlite {
    pub(in crate::store) async fn finish(
        &self,
        finish: impl Into<Arc<Finish>>,
    ) -> Result<Vec<OpenPart>, StoreError> {
        let (bot, now) = (self.bot(), self.now_ms());
        let finishing = Arc::new(Finishing::new(now, finish.into(), self.finishing())?);
        let shared = Arc::clone(&finishing);
        let ids = self
            .write(move |tx| match done(tx, now, &shared.finish)? {
                Some(asked) => shared.store(tx, bot, now, &asked),
                // Done before: storing its replies again would send them twice.
                None => Ok(Vec::new()),
            })
            .await?;
        Ok(Arc::unwrap_or_clone(finishing).stored(ids))
    }

    pub(super) fn finishing(&self) -> Shared {
        Shared { numbers: self.numbers.clone(), fold: Arc::clone(&self.fold) }
    }

    pub(in crate::store) async fn record_delivery(
        &self,
        records: Vec<DeliveryRecord>,
        effects: Vec<Effect>,
    ) -> Result<(), StoreError> {
        let (bot, now) = (self.bot(), self.now_ms());
        let fold = Arc::clone(&self.fold);
        self.write(move |tx| {
            fold.fetch_or(effects::deletes(&effects), Ordering::SeqCst);
            for row in &records {
                settle::record_one(tx, row)?;
            }
            effects::apply(tx, bot, now, &effects)
        })
        .await
    }

    pub(in crate::store) async fn forget_some(&self, user: UserId) -> Result<bool, StoreError> {
        let bot = self.bot();
        let forget = move |tx: &Connection| history::forget(tx, bot, user, limits::FORGET_BATCH);
        Ok(self.write(forget).await? > 0)
    }

    pub(in crate::store) async fn apply(&self, effects: Vec<Effect>) -> Result<(), StoreError> {
        self.record_delivery(Vec::new(), effects).await
    }
}

/// What an update led to, as it will be stored; made before it is the writer's turn.
#[derive(Clone)]
pub(super) struct Finishing {
    pub(super) finish: Arc<Finish>,
    parts: Vec<Prepared>,
    with: Shared,
}

/// What finishing needs of the open file.
#[derive(Clone)]
pub(super) struct Shared {
    numbers: MessageNumbers,
    fold: Arc<AtomicBool>,
}

impl Finishing {
    fn new(now: i64, finish: Arc<Finish>, with: Shared) -> Result<Self, StoreError> {
        let mut first = finish.first_attempt;
        let prepare = |part| Prepared::new(now, part, first.take());
        let parts = finish.parts.iter().map(prepare).collect::<Result<_, _>>()?;
        Ok(Self { finish, parts, with })
    }

    /// One for each of `count` updates, from those that have one and their place.
    pub(super) fn of_each(
        now: i64,
        count: usize,
        finished: Vec<(usize, Arc<Finish>)>,
        with: &Shared,
    ) -> Result<Vec<Option<Self>>, StoreError> {
        let mut all: Vec<_> = (0..count).map(|_| None).collect();
        for (place, finish) in finished {
            if let Some(one) = all.get_mut(place) {
                *one = Some(Self::new(now, finish, with.clone())?);
            }
        }
        Ok(all)
    }

    /// Stores what the update led to. Answers the ids of its parts.
    pub(super) fn store(
        &self,
        tx: &Connection,
        bot: i64,
        now: i64,
        asked: &Asked,
    ) -> Result<Vec<PartId>, StoreError> {
        let finish = &self.finish;
        // Set within the transaction, so that it is this one's commit that is folded.
        self.with.fold.fetch_or(effects::deletes(&finish.effects), Ordering::SeqCst);
        effects::apply(tx, bot, now, &finish.effects)?;
        if let Some(turn) = &finish.turn {
            history::insert(tx, bot, now, turn, asked.seq, &self.with.numbers)?;
        }
        self.parts.iter().map(|part| outbox::insert(tx, bot, asked, part)).collect()
    }

    /// The parts as they were stored under these ids.
    pub(super) fn stored(self, ids: Vec<PartId>) -> Vec<OpenPart> {
        let parts = self.parts.into_iter().zip(ids);
        parts.map(|(prepared, id)| OpenPart { id, ..prepared.part }).collect()
    }
}

/// Marks an update done; answers what its parts need of it, or nothing when it was done before.
fn done(tx: &Connection, now: i64, finish: &Finish) -> Result<Option<Asked>, StoreError> {
    let mut done = tx.prepare_cached(
        "UPDATE inbox SET done_ms = ?2, outcome = ?3, body = CASE WHEN ?4 THEN body ELSE '' END
         WHERE seq = ?1 AND done_ms IS NULL RETURNING chat_id, sender_id",
    )?;
    let key = params![finish.seq.0, now, finish.outcome.as_str(), finish.keep_body];
    let asked =
        done.query_row(key, |r| Ok(Asked { seq: finish.seq, chat: r.get(0)?, sender: r.get(1)? }));
    let asked = asked.optional()?;
    if asked.is_some() && (!finish.pieces.others.is_empty() || finish.pieces.whole.is_some()) {
        join(tx, now, finish)?;
    }
    Ok(asked)
}

/// Marks the other pieces of an album or paste done, and keeps the whole.
fn join(tx: &Connection, now: i64, finish: &Finish) -> Result<(), StoreError> {
    let mut done = tx.prepare_cached(
        "UPDATE inbox SET done_ms = ?2, outcome = ?3, body = '' WHERE seq = ?1 AND done_ms IS NULL",
    )?;
    for seq in &finish.pieces.others {
        done.execute(params![seq.0, now, UpdateOutcome::Joined.as_str()])?;
    }
    if let Some(whole) = finish.pieces.whole.as_deref() {
        let body = serde_json::to_string(whole).map_err(|e| StoreError::row("inbox", e))?;
        tx.prepare_cached("UPDATE inbox SET body = ?2 WHERE seq = ?1")?
            .execute(params![finish.seq.0, body])?;
    }
    Ok(())
}
