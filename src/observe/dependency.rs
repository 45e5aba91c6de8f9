//! A streak: how calls to one dependency go. When did one work last, and what failed since?

use std::sync::{Mutex, PoisonError};

/// Shared by all callers of the dependency. Times are milliseconds since the start of the process.
#[derive(Debug, Default)]
pub struct DependencyHealth(Mutex<DependencyState>);

/// A streak at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DependencyState {
    /// When a call worked last.
    pub worked_ms: Option<u64>,
    /// The same as Unix milliseconds.
    pub worked_at_ms: Option<i64>,
    /// When a call ended last, whatever its outcome.
    pub tried_ms: Option<u64>,
    /// Failures since a call worked.
    pub failures: u32,
    /// When the first of them ended.
    pub failing_since_ms: Option<u64>,
    /// What the last of them was: the class of its error.
    pub class: Option<&'static str>,
}

impl DependencyHealth {
    /// A call worked. `now_ms` since the start, `at_ms` since the Unix epoch.
    pub fn worked(&self, now_ms: u64, at_ms: i64) {
        let worked = (Some(now_ms), Some(at_ms), Some(now_ms));
        let (worked_ms, worked_at_ms, tried_ms) = worked;
        *self.run() =
            DependencyState { worked_ms, worked_at_ms, tried_ms, ..DependencyState::default() };
    }

    /// A call failed.
    pub fn failed(&self, now_ms: u64, class: &'static str) {
        let mut run = self.run();
        run.tried_ms = Some(now_ms);
        run.failures = run.failures.saturating_add(1);
        run.failing_since_ms.get_or_insert(now_ms);
        run.class = Some(class);
    }

    /// How it stands.
    pub fn read(&self) -> DependencyState {
        *self.run()
    }

    fn run(&self) -> std::sync::MutexGuard<'_, DependencyState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_ends_the_streak() {
        let streak = DependencyHealth::default();
        streak.failed(10, "timeout");
        streak.failed(20, "server");
        let run = streak.read();
        assert_eq!((run.failures, run.failing_since_ms, run.class), (2, Some(10), Some("server")));
        streak.worked(30, 1_000);
        let run = streak.read();
        assert_eq!((run.failures, run.class, run.worked_ms), (0, None, Some(30)));
    }
}
