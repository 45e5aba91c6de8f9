//! How a call to a model can fail.
//!
//! Invariant: texts in here are for logs, at most [`DETAIL_CHARS`] long, on one line, and went
//! through [`super::scrub`] where they came from outside.

use std::time::Duration;

use crate::model::class::{AnswerClass, FailureClass};
use crate::model::failure::{Blame, Classify, RetryPolicy};

/// Longest text of a server kept in an error: enough for the sentence that matters in a log line.
pub const DETAIL_CHARS: usize = 300;

/// Why there is no answer, or only half of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Name resolution, connection or TLS failed, or the request could not be written.
    #[error("cannot reach the model's server: {detail}")]
    Unreachable {
        /// What failed, for logs.
        detail: String,
    },
    /// The server was silent for longer than the read timeout.
    #[error("the model's server was silent for too long")]
    Timeout,
    /// The server answered with another status than 2xx.
    #[error("the model's server answered {status} ({}): {detail}", refusal.class().as_str())]
    Status {
        /// HTTP status.
        status: u16,
        /// When the server wants to be asked again (`Retry-After`), at most a day.
        retry_after: Option<Duration>,
        /// What it means.
        refusal: Refusal,
        /// The server's own words, for logs.
        detail: String,
    },
    /// The server reported an error after it had begun to answer with 200.
    #[error("the model's server failed while answering ({}): {detail}", refusal.class().as_str())]
    Stream {
        /// What it means.
        refusal: Refusal,
        /// The server's own words, for logs.
        detail: String,
    },
    /// What came back is not what a model's server sends.
    #[error("the model's server sent something that is not an answer: {what}")]
    Garbage {
        /// What it looked like.
        what: &'static str,
    },
    /// The answer broke off before the model had finished.
    #[error("the answer of the model's server broke off")]
    Cut,
    /// The vendor's filter refused the question.
    #[error("the model's server refused the question by its content rules")]
    Filtered,
    /// The provider cannot be used as it is configured.
    #[error("cannot use {setting}: {problem}")]
    Unusable {
        /// Which setting.
        setting: &'static str,
        /// What is wrong with it; never its value.
        problem: &'static str,
    },
}

/// What a refusal of a server means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key is missing, wrong or not allowed to do this.
    Auth,
    /// Too many calls for now.
    RateLimit,
    /// Nothing left to spend.
    Quota,
    /// The conversation does not fit the model.
    TooLong,
    /// There is no such model, or no such endpoint.
    NotFound,
    /// The server does not accept the request.
    BadRequest,
    /// The server failed.
    Server,
    /// The server has too much to do.
    Overloaded,
}

impl Refusal {
    /// The class of such an error.
    fn class(self) -> AnswerClass {
        match self {
            Self::Auth => AnswerClass::Auth,
            Self::RateLimit => AnswerClass::RateLimit,
            Self::Quota => AnswerClass::Quota,
            Self::TooLong => AnswerClass::TooLong,
            Self::NotFound => AnswerClass::NotFound,
            Self::BadRequest => AnswerClass::BadRequest,
            Self::Server => AnswerClass::Server,
            Self::Overloaded => AnswerClass::Overloaded,
        }
    }

    fn blame(self) -> Blame {
        match self {
            Self::Auth | Self::Quota | Self::NotFound | Self::BadRequest => Blame::Us,
            Self::TooLong => Blame::User,
            Self::RateLimit | Self::Server | Self::Overloaded => Blame::Provider,
        }
    }

    fn retry_policy(self, retry_after: Option<Duration>) -> RetryPolicy {
        match self {
            Self::RateLimit | Self::Server | Self::Overloaded => {
                retry_after.map_or(RetryPolicy::Backoff, RetryPolicy::After)
            }
            Self::Auth | Self::Quota | Self::TooLong | Self::NotFound | Self::BadRequest => {
                RetryPolicy::Never
            }
        }
    }
}

impl Classify for ProviderError {
    fn retry_policy(&self) -> RetryPolicy {
        match self {
            Self::Status { refusal, retry_after, .. } => refusal.retry_policy(*retry_after),
            Self::Stream { refusal, .. } => refusal.retry_policy(None),
            Self::Unreachable { .. } | Self::Timeout | Self::Garbage { .. } | Self::Cut => {
                RetryPolicy::Backoff
            }
            Self::Filtered | Self::Unusable { .. } => RetryPolicy::Never,
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Status { refusal, .. } | Self::Stream { refusal, .. } => refusal.blame(),
            Self::Unreachable { .. } => Blame::Network,
            Self::Timeout | Self::Garbage { .. } | Self::Cut => Blame::Provider,
            Self::Filtered => Blame::User,
            Self::Unusable { .. } => Blame::Us,
        }
    }

    fn class(&self) -> FailureClass {
        self.answer_class().into()
    }
}

impl ProviderError {
    /// Its class, to be matched.
    pub fn answer_class(&self) -> AnswerClass {
        match self {
            Self::Unreachable { .. } => AnswerClass::Unreachable,
            Self::Timeout => AnswerClass::Timeout,
            Self::Status { refusal, .. } | Self::Stream { refusal, .. } => refusal.class(),
            Self::Garbage { .. } => AnswerClass::Garbage,
            Self::Cut => AnswerClass::Cut,
            Self::Filtered => AnswerClass::Filtered,
            Self::Unusable { .. } => AnswerClass::Config,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_limit_says_when_and_a_wrong_key_says_never() {
        let status = |status, refusal, retry_after| ProviderError::Status {
            status,
            retry_after,
            refusal,
            detail: String::new(),
        };
        let wait = Some(Duration::from_secs(7));
        let limited = status(429, Refusal::RateLimit, wait);
        assert_eq!(limited.retry_policy(), RetryPolicy::After(Duration::from_secs(7)));
        assert_eq!(limited.class(), AnswerClass::RateLimit.into());
        let denied = status(401, Refusal::Auth, wait);
        assert_eq!((denied.retry_policy(), denied.blame()), (RetryPolicy::Never, Blame::Us));
        assert_eq!(ProviderError::Cut.retry_policy(), RetryPolicy::Backoff);
    }
}
