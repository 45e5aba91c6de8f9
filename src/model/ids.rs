//! Identifiers, each a type of its own so that a chat is never taken for a user.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// The bot's own user id: the digits before the colon of its token. All state is keyed by it.
    BotId
);
id!(
    /// A chat (Bot API `Chat.id`): positive for private chats, negative for groups and channels.
    ChatId
);
id!(
    /// A Telegram user (Bot API `User.id`).
    UserId
);
id!(
    /// Bot API `Update.update_id`; unique per bot, not monotonic over weeks without updates.
    UpdateId
);
id!(
    /// Bot API `Message.message_id`; unique per [`Counter`].
    MessageId
);
id!(
    /// Row number in the inbox: the order in which updates were accepted.
    InboxSeq
);
id!(
    /// Row number of a part in the outbox: the order in which a chat's parts leave.
    PartId
);

impl UserId {
    /// Whether it stands for a group or channel in whose name someone writes.
    pub fn is_chat(self) -> bool {
        self.0 < 0
    }
}

impl ChatId {
    /// Supergroups and channels have ids at or below this (Bot API: "-100" before the digits).
    const SUPERGROUP_BELOW: i64 = -1_000_000_000_000;

    /// The counter that allots message ids in this chat.
    pub fn counter(self) -> Counter {
        if self.is_supergroup() { Counter::Own(self) } else { Counter::Account }
    }

    /// Whether the chat is a supergroup or channel.
    pub fn is_supergroup(self) -> bool {
        self.0 <= Self::SUPERGROUP_BELOW
    }

    /// Whether the chat is a group, supergroup or channel.
    pub fn is_shared(self) -> bool {
        self.0 < 0
    }
}

/// What allots message ids: private chats and basic groups of one account share a counter, each
/// supergroup or channel has its own (Telegram's server, tdlib).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// The bot account's counter.
    Account,
    /// The counter of one supergroup or channel.
    Own(ChatId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_chats_and_basic_groups_share_a_counter() {
        assert_eq!(ChatId(5).counter(), Counter::Account);
        assert_eq!(ChatId(-5).counter(), Counter::Account);
        let big = ChatId(-1_001_234_567_890);
        assert_eq!(big.counter(), Counter::Own(big));
    }
}
