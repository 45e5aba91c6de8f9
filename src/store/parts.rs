//! Parts of replies on their way to Telegram, and their outcomes.

use serde::{Deserialize, Serialize};

use crate::model::class::{ChatRefusal, TelegramClass};
use crate::model::ids::{ChatId, MessageId, PartId};
use crate::model::reply::Button;
use crate::model::text::{Entity, Rich};

/// A part that is not stored yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPart {
    /// Where to.
    pub chat: ChatId,
    /// Text and entities.
    pub rich: Rich,
    /// Buttons and the message it answers.
    pub extra: PartExtra,
}

/// What goes with a part's text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartExtra {
    /// Formatting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<Entity>,
    /// Rows of buttons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Vec<Button>>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Forum topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<i64>,
    /// Of an answer to a question, rather than to a command; for the figures.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answer: bool,
}

/// Whether a part has been tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartState {
    /// Not tried, or surely not arrived.
    Due,
    /// Tried; it may or may not have arrived.
    Sending {
        /// Last message id known in the counter before the attempt.
        id_before: MessageId,
        /// When it was tried, Unix milliseconds.
        at_ms: i64,
    },
}

/// A part that has not been settled.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenPart {
    /// Its place in the order of leaving.
    pub id: PartId,
    /// Where to.
    pub chat: ChatId,
    /// What it says.
    pub text: String,
    /// What goes with the text.
    pub extra: PartExtra,
    /// Whether it was tried.
    pub state: PartState,
    /// Tries that surely failed.
    pub attempts: u32,
    /// Not before this time, Unix milliseconds.
    pub due_ms: i64,
    /// When it was stored, Unix milliseconds.
    pub created_ms: i64,
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It arrived.
    Sent(MessageId),
    /// It surely did not arrive and is due again.
    Retry {
        /// Not before, Unix milliseconds.
        due_ms: i64,
        /// Why.
        reason: DeliveryReason,
    },
    /// It never will arrive.
    Dropped(DeliveryReason),
}

/// Why a part did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryReason {
    /// The group has another id.
    Moved,
    /// It could not be sent for too long.
    Expired,
    /// The bot cannot write to the chat: blocked or kicked.
    ShutOut,
    /// The chat does not take it.
    OfChat(ChatRefusal),
    /// Its receiver asked that everything is deleted.
    Forgotten,
    /// The send failed.
    Failed(TelegramClass),
}

impl DeliveryReason {
    /// The word on disk.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Expired => "expired",
            Self::ShutOut => "shut_out",
            Self::OfChat(refusal) => refusal.as_str(),
            Self::Forgotten => "forgotten",
            Self::Failed(class) => class.as_str(),
        }
    }
}

/// One part and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Which part.
    pub id: PartId,
    /// The outcome.
    pub outcome: DeliveryOutcome,
}
