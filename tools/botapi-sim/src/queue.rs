//! The queue of updates that wait for `getUpdates`, after `TQueue` and `Client::do_get_updates` of
//! tdlib/telegram-bot-api.

use std::collections::VecDeque;
use std::time::Duration;

/// Updates are thrown away this long after their date.
pub(crate) const UPDATE_LIFE: Duration = Duration::from_hours(24);
/// An answer is cut before it grows past this.
const MAX_ANSWER: usize = 4 << 20;
/// Kinds that are not delivered unless asked for.
const ON_DEMAND: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];

#[derive(Debug)]
struct Queued {
    id: i64,
    json: String,
    expires_at: Duration,
}

/// Why a waiting `getUpdates` was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    OtherPoll,
    WebhookSet,
    Revoked,
}

/// The queue, and what is remembered between polls.
#[derive(Debug)]
pub(crate) struct Queue {
    items: VecDeque<Queued>,
    next_id: i64,
    /// Kinds asked for by name; `None` until then.
    pub(crate) allowed: Option<Vec<String>>,
    previous: Option<(i64, Duration)>,
    /// Counts the polls that waited; a waiting poll ends when it is no longer its turn.
    turn: u64,
    ended: Ended,
    next_conflict_at: Duration,
    /// How many polls wait now (more than one only for the moment that the older needs to end).
    pub(crate) waiting: usize,
}

