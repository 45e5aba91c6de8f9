//! What a test reads: transcripts, counts, latencies, and waiting for any of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sim::Sim;
use crate::state::{Message, Request};

impl Sim {
    /// Every message that is in a chat now, in the order of ids.
    #[must_use]
    pub fn transcript(&self, chat_id: i64) -> Vec<Message> {
        let state = self.inner.lock();
        state
            .chats
            .get(&chat_id)
            .map(|chat| chat.messages.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The bot's own messages in a chat.
    #[must_use]
    pub fn bot_messages(&self, chat_id: i64) -> Vec<Message> {
        let mut messages = self.transcript(chat_id);
        messages.retain(|message| message.from_bot);
        messages
    }

    /// How many messages the bot has ever sent, over all chats.
    #[must_use]
    pub fn bot_message_count(&self) -> u64 {
        self.inner.lock().bot_messages
    }

    /// The ids of all chats.
    #[must_use]
    pub fn chats(&self) -> Vec<i64> {
        let mut ids: Vec<_> = self.inner.lock().chats.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// How many requests of a method have arrived, by Telegram's spelling.
    #[must_use]
    pub fn calls(&self, method: &str) -> u64 {
        self.inner.lock().calls.get(method).copied().unwrap_or(0)
    }

    /// How requests ended: method, then HTTP status (0: no answer), then count.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<String, BTreeMap<u16, u64>> {
        let state = self.inner.lock();
        let mut map: BTreeMap<String, BTreeMap<u16, u64>> = BTreeMap::new();
        for ((method, status), count) in &state.outcomes {
            map.entry((*method).to_owned()).or_default().insert(*status, *count);
        }
        map
    }

    /// The last requests, oldest first, as many as [`crate::Options::log_capacity`] says.
    #[must_use]
    pub fn log(&self) -> Vec<Request> {
        self.inner.lock().log.iter().cloned().collect()
    }

    /// Every text of `sendMessageDraft` to a chat, in order.
    #[must_use]
    pub fn drafts(&self, chat_id: i64) -> Vec<String> {
        let state = self.inner.lock();
        state.chats.get(&chat_id).map(|chat| chat.drafts.clone()).unwrap_or_default()
    }

    /// How many chat actions were sent to a chat.
    #[must_use]
    pub fn actions(&self, chat_id: i64) -> u64 {
        let state = self.inner.lock();
        state.chats.get(&chat_id).map_or(0, |chat| chat.actions)
    }

    /// The commands published for a scope, given as the JSON of a `BotCommandScope`
    /// (`{"type":"default"}`), without language; empty when there are none.
    #[must_use]
    pub fn commands(&self, scope: &str) -> Vec<Value> {
        self.commands_for(scope, "")
    }

    /// As [`Sim::commands`], for a language code.
    #[must_use]
    pub fn commands_for(&self, scope: &str, language: &str) -> Vec<Value> {
        let scope: Value = serde_json::from_str(scope).unwrap_or_default();
        let key = crate::methods::commands::key(&scope, language);
        match self.inner.lock().commands.get(&key) {
            Some(Value::Array(commands)) => commands.clone(),
            _ => Vec::new(),
        }
    }

    /// The parameters of every accepted `answerCallbackQuery`.
    #[must_use]
    pub fn callback_answers(&self) -> Vec<Value> {
        self.inner.lock().callback_answers.clone()
    }

    /// How many updates are not confirmed yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.inner.lock().queue.len()
    }

    /// Whether a `getUpdates` waits for updates now: the bot is idle and listening.
    #[must_use]
    pub fn polling(&self) -> bool {
        self.inner.lock().queue.waiting > 0
    }

    /// When the first `getUpdates` arrived.
    #[must_use]
    pub fn first_poll_at(&self) -> Option<Instant> {
        self.inner.lock().first_poll_at
    }

    /// For each message of the bot that answers a user's: the time from the update being there to the
    /// arrival of `sendMessage`. A reply belongs to the message it names, else to the oldest unanswered.
    #[must_use]
    pub fn latencies(&self) -> Vec<Duration> {
        self.inner.lock().latencies.clone()
    }

    /// Forgets counts, log, latencies and the first poll; chats and updates stay. For a new measurement.
    pub fn reset_counts(&self) {
        self.change(|state| {
            state.calls.clear();
            state.outcomes.clear();
            state.log.clear();
            state.latencies.clear();
            state.bot_messages = 0;
            state.first_poll_at = None;
        });
    }

    /// Waits until `f` holds; false when `deadline` passes first. Looks again after every change.
    pub async fn wait_until(&self, deadline: Duration, f: impl Fn(&Sim) -> bool) -> bool {
        let deadline = tokio::time::Instant::now() + deadline;
        loop {
            let changed = self.inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if f(self) {
                return true;
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return f(self);
            }
        }
    }
}
