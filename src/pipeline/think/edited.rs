//! Questions that were edited: answered again while their answer is fresh.
//!
//! Invariants: an edit that changed no word is never answered; one that took the place of a question without an
//! answer always is, however late it came.

use super::{Thought, Worker};
use crate::commands::Hint;
use crate::model::limits;
use crate::model::message::Incoming;
use crate::store::{Queued, StoreError, UpdateOutcome};

impl Worker {
    /// What to do about an edited question instead of answering it again, if so.
    pub(super) async fn instead_of_answer(
        &self,
        queued: &Queued,
        message: &Incoming,
        text: &str,
    ) -> Result<Option<Thought>, StoreError> {
        let Some(edited_s) = message.edited_s else { return Ok(None) };
        let parts = &*self.parts;
        let most_ms = i64::try_from(limits::EDITABLE.as_millis()).unwrap_or(i64::MAX);
        let received_ms = queued.received_ms;
        let ignored = |why| {
            parts.base.vitals.increment("ignored", why);
            tracing::debug!(update_id = queued.update.id.0, kind = why, "update ignored");
            Ok(Some(Thought::nothing(UpdateOutcome::Ignored)))
        };
        if parts.latest_questions.is_same(message, text) {
            return ignored("edited_without_change");
        }
        if self.replaces {
            return Ok(None);
        }
        let is_fresh = match parts.base.store.answered_at(message.chat, message.message_id).await? {
            Some(answered_ms) => received_ms.saturating_sub(answered_ms) <= most_ms,
            // It was not meant for the bot until now.
            None => edited_s.saturating_sub(message.date_s).saturating_mul(1000) <= most_ms,
        };
        if is_fresh {
            return Ok(None);
        }
        if received_ms.saturating_sub(edited_s.saturating_mul(1000)) > most_ms {
            return ignored("edited_long_ago");
        }
        self.explain(message, parts.context.hint(Hint::EditedLate)).await.map(Some)
    }
}
