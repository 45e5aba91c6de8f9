//! Whose words a message holds.

use serde::{Deserialize, Serialize};

/// Whose words a message holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authorship {
    /// A person's, who signs with their account.
    #[default]
    Own,
    /// A person's, who writes in a group's or channel's name: an anonymous administrator. Telegram does not
    /// say who it is, so `Incoming::from` has the id and the title of that chat.
    OfChat,
    /// Those of the author of a forwarded message.
    Forwarded,
    /// Those of another bot, chosen by inline query.
    ViaBot,
}

impl Authorship {
    /// Whether a person speaks in their own name.
    pub fn is_own(&self) -> bool {
        *self == Self::Own
    }

    /// Whether the sender wrote the words, in whatever name.
    pub fn is_senders(self) -> bool {
        matches!(self, Self::Own | Self::OfChat)
    }
}
