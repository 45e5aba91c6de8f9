//! Which message ids may belong to a part in doubt, as far as the bot knows: what the reconciler
//! builds on.
//!
//! Telegram allots ids in order, per [`Counter`]. A part that was sent has an id above everything
//! known before its attempt. Ids that are known to be another message's need not be asked about.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::known_ids::Ids;
use super::search::{Search, Step, View};
use crate::model::ids::{ChatId, Counter, MessageId};

/// Counters remembered at most; groups that were quiet longest go first.
const COUNTERS: usize = 10_000;

/// Between two questions whether everything that people wrote has arrived.
const CATCH_UP_EVERY: Duration = Duration::from_secs(1);

/// The tracker, for the stages that use it. Cheap to clone.
#[derive(Clone)]
pub(super) struct MessageIds(Arc<Mutex<MessageIdTracker>>);

impl MessageIds {
    /// A tracker that knows these ids, in any order.
    pub(super) fn knowing(mut ids: Vec<(ChatId, MessageId)>) -> Self {
        // In the order in which Telegram allotted them: what lies between is a gap.
        ids.sort_unstable_by_key(|(_, id)| *id);
        let mut tracker = MessageIdTracker::default();
        ids.into_iter().for_each(|(chat, id)| tracker.heard(chat, id));
        Self(Arc::new(Mutex::new(tracker)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, MessageIdTracker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of all counters.
#[derive(Debug, Default)]
pub(super) struct MessageIdTracker {
    counters: HashMap<Counter, Known>,
    /// Counters with parts in doubt.
    searching: BTreeSet<Counter>,
    /// When Telegram last had no more updates than it gave: everything before has been received.
    caught_up: Option<Instant>,
    /// When to ask again whether that is so.
    catch_up_after: Option<Instant>,
}

#[derive(Debug, Default)]
struct Known {
    ids: Ids,
    /// This process was given an id of this counter, so it knows the counter's highest id.
    is_fresh: bool,
    /// Sends on their way.
    in_flight: usize,
    search: Search,
}

/// What the reconciler does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reconcile {
    /// One step for the part in doubt of this chat.
    Step(ChatId, Step),
    /// Find out whether everything that people wrote has been received.
    CatchUp,
    /// Nothing before that time, or before something happens.
    Wait(Option<Instant>),
}

impl MessageIdTracker {
    fn known(&mut self, chat: ChatId) -> &mut Known {
        let counter = chat.counter();
        if self.counters.len() >= COUNTERS && !self.counters.contains_key(&counter) {
            self.counters
                .retain(|c, k| *c == Counter::Account || k.in_flight > 0 || !k.search.is_empty());
        }
        self.counters.entry(counter).or_default()
    }

    /// Everything that people wrote before has been received. Answers whether parts are in doubt.
    pub(super) fn caught_up(&mut self, at: Instant) -> bool {
        self.caught_up = self.caught_up.max(Some(at));
        !self.searching.is_empty()
    }

    /// A message with this id exists: someone wrote it, or it was settled before.
    pub(super) fn heard(&mut self, chat: ChatId, id: MessageId) {
        self.known(chat).ids.take(id.0);
    }

    /// This process sent a message, in an attempt begun at `begun`, and was given this id.
    pub(super) fn sent(&mut self, chat: ChatId, id: MessageId, begun: Instant) {
        let known = self.known(chat);
        known.ids.take(id.0);
        known.is_fresh = true;
        known.search.bound(id, begun);
    }

    /// Begins an attempt; answers the highest id known before it. `None`: the counter's
    /// highest id is unknown and another attempt is already finding out. A crash then leaves one part with a
    /// lower bound that may be far off, not many.
    pub(super) fn begin(&mut self, chat: ChatId) -> Option<MessageId> {
        let known = self.known(chat);
        if !known.is_fresh && known.in_flight > 0 {
            return None;
        }
        known.in_flight += 1;
        Some(MessageId(known.ids.highest))
    }

    /// Ends an attempt.
    pub(super) fn end(&mut self, chat: ChatId) {
        let known = self.known(chat);
        known.in_flight = known.in_flight.saturating_sub(1);
    }

    /// The attempt to send a part was cut off at `since`, or by a crash before it. By `settled_at`
    /// it has taken effect or never will. Parts are to be given in the order of their attempts.
    pub(super) fn in_doubt(
        &mut self,
        chat: ChatId,
        id_before: MessageId,
        since: Instant,
        settled_at: Instant,
    ) {
        let known = self.known(chat);
        known.ids.remember_from(id_before.0);
        known.search.add(chat, id_before.0, since, settled_at);
        self.searching.insert(chat.counter());
    }

    /// The part in doubt was at none of these ids.
    pub(super) fn not_at(&mut self, chat: ChatId, ids: &[MessageId]) {
        self.known(chat).search.not_at(chat, ids);
    }

    /// The part in doubt has this id.
    pub(super) fn found(&mut self, chat: ChatId, id: MessageId) {
        let known = self.known(chat);
        known.ids.take(id.0);
        known.search.found(chat, id);
    }

    /// Ids asked about for the part in doubt of a chat.
    pub(super) fn probes(&mut self, chat: ChatId) -> usize {
        self.known(chat).search.probes(chat)
    }

    /// The last step for the part in doubt has been done; the next may follow.
    pub(super) fn go_on(&mut self, chat: ChatId) {
        self.known(chat).search.go_on(chat);
    }

    /// The last step failed; the next may follow after a pause that grows, from `first` up.
    pub(super) fn put_off(&mut self, chat: ChatId, now: Instant, first: Duration) {
        self.known(chat).search.put_off(chat, now, first);
    }

    /// No part of this chat is in doubt any more.
    pub(super) fn resolved(&mut self, chat: ChatId) {
        if self.searching.is_empty() {
            return;
        }
        let known = self.known(chat);
        known.search.remove(chat);
        if known.search.is_empty() {
            self.searching.remove(&chat.counter());
        }
    }

    /// What the reconciler does next.
    pub(super) fn reconcile(&mut self, now: Instant) -> Reconcile {
        let mut wake: Option<Instant> = None;
        let mut behind = false;
        for counter in &self.searching {
            let Some(known) = self.counters.get(counter) else { continue };
            let view = View {
                ids: &known.ids,
                is_private: *counter == Counter::Account,
                counter_will_show: known.in_flight > 0,
                caught_up: self.caught_up,
                now,
            };
            let plan = known.search.plan(&view);
            if let Some((chat, step)) = plan.step {
                return Reconcile::Step(chat, step);
            }
            behind |= plan.is_behind;
            wake = wake.into_iter().chain(plan.wake).min();
        }
        if !behind {
            return Reconcile::Wait(wake);
        }
        match self.catch_up_after {
            Some(at) if at > now => Reconcile::Wait(wake.into_iter().chain(Some(at)).min()),
            _ => {
                self.catch_up_after = Some(now + CATCH_UP_EVERY);
                Reconcile::CatchUp
            }
        }
    }

    /// A step is being done.
    pub(super) fn started(&mut self, chat: ChatId, step: &Step, now: Instant) {
        self.known(chat).search.started(chat, step, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: ChatId = ChatId(7);

    #[test]
    fn while_the_counters_highest_id_is_unknown_one_attempt_at_a_time() {
        let mut message_ids = MessageIdTracker::default();
        assert!(message_ids.begin(CHAT).is_some());
        assert!(message_ids.begin(ChatId(8)).is_none());
        let group = ChatId(-1_000_000_000_005);
        assert!(message_ids.begin(group).is_some(), "a supergroup has its own counter");
        message_ids.sent(CHAT, MessageId(5), Instant::now());
        assert!(message_ids.begin(ChatId(8)).is_some());
    }
}
