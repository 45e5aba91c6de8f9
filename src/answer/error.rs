//! Why a question has no answer.

use crate::model::failure::{Blame, Classify, chain};
use crate::model::reply::Reply;
use crate::provider::ProviderError;

/// Why there is no answer.
pub(super) enum AnswerError {
    Provider(ProviderError),
    FirstTokenLate,
    Late,
    Empty,
}

impl AnswerError {
    /// Whether the question is the cause, so that other questions are still answered.
    pub(super) fn is_askers(&self) -> bool {
        matches!(self, Self::Provider(e) if e.blame() == Blame::User)
    }

    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Provider(e) => e.class(),
            Self::FirstTokenLate => "first_token_timeout",
            Self::Late => "timeout",
            Self::Empty => "empty",
        }
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Provider(e) => chain(e),
            Self::FirstTokenLate => "the first words did not arrive in time".into(),
            Self::Late => "the answer was not complete in time".into(),
            Self::Empty => "the answer is empty".into(),
        }
    }

    /// What the chat sees: short, honest, without the provider's own text.
    pub(super) fn reply(&self) -> Reply {
        let words = match self {
            Self::FirstTokenLate | Self::Late => "The model took too long, so I stopped waiting.",
            Self::Empty => "The model returned an empty answer.",
            Self::Provider(e) => match (e.class(), e.blame()) {
                ("rate_limit" | "overloaded", _) => {
                    "The model is busy right now and refused the question."
                }
                ("timeout", _) => "The model took too long, so I stopped waiting.",
                ("too_long", _) => {
                    "The conversation has grown too long for the model. /new starts a fresh one."
                }
                ("auth" | "quota" | "not_found", _) | (_, Blame::Us) => {
                    "I cannot use the model right now; the operator of this bot has to fix that."
                }
                ("filtered" | "refused", _) => "The provider's filter refused this question.",
                _ => "I could not reach the model, or its answer broke off.",
            },
        };
        Reply::plain(format!("{words} Your question is kept; nothing was lost."))
    }
}