impl Queue {
    pub(crate) fn new(first_id: i64) -> Self {
        Self {
            items: VecDeque::new(),
            next_id: first_id,
            allowed: None,
            previous: None,
            turn: 0,
            ended: Ended::OtherPoll,
            next_conflict_at: Duration::ZERO,
            waiting: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn wants(&self, kind: &str) -> bool {
        match &self.allowed {
            Some(kinds) if !kinds.is_empty() => kinds.iter().any(|allowed| allowed == kind),
            _ => !ON_DEMAND.contains(&kind),
        }
    }

    /// Appends an update of a known kind; `None` when the bot did not ask for this kind.
    pub(crate) fn push(&mut self, kind: &str, body: &str, now: Duration) -> Option<i64> {
        if !self.wants(kind) {
            return None;
        }
        let id = self.next_id;
        self.next_id += 1;
        let mut json = String::with_capacity(body.len() + kind.len() + 40);
        json.push_str("{\"update_id\":");
        json.push_str(&id.to_string());
        json.push_str(",\"");
        json.push_str(kind);
        json.push_str("\":");
        json.push_str(body);
        json.push('}');
        self.items.push_back(Queued { id, json, expires_at: now + UPDATE_LIFE });
        Some(id)
    }

    /// Appends a raw update, as it is.
    pub(crate) fn push_raw(&mut self, mut update: serde_json::Value, now: Duration) -> i64 {
        let id = update["update_id"].as_i64().unwrap_or(self.next_id);
        update["update_id"] = serde_json::Value::from(id);
        self.next_id = self.next_id.max(id + 1);
        self.items.push_back(Queued {
            id,
            json: update.to_string(),
            expires_at: now + UPDATE_LIFE,
        });
        id
    }

    /// What the bot's next `getUpdates` really gets: the same offset again within 3 s waits at
    /// least 3 s, and within 0.5 s gets one update at most.
    pub(crate) fn pace(
        &mut self,
        offset: i64,
        limit: usize,
        timeout: u64,
        now: Duration,
    ) -> (usize, u64) {
        let since = self
            .previous
            .filter(|(previous, _)| *previous == offset)
            .map(|(_, at)| now.saturating_sub(at));
        self.previous = Some((offset, now));
        let timeout = match since {
            Some(since) if since < Duration::from_secs(3) => timeout.max(3),
            _ => timeout,
        };
        let limit = match since {
            Some(since) if since < Duration::from_millis(500) => 1,
            _ => limit,
        };
        (limit, timeout)
    }

    /// Confirms what lies below `offset`; a negative one keeps that many from the end. Returns the
    /// first id to deliver.
    pub(crate) fn confirm(&mut self, offset: i64, now: Duration) -> i64 {
        while self.items.front().is_some_and(|item| item.expires_at <= now) {
            self.items.pop_front();
        }
        if offset < 0 {
            let keep = usize::try_from(-offset).unwrap_or(usize::MAX);
            let drop = self.items.len().saturating_sub(keep);
            self.items.drain(..drop);
        }
        // An offset far in the future is an error inside, and answered from the head.
        if offset <= 0 || offset > self.next_id + 10 {
            return 0;
        }
        while self.items.front().is_some_and(|item| item.id < offset) {
            self.items.pop_front();
        }
        offset
    }

    /// The updates from `from` on as a JSON list; `None` when there are none.
    pub(crate) fn list(&self, from: i64, limit: usize) -> Option<String> {
        let mut out = String::new();
        for item in self.items.iter().filter(|item| item.id >= from).take(limit) {
            if !out.is_empty() && out.len() + item.json.len() > MAX_ANSWER {
                break;
            }
            out.push(if out.is_empty() { '[' } else { ',' });
            out.push_str(&item.json);
        }
        (!out.is_empty()).then(|| {
            out.push(']');
            out
        })
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
    }

    /// Takes the one place for a waiting poll; an earlier one is ended.
    pub(crate) fn take_turn(&mut self) -> u64 {
        self.end_waiting(Ended::OtherPoll)
    }

    /// Ends a waiting poll.
    pub(crate) fn end_waiting(&mut self, why: Ended) -> u64 {
        self.turn += 1;
        self.ended = why;
        self.turn
    }

    /// Whether a waiting poll still has its turn, and if not, why.
    pub(crate) fn ended(&self, turn: u64) -> Option<Ended> {
        (turn != self.turn).then_some(self.ended)
    }

    /// How late a conflict is answered: at once, then paced 3 s.
    pub(crate) fn conflict_delay(&mut self, now: Duration) -> Duration {
        if now >= self.next_conflict_at {
            self.next_conflict_at = now + Duration::from_secs(3);
            Duration::ZERO
        } else {
            Duration::from_secs(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: i64) -> Queue {
        let mut queue = Queue::new(100);
        for _ in 0..count {
            queue.push("message", "{}", Duration::ZERO);
        }
        queue
    }

    fn ids(queue: &Queue, from: i64, limit: usize) -> Vec<i64> {
        let list = queue.list(from, limit).unwrap_or_else(|| "[]".to_owned());
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        list.iter().map(|update| update["update_id"].as_i64().unwrap()).collect()
    }

    #[test]
    fn an_offset_confirms_for_good() {
        let mut queue = filled(5);
        let from = queue.confirm(102, Duration::ZERO);
        assert_eq!(ids(&queue, from, 100), [102, 103, 104]);
        let from = queue.confirm(0, Duration::ZERO);
        assert_eq!(ids(&queue, from, 2), [102, 103]);
    }

    #[test]
    fn a_negative_offset_keeps_the_last() {
        let mut queue = filled(5);
        let from = queue.confirm(-2, Duration::ZERO);
        assert_eq!(ids(&queue, from, 100), [103, 104]);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn an_offset_far_ahead_confirms_nothing() {
        let mut queue = filled(2);
        let from = queue.confirm(5000, Duration::ZERO);
        assert_eq!(ids(&queue, from, 100), [100, 101]);
        let from = queue.confirm(103, Duration::ZERO);
        assert!(ids(&queue, from, 100).is_empty());
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn updates_die_after_a_day() {
        let mut queue = filled(1);
        queue.push("message", "{}", Duration::from_hours(1));
        let from = queue.confirm(0, Duration::from_hours(24));
        assert_eq!(ids(&queue, from, 100), [101]);
    }

    #[test]
    fn the_same_offset_again_is_paced() {
        let mut queue = filled(3);
        let ms = Duration::from_millis;
        assert_eq!(queue.pace(100, 100, 0, ms(0)), (100, 0));
        assert_eq!(queue.pace(100, 100, 0, ms(499)), (1, 3));
        assert_eq!(queue.pace(100, 100, 10, ms(1100)), (100, 10));
        assert_eq!(queue.pace(100, 100, 0, ms(4100)), (100, 0));
        assert_eq!(queue.pace(101, 100, 0, ms(4101)), (100, 0));
    }

    #[test]
    fn an_answer_stays_under_four_mebibytes() {
        let mut queue = Queue::new(1);
        let body = format!("\"{}\"", "x".repeat(1 << 20));
        for _ in 0..6 {
            queue.push("message", &body, Duration::ZERO);
        }
        assert_eq!(ids(&queue, 0, 100).len(), 3);
    }

    #[test]
    fn kinds_are_filtered_when_they_happen() {
        let mut queue = Queue::new(1);
        assert!(queue.push("message_reaction", "{}", Duration::ZERO).is_none());
        queue.allowed = Some(vec!["message_reaction".to_owned()]);
        assert!(queue.push("message_reaction", "{}", Duration::ZERO).is_some());
        assert!(queue.push("message", "{}", Duration::ZERO).is_none());
        queue.allowed = Some(Vec::new());
        assert!(queue.push("message", "{}", Duration::ZERO).is_some());
    }
}
