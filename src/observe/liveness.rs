//! Liveness ticks: a loop says that it turned, and by when it will turn again.
//!
//! A tick says *alive*, not *healthy*: a poll that Telegram refused is a turn as well. The watchdog
//! looks at nothing else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The loops that must keep turning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loop {
    /// Polls Telegram.
    Intake,
    /// Hands updates to workers.
    Dispatcher,
    /// Sends parts.
    Deliver,
    /// Writes to the state file; turned by a probe that goes the way of every write.
    Store,
    /// Forms the verdict.
    Supervise,
}

impl Loop {
    /// All loops, in the order of an update's way.
    pub const ALL: [Self; 5] =
        [Self::Intake, Self::Dispatcher, Self::Deliver, Self::Store, Self::Supervise];

    /// Its name in logs, metrics and the heartbeat.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Dispatcher => "chats",
            Self::Deliver => "deliver",
            Self::Store => "store",
            Self::Supervise => "supervise",
        }
    }
}

/// When each loop turned last, and when it is due. Times are milliseconds since a start that the
/// owner defines.
#[derive(Debug, Default)]
pub struct Liveness([Tick; 5]);

#[derive(Debug, Default)]
struct Tick {
    ticked_ms: AtomicU64,
    /// Zero while the loop does not run.
    due_ms: AtomicU64,
}

/// A loop that did not turn when it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Which.
    pub looping: Loop,
    /// Milliseconds since it turned.
    pub silent_ms: u64,
    /// Milliseconds since it was due.
    pub late_ms: u64,
}

impl Liveness {
    /// The loop turned at `now_ms` and will turn again within `within`.
    pub fn tick(&self, looping: Loop, now_ms: u64, within: Duration) {
        let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let tick = &self.0[looping as usize];
        tick.ticked_ms.store(now_ms, Ordering::Relaxed);
        tick.due_ms.store(now_ms.saturating_add(within).max(1), Ordering::Relaxed);
    }

    /// The loop ended, and is no longer watched.
    pub fn end(&self, looping: Loop) {
        self.0[looping as usize].due_ms.store(0, Ordering::Relaxed);
    }

    /// Milliseconds since a running loop turned.
    pub fn silent_ms(&self, looping: Loop, now_ms: u64) -> Option<u64> {
        let tick = &self.0[looping as usize];
        let running = tick.due_ms.load(Ordering::Relaxed) > 0;
        running.then(|| now_ms.saturating_sub(tick.ticked_ms.load(Ordering::Relaxed)))
    }

    /// The loop that is late by most.
    pub fn overdue(&self, now_ms: u64) -> Option<Overdue> {
        let late = Loop::ALL.into_iter().filter_map(|looping| {
            let due_ms = self.0[looping as usize].due_ms.load(Ordering::Relaxed);
            let late_ms = now_ms.checked_sub(due_ms).filter(|_| due_ms > 0)?;
            let silent_ms = self.silent_ms(looping, now_ms)?;
            (late_ms > 0).then_some(Overdue { looping, silent_ms, late_ms })
        });
        late.max_by_key(|o| o.late_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_loop_is_named_and_ended_loops_are_not() {
        let liveness = Liveness::default();
        assert_eq!(liveness.overdue(1_000_000), None, "nothing runs yet");
        liveness.tick(Loop::Intake, 1000, Duration::from_secs(60));
        liveness.tick(Loop::Deliver, 1000, Duration::from_secs(5));
        assert_eq!(liveness.overdue(6000), None);
        let late = liveness.overdue(7000).expect("deliver is late");
        assert_eq!((late.looping, late.silent_ms, late.late_ms), (Loop::Deliver, 6000, 1000));
        liveness.tick(Loop::Deliver, 7000, Duration::from_secs(5));
        assert_eq!(liveness.overdue(7000), None);
        liveness.end(Loop::Deliver);
        assert_eq!(liveness.overdue(90_000).map(|o| o.looping), Some(Loop::Intake));
    }
}
