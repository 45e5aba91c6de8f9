//! A breaker: whether a model is asked at all, after how it did lately.
//!
//! Pure; times are milliseconds of one steady clock. Invariants: while it is open, at most one probe is
//! on its way, and no probe leaves before it is due; what an asker caused counts neither way.

use std::collections::VecDeque;

use crate::model::class::AnswerClass;

/// Failures in a row that open it.
const STREAK: u32 = 5;

/// The time over which the share of failures is taken.
const WINDOW_MS: u64 = 60_000;

/// Fewest calls in that time whose share says something.
const CALLS: u32 = 10;

/// It opens when one call of so many failed.
const ONE_OF: u32 = 5;

/// The first cooldown; each probe that fails doubles it.
const COOLDOWN_MS: u64 = 30_000;

/// The longest cooldown of our own; a server may ask for more.
pub(super) const LONGEST_MS: u64 = 300_000;

/// Jitter makes a cooldown longer by up to this share, so that many do not come back at once.
const JITTER: f64 = 0.2;

/// How a call ended, for the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With an answer in time.
    Worked,
    /// The provider failed. `retry_after_ms`: when it wants to be asked again.
    Failed { class: AnswerClass, retry_after_ms: Option<u64> },
    /// It cannot be used until a person acts: the key, the credit, the name of the model.
    Unusable(AnswerClass),
    /// It says nothing about the provider: cancelled, too long, filtered, over a limit of our own.
    Neutral,
}

/// Why a provider is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    /// What failed last.
    pub(super) class: AnswerClass,
    /// Nothing but an act of a person helps.
    pub(super) is_unusable: bool,
    /// Several calls in a row failed, so the next one most likely fails, too.
    pub(super) is_gone: bool,
    /// When it began; below zero before this process.
    pub(super) since_ms: i64,
    /// When a probe is due.
    pub(super) until_ms: u64,
    /// How long it was, without jitter: what the next one is twice of.
    pub(super) cooldown_ms: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open(Outage),
    /// A probe is on its way.
    HalfOpen(Outage),
}

/// What a call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It goes, as always.
    Usual,
    /// It goes, and shows whether the provider is back.
    Probe,
    /// It should not go before this time, or while a probe is on its way.
    Refused { due_ms: u64 },
}

/// The calls of one second.
#[derive(Clone, Copy, Debug)]
struct Second {
    begins_ms: u64,
    calls: u32,
    failed: u32,
}

/// The breaker of one model of one endpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker {
    state: State,
    /// Failures in a row.
    streak: u32,
    /// The last minute, oldest first.
    lately: VecDeque<Second>,
}

impl Breaker {
    /// One that goes on as it stood in another process.
    pub(super) fn of(outage: Outage) -> Self {
        Self { state: State::Open(outage), ..Self::default() }
    }

    /// Whether a call may go now; of those that find it due, the first is the probe.
    pub(super) fn admit(&mut self, now_ms: u64) -> Admission {
        let admission = self.look(now_ms);
        if let (State::Open(outage), Admission::Probe) = (self.state, admission) {
            self.state = State::HalfOpen(outage);
        }
        admission
    }

    /// What [`Self::admit`] would say.
    pub(super) fn look(&self, now_ms: u64) -> Admission {
        match self.state {
            State::Closed => Admission::Usual,
            State::Open(outage) if outage.until_ms <= now_ms => Admission::Probe,
            State::Open(outage) | State::HalfOpen(outage) => {
                Admission::Refused { due_ms: outage.until_ms }
            }
        }
    }

    /// A call ended. `is_probe`: it was the probe. `jitter` is from 0 to 1. Answers whether the state
    /// changed.
    pub(super) fn note(
        &mut self,
        now_ms: u64,
        outcome: Outcome,
        is_probe: bool,
        jitter: f64,
    ) -> bool {
        let before = self.state;
        match outcome {
            Outcome::Neutral => {
                if let (State::HalfOpen(outage), true) = (self.state, is_probe) {
                    self.state = State::Open(outage);
                }
            }
            Outcome::Worked => {
                self.count(now_ms, false);
                self.streak = 0;
                if before != State::Closed {
                    (self.state, self.lately) = (State::Closed, VecDeque::new());
                }
            }
            Outcome::Unusable(class) => {
                let since_ms = self.outage().map_or(signed(now_ms), |outage| outage.since_ms);
                let cooldown_ms = LONGEST_MS;
                let until_ms = now_ms + jittered(cooldown_ms, jitter);
                let (is_unusable, is_gone) = (true, true);
                let outage =
                    Outage { class, is_unusable, is_gone, since_ms, until_ms, cooldown_ms };
                // What was on its way when it opened does not put the probe off.
                let is_known = self.outage().is_some_and(|known| known.is_unusable);
                if is_probe || !is_known {
                    self.state = State::Open(outage);
                }
            }
            Outcome::Failed { class, retry_after_ms } => {
                self.failed(now_ms, class, retry_after_ms, is_probe, jitter);
            }
        }
        before != self.state
    }

