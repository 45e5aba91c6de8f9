//! When a server that failed is asked again.
//!
//! Invariant: after a pause one request shows whether it is over; the others do not wait for that one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::failure::RetryPolicy;

/// The pause after a first failure; it doubles with each.
const FIRST: Duration = Duration::from_secs(2);

/// The longest, also where the server will not work before someone acts.
const LONGEST: Duration = Duration::from_secs(300);

/// What a server may ask for at most.
const ASKED: Duration = Duration::from_secs(3600);

/// While a request shows whether it is over, others stay away for so long.
const PROBE: Duration = Duration::from_secs(5);

/// The state of a server.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    until: Option<Instant>,
}

impl Pause {
    /// Lets a request through, or says how long the server is left alone.
    pub(super) fn enter(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        match state.until {
            Some(until) if until > now => Err(until - now),
            Some(_) => {
                state.until = Some(now + PROBE);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// How long it is left alone.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let state = self.state();
        state.until.filter(|until| *until > now).map(|until| until - now)
    }

    pub(super) fn worked(&self) {
        *self.state() = State::default();
    }

    pub(super) fn failed(&self, policy: RetryPolicy, now: Instant) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        let grown = FIRST.saturating_mul(2_u32.saturating_pow((state.failures - 1).min(16)));
        let wait = match policy {
            RetryPolicy::Never => LONGEST,
            RetryPolicy::After(wait) => wait.clamp(Duration::from_millis(100), ASKED),
            RetryPolicy::Backoff => grown.min(LONGEST),
        };
        state.until = Some(now + wait);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_one_request_ends_them() {
        let (pause, now) = (Pause::default(), Instant::now());
        assert!(pause.enter(now).is_ok() && pause.left(now).is_none());
        let mut pauses = Vec::new();
        for _ in 0..10 {
            pause.failed(RetryPolicy::Backoff, now);
            pauses.push(pause.left(now).expect("paused").as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        let later = now + Duration::from_secs(301);
        assert!(pause.enter(later).is_ok(), "one is let through");
        assert!(pause.enter(later).is_err(), "and no other");
        pause.worked();
        assert!(pause.enter(later).is_ok() && pause.enter(later).is_ok());
    }

    #[test]
    fn what_the_server_asks_for_is_obeyed() {
        let (pause, now) = (Pause::default(), Instant::now());
        pause.failed(RetryPolicy::After(Duration::from_secs(7)), now);
        assert_eq!(pause.enter(now), Err(Duration::from_secs(7)));
        pause.failed(RetryPolicy::Never, now);
        assert_eq!(pause.enter(now), Err(LONGEST));
        pause.failed(RetryPolicy::After(Duration::from_secs(1 << 20)), now);
        assert_eq!(pause.enter(now), Err(ASKED));
    }
}
