//! The sampler: makes a reading of what the vitals, the store and the machine say.
//!
//! Invariant: ages and durations are by the steady clock, or corrected by the jumps of the time of
//! day that were seen, so that a jump makes nothing look old.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hygiene::uptime;

use super::previous_end::PreviousEnd;
use super::report::{Depth, Happened, MoneyReading, Reading, Spell, System};
use super::retrievals::RetrievalWindow;
use super::window::Window;
use crate::model::budget;
use crate::observe::histogram::Buckets;
use crate::observe::liveness::Loop;
use crate::observe::vitals::Vitals;
use crate::store::{Backups, Spending};

/// A smaller step of the time of day is drift, rounding or a busy machine, and no jump.
const JUMP_MIN_MS: i64 = 1000;

/// Waiting rows, as the store counts them: how many, and when the oldest was stored, in Unix
/// milliseconds.
pub type Waiting = (u64, Option<i64>);

/// What a reading needs besides the vitals. The default is a store that could not be asked, and a
/// machine that was not looked at.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Updates that wait; `None` when the store could not be asked.
    pub inbox: Option<Waiting>,
    /// Parts that wait.
    pub outbox: Option<Waiting>,
    /// Durations of all commits since the start, in seconds.
    pub commits: Option<Buckets>,
    /// Chats that the waiting parts belong to.
    pub outbox_chats: u64,
    /// Milliseconds since each start without a clean stop before it.
    pub unclean_starts_ms: Vec<u64>,
    /// How the process before this one ended, unless it was stopped.
    pub previous_end: Option<PreviousEnd>,
    /// The machine, when it was looked at.
    pub system: Option<System>,
    /// What was spent today and this month.
    pub spent: Option<Spending>,
    /// The backups that rotate, when their folder could be read.
    pub backups: Option<Backups>,
    /// Why the last reload was refused, while the old configuration stands.
    pub config_rejected: Option<String>,
    /// After so long without a 409 the next one is another matter.
    pub undisturbed: Duration,
}

/// Remembers what one reading has to know of those before it.
#[derive(Debug, Default)]
pub struct Sampler {
    window: Window,
    retrievals: RetrievalWindow,
    /// The two clocks at the last reading.
    clocks: Option<(u64, i64)>,
    /// How long the machine slept since boot, and how much of that since the reading before.
    slept_ms: Option<u64>,
    just_slept_ms: u64,
    jump: Option<Jump>,
    conflicts: u64,
    conflict: Option<Spell>,
    backlog_full_ms: Option<u64>,
    served_ms: Option<u64>,
}

/// The last jump of the time of day.
#[derive(Clone, Copy, Debug)]
struct Jump {
    /// What the clock showed just before.
    before_ms: i64,
    by_ms: i64,
}

impl Sampler {
    /// Nothing was read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The current state of everything.
    pub fn read(&mut self, vitals: &Vitals, inputs: Inputs) -> Reading {
        let slept_ms = uptime::since_boot_ms().saturating_sub(uptime::awake_ms());
        self.notice_sleep(slept_ms);
        self.read_at(vitals.now_ms(), vitals.wall_ms(), vitals, inputs)
    }

    /// The machine has slept for so long since it was booted.
    fn notice_sleep(&mut self, slept_ms: u64) {
        let before = self.slept_ms.replace(slept_ms).unwrap_or(slept_ms);
        self.just_slept_ms = slept_ms.saturating_sub(before);
    }

    fn read_at(&mut self, now_ms: u64, wall_ms: i64, vitals: &Vitals, inputs: Inputs) -> Reading {
        let clock_jump_ms = self.jumped(now_ms, wall_ms);
        let so = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let backlog_full = so(&vitals.backlog_full);
        if backlog_full {
            self.backlog_full_ms = Some(now_ms);
        }
        let depth = |waiting: Option<Waiting>| {
            waiting.map(|(count, oldest)| Depth {
                count,
                oldest_ms: oldest.map(|at_ms| self.age_ms(at_ms, wall_ms, now_ms)),
            })
        };
        let (inbox, outbox) = (depth(inputs.inbox), depth(inputs.outbox));
        let happened = vitals.events().into_iter().map(|(kind, event)| Happened {
            kind,
            count: event.count,
            ago_ms: now_ms.saturating_sub(event.last_ms),
        });
        let processed_at_ms = vitals.processed_at_ms.load(Relaxed);
        let polling = vitals.polling.read();
        self.served_ms = self.served_ms.or(polling.worked_ms);
        Reading {
            waits_for_state: None,
            now_ms,
            wall_ms,
            clock_jump_ms,
            overdue: vitals.overdue(),
            silent_ms: Loop::ALL.map(|looping| vitals.silent_ms(looping)),
            conflict: self.conflicting(now_ms, vitals.conflicts.get(), inputs.undisturbed),
            webhook: vitals.webhook.load_full().map(|host| (*host).clone()),
            polling,
            sending: vitals.sending.read(),
            provider: vitals.provider.read(),
            store: vitals.store.read(),
            inbox,
            outbox,
            outbox_chats: inputs.outbox_chats,
            pending: u64::try_from(vitals.pending.load(Ordering::Relaxed)).ok(),
            updates_stuck: so(&vitals.updates_stuck),
            backlog_full,
            backlog_full_ms: self.backlog_full_ms,
            paused: so(&vitals.paused),
            documents: **vitals.documents.load(),
            index: vitals.index.load().as_ref().clone(),
            embeddings: vitals.embeddings.read(),
            qdrant: vitals.qdrant.read(),
            retrievals: self.retrievals.look(now_ms, vitals),
            backups: inputs.backups,
            providers: vitals.providers.load().to_vec(),
            canary: vitals.canary(),
            money: money(vitals, wall_ms, inputs.spent),
            recent: self.window.look(now_ms, vitals, inputs.commits.as_ref()),
            happened: happened.collect(),
            system: inputs.system,
            unclean_starts_ms: inputs.unclean_starts_ms,
            previous_end: inputs.previous_end,
            served_ms: self.served_ms,
            config_rejected: inputs.config_rejected,
            processed_at_ms: (processed_at_ms > 0).then_some(processed_at_ms),
        }
    }

