//! Which message ids are taken, as far as the bot knows: what the reconciler stands on.
//!
//! Telegram allots ids in order, per [`Counter`]. A part that was sent has an id above everything
//! known before its attempt; ids known to belong to other messages need not be probed.

use std::collections::{BTreeSet, HashMap};

use tokio::time::Instant;

use crate::model::ids::{ChatId, Counter, MessageId};
use crate::model::limits;

/// Ids beyond the last known one that are probed: messages that people wrote and the bot has not
/// heard of yet can lie between.
const MARGIN: i64 = 16;

/// Counters remembered at most; groups that were quiet longest go first.
const COUNTERS: usize = 10_000;

/// What is known of all counters.
#[derive(Debug, Default)]
pub(super) struct MessageIdTracker {
    counters: HashMap<Counter, Known>,
    /// When Telegram last had no more updates than it gave: everything before is heard of.
    caught_up: Option<Instant>,
}

#[derive(Debug, Default)]
struct Known {
    /// Recent ids that are surely not a part in doubt.
    taken: BTreeSet<i64>,
    /// The highest id known.
    highest: i64,
    /// The first id this process was given for a message of its own.
    first_own: Option<i64>,
    /// Sends on their way.
    in_flight: usize,
}

/// Ids to probe for one part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidates {
    /// The ids, likeliest first.
    pub ids: Vec<MessageId>,
    /// Whether they are all that the part can have.
    pub complete: bool,
    /// Whether more will be known when polls work again.
    pub worth_waiting: bool,
}

impl MessageIdTracker {
    fn known(&mut self, chat: ChatId) -> &mut Known {
        let counter = chat.counter();
        if self.counters.len() >= COUNTERS && !self.counters.contains_key(&counter) {
            self.counters.retain(|c, k| *c == Counter::Account || k.in_flight > 0);
        }
        self.counters.entry(counter).or_default()
    }

    /// A poll was answered with all that Telegram had.
    pub(super) fn caught_up(&mut self, now: Instant) {
        self.caught_up = Some(now);
    }

    /// Whether everything that people wrote until `since` is known.
    pub(super) fn is_caught_up(&self, since: Instant) -> bool {
        self.caught_up.is_some_and(|at| at > since)
    }

    /// A message with this id exists: another sender wrote it, or its delivery is already recorded.
    pub(super) fn heard(&mut self, chat: ChatId, id: MessageId) {
        let known = self.known(chat);
        known.highest = known.highest.max(id.0);
        known.taken.insert(id.0);
        if known.taken.len() > limits::KNOWN_IDS {
            known.taken.pop_first();
        }
    }

    /// This process sent a message and was given this id.
    pub(super) fn sent(&mut self, chat: ChatId, id: MessageId) {
        self.heard(chat, id);
        let known = self.known(chat);
        known.first_own = Some(known.first_own.map_or(id.0, |first| first.min(id.0)));
    }

    /// Whether this process knows where the counter stands.
    pub(super) fn is_fresh(&mut self, chat: ChatId) -> bool {
        self.known(chat).first_own.is_some()
    }

    /// Begins an attempt, unless the counter's stand is unknown and another attempt is already
    /// finding it out: a crash then leaves one part with a doubtful floor, not many.
    pub(super) fn begin(&mut self, chat: ChatId) -> Option<MessageId> {
        let known = self.known(chat);
        if known.first_own.is_none() && known.in_flight > 0 {
            return None;
        }
        known.in_flight += 1;
        Some(MessageId(known.highest))
    }

    /// Ends an attempt.
    pub(super) fn end(&mut self, chat: ChatId) {
        let known = self.known(chat);
        known.in_flight = known.in_flight.saturating_sub(1);
    }

    /// Ids that a part can have whose attempt began at `id_before`: upwards from there, and downwards
    /// from the first id that this process was given, which lies above it after a restart.
    /// `since`: when the attempt was over; the ids are all that are possible only if everything
    /// that people wrote until then is known.
    pub(super) fn candidates(
        &mut self,
        chat: ChatId,
        id_before: MessageId,
        since: Instant,
    ) -> Candidates {
        // In a private chat every message is heard of; in a group others may write unheard (privacy
        // mode, other bots), so that only an own later message could bound the search.
        let caught_up = self.is_caught_up(since);
        let private = chat.counter() == Counter::Account;
        let known = self.known(chat);
        let top = known.highest.max(id_before.0) + MARGIN;
        let mut up = (id_before.0 + 1..=top).filter(|id| !known.taken.contains(id));
        let below = known.first_own.unwrap_or(id_before.0 + 1);
        let mut down = (id_before.0 + 1..below).rev().filter(|id| !known.taken.contains(id));
        let mut seen = BTreeSet::new();
        let mut ids = Vec::new();
        let mut complete = false;
        while ids.len() < limits::PROBES {
            let (rising, falling) = (up.next(), down.next());
            for id in [rising, falling].into_iter().flatten() {
                if seen.insert(id) {
                    ids.push(MessageId(id));
                }
            }
            if rising.is_none() {
                complete = private && caught_up;
                break;
            }
        }
        Candidates { ids, complete, worth_waiting: private && !caught_up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: ChatId = ChatId(7);

    fn ids(c: &Candidates) -> Vec<i64> {
        c.ids.iter().map(|m| m.0).collect()
    }

    #[test]
    fn probes_only_ids_that_nobody_else_has() {
        let mut message_ids = MessageIdTracker::default();
        for id in [10, 12, 13] {
            message_ids.heard(ChatId(8), MessageId(id));
        }
        let since = Instant::now();
        assert!(
            !message_ids.candidates(CHAT, MessageId(10), since).complete,
            "not heard of all yet"
        );
        message_ids.caught_up(since + std::time::Duration::from_millis(1));
        let c = message_ids.candidates(CHAT, MessageId(10), since);
        assert!(c.complete);
        assert_eq!(ids(&c)[0], 11);
        assert_eq!(ids(&c)[1], 14);
        assert_eq!(ids(&c).len(), 1 + usize::try_from(MARGIN).unwrap());
    }

    #[test]
    fn in_a_supergroup_nothing_is_surely_lost() {
        let group = ChatId(-1_000_000_000_005);
        let mut message_ids = MessageIdTracker::default();
        message_ids.heard(group, MessageId(10));
        let since = Instant::now();
        message_ids.caught_up(since + std::time::Duration::from_millis(1));
        assert!(!message_ids.candidates(group, MessageId(10), since).complete);
    }

    #[test]
    fn after_a_restart_the_first_own_id_is_the_nearest_ceiling() {
        let mut message_ids = MessageIdTracker::default();
        message_ids.heard(CHAT, MessageId(100));
        message_ids.sent(ChatId(9), MessageId(5002));
        let c = message_ids.candidates(CHAT, MessageId(100), Instant::now());
        assert!(!c.complete, "a gap of 5,000 is not probed whole");
        assert_eq!(ids(&c)[..4], [101, 5001, 102, 5000]);
    }

    #[test]
    fn while_the_stand_is_unknown_one_attempt_at_a_time() {
        let mut message_ids = MessageIdTracker::default();
        assert!(message_ids.begin(CHAT).is_some());
        assert!(message_ids.begin(ChatId(8)).is_none());
        let group = ChatId(-1_000_000_000_005);
        assert!(message_ids.begin(group).is_some(), "a supergroup has its own counter");
        message_ids.sent(CHAT, MessageId(5));
        assert!(message_ids.begin(ChatId(8)).is_some());
    }
}
