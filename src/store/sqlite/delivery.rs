//! What becomes of a part once it was tried.

use crate::model::ids::{MessageId, PartId};

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It arrived.
    Sent(MessageId),
    /// It surely did not arrive and is due again.
    Retry {
        /// Not before, Unix milliseconds.
        due_ms: i64,
        /// Why, as a short word.
        reason: &'static str,
    },
    /// It never will arrive.
    Dropped(&'static str),
}

/// One part and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Which part.
    pub id: PartId,
    /// What became of it.
    pub outcome: DeliveryOutcome,
}
