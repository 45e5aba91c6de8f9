//! Everything that the simulated Telegram knows, behind one lock that is never held across an await.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::clock::{Bucket, Clock};
use crate::faults::{Fault, Faults};
use crate::hold::HoldPoint;
use crate::options::{ChatKind, Limits, Options};
use crate::queue::Queue;
use crate::refusal::quoted;

/// How many latencies are kept.
const MAX_LATENCIES: usize = 1 << 20;

/// One message of a chat, as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its id in the chat.
    pub message_id: i64,
    /// Whether the bot under test wrote it.
    pub from_bot: bool,
    /// Who wrote it: a user id, the bot id, or the chat id for a channel post.
    pub from: i64,
    /// Text or caption, as stored.
    pub text: String,
    /// Entities as stored (for the bot's messages: those that it gave).
    pub entities: Vec<Value>,
    /// The inline keyboard, if there is one.
    pub reply_markup: Option<Value>,
    /// The id of the message that this one answers.
    pub reply_to: Option<i64>,
    /// The forum topic that it belongs to.
    pub thread: Option<i64>,
    /// Seconds since 1970.
    pub date: u64,
    /// Whether it was edited.
    pub edited: bool,
    /// Further fields of the message object: `photo`, `new_chat_members`, ….
    pub extra: BTreeMap<String, Value>,
}

/// How the bot stands in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Member,
    Kicked,
    Left,
}

#[derive(Debug)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    pub(crate) kind: ChatKind,
    /// The chat object as JSON.
    pub(crate) json: String,
    pub(crate) standing: Standing,
    /// Whether the user of a private chat has ever talked to the bot.
    pub(crate) started: bool,
    pub(crate) blocked: bool,
    pub(crate) migrated_to: Option<i64>,
    pub(crate) messages: BTreeMap<i64, Message>,
    pub(crate) last_id: i64,
    pub(crate) bucket: Bucket,
    pub(crate) group_bucket: Bucket,
    /// Numbers of the forum topics that there are.
    pub(crate) topics: BTreeSet<i64>,
    /// Topics that are closed; 0 is the chat outside of topics.
    pub(crate) closed: BTreeSet<i64>,
    /// With what words messages of the bot are refused.
    pub(crate) refuses: Option<String>,
    pub(crate) drafts: Vec<String>,
    pub(crate) actions: u64,
    /// Messages of users that have no answer yet, for latencies.
    pub(crate) unanswered: VecDeque<(i64, Instant)>,
}

#[derive(Debug)]
pub(crate) struct User {
    /// The user object as JSON.
    pub(crate) json: String,
    pub(crate) username: Option<String>,
}

/// One request that was answered (or not), for inspection.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, in Telegram's spelling.
    pub method: &'static str,
    /// Its parameters.
    pub params: Value,
    /// The HTTP status of the answer; 0 when none was given.
    pub status: u16,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) rng: fastrand::Rng,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) next_faults: VecDeque<(String, Fault)>,
    pub(crate) holds: Vec<Arc<HoldPoint>>,
    pub(crate) queue: Queue,
    pub(crate) bot_id: i64,
    pub(crate) bot_username: String,
    pub(crate) bot_json: String,
    pub(crate) users: HashMap<i64, User>,
    pub(crate) chats: HashMap<i64, Chat>,
    /// The last id of the counter that private chats and basic groups share.
    pub(crate) last_id: i64,
    pub(crate) overall: Bucket,
    pub(crate) commands: BTreeMap<String, Value>,
    pub(crate) callbacks: HashMap<String, Duration>,
    pub(crate) callback_answers: Vec<Value>,
    pub(crate) files: HashMap<String, Bytes>,
    pub(crate) webhook_url: String,
    pub(crate) revoked: bool,
    /// The token that took the place of the first one.
    pub(crate) reissued: Option<String>,
    /// How often a token was issued: requests with an earlier one are refused.
    pub(crate) issued: u64,
    pub(crate) calls: HashMap<&'static str, u64>,
    pub(crate) outcomes: HashMap<(&'static str, u16), u64>,
    pub(crate) log: VecDeque<Request>,
    pub(crate) log_capacity: usize,
    pub(crate) latencies: Vec<Duration>,
    pub(crate) bot_messages: u64,
    pub(crate) first_poll_at: Option<Instant>,
}

