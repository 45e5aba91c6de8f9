//! What people do: talk, edit, press buttons, block, move groups. Each makes an update.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::options::ChatKind;
use crate::refusal::quoted;
use crate::sim::Sim;
use crate::state::{Message, Standing, State};

/// What an action of a user came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The id of the update; 0 when the bot did not ask for this kind.
    pub update_id: i64,
    /// The id of the message in its chat.
    pub message_id: i64,
}

/// A message of a user on its way into a chat.
#[derive(Default)]
pub(crate) struct Draft<'a> {
    pub(crate) text: &'a str,
    pub(crate) reply_to: Option<i64>,
    pub(crate) thread: Option<i64>,
    pub(crate) extra: BTreeMap<String, Value>,
}

impl Sim {
    /// Creates or renames a user, with the private chat (not started until they say something).
    pub fn user(&self, id: i64, first_name: &str, username: Option<&str>) {
        self.change(|state| state.ensure_user(id, first_name, username));
    }

    /// Creates or renames a group, supergroup or channel with the bot in it.
    pub fn group(&self, id: i64, title: &str, kind: ChatKind) {
        self.change(|state| state.add_chat(id, title, kind));
    }

    /// A user writes to the bot in private.
    pub fn say(&self, user_id: i64, text: &str) -> Sent {
        self.say_in(user_id, user_id, text)
    }

    /// A user writes in a chat; both are made up when unknown.
    pub fn say_in(&self, chat_id: i64, user_id: i64, text: &str) -> Sent {
        let draft = Draft { text, ..Draft::default() };
        self.post(chat_id, user_id, draft)
    }

    /// A user answers a message.
    pub fn reply_in(&self, chat_id: i64, user_id: i64, reply_to: i64, text: &str) -> Sent {
        let draft = Draft { text, reply_to: Some(reply_to), ..Draft::default() };
        self.post(chat_id, user_id, draft)
    }

    /// A user sends a message with any further field of the message object: `photo`, `pinned_message`,
    /// `new_chat_members`, …. With such a field, the text is the caption.
    pub fn say_with(
        &self,
        chat_id: i64,
        user_id: i64,
        text: &str,
        key: &str,
        value: Value,
    ) -> Sent {
        let draft =
            Draft { text, extra: BTreeMap::from([(key.to_owned(), value)]), ..Draft::default() };
        self.post(chat_id, user_id, draft)
    }

    /// A photo with a caption (empty for none).
    pub fn photo(&self, chat_id: i64, user_id: i64, caption: &str) -> Sent {
        let id = self.file(&b"\x89PNG not really"[..]);
        let sizes = json!([{"file_id": id, "file_unique_id": format!("u{id}"), "width": 90,
            "height": 90, "file_size": 15}]);
        self.say_with(chat_id, user_id, caption, "photo", sizes)
    }

    /// A document with a caption (empty for none).
    pub fn document(
        &self,
        chat_id: i64,
        user_id: i64,
        caption: &str,
        name: &str,
        bytes: impl Into<Bytes>,
    ) -> Sent {
        let bytes = bytes.into();
        let size = bytes.len();
        let id = self.file(bytes);
        let document = json!({"file_id": id, "file_unique_id": format!("u{id}"), "file_name": name,
            "file_size": size});
        self.say_with(chat_id, user_id, caption, "document", document)
    }

    /// A voice message.
    pub fn voice(&self, chat_id: i64, user_id: i64) -> Sent {
        let id = self.file(&b"OggS not really"[..]);
        let voice = json!({"file_id": id, "file_unique_id": format!("u{id}"), "duration": 2,
            "mime_type": "audio/ogg", "file_size": 15});
        self.say_with(chat_id, user_id, "", "voice", voice)
    }

    /// A sticker.
    pub fn sticker(&self, chat_id: i64, user_id: i64) -> Sent {
        let id = self.file(&b"RIFF not really"[..]);
        let sticker = json!({"file_id": id, "file_unique_id": format!("u{id}"), "type": "regular",
            "width": 512, "height": 512, "is_animated": false, "is_video": false, "emoji": "🗡"});
        self.say_with(chat_id, user_id, "", "sticker", sticker)
    }

    /// Stores a file for `getFile`; returns its id.
    pub fn file(&self, bytes: impl Into<Bytes>) -> String {
        let bytes = bytes.into();
        self.change(|state| {
            let id = format!("file{}", state.files.len() + 1);
            state.files.insert(id.clone(), bytes);
            id
        })
    }

