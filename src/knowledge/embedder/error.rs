//! Why there is no vector, and what follows from that.

use std::time::Duration;

use crate::model::budget::OverBudget;
use crate::model::class::AnswerClass;
use crate::provider::{EmbeddingsError, ProviderError, Refusal};

/// Why there is no vector.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The server refused, failed, or sent something else than vectors.
    #[error("the embeddings server failed: {0}")]
    Server(#[from] EmbeddingsError),
    /// There was no answer in the time that a question has.
    #[error("the embeddings server did not answer in time")]
    Late,
    /// It failed before, and is not asked for so long.
    #[error("the embeddings server is not asked for {} s, because it failed or is at its limit", .0.as_secs())]
    Paused(Duration),
    /// A budget is used up.
    #[error("the budget for {} of {} is used up", .0.period.as_str(), .0.limit)]
    OverBudget(OverBudget),
    /// The price is not known, and such models are not asked.
    #[error(
        "the price of the embeddings is not known, and budget.unknown_price is refuse; set embeddings.usd_per_mtok"
    )]
    UnknownPrice,
    /// What it would cost cannot be written down.
    #[error("the ledger cannot be written, so the embeddings server is not asked: {0}")]
    Ledger(String),
}

impl EmbedError {
    /// The class, for logs and metrics.
    pub fn class(&self) -> AnswerClass {
        match self {
            Self::Server(error) => error.class(),
            Self::Late => AnswerClass::Timeout,
            Self::Paused(_) => AnswerClass::Overloaded,
            Self::OverBudget(_) => AnswerClass::OverBudget,
            Self::UnknownPrice => AnswerClass::Config,
            Self::Ledger(_) => AnswerClass::Ledger,
        }
    }

    /// Whether it is the server that failed.
    pub fn is_servers(&self) -> bool {
        matches!(self, Self::Server(_) | Self::Late)
    }

    /// When it makes sense to try again; `now_ms` is Unix milliseconds.
    pub fn again_after(&self, now_ms: i64) -> Duration {
        const USUAL: Duration = Duration::from_secs(30);
        match self {
            Self::Paused(wait) => *wait,
            Self::OverBudget(over) => {
                let wait = over.opens_ms.saturating_sub(now_ms).max(0).unsigned_abs();
                // A budget may also be raised, so it is looked at now and then.
                Duration::from_millis(wait).clamp(Duration::from_secs(1), Duration::from_secs(300))
            }
            Self::UnknownPrice => Duration::from_secs(300),
            Self::Server(_) | Self::Late | Self::Ledger(_) => USUAL,
        }
    }
}

/// Whether fewer texts may be accepted.
pub(super) fn is_about_size(error: &EmbeddingsError) -> bool {
    matches!(error, EmbeddingsError::Count { .. }) || may_be_one_text(error)
}

/// Whether one of the texts may be the reason: another one may well have a vector.
pub(super) fn may_be_one_text(error: &EmbeddingsError) -> bool {
    match error {
        EmbeddingsError::Nonsense { .. } => true,
        EmbeddingsError::Call(ProviderError::Status { status, refusal, .. }) => {
            matches!(status, 413 | 422) || matches!(refusal, Refusal::TooLong | Refusal::BadRequest)
        }
        error => is_too_long(error),
    }
}

/// Whether a text is longer than the model can read, or one that it will never take.
pub(super) fn is_too_long(error: &EmbeddingsError) -> bool {
    match error {
        EmbeddingsError::Call(ProviderError::Filtered) => true,
        EmbeddingsError::Call(ProviderError::Status { status, refusal, .. }) => {
            *status == 413 || *refusal == Refusal::TooLong
        }
        _ => false,
    }
}
