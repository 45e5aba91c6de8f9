//! How often a server may be asked, where the configuration sets a limit.
//!
//! Invariant: passages leave a part of it to questions, which never wait.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The part of what is there that passages leave to questions.
const FOR_QUESTIONS: f64 = 0.2;

/// A bucket of requests that fills up steadily; there are never more than ten seconds' worth in it.
#[derive(Debug)]
pub(super) struct Pace(Option<Mutex<Bucket>>);

#[derive(Debug)]
struct Bucket {
    per_s: f64,
    most: f64,
    there: f64,
    at: Instant,
}

impl Pace {
    pub(super) fn new(per_minute: Option<u32>) -> Self {
        Self(per_minute.map(|n| {
            let per_s = f64::from(n.max(1)) / 60.0;
            let most = (per_s * 10.0).max(1.0);
            Mutex::new(Bucket { per_s, most, there: most, at: Instant::now() })
        }))
    }

    /// Takes one request, or says how long to wait for it.
    pub(super) fn take(&self, is_background: bool) -> Result<(), Duration> {
        self.take_at(Instant::now(), is_background)
    }

    fn take_at(&self, now: Instant, is_background: bool) -> Result<(), Duration> {
        let Some(bucket) = &self.0 else { return Ok(()) };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * bucket.per_s;
        (bucket.there, bucket.at) = ((bucket.there + gained).min(bucket.most), now);
        // Of a bucket for one or two, nothing can be left.
        let left = if is_background { (bucket.most * FOR_QUESTIONS).floor() } else { 0.0 };
        let missing = 1.0 + left - bucket.there;
        if missing > 1e-9 {
            return Err(Duration::from_secs_f64(missing / bucket.per_s));
        }
        bucket.there -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_leave_some_to_questions_and_no_limit_is_none() {
        let (pace, now) = (Pace::new(Some(60)), Instant::now());
        let taken = (0..20).take_while(|_| pace.take_at(now, true).is_ok()).count();
        assert_eq!(taken, 8);
        let taken = (0..20).take_while(|_| pace.take_at(now, false).is_ok()).count();
        assert_eq!(taken, 2);
        let wait = pace.take_at(now, false).expect_err("empty");
        assert!((0.9..1.1).contains(&wait.as_secs_f64()), "{wait:?}");
        assert!(pace.take_at(now + Duration::from_secs(2), false).is_ok());
        let free = Pace::new(None);
        assert!((0..1000).all(|_| free.take(true).is_ok()));
    }

    #[test]
    fn even_one_in_a_minute_is_taken() {
        let (pace, now) = (Pace::new(Some(1)), Instant::now());
        assert!(pace.take_at(now, true).is_ok());
        let wait = pace.take_at(now, true).expect_err("empty");
        assert!((59.0..61.0).contains(&wait.as_secs_f64()), "{wait:?}");
        assert!(pace.take_at(now + Duration::from_secs(61), true).is_ok());
    }
}
