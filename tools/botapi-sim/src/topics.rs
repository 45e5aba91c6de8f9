//! Forum topics, and messages that refer to others.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::options::ChatKind;
use crate::people::{Draft, Sent};
use crate::sim::Sim;

/// Fields of a message that leave its text a text; with any other one it is a caption.
pub(crate) const BESIDE_TEXT: [&str; 8] = [
    "external_reply",
    "forward_date",
    "forward_origin",
    "media_group_id",
    "quote",
    "reply_to_message",
    "sender_chat",
    "via_bot",
];

impl Sim {
    /// A topic in a chat begins; answers its number.
    pub fn topic(&self, chat_id: i64) -> i64 {
        self.change(|state| {
            state.ensure_chat(chat_id);
            let id = state.next_message_id(chat_id);
            if let Some(chat) = state.chats.get_mut(&chat_id) {
                chat.topics.insert(id);
            }
            id
        })
    }

    /// A topic is deleted with its messages.
    pub fn delete_topic(&self, chat_id: i64, topic: i64) {
        self.change(|state| {
            if let Some(chat) = state.chats.get_mut(&chat_id) {
                chat.topics.remove(&topic);
                chat.messages.retain(|_, message| message.thread != Some(topic));
            }
        });
    }

    /// A topic is closed for the bot; 0 is the chat outside of topics.
    pub fn close_topic(&self, chat_id: i64, topic: i64) {
        self.change(|state| {
            if let Some(chat) = state.chats.get_mut(&chat_id) {
                chat.closed.insert(topic);
            }
        });
    }

    /// Messages of the bot to a chat are refused with these words (400) from now on, or taken again.
    pub fn refuse_messages(&self, chat_id: i64, words: Option<&str>) {
        self.change(|state| {
            state.ensure_chat(chat_id);
            if let Some(chat) = state.chats.get_mut(&chat_id) {
                chat.refuses = words.map(str::to_owned);
            }
        });
    }

    /// A user writes in a topic of a chat.
    pub fn say_in_topic(&self, chat_id: i64, topic: i64, user_id: i64, text: &str) -> Sent {
        let mut draft = Draft { text, thread: Some(topic), ..Draft::default() };
        // In a forum, what answers nothing else answers the service message that began its topic.
        let began = self.change(|state| {
            let chat = state.chats.get(&chat_id).filter(|c| c.kind == ChatKind::Supergroup)?;
            let of = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_default();
            Some(json!({"message_id": topic, "date": 1, "chat": of(&chat.json),
                "from": of(&state.bot_json), "is_topic_message": true, "message_thread_id": topic,
                "forum_topic_created": {"name": "Topic", "icon_color": 7_322_096}}))
        });
        draft.extra.extend(began.map(|began| ("reply_to_message".to_owned(), began)));
        self.post(chat_id, user_id, draft)
    }

    /// A user answers a message, with any further fields of the message object, such as `quote`.
    pub fn reply_with(
        &self,
        chat_id: i64,
        user_id: i64,
        reply_to: Option<i64>,
        text: &str,
        fields: Value,
    ) -> Sent {
        let extra = match fields {
            Value::Object(fields) => fields.into_iter().collect(),
            _ => BTreeMap::new(),
        };
        self.post(chat_id, user_id, Draft { text, reply_to, thread: None, extra })
    }
}