    /// How far the time of day moved against the steady clock, in milliseconds. The steady clock
    /// stands still while the machine is suspended, so ages leave that out; it is not reported.
    fn jumped(&mut self, now_ms: u64, wall_ms: i64) -> i64 {
        let Some((now_before, before_ms)) = self.clocks.replace((now_ms, wall_ms)) else {
            return 0;
        };
        let steady = i64::try_from(now_ms.saturating_sub(now_before)).unwrap_or(i64::MAX);
        let by_ms = wall_ms.saturating_sub(before_ms).saturating_sub(steady);
        if by_ms.saturating_abs() < JUMP_MIN_MS {
            return 0;
        }
        self.jump = Some(Jump { before_ms: before_ms.saturating_add(steady), by_ms });
        // Sleep moves the time of day as well; that is not a fault of the clock.
        let slept_ms = i64::try_from(self.just_slept_ms).unwrap_or(i64::MAX);
        Some(by_ms.saturating_sub(slept_ms))
            .filter(|by| by.saturating_abs() >= JUMP_MIN_MS)
            .unwrap_or(0)
    }

    /// The age of something stored at `at_ms` by the time of day.
    fn age_ms(&self, at_ms: i64, wall_ms: i64, now_ms: u64) -> u64 {
        let age_ms = wall_ms.saturating_sub(at_ms);
        let corrected = match self.jump {
            // Stored before the clock went forward.
            Some(jump) if jump.by_ms > 0 && at_ms <= jump.before_ms => {
                age_ms.saturating_sub(jump.by_ms)
            }
            // Stored before the clock went back.
            Some(jump) if jump.by_ms < 0 && age_ms < 0 => age_ms.saturating_sub(jump.by_ms),
            // Stored under a clock that was ahead, before this process: older than it is.
            _ if age_ms < -JUMP_MIN_MS => i64::try_from(now_ms).unwrap_or(i64::MAX),
            _ => age_ms,
        };
        u64::try_from(corrected).unwrap_or(0)
    }

    /// A spell of conflicts. Polls that work lie between them when two programs take turns, so
    /// that the count of failures in a row does not show it.
    fn conflicting(&mut self, now_ms: u64, count: u64, undisturbed: Duration) -> Option<Spell> {
        let quiet_ms = u64::try_from(undisturbed.as_millis()).unwrap_or(u64::MAX);
        let new = count.saturating_sub(self.conflicts);
        self.conflicts = count;
        let goes_on = |s: &Spell| now_ms.saturating_sub(s.last_ms) <= quiet_ms;
        let spell = self.conflict.filter(goes_on);
        self.conflict = match spell {
            _ if new == 0 => spell,
            Some(s) => Some(Spell { count: s.count + new, last_ms: now_ms, ..s }),
            None => Some(Spell { count: new, since_ms: now_ms, last_ms: now_ms }),
        };
        self.conflict
    }
}

