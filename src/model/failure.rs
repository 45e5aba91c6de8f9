//! The two questions every failure answers: again, and when? whose fault?
//!
//! Each edge has its own typed error; above the edges only these answers are used.

use std::time::Duration;

use super::class::FailureClass;

/// Whether trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryPolicy {
    /// The same call will fail the same way.
    Never,
    /// Not before this much time has passed, as the other side asked.
    After(Duration),
    /// Later, with growing pauses.
    Backoff,
}

/// Who has to act for the failure to go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The person who chats: blocked the bot, asked something refused.
    User,
    /// Katana or its configuration.
    Us,
    /// Telegram's servers.
    Telegram,
    /// The model's server.
    Provider,
    /// The path between.
    Network,
    /// The state directory.
    Disk,
}

/// What an edge's error can be asked.
pub trait Classify: std::error::Error {
    /// Whether and when to try again.
    fn retry_policy(&self) -> RetryPolicy;
    /// Who has to act.
    fn blame(&self) -> Blame;
    /// What kind of failure it is, for logs, metric labels and the verdict.
    fn class(&self) -> FailureClass;
}

/// The pause before try number `attempt` (from 1): doubling from `base` up to `max`, with jitter
/// of a quarter either way so that many callers do not come back at once.
pub fn backoff(attempt: u32, base: Duration, max: Duration) -> Duration {
    let doubled = base.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(16)));
    doubled.min(max).mul_f64(0.75 + fastrand::f64() * 0.5).min(max)
}

/// An error with everything that caused it, in one line. Libraries quote what they read; on a terminal it plays no
/// tricks.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        // Some errors repeat their source in their own text.
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = next.source();
    }
    hygiene::line::harmless(&line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_and_stays_within_its_bound() {
        let (base, max) = (Duration::from_millis(500), Duration::from_secs(30));
        for attempt in 0..100 {
            assert!(backoff(attempt, base, max) <= max);
        }
        assert!(backoff(1, base, max) < backoff(4, base, max));
    }
}