    /// A user adds people to a group (service message).
    pub fn join(&self, chat_id: i64, user_id: i64, new_members: &[i64]) -> Sent {
        let members: Vec<Value> = self.change(|state| {
            let objects = new_members.iter().map(|id| state.user_json(*id));
            objects.filter_map(|user| serde_json::from_str(&user).ok()).collect()
        });
        self.say_with(chat_id, user_id, "", "new_chat_members", json!(members))
    }

    /// A post in a channel.
    pub fn channel_post(&self, chat_id: i64, text: &str) -> Sent {
        self.change(|state| {
            if !state.chats.contains_key(&chat_id) {
                state.add_chat(chat_id, &format!("Channel {chat_id}"), ChatKind::Channel);
            }
        });
        self.post(chat_id, chat_id, Draft { text, ..Draft::default() })
    }

    /// A user edits a message; 0 when there is no such message or edits were not requested.
    pub fn edit(&self, chat_id: i64, message_id: i64, text: &str) -> i64 {
        self.act(|state| {
            let chat = state.chats.get_mut(&chat_id)?;
            let kind = if chat.kind == ChatKind::Channel {
                "edited_channel_post"
            } else {
                "edited_message"
            };
            let message = chat.messages.get_mut(&message_id)?;
            text.clone_into(&mut message.text);
            message.entities = command_entities(text);
            message.edited = true;
            let chat = &state.chats[&chat_id];
            let body = state.message_json(chat, &chat.messages[&message_id]);
            state.queue.push(kind, &body, state.clock.now())
        })
    }

    /// A user presses an inline button; returns the id of the update.
    pub fn press(&self, chat_id: i64, message_id: i64, user_id: i64, data: &str) -> i64 {
        self.act(|state| {
            let user = state.user_json(user_id);
            let chat = state.chats.get(&chat_id)?;
            let message = match chat.messages.get(&message_id) {
                Some(message) => state.message_json(chat, message),
                None => {
                    format!("{{\"chat\":{},\"message_id\":{message_id},\"date\":0}}", chat.json)
                }
            };
            let id = state.rng.u64(1 << 40..1 << 60).to_string();
            state.callbacks.insert(id.clone(), state.clock.now());
            let body = format!(
                "{{\"id\":\"{id}\",\"from\":{user},\"message\":{message},\
                 \"chat_instance\":\"{chat_id}\",\"data\":{}}}",
                quoted(data)
            );
            state.queue.push("callback_query", &body, state.clock.now())
        })
    }

    /// A user blocks the bot.
    pub fn block(&self, user_id: i64) -> i64 {
        self.set_blocked(user_id, true)
    }

    /// A user unblocks the bot.
    pub fn unblock(&self, user_id: i64) -> i64 {
        self.set_blocked(user_id, false)
    }

    fn set_blocked(&self, user_id: i64, blocked: bool) -> i64 {
        self.act(|state| {
            state.ensure_chat(user_id);
            state.chats.get_mut(&user_id)?.blocked = blocked;
            let (old, new) = if blocked { ("member", "kicked") } else { ("kicked", "member") };
            my_member(state, user_id, user_id, old, new)
        })
    }

    /// The bot is thrown out of a group.
    pub fn kick(&self, chat_id: i64) -> i64 {
        self.act(|state| {
            state.ensure_chat(chat_id);
            state.chats.get_mut(&chat_id)?.standing = Standing::Kicked;
            my_member(state, chat_id, 1, "member", "kicked")
        })
    }

    /// The bot is added to a group (again) by a user.
    pub fn invite(&self, chat_id: i64, user_id: i64) -> i64 {
        self.act(|state| {
            state.ensure_chat(chat_id);
            state.chats.get_mut(&chat_id)?.standing = Standing::Member;
            my_member(state, chat_id, user_id, "left", "member")
        })
    }

    /// A person deletes a message; Telegram does not notify bots.
    pub fn delete_message(&self, chat_id: i64, message_id: i64) -> bool {
        self.change(|state| {
            let chat = state.chats.get_mut(&chat_id);
            chat.and_then(|chat| chat.messages.remove(&message_id)).is_some()
        })
    }

    /// A basic group becomes a supergroup: the old chat refuses messages and names the new one; both
    /// get their service message.
    pub fn migrate(&self, chat_id: i64, new_id: i64) {
        let title = format!("Chat {new_id}");
        self.change(|state| {
            state.ensure_chat(chat_id);
            state.add_chat(new_id, &title, ChatKind::Supergroup);
        });
        self.say_with(chat_id, 1, "", "migrate_to_chat_id", json!(new_id));
        self.say_with(new_id, 1, "", "migrate_from_chat_id", json!(chat_id));
        self.change(|state| {
            if let Some(chat) = state.chats.get_mut(&chat_id) {
                chat.migrated_to = Some(new_id);
            }
        });
    }