    fn failed(
        &mut self,
        now_ms: u64,
        class: AnswerClass,
        retry_after_ms: Option<u64>,
        is_probe: bool,
        jitter: f64,
    ) {
        self.count(now_ms, true);
        self.streak = self.streak.saturating_add(1);
        let until = |cooldown_ms| now_ms + retry_after_ms.unwrap_or(jittered(cooldown_ms, jitter));
        match &mut self.state {
            State::Closed => {
                let is_gone = self.streak >= STREAK;
                if is_gone || self.fails_often(now_ms) {
                    self.state = State::Open(Outage {
                        class,
                        is_unusable: false,
                        is_gone,
                        since_ms: signed(now_ms),
                        until_ms: until(COOLDOWN_MS),
                        cooldown_ms: COOLDOWN_MS,
                    });
                }
            }
            State::HalfOpen(outage) if is_probe => {
                let cooldown_ms = (outage.cooldown_ms * 2).min(LONGEST_MS);
                self.state = State::Open(Outage {
                    class,
                    is_unusable: false,
                    is_gone: true,
                    until_ms: until(cooldown_ms),
                    cooldown_ms,
                    ..*outage
                });
            }
            // A call that was on its way, or that left because there was no other. It does not double the
            // cooldown, but what the server asks for counts.
            State::Open(outage) | State::HalfOpen(outage) => {
                outage.is_gone |= self.streak >= STREAK;
                if let Some(wait) = retry_after_ms {
                    outage.until_ms = outage.until_ms.max(now_ms + wait);
                }
            }
        }
    }

    /// A person changed something: a probe is due now.
    pub(super) fn probe_soon(&mut self, now_ms: u64) {
        if let State::Open(outage) = &mut self.state {
            outage.until_ms = outage.until_ms.min(now_ms);
        }
    }

    /// Why it is not asked, if so.
    pub(super) fn outage(&self) -> Option<&Outage> {
        match &self.state {
            State::Closed => None,
            State::Open(outage) | State::HalfOpen(outage) => Some(outage),
        }
    }

    /// Whether a probe is on its way.
    pub(super) fn is_probed(&self) -> bool {
        matches!(self.state, State::HalfOpen(_))
    }

    fn count(&mut self, now_ms: u64, failed: bool) {
        while self.lately.front().is_some_and(|second| second.begins_ms + WINDOW_MS <= now_ms) {
            self.lately.pop_front();
        }
        let begins_ms = now_ms - now_ms % 1000;
        match self.lately.back_mut() {
            Some(second) if second.begins_ms >= begins_ms => {
                second.calls += 1;
                second.failed += u32::from(failed);
            }
            _ => {
                let failed = u32::from(failed);
                self.lately.push_back(Second { begins_ms, calls: 1, failed });
            }
        }
    }

    fn fails_often(&self, now_ms: u64) -> bool {
        let lately = self.lately.iter().filter(|second| second.begins_ms + WINDOW_MS > now_ms);
        let (calls, failed) = lately
            .fold((0, 0), |(calls, failed), second| (calls + second.calls, failed + second.failed));
        calls >= CALLS && failed * ONE_OF >= calls
    }
}

