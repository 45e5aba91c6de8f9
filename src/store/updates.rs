//! Updates on their way through the bot: accepted, waiting, done.

use super::history::NewTurn;
use super::parts::{NewPart, OpenPart};
use crate::model::conversation::Message;
use crate::model::effect::Effect;
use crate::model::ids::{InboxSeq, MessageId};
use crate::model::message::{Update, UpdateEvent};

/// An update that waits in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its place in the order of acceptance.
    pub seq: InboxSeq,
    /// When it was accepted, Unix milliseconds.
    pub received_ms: i64,
    /// The update.
    pub update: Update,
    /// What is done with this update: the other pieces of the same album or paste, and edits of them that it
    /// has taken in.
    pub others: Vec<InboxSeq>,
}

impl Queued {
    /// Whether it is a message that was changed.
    pub fn is_edit(&self) -> bool {
        self.update.message().is_some_and(|message| message.edited_s.is_some())
    }
}

/// The last answer to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAnswer {
    /// When it was stored, Unix milliseconds; the answer, or that there is none.
    pub at_ms: i64,
    /// The question as the history has it, if it still does.
    pub question: Option<Message>,
}

/// The outcome of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accepted {
    /// Updates that are new in the inbox and wait there, in order.
    pub stored: Vec<Queued>,
    /// Updates that are new and done: the place of each among those that were given, and its parts as
    /// stored.
    pub finished: Vec<(usize, Vec<OpenPart>)>,
    /// Updates that had been accepted before.
    pub repeated: u64,
}

/// How an update ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// A question got its answer.
    Answered,
    /// A question got none, and the reply says so.
    Failed,
    /// `/cancel` stopped it.
    Cancelled,
    /// A command was run.
    Command,
    /// A button was pressed.
    Press,
    /// Its sender may not chat here.
    Refused,
    /// Its sender, or its chat, asked more than the limits allow.
    Limited,
    /// It was a message that the bot cannot read.
    Unsupported,
    /// A group has another id.
    Moved,
    /// The bot was let in or shut out.
    Membership,
    /// Nothing had to be done.
    #[default]
    Ignored,
    /// Its sender asked that everything is deleted before it was its turn.
    Forgotten,
    /// Handling it panicked.
    Panicked,
    /// It is a piece of an album or paste, and was done with another piece.
    Joined,
}

impl UpdateOutcome {
    /// The word on disk and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Command => "command",
            Self::Press => "press",
            Self::Refused => "refused",
            Self::Limited => "limited",
            Self::Unsupported => "unsupported",
            Self::Moved => "moved",
            Self::Membership => "membership",
            Self::Ignored => "ignored",
            Self::Forgotten => "forgotten",
            Self::Panicked => "panicked",
            Self::Joined => "joined",
        }
    }
}

/// The pieces of an album or paste that are done with an update.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    /// All but the update itself.
    pub others: Vec<InboxSeq>,
    /// The whole, to be kept in place of the update.
    pub whole: Option<Box<UpdateEvent>>,
}

/// Everything that one update led to; stored in one commit.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The update that is done with this. Of no meaning where it is accepted in the same commit.
    pub seq: InboxSeq,
    /// How it ended.
    pub outcome: UpdateOutcome,
    /// Whether the update's text is kept, so that its sender can ask for another try.
    pub keep_body: bool,
    /// What it stands for besides itself.
    pub pieces: Pieces,
    /// What is remembered of it.
    pub effects: Vec<Effect>,
    /// Question and answer, for the history.
    pub turn: Option<NewTurn>,
    /// Parts to send, in order. The first may be marked *sending* at once, see `first_attempt`.
    pub parts: Vec<NewPart>,
    /// The last message id known in the chat's counter, when the caller sends the first part
    /// right after the commit.
    pub first_attempt: Option<MessageId>,
}
