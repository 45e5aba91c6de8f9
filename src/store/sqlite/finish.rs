//! What thinking and sending led to, with the effects of it.
//!
//! Invariant: an update is done in the commit that stores its replies.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension, params};

use super::db::Sqlite;
use super::outbox::{self, Asked, Prepared};
use super::{effects, history};
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
        let (bot, now, finish) = (self.bot(), self.now_ms(), finish.into());
        let fold = Arc::clone(&self.fold);
        let mut first = finish.first_attempt;
        let prepare = |part| Prepared::new(now, part, first.take());
        let parts = finish.parts.iter().map(prepare).collect::<Result<Vec<_>, _>>()?;
        let parts = Arc::new(parts);
        let prepared = Arc::clone(&parts);
        let ids = self
            .write(move |tx| {
                // Set within the transaction, so that it is this one's commit that is folded.
                fold.fetch_or(effects::deletes(&finish.effects), Ordering::SeqCst);
                store(tx, bot, now, &finish, &prepared)
            })
            .await?;
        let parts = Arc::unwrap_or_clone(parts).into_iter();
        Ok(parts.zip(ids).map(|(prepared, id)| OpenPart { id, ..prepared.part }).collect())
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
                outbox::record_one(tx, row)?;
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

/// Marks an update done and stores what it led to. Answers the ids of its parts; none when it was done
/// before.
fn store(
    tx: &Connection,
    bot: i64,
    now: i64,
    finish: &Finish,
    parts: &[Prepared],
) -> Result<Vec<PartId>, StoreError> {
    let mut done = tx.prepare_cached(
        "UPDATE inbox SET done_ms = ?2, outcome = ?3, body = CASE WHEN ?4 THEN body ELSE '' END
         WHERE seq = ?1 AND done_ms IS NULL RETURNING chat_id, sender_id",
    )?;
    let done = done
        .query_row(params![finish.seq.0, now, finish.outcome.as_str(), finish.keep_body], |r| {
            Ok(Asked { seq: finish.seq, chat: r.get(0)?, sender: r.get(1)? })
        })
        .optional()?;
    // Done before: storing its replies again would send them twice.
    let Some(asked) = done else { return Ok(Vec::new()) };
    if !finish.pieces.others.is_empty() {
        join(tx, now, finish)?;
    }
    effects::apply(tx, bot, now, &finish.effects)?;
    if let Some(turn) = &finish.turn {
        history::insert(tx, bot, now, turn)?;
    }
    parts.iter().map(|part| outbox::insert(tx, bot, &asked, part)).collect()
}

/// Marks the other pieces of an album or paste done, and keeps the whole where its text is kept.
fn join(tx: &Connection, now: i64, finish: &Finish) -> Result<(), StoreError> {
    let mut done = tx.prepare_cached(
        "UPDATE inbox SET done_ms = ?2, outcome = ?3, body = '' WHERE seq = ?1 AND done_ms IS NULL",
    )?;
    for seq in &finish.pieces.others {
        done.execute(params![seq.0, now, UpdateOutcome::Joined.as_str()])?;
    }
    if let Some(whole) = finish.pieces.whole.as_deref().filter(|_| finish.keep_body) {
        let body = serde_json::to_string(whole).map_err(|e| StoreError::row("inbox", e))?;
        tx.prepare_cached("UPDATE inbox SET body = ?2 WHERE seq = ?1")?
            .execute(params![finish.seq.0, body])?;
    }
    Ok(())
}
