//! The part of the Bot API's answers and updates that Katana reads.
//!
//! Read leniently: every field optional, unknown ones skipped, so that a new kind of update or a
//! new field of Telegram's changes nothing here.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// What is common to all answers that are good.
#[derive(Deserialize)]
pub(super) struct Answer<T> {
    pub result: T,
}

/// `getUpdates`, each update still undecoded.
pub(super) type Updates = Vec<Box<RawValue>>;

#[derive(Deserialize)]
pub(super) struct UpdateId {
    pub update_id: i64,
}

/// An update; at most one of the optional fields is there.
#[derive(Deserialize)]
pub(super) struct Update {
    pub message: Option<Message>,
    pub edited_message: Option<Message>,
    pub callback_query: Option<CallbackQuery>,
    pub my_chat_member: Option<MemberUpdated>,
}

#[derive(Deserialize)]
pub(super) struct Chat {
    pub id: i64,
    #[serde(rename = "type")]
    pub kind: String,
    pub title: Option<String>,
    pub username: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct User {
    pub id: i64,
    #[serde(default)]
    pub is_bot: bool,
    #[serde(default)]
    pub first_name: String,
    pub last_name: Option<String>,
    pub username: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub message_id: i64,
    #[serde(default)]
    pub date: i64,
    pub chat: Chat,
    pub from: Option<User>,
    pub sender_chat: Option<Chat>,
    pub edit_date: Option<i64>,
    pub text: Option<String>,
    pub caption: Option<String>,
    pub media_group_id: Option<String>,
    /// Older servers give a forwarded message no origin.
    pub forward_date: Option<IgnoredAny>,
    pub via_bot: Option<IgnoredAny>,
    #[serde(default)]
    pub is_automatic_forward: bool,
    /// The one person in a group who can see the message.
    pub receiver_user: Option<IgnoredAny>,
    #[serde(default)]
    pub is_topic_message: bool,
    pub message_thread_id: Option<i64>,
    pub migrate_to_chat_id: Option<i64>,
    pub migrate_from_chat_id: Option<i64>,
    /// What it refers to and carries: each is read alone, so that an odd one costs only itself.
    pub reply_to_message: Option<Box<RawValue>>,
    pub external_reply: Option<Box<RawValue>>,
    pub quote: Option<Box<RawValue>>,
    pub document: Option<Box<RawValue>>,
    pub forward_origin: Option<Box<RawValue>>,
}

/// A document of a message.
#[derive(Deserialize)]
pub(super) struct SentDocument {
    pub file_id: String,
    #[serde(default)]
    pub file_name: String,
    pub file_size: Option<u64>,
}

/// The document of a message that another one answers.
#[derive(Deserialize)]
pub(super) struct OnlyDocument {
    pub document: SentDocument,
}

/// Where a file can be loaded from.
#[derive(Deserialize)]
pub(super) struct FilePath {
    #[serde(default)]
    pub file_path: String,
    pub file_size: Option<u64>,
}

/// The message that another one answers.
#[derive(Deserialize)]
pub(super) struct RepliedTo {
    pub message_id: Option<i64>,
    pub from: Option<User>,
    pub sender_chat: Option<NamedChat>,
    pub text: Option<String>,
    pub caption: Option<String>,
    pub forward_origin: Option<Origin>,
    /// The beginning of a topic: each message in the topic that answers nothing else names it.
    pub forum_topic_created: Option<serde::de::IgnoredAny>,
}

/// Whose a message is.
#[derive(Deserialize)]
pub(super) struct OnlyFrom {
    pub from: User,
}

/// A message of another chat, or one that is not passed on.
#[derive(Deserialize)]
pub(super) struct ExternalReply {
    pub origin: Option<Origin>,
}

/// A part of a message that was selected.
#[derive(Deserialize)]
pub(super) struct TextQuote {
    #[serde(default)]
    pub text: String,
}

/// Words of a message without text or caption. A message has one of these fields.
#[derive(Deserialize)]
pub(super) struct OtherWords {
    pub poll: Option<Poll>,
    pub checklist: Option<Checklist>,
    pub contact: Option<Contact>,
    pub venue: Option<Venue>,
}

#[derive(Deserialize)]
pub(super) struct Poll {
    #[serde(default)]
    pub question: String,
    #[serde(default)]
    pub options: Vec<Entry>,
}

#[derive(Deserialize)]
pub(super) struct Checklist {
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub tasks: Vec<Entry>,
}

/// An option of a poll, or a task.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(default)]
    pub text: String,
    /// When a task was done; 0 or absent while it is not.
    #[serde(default)]
    pub completion_date: i64,
}

#[derive(Deserialize)]
pub(super) struct Contact {
    #[serde(default)]
    pub first_name: String,
    pub last_name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Venue {
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub address: String,
}

/// Where a message comes from (`MessageOrigin`); which fields there are depends on its type.
#[derive(Deserialize)]
pub(super) struct Origin {
    pub sender_user: Option<User>,
    pub sender_user_name: Option<String>,
    pub sender_chat: Option<NamedChat>,
    pub chat: Option<NamedChat>,
    pub author_signature: Option<String>,
}

/// A chat, as people see it.
#[derive(Deserialize)]
pub(super) struct NamedChat {
    pub title: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CallbackQuery {
    pub id: String,
    pub from: User,
    pub message: Option<PressedMessage>,
    pub data: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct PressedMessage {
    pub message_id: i64,
    pub chat: Chat,
    #[serde(default)]
    pub is_topic_message: bool,
    pub message_thread_id: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct MemberUpdated {
    pub chat: Chat,
    pub new_chat_member: Member,
}

#[derive(Deserialize)]
pub(super) struct Member {
    pub status: String,
}

#[derive(Deserialize)]
pub(super) struct SentMessage {
    pub message_id: i64,
}

#[derive(Deserialize)]
pub(super) struct Webhook {
    pub pending_update_count: u64,
}