    /// A raw update: unknown kinds, missing fields, anything. `update_id` is assigned when missing;
    /// `allowed_updates` does not apply. Returns the update id.
    pub fn inject(&self, update: Value) -> i64 {
        self.act(|state| Some(state.queue.push_raw(update, state.clock.now())))
    }

    /// A user pins a message (service message); 0 when it is not there.
    pub fn pin(&self, chat_id: i64, user_id: i64, message_id: i64) -> Sent {
        let pinned = self.change(|state| {
            let chat = state.chats.get(&chat_id)?;
            let message = chat.messages.get(&message_id)?;
            serde_json::from_str(&state.message_json(chat, message)).ok()
        });
        match pinned {
            Some(pinned) => self.say_with(chat_id, user_id, "", "pinned_message", pinned),
            None => Sent { update_id: 0, message_id: 0 },
        }
    }

    /// `updates` messages at once, dealt over `chats` private chats with the user ids 1001, 1002, …;
    /// `{n}` in the text becomes the number of the message, from 1.
    pub fn flood(&self, updates: usize, chats: usize, text: &str) {
        let mut user_id = 1000;
        let last = 1000 + i64::try_from(chats.max(1)).unwrap_or(1);
        self.change(|state| {
            for number in 1..=updates {
                user_id = if user_id >= last { 1001 } else { user_id + 1 };
                let numbered = text.replace("{n}", &number.to_string());
                let draft = Draft { text: &numbered, ..Draft::default() };
                add(state, user_id, user_id, draft);
            }
        });
        self.inner.polled.notify_waiters();
    }

    pub(crate) fn post(&self, chat_id: i64, user_id: i64, draft: Draft<'_>) -> Sent {
        let sent = self.change(|state| add(state, chat_id, user_id, draft));
        self.inner.polled.notify_waiters();
        sent
    }

    /// Does something that makes an update, and wakes the poll; 0 stands for no update.
    fn act(&self, act: impl FnOnce(&mut State) -> Option<i64>) -> i64 {
        let id = self.change(act);
        self.inner.polled.notify_waiters();
        id.unwrap_or(0)
    }
}

fn add(state: &mut State, chat_id: i64, user_id: i64, draft: Draft<'_>) -> Sent {
    state.ensure_chat(chat_id);
    if user_id > 0 && !state.users.contains_key(&user_id) {
        state.ensure_user(user_id, &format!("User {user_id}"), None);
    }
    let message = Message {
        message_id: state.next_message_id(chat_id),
        from_bot: false,
        from: user_id,
        text: draft.text.to_owned(),
        entities: command_entities(draft.text),
        reply_markup: None,
        reply_to: draft.reply_to,
        thread: draft.thread,
        date: state.clock.unix(),
        edited: false,
        extra: draft.extra,
    };
    let message_id = message.message_id;
    let chat = &state.chats[&chat_id];
    let kind = if chat.kind == ChatKind::Channel { "channel_post" } else { "message" };
    let body = state.message_json(chat, &message);
    let update_id = state.queue.push(kind, &body, state.clock.now());
    if let Some(chat) = state.chats.get_mut(&chat_id) {
        chat.started = true;
        chat.messages.insert(message_id, message);
        chat.unanswered.push_back((message_id, Instant::now()));
    }
    Sent { update_id: update_id.unwrap_or(0), message_id }
}

/// Telegram marks a leading command by itself.
fn command_entities(text: &str) -> Vec<Value> {
    if !text.starts_with('/') {
        return Vec::new();
    }
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '@';
    let length = 1 + text[1..].chars().take_while(|c| part(*c)).count();
    if length == 1 {
        return Vec::new();
    }
    vec![json!({"type": "bot_command", "offset": 0, "length": length})]
}

fn my_member(state: &mut State, chat_id: i64, by: i64, old: &str, new: &str) -> Option<i64> {
    let user = state.user_json(by);
    let chat = state.chats.get(&chat_id)?;
    let member = |status: &str| {
        let until = if status == "kicked" { ",\"until_date\":0" } else { "" };
        format!("{{\"status\":\"{status}\",\"user\":{}{until}}}", state.bot_json)
    };
    let body = format!(
        "{{\"chat\":{},\"from\":{user},\"date\":{},\"old_chat_member\":{},\"new_chat_member\":{}}}",
        chat.json,
        state.clock.unix(),
        member(old),
        member(new)
    );
    state.queue.push("my_chat_member", &body, state.clock.now())
}
