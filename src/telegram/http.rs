//! The part of the Bot API's types that Katana reads and writes.
//!
//! Read leniently: every field optional, unknown ones skipped, so that a new kind of update or a
//! new field of Telegram's changes nothing here.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::text::{Entity, EntityKind};

/// What is common to all answers that are good.
#[derive(Deserialize)]
pub(super) struct Answer<T> {
    pub result: T,
}

/// `getUpdates`, each update still undecoded.
pub(super) type Updates = Answer<Vec<Box<RawValue>>>;

#[derive(Deserialize)]
pub(super) struct UpdateId {
    pub update_id: i64,
}

/// An update; at most one of the optional fields is there.
#[derive(Deserialize)]
pub(super) struct Update {
    pub message: Option<Message>,
    pub callback_query: Option<CallbackQuery>,
    pub my_chat_member: Option<MemberUpdated>,
}

#[derive(Deserialize)]
pub(super) struct Chat {
    pub id: i64,
    #[serde(rename = "type")]
    pub kind: String,
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
    pub text: Option<String>,
    #[serde(default)]
    pub is_topic_message: bool,
    pub message_thread_id: Option<i64>,
    pub migrate_to_chat_id: Option<i64>,
    pub reply_to_message: Option<RepliedTo>,
}

#[derive(Deserialize)]
pub(super) struct RepliedTo {
    pub from: Option<User>,
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

#[derive(Debug, Serialize)]
pub(super) struct GetUpdates<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    pub offset: i64,
    pub limit: u32,
    pub timeout: u64,
    pub allowed_updates: &'a [&'a str],
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// `sendMessage`, `editMessageText` and `sendMessageDraft`: they share their fields.
#[derive(Debug, Default, Serialize)]
pub(super) struct Text<'a> {
    pub chat_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_thread_id: Option<i64>,
    pub text: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<MessageEntity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_preview_options: Option<NoPreview>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_parameters: Option<ReplyTo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_markup: Option<Keyboard<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct NoPreview {
    pub is_disabled: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct ReplyTo {
    pub message_id: i64,
    pub allow_sending_without_reply: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Keyboard<'a> {
    pub inline_keyboard: Vec<Vec<Key<'a>>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Key<'a> {
    pub text: &'a str,
    pub callback_data: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct MessageEntity<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub offset: u32,
    pub length: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<&'a str>,
}

impl<'a> From<&'a Entity> for MessageEntity<'a> {
    fn from(e: &'a Entity) -> Self {
        let (kind, url, language) = match &e.kind {
            EntityKind::Bold => ("bold", None, None),
            EntityKind::Italic => ("italic", None, None),
            EntityKind::Strikethrough => ("strikethrough", None, None),
            EntityKind::Code => ("code", None, None),
            EntityKind::Pre { language } => ("pre", None, language.as_deref()),
            EntityKind::Link { url } => ("text_link", Some(url.as_str()), None),
            EntityKind::Quote => ("blockquote", None, None),
        };
        Self { kind, offset: e.offset, length: e.length, url, language }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ChatAction {
    pub chat_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_thread_id: Option<i64>,
    pub action: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct AnswerPress<'a> {
    pub callback_query_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(super) struct SetCommands<'a> {
    pub commands: Vec<BotCommand<'a>>,
    pub scope: Scope,
}

#[derive(Debug, Serialize)]
pub(super) struct DeleteCommands {
    pub scope: Scope,
}

#[derive(Debug, Serialize)]
pub(super) struct BotCommand<'a> {
    pub command: &'a str,
    pub description: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Scope {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<i64>,
}
