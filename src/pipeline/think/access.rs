//! Who may have an answer here, and what the others hear.

use super::{Thought, Worker};
use crate::commands::OutgoingReply;
use crate::model::access::Role;
use crate::model::message::{Authorship, Incoming};
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

    /// The sender's role. A chat in whose name someone writes has none.
    pub(super) async fn role(&self, message: &Incoming) -> Result<Role, StoreError> {
        match message.authorship {
            Authorship::OfChat => Ok(Role::Stranger),
            _ => self.parts.context.role(&message.from.id).await,
        }
    }
}
