//! Arrivals: parts that arrived, until the next commit stores it. Nothing that is marked later can be on disk
//! before it.

use rusqlite::Connection;

use super::riders::Riders;
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
pub(super) type Arrivals = Riders<Arrival>;

impl Arrivals {
    /// The highest message id that waits here for a chat.
    pub(super) fn last_in(&self, chat: ChatId) -> Option<MessageId> {
        self.look(|parts| parts.iter().filter(|one| one.chat == chat).map(|one| one.message).max())
    }

    /// Stores all that wait inside the running transaction.
    pub(super) fn store(&self, tx: &Connection) -> Result<(), StoreError> {
        for Arrival { part, message, .. } in self.to_commit() {
            let outcome = DeliveryOutcome::Sent(message);
            settle::record_one(tx, &DeliveryRecord { id: part, outcome })?;
        }
        Ok(())
    }
}
