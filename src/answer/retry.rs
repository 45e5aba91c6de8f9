//! Whether a question is asked again before its first word, and when.
//!
//! Short waits are cheaper than an apology: a server that loads a model, restarts or limits its
//! callers answers a little later. Nothing is asked again once words were shown, because the answer
//! of another try would not go on from them.

use std::time::Duration;

use tokio::time::Instant;

use super::error::AnswerError;
use super::progress::Obstacle;
use crate::model::class::AnswerClass;
use crate::model::failure::{Classify, RetryPolicy, backoff};
use crate::provider::ProviderError;

/// First pause where the server names none.
const BASE: Duration = Duration::from_secs(1);

/// Longest pause where the server names none.
const LONGEST: Duration = Duration::from_secs(8);

/// No server is asked again sooner, whatever it says.
const SHORTEST: Duration = Duration::from_millis(500);

/// Tries while the server has answered lately and does not say that it is busy: some seconds, in
/// which a connection is made again or a server has restarted.
const TRIES: u32 = 4;

/// Tries while earlier questions failed, too: each person shall hear that soon.
const TRIES_FAILING: u32 = 2;

/// The tries of one question.
pub(super) struct Retries {
    tries: u32,
    is_failing: bool,
    deadline: Instant,
}

impl Retries {
    /// The first try begins now. `is_failing`: the last question to the server had no answer.
    pub(super) fn new(deadline: Instant, is_failing: bool) -> Self {
        Self { tries: 1, is_failing, deadline }
    }

    /// Until when the answer must be there.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time in our own queue is not the server's.
    pub(super) fn queued(&mut self, time: Duration) {
        self.deadline += time;
    }

    /// What to wait for and how long before the next try, after this failure; `None` when it is
    /// final. `is_gone`: the server did not answer other questions either, several in a row.
    pub(super) fn pause(
        &mut self,
        error: &AnswerError,
        is_gone: bool,
    ) -> Option<(Obstacle, Duration)> {
        let AnswerError::Provider(failure) = error else { return None };
        let obstacle = obstacle(failure)?;
        let policy = failure.retry_policy();
        let is_busy = obstacle != Obstacle::Unreachable;
        let is_tried_enough = match policy {
            RetryPolicy::Never => true,
            RetryPolicy::After(_) => false,
            RetryPolicy::Backoff if is_gone && !is_busy => true,
            RetryPolicy::Backoff if self.is_failing => self.tries >= TRIES_FAILING,
            RetryPolicy::Backoff => !is_busy && self.tries >= TRIES,
        };
        if is_tried_enough {
            return None;
        }
        // A server that asks for no wait at all would be asked all the time.
        let ours = backoff(self.tries, BASE, LONGEST).max(SHORTEST);
        let pause = match policy {
            RetryPolicy::After(wait) => wait.max(ours),
            _ => ours,
        };
        self.tries += 1;
        // A try at the very end could not become an answer.
        let left = self.deadline.saturating_duration_since(Instant::now());
        (pause + SHORTEST < left).then_some((obstacle, pause))
    }
}

/// Whether a failure may pass by waiting.
pub(super) fn may_pass(error: &AnswerError) -> bool {
    matches!(error, AnswerError::Provider(failure) if obstacle(failure).is_some())
}

fn obstacle(failure: &ProviderError) -> Option<Obstacle> {
    // A gateway did not reach the server behind it. Other errors of a server come again: it failed
    // at this very question.
    if matches!(failure, ProviderError::Status { status: 502 | 504, .. }) {
        return Some(Obstacle::Unreachable);
    }
    match failure.answer_class() {
        AnswerClass::RateLimit => Some(Obstacle::RateLimit),
        AnswerClass::Overloaded => Some(Obstacle::Busy),
        AnswerClass::Unreachable | AnswerClass::Cut => Some(Obstacle::Unreachable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Refusal;

    fn refused(refusal: Refusal, retry_after: Option<u64>) -> AnswerError {
        let retry_after = retry_after.map(Duration::from_secs);
        let detail = String::new();
        AnswerError::Provider(ProviderError::Status { status: 500, retry_after, refusal, detail })
    }

    /// The pauses after so many failures in a row.
    fn pauses(error: &AnswerError, is_failing: bool) -> Vec<Duration> {
        let mut retries = Retries::new(Instant::now() + Duration::from_secs(120), is_failing);
        std::iter::from_fn(|| retries.pause(error, false).map(|(_, pause)| pause))
            .take(50)
            .collect()
    }

    #[tokio::test]
    async fn only_what_may_pass_is_waited_for() {
        use Refusal::{Auth, NotFound, Quota, Server, TooLong};
        for refusal in [Auth, Quota, NotFound, TooLong, Server] {
            assert!(pauses(&refused(refusal, Some(1)), false).is_empty(), "{refusal:?}");
        }
        assert!(pauses(&AnswerError::FirstTokenLate, false).is_empty(), "the time is over");
        assert!(pauses(&AnswerError::Empty, false).is_empty());
        let wait = pauses(&refused(Refusal::RateLimit, Some(2)), false);
        assert_eq!(wait[0], Duration::from_secs(2), "as the server says");
        let at_once = pauses(&refused(Refusal::RateLimit, Some(0)), false);
        assert!(at_once[0] >= SHORTEST && at_once[5] >= LONGEST / 2, "{at_once:?}");
        assert!(pauses(&refused(Refusal::RateLimit, Some(130)), false).is_empty(), "too long");
        assert!(!pauses(&refused(Refusal::Overloaded, None), false).is_empty());
        assert!(!pauses(&AnswerError::Provider(ProviderError::Cut), false).is_empty());
    }

    #[tokio::test]
    async fn a_server_that_is_gone_is_not_waited_for_by_everyone() {
        let gone = AnswerError::Provider(ProviderError::Unreachable { detail: String::new() });
        let (at_first, later) = (pauses(&gone, false), pauses(&gone, true));
        assert_eq!((at_first.len(), later.len()), (3, 1));
        let mut retries = Retries::new(Instant::now() + Duration::from_secs(120), false);
        assert!(retries.pause(&gone, true).is_none(), "its breaker knows");
        let busy = refused(Refusal::Overloaded, None);
        assert!(retries.pause(&busy, true).is_some(), "a model that loads is worth the wait");
        let all: Duration = at_first.iter().sum();
        assert!((5..10).contains(&all.as_secs()), "{all:?}");
    }
}
