//! Buttons. Their data comes back from people's devices, so every press is checked again.

use std::time::Duration;

use super::requests::let_in;
use super::{CommandContext, FollowUp, Outcome, OutgoingReply, learned, model, privacy, wording};
use crate::model::access::{Role, normalise_code};
use crate::model::effect::Effect;
use crate::model::ids::{ChatId, InboxSeq, UserId};
use crate::model::limits;
use crate::model::message::{Place, Press};
use crate::model::reply::Reply;
use crate::store::{KnownUser, StoreError};

/// A person who is ignored gets no reply for this long, and their code stays valid, in case the
/// owner thinks again.
const IGNORED: Duration = Duration::from_secs(30 * 24 * 3600);

impl CommandContext {
    /// Does what a button says, if this person may.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn press(&self, press: &Press, role: Role) -> Result<Outcome, StoreError> {
        let (verb, rest) = press.data.split_once(':').unwrap_or((press.data.as_str(), ""));
        match verb {
            "approve" | "ignore" if role != Role::Owner => {
                Ok(toast("Only my owner can decide that."))
            }
            "approve" => self.press_approve(press, rest).await,
            "ignore" => self.press_ignore(rest).await,
            "unlearn" if role != Role::Owner => Ok(toast("Only my owner can decide that.")),
            "unlearn" => learned::press(self, rest).await,
            "model" if !self.may_chat(press.place, press.chat, role).await? => {
                Ok(toast("You may not chat with me."))
            }
            "model" => Ok(model::press(self, press, role, rest)),
            "retry" => self.press_retry(press, role, rest).await,
            "continue" => self.press_continue(press, role, rest).await,
            "forget" => self.press_forget(press, rest).await,
            _ => Ok(toast("This button no longer works.")),
        }
    }

    async fn waiting(&self, code: &str) -> Result<Option<KnownUser>, StoreError> {
        match normalise_code(code) {
            Some(code) => self.store.user_by_code(&code).await,
            None => Ok(None),
        }
    }

    async fn press_approve(&self, press: &Press, code: &str) -> Result<Outcome, StoreError> {
        let Some(user) = self.waiting(code).await? else {
            return Ok(toast("Decided already, or the code is too old. See /users."));
        };
        let text = format!("{} may chat with me now.", wording::person(&user.person));
        let outcome = let_in(in_chat(press, text), &user);
        Ok(outcome.followed_by(FollowUp::ClosePress("Approved.".to_owned())))
    }

    async fn press_ignore(&self, code: &str) -> Result<Outcome, StoreError> {
        let Some(user) = self.waiting(code).await? else {
            return Ok(toast("Decided already, or the code is too old. See /users."));
        };
        // A code that was offered in the future keeps its person silent until then.
        let pause = i64::try_from(IGNORED.as_millis()).unwrap_or(i64::MAX);
        let effect = Effect::OfferCode {
            person: user.person,
            code: user.code.unwrap_or_default(),
            at_ms: self.clock.now_ms().saturating_add(pause),
        };
        Ok(toast("Ignored: they get no reply from me for 30 days. /users still lists them.")
            .with(effect))
    }

    async fn press_retry(
        &self,
        press: &Press,
        role: Role,
        seq: &str,
    ) -> Result<Outcome, StoreError> {
        if !self.may_chat(press.place, press.chat, role).await? {
            return Ok(toast("You may not chat with me."));
        }
        let kept = match seq.parse() {
            Ok(seq) => self.store.kept_update(InboxSeq(seq)).await?,
            Err(_) => None,
        };
        let life = i64::try_from(limits::RETRY_LIFE.as_millis()).unwrap_or(i64::MAX);
        let oldest = self.clock.now_ms().saturating_sub(life);
        // Numbers are easy to guess: a question of another chat is as good as none.
        let kept = kept.filter(|q| q.received_ms >= oldest);
        let question = match kept.as_ref().and_then(|q| q.update.message().map(|m| (q.seq, m))) {
            Some((seq, m)) if self.is_same_chat(press.chat, m.chat).await? => Some((seq, m)),
            _ => None,
        };
        Ok(match question {
            None => toast("That question is no longer kept. Please ask it again."),
            Some((_, message))
                if press.place == Place::Group && !may_press(press, message.from.id) =>
            {
                toast("Only the person who asked can try again.")
            }
            Some((seq, _)) => Outcome::default().followed_by(FollowUp::Retry(seq)),
        })
    }

    /// Whether two ids are of one chat: a group has another one since it became a supergroup.
    async fn is_same_chat(&self, one: ChatId, other: ChatId) -> Result<bool, StoreError> {
        Ok(one == other
            || self.store.chat(other).await?.moved_to == Some(one)
            || self.store.chat(one).await?.moved_to == Some(other))
    }
}

impl CommandContext {
    /// The button has the number of the update that asked, and how long the answer was then: an answer
    /// goes on from each place once.
    async fn press_continue(
        &self,
        press: &Press,
        role: Role,
        rest: &str,
    ) -> Result<Outcome, StoreError> {
        if !self.may_chat(press.place, press.chat, role).await? {
            return Ok(toast("You may not chat with me."));
        }
        let numbers = rest.split_once(':').and_then(|(seq, length)| {
            Some((InboxSeq(seq.parse().ok()?), length.parse::<usize>().ok()?))
        });
        let Some((seq, length)) = numbers else {
            return Ok(toast("This button no longer works."));
        };
        // Numbers are easy to guess: an answer of another chat is as good as none.
        let cut = match self.store.cut_answer(seq).await? {
            Some(cut) if self.is_same_chat(press.chat, cut.conversation.chat).await? => Some(cut),
            _ => None,
        };
        Ok(match cut {
            Some(cut)
                if press.place == Place::Group
                    && !cut.asker.is_some_and(|asker| may_press(press, asker)) =>
            {
                toast("Only the person who asked can have it go on.")
            }
            Some(cut) if cut.text().len() == length => {
                Outcome::default().followed_by(FollowUp::Continue(seq, Box::new(cut)))
            }
            _ => toast("I have gone on from there already, or the answer is no longer kept."),
        })
    }

    /// The question carries the id of the person it is for: in a group another person might press.
    async fn press_forget(&self, press: &Press, rest: &str) -> Result<Outcome, StoreError> {
        let Some((answer, id)) = rest.split_once(':') else {
            return Ok(toast("This button no longer works."));
        };
        if id != press.from.id.to_string() {
            return Ok(toast("This question is for someone else."));
        }
        Ok(match answer {
            "yes" => in_chat(press, privacy::forgotten(self).await?)
                .with(Effect::Forget(press.from.id))
                .followed_by(FollowUp::ClosePress("Deleted.".to_owned())),
            "no" => toast("Nothing was deleted."),
            _ => toast("This button no longer works."),
        })
    }
}

/// Whether a button under someone's answer is for the person who pressed it. Who asks in the name of a chat
/// presses under their own name, and Telegram does not say that both are the same: all may press there.
fn may_press(press: &Press, asker: UserId) -> bool {
    asker == press.from.id || asker.0 < 0
}

fn toast(text: &str) -> Outcome {
    Outcome::default().followed_by(FollowUp::ClosePress(text.to_owned()))
}

/// A reply where the button was pressed.
fn in_chat(press: &Press, text: String) -> Outcome {
    let mut reply = Reply::markdown(text);
    let to: ChatId = press.chat;
    reply.reply_to = (press.place == Place::Group).then_some(press.message_id);
    Outcome { replies: vec![OutgoingReply { to, reply }], ..Outcome::default() }
}
