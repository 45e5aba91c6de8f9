//! Questions that were edited: answered again while their answer is fresh.
//!
//! Invariants: an edit that changed no word is never answered; one that took the place of a question without an
//! answer always is, however late it came.

use super::{Thought, Worker};
use crate::commands::Hint;
use crate::model::conversation::{Content, Message};
use crate::model::ids::MessageId;
use crate::model::limits;
use crate::model::message::{Incoming, UpdateEvent};
use crate::model::quote::QuoteKind;
use crate::store::{Queued, StoreError, UpdateOutcome};

impl Worker {
    /// The whole with the new wording, if an edit is of a piece of an album or paste that is done.
    pub(super) async fn with_its_pieces(
        &self,
        queued: &Queued,
    ) -> Result<Option<Queued>, StoreError> {
        let Some(edit) = queued.update.message() else { return Ok(None) };
        let kept = self.parts.base.store.kept_updates_of(edit.from.id, edit.chat).await?;
        for kept in kept {
            if let UpdateEvent::Message(mut whole) = kept.update.event
                && whole.reword_piece(edit.message_id, edit.words())
            {
                whole.edited_s = edit.edited_s;
                let mut queued = queued.clone();
                queued.update.event = UpdateEvent::Message(whole);
                return Ok(Some(queued));
            }
        }
        Ok(None)
    }

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
        let is_same = parts.latest_questions.is_same(message, text);
        if is_same == Some(true) {
            return ignored("edited_without_change");
        }
        if self.info.replaces {
            return Ok(None);
        }
        let pieces = message.pieces.iter().map(|piece| piece.message_id);
        let messages: Vec<MessageId> = pieces.chain([message.message_id]).collect();
        let last = parts.base.store.last_answer(message.chat, messages).await?;
        // An earlier process may have answered it.
        if is_same.is_none()
            && last.as_ref().and_then(|l| l.question.as_ref()).is_some_and(|q| says(q, text))
        {
            return ignored("edited_without_change");
        }
        let is_fresh = match last {
            Some(last) => received_ms.saturating_sub(last.at_ms) <= most_ms,
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

/// Whether a question has this wording.
fn says(question: &Message, wording: &str) -> bool {
    question.content.iter().any(|piece| match piece {
        Content::Text { text } => text == wording,
        Content::Quote(quote) => quote.kind == QuoteKind::Forward && quote.text == wording,
        _ => false,
    })
}
