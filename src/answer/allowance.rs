//! What an endpoint may be asked now: our own limits, and what its server says is left.
//!
//! Pure; times are milliseconds of one steady clock. Invariants: no minute has more requests or
//! estimated tokens than configured, wherever it begins; who came first goes first.

use std::collections::VecDeque;

use super::endpoint::EndpointLimits;
use crate::model::rate_left::RateLeft;

const MINUTE_MS: u64 = 60_000;

/// A request that was let go, or will be.
#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u64,
    at_ms: u64,
    tokens: u64,
}

/// The requests of the last minute, and those that wait.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    limits: EndpointLimits,
    /// In the order of their times.
    entries: VecDeque<Entry>,
    last: u64,
    /// The server takes nothing before.
    held_until_ms: u64,
    /// What the server says is left, and until when that holds.
    requests: Option<(u64, u64)>,
    tokens: Option<(u64, u64)>,
}

impl Allowance {
    /// Other limits count from now on.
    pub(super) fn limit(&mut self, limits: EndpointLimits) {
        self.limits = limits;
    }

    /// When a request of so many tokens may go, by our limits and by what the server says.
    pub(super) fn when(&self, now_ms: u64, tokens: u64) -> u64 {
        let mut at_ms = self.by_ours(now_ms, tokens).max(self.held_until_ms);
        for (left, needed) in [(self.requests, 1), (self.tokens, tokens)] {
            if let Some((left, until_ms)) = left
                && left < needed
            {
                at_ms = at_ms.max(until_ms);
            }
        }
        at_ms
    }

    /// When it may go by our limits alone, from now on and after all that wait.
    pub(super) fn by_ours(&self, now_ms: u64, tokens: u64) -> u64 {
        let mut at_ms = self.entries.back().map_or(now_ms, |last| now_ms.max(last.at_ms));
        let after = |entry: &Entry| entry.at_ms + MINUTE_MS;
        if let Some(most) = self.limits.requests_per_minute {
            let most = usize::try_from(most.max(1)).unwrap_or(usize::MAX);
            let before = self.entries.len().checked_sub(most).and_then(|at| self.entries.get(at));
            at_ms = at_ms.max(before.map_or(0, after));
        }
        if let Some(most) = self.limits.tokens_per_minute {
            // One that is larger than the limit goes when nothing else counts.
            let mut room = u64::from(most).saturating_sub(tokens);
            for entry in self.entries.iter().rev() {
                match room.checked_sub(entry.tokens) {
                    Some(left) if tokens <= u64::from(most) => room = left,
                    _ => {
                        at_ms = at_ms.max(after(entry));
                        break;
                    }
                }
            }
        }
        at_ms
    }

    /// Takes a place. Answers its number and when it begins. `is_alone`: there is no other to ask, so that
    /// the server itself says when it is too early.
    pub(super) fn take(&mut self, now_ms: u64, tokens: u64, is_alone: bool) -> (u64, u64) {
        while self.entries.front().is_some_and(|entry| entry.at_ms + MINUTE_MS <= now_ms) {
            self.entries.pop_front();
        }
        let at_ms = match is_alone {
            true => self.by_ours(now_ms, tokens),
            false => self.when(now_ms, tokens),
        };
        self.last += 1;
        let limits = self.limits;
        if limits.requests_per_minute.or(limits.tokens_per_minute).is_some() {
            self.entries.push_back(Entry { number: self.last, at_ms, tokens });
        }
        for (left, used) in [(&mut self.requests, 1), (&mut self.tokens, tokens)] {
            if let Some((left, _)) = left {
                *left = left.saturating_sub(used);
            }
        }
        (self.last, at_ms)
    }

    /// A place is not used.
    pub(super) fn give_back(&mut self, number: u64) {
        self.entries.retain(|entry| entry.number != number);
    }

    /// So many tokens were used, not as many as estimated.
    pub(super) fn used(&mut self, number: u64, tokens: u64) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) {
            entry.tokens = tokens;
        }
    }

    /// The server wants to be left alone for so long.
    pub(super) fn hold(&mut self, now_ms: u64, wait_ms: u64) {
        self.held_until_ms = self.held_until_ms.max(now_ms.saturating_add(wait_ms));
    }

    /// The server says what is left.
    pub(super) fn left(&mut self, now_ms: u64, left: RateLeft) {
        let until = |left: Option<(u64, u64)>| left.map(|(n, ms)| (n, now_ms.saturating_add(ms)));
        self.requests = until(left.requests).or(self.requests);
        self.tokens = until(left.tokens).or(self.tokens);
    }

    /// A person changed something: what the server said does not count any more.
    pub(super) fn forget_server(&mut self) {
        (self.held_until_ms, self.requests, self.tokens) = (0, None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(requests: Option<u32>, tokens: Option<u32>) -> Allowance {
        let mut allowance = Allowance::default();
        let (requests_per_minute, tokens_per_minute) = (requests, tokens);
        let limits =
            EndpointLimits { requests_per_minute, tokens_per_minute, ..Default::default() };
        allowance.limit(limits);
        allowance
    }

    #[test]
    fn no_minute_has_more_requests_than_configured_wherever_it_begins() {
        let mut allowance = limited(Some(3), None);
        let begins: Vec<u64> =
            (0..8).map(|n| allowance.take(1000 + n * 10, 500, true).1 / 1000).collect();
        assert_eq!(begins, [1, 1, 1, 61, 61, 61, 121, 121]);
        assert_eq!(allowance.when(500_000, 1), 500_000);
    }

    #[test]
    fn tokens_count_as_estimated_until_the_use_is_known() {
        let mut allowance = limited(None, Some(1000));
        let (first, at) = allowance.take(0, 600, true);
        assert_eq!((at, allowance.when(10, 400), allowance.when(10, 401)), (0, 10, 60_000));
        allowance.used(first, 100);
        assert_eq!(allowance.when(20, 900), 20);
        assert_eq!(allowance.when(20, 5000), 60_000, "larger than the limit: alone");
        assert_eq!(allowance.when(60_001, 5000), 60_001);
        let (second, _) = allowance.take(30, 900, false);
        assert_eq!(allowance.when(40, 100), 60_000);
        allowance.give_back(second);
        assert_eq!(allowance.when(40, 100), 40);
    }

    #[test]
    fn who_came_first_goes_first() {
        let mut allowance = limited(None, Some(1000));
        allowance.take(0, 900, false);
        assert_eq!(allowance.take(1000, 900, false).1, 60_000);
        assert_eq!(
            allowance.when(2000, 50),
            60_000,
            "a small one does not pass the one that waits"
        );
    }

    #[test]
    fn what_the_server_says_is_obeyed() {
        let mut allowance = Allowance::default();
        allowance.hold(1000, 7000);
        assert_eq!(allowance.when(2000, 1), 8000);
        let (requests, tokens) = (Some((1, 5000)), Some((100, 9000)));
        allowance.left(10_000, RateLeft { requests, tokens });
        assert_eq!((allowance.when(10_000, 100), allowance.when(10_000, 101)), (10_000, 19_000));
        assert_eq!(allowance.take(9_000, 5000, true).1, 9_000, "it is asked all the same");
        allowance.left(10_000, RateLeft { requests, tokens });
        allowance.take(10_000, 1, false);
        assert_eq!(allowance.when(10_000, 1), 15_000, "the last request is used");
        assert_eq!(allowance.when(15_000, 1), 15_000, "it holds until then");
        allowance.left(10_000, RateLeft { requests: Some((0, 90_000)), tokens: None });
        allowance.forget_server();
        assert_eq!(allowance.when(10_001, 1000), 10_001);
    }
}