impl State {
    pub(crate) fn new(options: &Options) -> Self {
        let mut rng = fastrand::Rng::with_seed(options.seed);
        let bot_id = options.token.split(':').next().and_then(|id| id.parse().ok()).unwrap_or(1);
        let bot_json = json!({"id": bot_id, "is_bot": true, "first_name": "Katana",
            "username": options.bot_username})
        .to_string();
        let first_update = rng.i64(1_000_000..500_000_000);
        let last_id = rng.i64(10..1000);
        Self {
            clock: Clock::start(),
            rng,
            limits: options.limits,
            faults: options.faults.clone(),
            next_faults: VecDeque::new(),
            holds: Vec::new(),
            queue: Queue::new(first_update),
            bot_id,
            bot_username: options.bot_username.clone(),
            bot_json,
            users: HashMap::new(),
            chats: HashMap::new(),
            last_id,
            overall: Bucket::default(),
            commands: BTreeMap::new(),
            callbacks: HashMap::new(),
            callback_answers: Vec::new(),
            files: HashMap::new(),
            webhook_url: String::new(),
            revoked: false,
            reissued: None,
            issued: 0,
            calls: HashMap::new(),
            outcomes: HashMap::new(),
            log: VecDeque::new(),
            log_capacity: options.log_capacity,
            latencies: Vec::new(),
            bot_messages: 0,
            first_poll_at: None,
        }
    }

    /// Makes sure that a user and the private chat with them exist.
    pub(crate) fn ensure_user(&mut self, id: i64, first_name: &str, username: Option<&str>) {
        let mut user =
            json!({"id": id, "is_bot": false, "first_name": first_name, "language_code": "en"});
        let mut chat = json!({"id": id, "type": "private", "first_name": first_name});
        if let Some(username) = username {
            user["username"] = Value::from(username);
            chat["username"] = Value::from(username);
        }
        let user = User { json: user.to_string(), username: username.map(str::to_owned) };
        self.users.insert(id, user);
        let json = chat.to_string();
        match self.chats.get_mut(&id) {
            Some(chat) => chat.json = json,
            None => {
                self.chats.insert(id, Chat::new(id, ChatKind::Private, json));
            }
        }
    }

    /// The user, made up when unknown.
    pub(crate) fn user_json(&mut self, id: i64) -> String {
        if !self.users.contains_key(&id) {
            self.ensure_user(id, &format!("User {id}"), None);
        }
        self.users.get(&id).map_or_else(String::new, |user| user.json.clone())
    }

    /// The chat, made up when unknown: a private one for positive ids, else by the range of the id.
    pub(crate) fn ensure_chat(&mut self, id: i64) {
        if self.chats.contains_key(&id) {
            return;
        }
        if id > 0 {
            self.ensure_user(id, &format!("User {id}"), None);
        } else {
            let kind =
                if id <= -1_000_000_000_000 { ChatKind::Supergroup } else { ChatKind::Group };
            self.add_chat(id, &format!("Chat {id}"), kind);
        }
    }

    pub(crate) fn add_chat(&mut self, id: i64, title: &str, kind: ChatKind) {
        let json = json!({"id": id, "type": kind.name(), "title": title}).to_string();
        match self.chats.get_mut(&id) {
            Some(chat) => (chat.json, chat.kind) = (json, kind),
            None => {
                self.chats.insert(id, Chat::new(id, kind, json));
            }
        }
    }

    /// Takes the next message id of a chat.
    pub(crate) fn next_message_id(&mut self, chat_id: i64) -> i64 {
        let counter = match self.chats.get_mut(&chat_id) {
            Some(chat) if chat.kind.has_own_ids() => &mut chat.last_id,
            _ => &mut self.last_id,
        };
        *counter += 1;
        *counter
    }

