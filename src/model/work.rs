//! What the bot works on; durations are measured for each kind.

/// Kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkKind {
    /// A command; for deliveries, everything that is not an answer.
    Command,
    /// A question to the provider, and its answer.
    Question,
}

impl WorkKind {
    /// The word for metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Question => "question",
        }
    }
}

/// Every reason to ignore an update that is known beforehand, by the word under which it is counted. Telegram
/// may add kinds of updates, which are counted by their own names.
pub const IGNORED: &[&str] = &[
    "callback_query_without_message",
    "channel_post",
    "channel_post_copy",
    "edited_by_no_one",
    "edited_channel_post",
    "edited_long_ago",
    "edited_without_change",
    "edited_without_words",
    "empty",
    "message_for_one",
    "message_in_channel",
    "message_of_bot",
    "message_of_no_one",
    "not_addressed",
    "service_message",
    "undecodable_callback_query",
    "undecodable_channel_post",
    "undecodable_edited_channel_post",
    "undecodable_edited_message",
    "undecodable_message",
    "undecodable_my_chat_member",
];
