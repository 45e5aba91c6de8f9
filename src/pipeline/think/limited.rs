//! What happens to a question over the limits.

use super::admission::{Asker, OverLimit, Place};
use super::{Thought, Worker};
use crate::commands::OutgoingReply;
use crate::model::access::Role;
use crate::model::message::{Incoming, Press};
use crate::model::reply::{Button, Reply};
use crate::store::{Queued, UpdateOutcome};

impl Worker {
    /// A place for a question, or what happens instead.
    pub(super) fn admit(
        &self,
        queued: &Queued,
        message: &Incoming,
        role: Role,
    ) -> Result<Place<'_>, Box<Thought>> {
        let asker = Asker::of(message, role, queued.update.id);
        self.parts.admissions.admit(asker).map_err(|over| {
            self.note_limited(&over, asker);
            let mut thought = Thought::nothing(UpdateOutcome::Limited);
            if over.is_first {
                let words = over.words(self.parts.base.clock.now_ms().max(asker.at_ms));
                let again = Button::new("Try again", format!("retry:{}", queued.seq));
                let reply_to = message.attached_to();
                let reply = Reply { reply_to, ..Reply::plain(words).with_row(vec![again]) };
                thought.replies.push(OutgoingReply { to: message.chat, reply });
                thought.keep_body = true;
            }
            Box::new(thought)
        })
    }

    /// A place for the question behind a button, or the notice that is shown instead: each press has one.
    pub(super) fn admit_press(
        &self,
        queued: &Queued,
        press: &Press,
        role: Role,
    ) -> Result<Place<'_>, String> {
        let asker = Asker::of_press(press, role, queued);
        self.parts.admissions.admit(asker).map_err(|over| {
            self.note_limited(&over, asker);
            over.words(self.parts.base.clock.now_ms().max(asker.at_ms))
        })
    }

    fn note_limited(&self, over: &OverLimit, asker: Asker) {
        let scope = over.scope();
        self.parts.base.vitals.increment("rate_limited", scope);
        if over.is_first {
            let (chat_id, user_id) = (asker.chat.0, asker.user.0);
            tracing::info!(chat_id, user_id, scope, "questions over the limit are refused");
        }
    }
}