fn money(vitals: &Vitals, wall_ms: i64, spent: Option<Spending>) -> MoneyReading {
    let money = &vitals.money;
    let age = budget::day_of(wall_ms) - money.prices_day.load(Relaxed);
    MoneyReading {
        spent,
        budgets: **money.budgets.load(),
        refuses: money.refuses_until_ms.load(Relaxed) > wall_ms,
        without_price: money.without_price().len(),
        prices_age_days: money.is_paid.load(Relaxed).then_some(age),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::finding::Kind;
    use crate::supervise::Thresholds;
    use crate::supervise::verdict::seen;

    const DAY_MS: i64 = 86_400_000;

    /// Wall time `s` seconds after the start, with the clock set forward by `off_ms`.
    fn wall(s: u64, off_ms: i64) -> i64 {
        1_700_000_000_000 + s as i64 * 1000 + off_ms
    }

    fn read(sampler: &mut Sampler, s: u64, off_ms: i64, inputs: Inputs) -> Reading {
        sampler.read_at(s * 1000, wall(s, off_ms), &Vitals::default(), inputs)
    }

    fn stored(at_ms: i64) -> Inputs {
        Inputs { inbox: Some((1, Some(at_ms))), ..Inputs::default() }
    }

    #[test]
    fn a_jump_of_the_clock_is_reported_once_and_makes_nothing_old() {
        for off_ms in [DAY_MS, -DAY_MS] {
            let mut sampler = Sampler::new();
            let before = wall(8, 0);
            let age = |reading: Reading| reading.inbox.and_then(|d| d.oldest_ms);
            let reading = read(&mut sampler, 10, 0, stored(before));
            assert_eq!((reading.clock_jump_ms, age(reading)), (0, Some(2000)));
            let reading = read(&mut sampler, 15, off_ms, stored(before));
            assert_eq!((reading.clock_jump_ms, age(reading)), (off_ms, Some(7000)));
            let reading = read(&mut sampler, 20, off_ms, stored(before));
            assert_eq!((reading.clock_jump_ms, age(reading)), (0, Some(12_000)));
            let reading = read(&mut sampler, 25, off_ms, stored(wall(22, off_ms)));
            assert_eq!(age(reading), Some(3000), "stored after the jump");
        }
    }

    #[test]
    fn sleep_is_not_a_jump_and_makes_nothing_old() {
        let mut sampler = Sampler::new();
        sampler.notice_sleep(500);
        read(&mut sampler, 10, 0, stored(wall(8, 0)));
        sampler.notice_sleep(500 + DAY_MS as u64);
        let reading = read(&mut sampler, 15, DAY_MS, stored(wall(8, 0)));
        assert_eq!(reading.clock_jump_ms, 0);
        assert_eq!(reading.inbox.and_then(|d| d.oldest_ms), Some(7000));
        sampler.notice_sleep(500 + DAY_MS as u64);
        let reading = read(&mut sampler, 20, 2 * DAY_MS, Inputs::default());
        assert_eq!(reading.clock_jump_ms, DAY_MS, "without sleep it is one");
    }

    #[test]
    fn drift_is_not_a_jump() {
        let mut sampler = Sampler::new();
        for s in 0..100 {
            let reading = read(&mut sampler, s * 5, s as i64 * 10, Inputs::default());
            assert_eq!(reading.clock_jump_ms, 0);
        }
    }

    #[test]
    fn conflicts_between_polls_that_work_are_one_spell() {
        let (mut sampler, vitals) = (Sampler::new(), Vitals::default());
        let mut at = |s: u64, conflicts: u64| {
            vitals.conflicts.add(conflicts);
            // Each is followed by a poll that works, because two programs take turns.
            vitals.polling.worked(s * 1000, wall(s, 0));
            let thresholds = Thresholds::default();
            let inputs = Inputs { undisturbed: thresholds.undisturbed(), ..Inputs::default() };
            let reading = sampler.read_at(s * 1000, wall(s, 0), &vitals, inputs);
            let found = seen(&reading, &thresholds);
            let level = found.iter().find(|f| f.kind == Kind::Conflict).map(|f| f.level);
            (level, reading.conflict.map(|s| s.count))
        };
        use crate::supervise::verdict::Level::{Hold, Raise};
        assert_eq!(at(5, 0), (None, None));
        assert_eq!(at(10, 1), (Some(Hold), Some(1)), "our own restart");
        assert_eq!(
            at(55, 2),
            (Some(Hold), Some(3)),
            "the process that this one replaces is ending"
        );
        assert_eq!(at(60, 0), (Some(Raise), Some(3)), "it goes on");
        assert_eq!(at(115, 0), (None, None));
        assert_eq!(at(200, 1), (Some(Hold), Some(1)), "one alone");
        assert_eq!(at(210, 1), (Some(Raise), Some(2)), "reported within 15 s");
        assert_eq!(at(265, 0).0, Some(Raise), "the other one may only be waiting");
        assert_eq!(at(270, 0), (None, None), "well after the first undisturbed minute");
    }

    #[test]
    fn after_a_full_backlog_polling_gets_its_time() {
        let (mut sampler, vitals) = (Sampler::new(), Vitals::default());
        let mut stalled = |s: u64, full: bool| {
            vitals.backlog_full.store(full, Ordering::Relaxed);
            let reading = sampler.read_at(s * 1000, wall(s, 0), &vitals, Inputs::default());
            let found = seen(&reading, &Thresholds::default());
            found.iter().any(|f| f.kind == Kind::PollStalled)
        };
        assert!(stalled(80, false), "the first poll is awaited");
        for s in [100, 500, 1000] {
            assert!(!stalled(s, true), "paused on purpose");
        }
        assert!(!stalled(1005, false));
        assert!(!stalled(1074, false));
        assert!(stalled(1075, false));
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        let reading = read(&mut Sampler::new(), 1, 0, Inputs::default());
        assert_eq!((reading.inbox, reading.outbox, reading.processed_at_ms), (None, None, None));
        let empty = Inputs { inbox: Some((0, None)), ..Inputs::default() };
        let reading = read(&mut Sampler::new(), 1, 0, empty);
        assert_eq!(reading.inbox, Some(Depth::default()));
    }
}
