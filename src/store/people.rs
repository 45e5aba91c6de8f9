//! Who is known, and what is set for a chat and for the bot.

use crate::model::access::Role;
use crate::model::ids::ChatId;
use crate::model::message::Person;

/// A person as the bot knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// Who.
    pub person: Person,
    /// What they may do.
    pub role: Role,
    /// Pairing code that was offered, while it is good.
    pub code: Option<String>,
    /// When they got this role, Unix milliseconds.
    pub since_ms: i64,
    /// When a code was last offered, Unix milliseconds.
    pub told_ms: Option<i64>,
}

/// Whether the bot can be claimed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The bot has an owner.
    Owned,
    /// It has none; this code makes its sender the owner.
    Claimable(String),
    /// It has none, and its code is no longer valid: someone has to ask for a new one.
    Expired,
}

/// Settings and state of one chat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatState {
    /// The bot may answer in this group.
    pub allowed: bool,
    /// The bot cannot write here: blocked or kicked.
    pub absent: bool,
    /// The id the chat has now, when it became a supergroup.
    pub moved_to: Option<ChatId>,
    /// The id it had before.
    pub moved_from: Option<ChatId>,
}

/// State of the bot itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Questions wait on disk.
    pub paused: bool,
    /// The code that makes its sender the owner, while there is no owner and the code is valid.
    pub claim_code: Option<String>,
}
