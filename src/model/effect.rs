//! Changes that thinking asks for; they are stored in the commit that finishes its update.

use super::budget::BudgetNotice;
use super::conversation::{AnswerMetadata, ConversationId};
use super::ids::{ChatId, InboxSeq, PartId, UserId};
use super::learned::NewLearned;
use super::message::Person;

/// One change of what the bot remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The first owner claimed the bot: the code is used up and the person is the owner.
    Claim(Person),
    /// The person may chat from now on; a pairing code of theirs is used up.
    Approve(UserId),
    /// The person may no longer chat.
    Remove(UserId),
    /// A stranger got this pairing code at this time.
    OfferCode {
        /// Who.
        person: Person,
        /// Normalised code.
        code: String,
        /// Unix milliseconds.
        at_ms: i64,
    },
    /// The bot may answer in this group, or no longer.
    AllowChat {
        /// Which group.
        chat: ChatId,
        /// Whether it may.
        allowed: bool,
    },
    /// The conversation uses this model from now on; `None` means the configured one.
    SetModel {
        /// Which conversation.
        conversation: ConversationId,
        /// The model's name.
        model: Option<String>,
    },
    /// What was said before is no longer part of this conversation.
    StartAfresh(ConversationId),
    /// An answer that had been cut went on.
    Continue(Continued),
    /// Everything this person said, and what was answered, is deleted.
    Forget(UserId),
    /// A kept question was answered after all; another try makes no sense.
    Used(InboxSeq),
    /// A document that an owner sent is kept, in place of one with the same name.
    Learn(Box<NewLearned>),
    /// A document that was kept is none of the bot's any more.
    Unlearn(i64),
    /// Questions wait on disk from now on, or are answered again.
    Pause(bool),
    /// The bot cannot write to this chat (blocked, kicked), or can again.
    Presence {
        /// Which chat.
        chat: ChatId,
        /// Whether it can.
        present: bool,
    },
    /// People hear why a part did not arrive.
    Notify {
        /// The part.
        about: PartId,
        /// Where they read it.
        to: ChatId,
        /// What they read, as plain text.
        text: String,
    },
    /// People heard something about a budget, and need not hear it again until then (Unix milliseconds).
    Told {
        /// What.
        notice: BudgetNotice,
        /// Until when.
        until_ms: i64,
    },
    /// A group has another id from now on; its settings, history and unsent parts move along.
    MoveChat {
        /// The old id.
        from: ChatId,
        /// The new id.
        to: ChatId,
    },
}

/// How an answer that had been cut went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continued {
    /// Which answer: the number of its message in the store.
    pub answer: i64,
    /// All of its text.
    pub text: String,
    /// What is known of what was added; its files stay those of the answer.
    pub more: AnswerMetadata,
}
