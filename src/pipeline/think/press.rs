//! Buttons: *Try again*, *Continue*, and those of commands.

use super::finish::whole_of;
use super::{Source, Thought, Worker};
use crate::answer::{Answered, AskedBy, Progress, Purpose};
use crate::commands::{FollowUp, OutgoingReply};
use crate::model::effect::Effect;
use crate::model::ids::InboxSeq;
use crate::model::message::{Incoming, Place, Press, UpdateEvent};
use crate::model::reply::{Button, Reply};
use crate::pipeline::preview::Spot;
use crate::pipeline::route::{Route, route};
use crate::store::{CutAnswer, Queued, StoreError, UpdateOutcome};

impl Worker {
    pub(super) async fn press(
        &self,
        queued: &Queued,
        press: &Press,
    ) -> Result<Option<Thought>, StoreError> {
        let context = &self.parts.context;
        let role = context.role(&press.from.id).await?;
        let outcome = context.press(press, role).await?;
        let mut then = outcome.follow_up.clone();
        let mut thought = Thought::of(UpdateOutcome::Press, outcome);
        let mut notice = None;
        let mut place = None;
        if matches!(then, FollowUp::Retry(_) | FollowUp::Continue(..)) {
            if self.has_to_wait() {
                return Ok(None);
            }
            match self.admit_press(queued, press, role) {
                Ok(admitted) => place = Some(admitted),
                Err(words) => then = FollowUp::ClosePress(words),
            }
        }
        match then {
            FollowUp::ClosePress(words) => notice = Some(words),
            FollowUp::Retry(seq) => match self.try_again(queued.seq, press, seq).await? {
                Some(again) => return Ok(Some(again)),
                None => notice = Some("That question is no longer kept.".into()),
            },
            FollowUp::Continue(seq, cut) => {
                return Box::pin(self.go_on(queued.seq, press, seq, &cut)).await.map(Some);
            }
            FollowUp::Nothing | FollowUp::Learn(_) => {}
        }
        drop(place);
        thought.press = Some((press.callback_id.clone(), notice));
        Ok(Some(thought)).inspect(|_| {
            tracing::info!(
                update_id = queued.update.id.0,
                chat_id = press.chat.0,
                user_id = press.from.id.0,
                "button pressed"
            );
        })
    }

    /// Says that the button works, and how many wait before.
    fn begin(&self, press: &Press, words: &str) {
        let notice = match self.parts.answerer.waiting() {
            0 => format!("{words}…"),
            1 => format!("{words}. One question is before this one…"),
            before => format!("{words}. {before} questions are before this one…"),
        };
        self.parts.close_press(&press.callback_id, Some(notice));
    }

    /// Answers a kept question; `None` if it is no longer kept. Its place is that of the press.
    async fn try_again(
        &self,
        order: InboxSeq,
        press: &Press,
        seq: InboxSeq,
    ) -> Result<Option<Thought>, StoreError> {
        let Some(mut kept) = self.parts.base.store.kept_update(seq).await? else { return Ok(None) };
        if let UpdateEvent::Message(message) = &mut kept.update.event {
            follow(message, press);
        }
        let Route::Question { message, text, is_fresh } =
            route(&kept.update, &self.parts.me.username)
        else {
            return Ok(None);
        };
        self.begin(press, "Trying again");
        let source = Source { seq, order, message, is_fresh };
        let mut again = Box::pin(self.answer(&source, &text)).await?;
        // The question itself stays kept until it is answered, not this press.
        again.keep_body = false;
        again.thread = message.thread;
        if again.outcome == UpdateOutcome::Answered {
            again.effects.push(Effect::Used(seq));
            again.whole = whole_of(&kept);
        }
        Ok(Some(again))
    }

    /// Goes on with an answer. `asked_by`: the update that asked, as the button names it.
    async fn go_on(
        &self,
        order: InboxSeq,
        press: &Press,
        asked_by: InboxSeq,
        cut: &CutAnswer,
    ) -> Result<Thought, StoreError> {
        let parts = &self.parts;
        self.begin(press, "Going on");
        // Telegram does not say where a message is that the bot can no longer see.
        let topic = Some(cut.conversation.topic).filter(|topic| *topic != 0);
        let press = &Press { thread: press.thread.or(topic), ..press.clone() };
        let (progress, seen) = tokio::sync::watch::channel(Progress::Begun);
        let shown = parts.previews.show(Spot::of_press(press, &self.delivery), seen);
        let (user, asked) =
            (press.from.id, AskedBy { update: asked_by, order, purpose: Purpose::Question });
        let answered = tokio::select! {
            answered = parts.answerer.go_on(cut, user, asked, &progress, &self.cancel) => answered?,
            never = shown => match never {},
            never = self.cancel_once(|| self.presser_has_lost_access(press)) => match never {},
        };
        if self.presser_has_lost_access(press).await? {
            return Ok(Thought::nothing(UpdateOutcome::Cancelled));
        }
        let reply_to = (press.place == Place::Group).then_some(press.message_id);
        if let Answered::OverBudget(over) = answered {
            let mut thought = self.over_budget(press.chat, user, reply_to, &over).await?;
            thought.thread = press.thread;
            return Ok(thought);
        }
        let on = Button::new("Continue", press.data.clone());
        let (mut thought, reply) = self.outcome(answered, on);
        if thought.outcome == UpdateOutcome::Cancelled {
            return Ok(thought);
        }
        thought.thread = press.thread;
        thought.replies.push(OutgoingReply { to: press.chat, reply: Reply { reply_to, ..reply } });
        Ok(thought)
    }
}

/// A question that was asked before its group became a supergroup is answered there. Its number means another
/// message there, so the reply is attached to the one with the button.
fn follow(question: &mut Incoming, press: &Press) {
    if question.chat != press.chat {
        (question.chat, question.message_id) = (press.chat, press.message_id);
        question.thread = press.thread;
    }
}
