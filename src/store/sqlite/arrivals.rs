//! Arrivals: parts that arrived, until the next commit stores it.
//!
//! Invariant: the next commit, of any kind, stores what waits here; nothing that is marked later can be on
//! disk before it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::settle;
use crate::model::ids::{ChatId, MessageId, PartId};
use crate::store::failure::StoreError;
use crate::store::parts::{DeliveryOutcome, DeliveryRecord};

/// A part that arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) part: PartId,
    pub(super) chat: ChatId,
    pub(super) message: MessageId,
}

/// Parts that arrived and are not stored as such.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    parts: Vec<Arrival>,
    /// How many of them, the first ones, are in the commit that is being made.
    in_commit: usize,
}

impl Arrivals {
    /// Adds one; answers how many there are.
    pub(super) fn add(&self, arrival: Arrival) -> usize {
        let mut waiting = self.waiting();
        waiting.parts.push(arrival);
        waiting.parts.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting().parts.is_empty()
    }

    /// The highest message id that waits here for a chat.
    pub(super) fn last_in(&self, chat: ChatId) -> Option<MessageId> {
        let waiting = self.waiting();
        waiting.parts.iter().filter(|one| one.chat == chat).map(|one| one.message).max()
    }

    /// Stores all that wait inside the running transaction.
    pub(super) fn store(&self, tx: &Connection) -> Result<(), StoreError> {
        let parts = {
            let mut waiting = self.waiting();
            waiting.in_commit = waiting.parts.len();
            waiting.parts.clone()
        };
        for Arrival { part, message, .. } in parts {
            let outcome = DeliveryOutcome::Sent(message);
            settle::record_one(tx, &DeliveryRecord { id: part, outcome })?;
        }
        Ok(())
    }

    /// The transaction was committed.
    pub(super) fn committed(&self) {
        let mut waiting = self.waiting();
        let count = std::mem::take(&mut waiting.in_commit);
        waiting.parts.drain(..count);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
