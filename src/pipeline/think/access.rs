//! Who may have an answer here, and what the others hear.

use std::convert::Infallible;

use tokio::time::sleep;

use super::{Thought, Worker};
use crate::commands::OutgoingReply;
use crate::model::access::Role;
use crate::model::authorship::Authorship;
use crate::model::ids::ChatId;
use crate::model::limits;
use crate::model::message::{Incoming, Place, Press};
use crate::model::reply::Reply;
use crate::store::{StoreError, UpdateOutcome};

impl Worker {
    /// Says why there is no answer, to someone who may chat here.
    pub(super) async fn explain(
        &self,
        message: &Incoming,
        reply: Reply,
    ) -> Result<Thought, StoreError> {
        if let Err(refused) = self.access(message).await? {
            return Ok(refused);
        }
        let mut thought = Thought::nothing(UpdateOutcome::Unsupported);
        let reply = Reply { reply_to: message.attached_to(), ..reply };
        thought.replies.push(OutgoingReply { to: message.chat, reply });
        Ok(thought)
    }

    /// The sender's role when they may chat here, or what to do instead.
    pub(super) async fn access(
        &self,
        message: &Incoming,
    ) -> Result<Result<Role, Thought>, StoreError> {
        let context = &self.parts.context;
        let role = self.role(message).await?;
        if context.may_chat(message.place, message.chat, role).await? {
            return Ok(Ok(role));
        }
        let outcome = context.stranger(&message.from, message.chat, message.place).await?;
        Ok(Err(Thought::of(UpdateOutcome::Refused, outcome)))
    }

    /// Whether someone who may chat here was removed, or the group closed, while their question was being
    /// answered. Then no one gets the answer.
    pub(super) async fn has_lost_access(&self, message: &Incoming) -> Result<bool, StoreError> {
        let role = self.role(message).await?;
        self.has_lost(message.place, message.chat, role).await
    }

    /// The same for someone who pressed a button.
    pub(super) async fn presser_has_lost_access(&self, press: &Press) -> Result<bool, StoreError> {
        let role = self.parts.context.role(&press.from.id).await?;
        self.has_lost(press.place, press.chat, role).await
    }

    /// Cancels the question that runs, as `/cancel` does, once `is_lost` says so: its asker was removed, by an
    /// owner (then it is asked at once) or on the machine.
    pub(super) async fn cancel_once<F>(&self, is_lost: impl Fn() -> F) -> Infallible
    where
        F: Future<Output = Result<bool, StoreError>>,
    {
        loop {
            tokio::select! {
                () = self.parts.signals.removed.notified() => {}
                () = sleep(limits::ACCESS_LOOK) => {}
            }
            // What cannot be read now is looked at again, at the latest before the answer is sent.
            if matches!(is_lost().await, Ok(true)) {
                self.cancel.cancel();
                return std::future::pending().await;
            }
        }
    }

    async fn has_lost(&self, place: Place, chat: ChatId, role: Role) -> Result<bool, StoreError> {
        let may_chat = self.parts.context.may_chat(place, chat, role).await?;
        if !may_chat {
            tracing::info!(
                chat_id = chat.0,
                "an answer was dropped: its asker may no longer chat here"
            );
        }
        Ok(!may_chat)
    }

    /// The sender's role. A chat in whose name someone writes has none.
    pub(super) async fn role(&self, message: &Incoming) -> Result<Role, StoreError> {
        match message.authorship {
            Authorship::OfChat => Ok(Role::Stranger),
            _ => self.parts.context.role(&message.from.id).await,
        }
    }
}
