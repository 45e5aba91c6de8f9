//! Messages with any fields of the Bot API's message object: albums, forwards, anonymous administrators, and
//! kinds that have no method of their own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::options::ChatKind;
use crate::people::Sent;
use crate::sim::Sim;
use crate::state::Message;

impl Sim {
    /// A message with these fields besides `message_id`, `date`, `chat` and `from`, each of which they may
    /// replace. `allowed_updates` applies.
    pub fn say_fields(&self, chat_id: i64, user_id: i64, fields: &Value) -> Sent {
        self.act_with(|state| {
            state.ensure_chat(chat_id);
            let user: Option<Value> =
                (user_id > 0).then(|| state.user_json(user_id)).and_then(|user| parse(&user));
            let message_id = state.next_message_id(chat_id);
            let date = state.clock.unix();
            let chat = state.chats.get_mut(&chat_id)?;
            chat.started = true;
            let mut body =
                json!({"message_id": message_id, "date": date, "chat": parse(&chat.json)});
            if let Some(user) = user {
                body["from"] = user;
            }
            for (key, value) in fields.as_object()? {
                body[key] = value.clone();
            }
            let text = fields.get("text").or_else(|| fields.get("caption"));
            let text = text.and_then(Value::as_str).unwrap_or_default().to_owned();
            let kept = Message {
                message_id,
                from_bot: false,
                from: user_id,
                text,
                entities: Vec::new(),
                reply_markup: None,
                reply_to: None,
                date,
                edited: false,
                thread: fields.get("message_thread_id").and_then(Value::as_i64),
                extra: BTreeMap::new(),
            };
            chat.messages.insert(message_id, kept);
            let kind = if chat.kind == ChatKind::Channel { "channel_post" } else { "message" };
            let update_id = state.queue.push(kind, &body.to_string(), state.clock.now());
            Some(Sent { update_id: update_id.unwrap_or(0), message_id })
        })
    }

    /// The same message as edited: its fields are replaced by these.
    pub fn edit_fields(&self, chat_id: i64, message_id: i64, user_id: i64, fields: &Value) -> Sent {
        self.act_with(|state| {
            let user: Option<Value> = parse(&state.user_json(user_id));
            let date = state.clock.unix();
            let chat = state.chats.get(&chat_id)?;
            let mut body = json!({"message_id": message_id, "date": date, "edit_date": date,
                "chat": parse(&chat.json), "from": user});
            for (key, value) in fields.as_object()? {
                body[key] = value.clone();
            }
            let update = state.queue.push("edited_message", &body.to_string(), state.clock.now());
            Some(Sent { update_id: update.unwrap_or(0), message_id })
        })
    }

    fn act_with(&self, act: impl FnOnce(&mut crate::state::State) -> Option<Sent>) -> Sent {
        let sent = self.change(act);
        self.inner.polled.notify_waiters();
        sent.unwrap_or(Sent { update_id: 0, message_id: 0 })
    }
}

fn parse(json: &str) -> Option<Value> {
    serde_json::from_str(json).ok()
}
