//! The gauge: makes a reading of what the vitals, the store and the machine say.
//!
//! Invariant: ages and durations are by the steady clock, or corrected by the jumps of the time of
//! day that were seen, so that a jump makes nothing look old.

use std::sync::atomic::Ordering::Relaxed;

use super::report::{Depth, Happened, Reading, Spell, System};
use super::window::Window;
use crate::model::beat::Loop;
use crate::model::histogram::Buckets;
use crate::model::streak::Run;
use crate::model::vitals::Vitals;

/// After this long without a 409 the next one is another matter. Longer than the pauses that other
/// programs make between polls that fail.
const CONFLICT_QUIET_MS: u64 = 120_000;

/// A smaller step of the time of day is drift, rounding or a busy machine, and no jump.
const JUMP_MIN_MS: i64 = 1000;

/// Rows that wait as the store tells them: how many, and when the oldest was stored, in Unix
/// milliseconds.
pub type Waiting = (u64, Option<i64>);

/// What a reading needs besides the vitals. The default is a store that could not be asked, and a
/// machine that was not looked at.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Updates that wait; `None` when the store could not be asked.
    pub inbox: Option<Waiting>,
    /// Parts that wait.
    pub outbox: Option<Waiting>,
    /// Durations of all commits since the start, in seconds.
    pub commits: Option<Buckets>,
    /// Updates that wait at Telegram, when it was asked.
    pub pending: Option<u64>,
    /// Polling pauses because too much waits.
    pub backlog_full: bool,
    /// The owner paused answering.
    pub paused: bool,
    /// The machine, when it was looked at.
    pub system: Option<System>,
    /// Why the last reload was refused, while the old configuration stands.
    pub config_rejected: Option<String>,
}

/// Remembers what one reading has to know of those before it.
#[derive(Debug, Default)]
pub struct Gauge {
    window: Window,
    /// The two clocks at the last reading.
    clocks: Option<(u64, i64)>,
    jump: Option<Jump>,
    conflicts: u64,
    conflict: Option<Spell>,
    backlog_full_ms: Option<u64>,
}

/// The last jump of the time of day.
#[derive(Clone, Copy, Debug)]
struct Jump {
    /// What the clock showed just before.
    before_ms: i64,
    by_ms: i64,
}

impl Gauge {
    /// Nothing was read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How everything stands now.
    pub fn read(&mut self, vitals: &Vitals, told: Told) -> Reading {
        self.read_at(vitals.now_ms(), vitals.wall_ms(), vitals, told)
    }

    fn read_at(&mut self, now_ms: u64, wall_ms: i64, vitals: &Vitals, told: Told) -> Reading {
        let clock_jump_ms = self.jumped(now_ms, wall_ms);
        if told.backlog_full {
            self.backlog_full_ms = Some(now_ms);
        }
        let depth = |waiting: Option<Waiting>| {
            waiting.map(|(count, oldest)| Depth {
                count,
                oldest_ms: oldest.map(|at_ms| self.age_ms(at_ms, wall_ms)),
            })
        };
        let (inbox, outbox) = (depth(told.inbox), depth(told.outbox));
        let happened = vitals.events().into_iter().map(|(kind, event)| Happened {
            kind,
            count: event.count,
            ago_ms: now_ms.saturating_sub(event.last_ms),
        });
        let processed_at_ms = vitals.processed_at_ms.load(Relaxed);
        let polling = vitals.polling.read();
        Reading {
            now_ms,
            wall_ms,
            clock_jump_ms,
            overdue: vitals.overdue(),
            silent_ms: Loop::ALL.map(|looping| vitals.silent_ms(looping)),
            conflict: self.conflicting(now_ms, vitals.conflicts.get(), &polling),
            polling,
            sending: vitals.sending.read(),
            provider: vitals.provider.read(),
            store: vitals.store.read(),
            inbox,
            outbox,
            pending: told.pending,
            backlog_full: told.backlog_full,
            backlog_full_ms: self.backlog_full_ms,
            paused: told.paused,
            recent: self.window.look(now_ms, vitals, told.commits.as_ref()),
            happened: happened.collect(),
            system: told.system,
            config_rejected: told.config_rejected,
            processed_at_ms: (processed_at_ms > 0).then_some(processed_at_ms),
        }
    }

    /// How far the time of day moved against the steady clock, in milliseconds. The steady clock
    /// stands still while the machine is suspended, so that this is a jump as well.
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
        by_ms
    }

    /// The age of something stored at `at_ms` by the time of day.
    fn age_ms(&self, at_ms: i64, wall_ms: i64) -> u64 {
        let age_ms = wall_ms.saturating_sub(at_ms);
        let corrected = match self.jump {
            // Stored before the clock went forward.
            Some(jump) if jump.by_ms > 0 && at_ms <= jump.before_ms => age_ms - jump.by_ms,
            // Stored before the clock went back.
            Some(jump) if jump.by_ms < 0 && age_ms < 0 => age_ms.saturating_sub(jump.by_ms),
            _ => age_ms,
        };
        u64::try_from(corrected).unwrap_or(0)
    }

    /// A spell of conflicts. Polls that work lie between them when two programs take turns, so
    /// that a streak does not show it.
    fn conflicting(&mut self, now_ms: u64, count: u64, polling: &Run) -> Option<Spell> {
        let new = count.saturating_sub(self.conflicts);
        self.conflicts = count;
        let goes_on = |s: &Spell| now_ms.saturating_sub(s.last_ms) <= CONFLICT_QUIET_MS;
        let spell = self.conflict.filter(goes_on);
        self.conflict = match spell {
            _ if new == 0 => spell,
            Some(s) => Some(Spell { count: s.count + new, last_ms: now_ms, ..s }),
            None => {
                let since_ms = polling.failing_since_ms.unwrap_or(now_ms);
                Some(Spell { count: new, since_ms, last_ms: now_ms })
            }
        };
        self.conflict
    }
}
