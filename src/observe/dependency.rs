//! How calls to one dependency go: when did one work last, and what failed since?

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::class::FailureClass;

/// Shared by all callers of the dependency. Times are milliseconds since the start of the process.
#[derive(Debug, Default)]
pub struct DependencyHealth(Mutex<DependencyState>);

/// The health of a dependency at one moment.
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
    /// What the last of them was.
    pub class: Option<FailureClass>,
}

impl DependencyHealth {
    /// A call worked. `now_ms` since the start, `at_ms` since the Unix epoch.
    pub fn worked(&self, now_ms: u64, at_ms: i64) {
        let worked = (Some(now_ms), Some(at_ms), Some(now_ms));
        let (worked_ms, worked_at_ms, tried_ms) = worked;
        *self.lock() =
            DependencyState { worked_ms, worked_at_ms, tried_ms, ..DependencyState::default() };
    }

    /// A call failed.
    pub fn failed(&self, now_ms: u64, class: FailureClass) {
        let mut state = self.lock();
        state.tried_ms = Some(now_ms);
        state.failures = state.failures.saturating_add(1);
        state.failing_since_ms.get_or_insert(now_ms);
        state.class = Some(class);
    }

    /// How it stands.
    pub fn read(&self) -> DependencyState {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, DependencyState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::TelegramClass;

    #[test]
    fn a_success_ends_the_failures() {
        let health = DependencyHealth::default();
        let server = TelegramClass::Server.into();
        health.failed(10, TelegramClass::Timeout.into());
        health.failed(20, server);
        let state = health.read();
        assert_eq!(
            (state.failures, state.failing_since_ms, state.class),
            (2, Some(10), Some(server))
        );
        health.worked(30, 1_000);
        let state = health.read();
        assert_eq!((state.failures, state.class, state.worked_ms), (0, None, Some(30)));
    }
}
