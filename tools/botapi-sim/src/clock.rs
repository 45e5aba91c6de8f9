//! The simulator's own clock, and the token buckets that run on it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::options::Rate;

/// Real time plus what [`crate::Sim::advance`] added.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_unix: Duration,
    added: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            started_unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            added: Duration::ZERO,
        }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.added += by;
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed() + self.added
    }

    /// Seconds since 1970, as in `Message.date`.
    pub(crate) fn unix(&self) -> u64 {
        (self.started_unix + self.now()).as_secs()
    }
}

/// A bucket that fills up by itself; starts full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    used: f64,
    at: Duration,
}

impl Bucket {
    /// How long until one more passes; zero if it passes now.
    pub(crate) fn wait(&mut self, rate: Rate, now: Duration) -> Duration {
        let refilled = now.saturating_sub(self.at).as_secs_f64() * rate.per_s;
        self.used = (self.used - refilled).max(0.0);
        self.at = now;
        let over = self.used + 1.0 - rate.burst;
        if over > 1e-9 { Duration::from_secs_f64(over / rate.per_s) } else { Duration::ZERO }
    }

    /// Takes one.
    pub(crate) fn take(&mut self) {
        self.used += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_the_rate() {
        let rate = Rate { burst: 2.0, per_s: 1.0 };
        let mut bucket = Bucket::default();
        for _ in 0..2 {
            assert_eq!(bucket.wait(rate, Duration::ZERO), Duration::ZERO);
            bucket.take();
        }
        assert_eq!(bucket.wait(rate, Duration::from_millis(250)), Duration::from_millis(750));
        assert_eq!(bucket.wait(rate, Duration::from_secs(1)), Duration::ZERO);
    }
}
