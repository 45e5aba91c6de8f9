//! What is said to Telegram, in our own words.

use crate::model::ids::{ChatId, MessageId};
use crate::model::reply::Button;
use crate::model::text::Entity;

/// Whose command menu (Bot API `BotCommandScope`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MenuScope {
    /// Of all private chats.
    Private,
    /// Of all groups.
    Groups,
    /// Of one chat; it goes before the others.
    Chat(ChatId),
}

/// A message to be sent or compared.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Where to.
    pub chat: ChatId,
    /// Forum topic.
    pub thread: Option<i64>,
    /// Text, at most 4,096 UTF-16 units.
    pub text: &'a str,
    /// Formatting.
    pub entities: &'a [Entity],
    /// Rows of buttons.
    pub buttons: &'a [Vec<Button>],
    /// The message it answers.
    pub reply_to: Option<MessageId>,
}