    /// The message object of the Bot API.
    pub(crate) fn message_json(&self, chat: &Chat, message: &Message) -> String {
        let mut out = String::with_capacity(message.text.len() + 320);
        self.write_message(&mut out, chat, message, true);
        out
    }

    fn write_message(&self, out: &mut String, chat: &Chat, message: &Message, deep: bool) {
        let _ = write!(out, "{{\"message_id\":{}", message.message_id);
        if message.from_bot {
            let _ = write!(out, ",\"from\":{}", self.bot_json);
        } else if message.from == chat.id && chat.kind == ChatKind::Channel {
            let _ = write!(out, ",\"sender_chat\":{}", chat.json);
        } else if let Some(user) = self.users.get(&message.from) {
            let _ = write!(out, ",\"from\":{}", user.json);
        }
        let _ = write!(out, ",\"chat\":{},\"date\":{}", chat.json, message.date);
        if message.edited {
            let _ = write!(out, ",\"edit_date\":{}", self.clock.unix());
        }
        if deep && let Some(original) = message.reply_to.and_then(|id| chat.messages.get(&id)) {
            out.push_str(",\"reply_to_message\":");
            self.write_message(out, chat, original, false);
        }
        if let Some(thread) = message.thread {
            let _ = write!(out, ",\"message_thread_id\":{thread},\"is_topic_message\":true");
        }
        let media =
            message.extra.keys().any(|key| !crate::topics::BESIDE_TEXT.contains(&key.as_str()));
        if !message.text.is_empty() {
            let (text, entities) =
                if media { ("caption", "caption_entities") } else { ("text", "entities") };
            let _ = write!(out, ",\"{text}\":{}", quoted(&message.text));
            if !message.entities.is_empty() {
                let _ = write!(out, ",\"{entities}\":{}", Value::from(message.entities.clone()));
            }
        }
        if let Some(markup) = &message.reply_markup {
            let _ = write!(out, ",\"reply_markup\":{markup}");
        }
        for (key, value) in &message.extra {
            let _ = write!(out, ",{}:{value}", quoted(key));
        }
        out.push('}');
    }

    /// Notes that the bot answered in a chat, for latencies.
    pub(crate) fn answered(&mut self, chat_id: i64, reply_to: Option<i64>, received: Instant) {
        self.bot_messages += 1;
        let Some(chat) = self.chats.get_mut(&chat_id) else {
            return;
        };
        let named =
            reply_to.and_then(|id| chat.unanswered.iter().position(|(said, _)| *said == id));
        let asked = match named {
            Some(place) => chat.unanswered.remove(place),
            None => chat.unanswered.pop_front(),
        };
        if let Some((_, at)) = asked
            && self.latencies.len() < MAX_LATENCIES
        {
            self.latencies.push(received.saturating_duration_since(at));
        }
    }

    /// Counts an answer and remembers the request.
    pub(crate) fn record(&mut self, method: &'static str, params: Value, status: u16) {
        *self.outcomes.entry((method, status)).or_default() += 1;
        if self.log_capacity == 0 {
            return;
        }
        if self.log.len() >= self.log_capacity {
            self.log.pop_front();
        }
        self.log.push_back(Request { method, params, status });
    }
}

impl Chat {
    pub(crate) fn new(id: i64, kind: ChatKind, json: String) -> Self {
        Self {
            id,
            kind,
            json,
            standing: Standing::Member,
            started: false,
            blocked: false,
            migrated_to: None,
            messages: BTreeMap::new(),
            last_id: 0,
            bucket: Bucket::default(),
            group_bucket: Bucket::default(),
            topics: BTreeSet::new(),
            closed: BTreeSet::new(),
            refuses: None,
            drafts: Vec::new(),
            actions: 0,
            unanswered: VecDeque::new(),
        }
    }
}