/// The same as a number that can be below zero.
pub(super) fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn jittered(cooldown_ms: u64, jitter: f64) -> u64 {
    let more = cooldown_ms as f64 * JITTER * jitter.clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a minute at most")]
    let more = more as u64;
    cooldown_ms + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use Admission::{Probe, Refused, Usual};

    const SERVER: Outcome = Outcome::Failed { class: AnswerClass::Server, retry_after_ms: None };

    /// One after `n` failures in a row, one a second from 1 s on.
    fn after(n: u64) -> Breaker {
        let mut breaker = Breaker::default();
        for second in 1..=n {
            assert_eq!(breaker.admit(second * 1000), Usual);
            breaker.note(second * 1000, SERVER, false, 0.0);
        }
        breaker
    }

    /// When it is due.
    fn due(breaker: &Breaker) -> Option<u64> {
        breaker.outage().map(|outage| outage.until_ms)
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_an_answer_between_them_does_not_count() {
        assert_eq!(after(4).admit(5000), Usual);
        let mut open = after(5);
        assert_eq!(open.admit(5001), Refused { due_ms: 35_000 });
        let mut mixed = after(4);
        assert!(!mixed.note(5000, Outcome::Worked, false, 0.0));
        for second in 6..10 {
            mixed.note(second * 100_000, SERVER, false, 0.0);
        }
        assert_eq!(mixed.admit(1_000_000), Usual);
    }

    #[test]
    fn a_fifth_of_ten_calls_in_a_minute_opens_it() {
        let run = |calls: u64, every_ms: u64, failing: &[u64]| {
            let mut breaker = Breaker::default();
            for call in 1..=calls {
                let outcome = if failing.contains(&call) { SERVER } else { Outcome::Worked };
                breaker.note(call * every_ms, outcome, false, 0.0);
            }
            breaker.outage().is_some()
        };
        assert!(run(10, 1000, &[3, 10]), "two of ten");
        assert!(!run(9, 1000, &[3, 9]), "two of nine are too few calls");
        assert!(!run(11, 1000, &[5, 11]), "two of eleven");
        assert!(!run(10, 8000, &[1, 10]), "the first was more than a minute ago");
    }

    #[test]
    fn one_probe_goes_when_it_is_due_and_the_cooldown_doubles_to_five_minutes() {
        let mut breaker = after(5);
        let mut cooldowns = Vec::new();
        for _ in 0..6 {
            let now = due(&breaker).unwrap();
            assert!(matches!(breaker.admit(now - 1), Refused { .. }));
            assert_eq!(breaker.admit(now), Probe);
            assert!(matches!(breaker.admit(now + 1), Refused { .. }), "one at a time");
            assert!(breaker.note(now + 2, SERVER, true, 0.0));
            cooldowns.push(due(&breaker).unwrap() - (now + 2));
        }
        assert_eq!(cooldowns, [60_000, 120_000, 240_000, 300_000, 300_000, 300_000]);
        let now = due(&breaker).unwrap();
        assert_eq!(breaker.admit(now), Probe);
        assert!(breaker.note(now + 1, Outcome::Worked, true, 0.0));
        assert_eq!((breaker.admit(now + 2), breaker.outage()), (Usual, None));
        breaker.note(now + 3, SERVER, false, 0.0);
        assert_eq!(breaker.admit(now + 4), Usual, "it begins to count from nothing");
    }

    #[test]
    fn retry_after_wins_and_jitter_only_makes_it_longer() {
        for (wait, due_ms) in [(2000, 7000), (900_000, 905_000)] {
            let mut breaker = after(4);
            let retry_after_ms = Some(wait);
            let class = AnswerClass::RateLimit;
            breaker.note(5000, Outcome::Failed { class, retry_after_ms }, false, 0.9);
            assert_eq!(due(&breaker), Some(due_ms));
        }
        let mut breaker = after(4);
        breaker.note(5000, SERVER, false, 1.0);
        assert_eq!(due(&breaker), Some(41_000));
    }

    #[test]
    fn what_the_asker_caused_counts_neither_way_and_gives_the_probe_back() {
        let mut breaker = after(4);
        for second in 5..50 {
            assert!(!breaker.note(second * 1000, Outcome::Neutral, false, 0.0));
        }
        breaker.note(50_000, SERVER, false, 0.0);
        assert_eq!(due(&breaker), Some(80_000), "they do not end a row either");
        assert_eq!(breaker.admit(80_000), Probe);
        assert!(breaker.note(80_001, Outcome::Neutral, true, 0.0));
        assert_eq!(breaker.admit(80_002), Probe, "the next call is the probe");
    }

    #[test]
    fn a_wrong_key_opens_it_at_once_for_the_longest_time() {
        let mut breaker = Breaker::default();
        assert!(breaker.note(1000, Outcome::Unusable(AnswerClass::Auth), false, 0.0));
        assert_eq!(breaker.admit(1001), Refused { due_ms: 301_000 });
        assert!(breaker.outage().is_some_and(|outage| outage.is_unusable));
        breaker.note(2000, Outcome::Unusable(AnswerClass::Auth), false, 0.0);
        assert_eq!(due(&breaker), Some(301_000), "one that was on its way changes nothing");
        breaker.probe_soon(3000);
        assert_eq!(breaker.admit(3000), Probe, "a person may have changed it");
        assert!(breaker.note(3001, Outcome::Unusable(AnswerClass::Auth), true, 0.0));
        assert_eq!(due(&breaker), Some(303_001));
        breaker.note(4000, Outcome::Worked, false, 0.0);
        assert_eq!(breaker.admit(4001), Usual);
    }

    #[test]
    fn calls_beside_the_probe_do_not_double_the_cooldown_and_one_that_works_closes_it() {
        let mut breaker = after(5);
        assert!(!breaker.note(6000, SERVER, false, 0.0));
        assert_eq!(due(&breaker), Some(35_000));
        let class = AnswerClass::Overloaded;
        let outcome = Outcome::Failed { class, retry_after_ms: Some(60_000) };
        breaker.note(7000, outcome, false, 0.0);
        assert_eq!(due(&breaker), Some(67_000), "as the server asks");
        assert_eq!(breaker.admit(67_000), Probe);
        assert!(!breaker.note(67_001, SERVER, false, 0.0), "the probe is still on its way");
        assert!(breaker.is_probed());
        assert!(breaker.note(67_002, Outcome::Worked, false, 0.0));
        assert_eq!(breaker.admit(67_003), Usual);
        assert!(!breaker.note(67_004, SERVER, true, 0.0), "the probe came late");
        assert_eq!(breaker.admit(67_005), Usual);
    }
}
