//! "Continue": an answer that was cut goes on.

use super::{Thought, Worker};
use crate::answer::{Answered, Progress};
use crate::commands::OutgoingReply;
use crate::model::class::AnswerClass;
use crate::model::effect::Effect;
use crate::model::ids::InboxSeq;
use crate::model::message::{Place, Press};
use crate::model::reply::{Button, Reply};
use crate::pipeline::preview::Spot;
use crate::store::{CutAnswer, StoreError, UpdateOutcome};

impl Worker {
    /// Goes on with an answer. `asked_by`: the update that asked, as the button names it.
    pub(super) async fn go_on(
        &self,
        order: InboxSeq,
        press: &Press,
        asked_by: InboxSeq,
        cut: &CutAnswer,
    ) -> Result<Thought, StoreError> {
        let parts = &self.parts;
        let (progress, seen) = tokio::sync::watch::channel(Progress::Begun);
        let shown = parts.previews.show(Spot::of_press(press, &self.delivery), seen);
        let (user, cancel) = (press.from.id, &self.cancel);
        let answered = tokio::select! {
            answered = parts.answerer.go_on(cut, user, asked_by, order, &progress, cancel) => answered?,
            never = shown => match never {},
        };
        let mut thought = Thought::nothing(UpdateOutcome::Answered);
        let reply = match answered {
            Answered::Cancelled => return Ok(Thought::nothing(UpdateOutcome::Cancelled)),
            Answered::Answer { reply, .. } => reply,
            Answered::Continued { reply, continued } => {
                parts.base.vitals.answers.add_one();
                thought.effects.push(Effect::Continue(continued));
                reply
            }
            Answered::Failed { reply, class } => {
                parts.base.vitals.answers_failed.add_one();
                parts.base.vitals.increment("answer_failed", class.as_str());
                thought.outcome = UpdateOutcome::Failed;
                let on = Button::new("Continue", press.data.clone());
                // Another try of what is too long would be too long again.
                if class == AnswerClass::TooLong { reply } else { reply.with_row(vec![on]) }
            }
        };
        let reply_to = (press.place == Place::Group).then_some(press.message_id);
        thought.replies.push(OutgoingReply { to: press.chat, reply: Reply { reply_to, ..reply } });
        Ok(thought)
    }
}
