//! Why a question has no answer.

use crate::model::class::AnswerClass;
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

    pub(super) fn class(&self) -> AnswerClass {
        match self {
            Self::Provider(e) => e.answer_class(),
            Self::FirstTokenLate => AnswerClass::FirstTokenTimeout,
            Self::Late => AnswerClass::Timeout,
            Self::Empty => AnswerClass::Empty,
        }
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Provider(e) => chain(e),
            Self::FirstTokenLate => "the first words did not arrive in time".into(),
            Self::Late => "the answer was not complete in time".into(),
            Self::Empty => "the answer shows nothing".into(),
        }
    }

    /// What the chat sees: short, honest, without the provider's own text.
    pub(super) fn reply(&self) -> Reply {
        let words = match self.class() {
            AnswerClass::FirstTokenTimeout | AnswerClass::Timeout => {
                "The model took too long, so I stopped waiting."
            }
            AnswerClass::Empty => "The model returned an empty answer.",
            AnswerClass::RateLimit | AnswerClass::Overloaded => {
                "The model is busy right now and refused the question."
            }
            AnswerClass::TooLong => {
                "The conversation has grown too long for the model. /new starts a fresh one."
            }
            AnswerClass::Auth
            | AnswerClass::Quota
            | AnswerClass::NotFound
            | AnswerClass::BadRequest
            | AnswerClass::Config => {
                "I cannot use the model right now; the operator of this bot has to fix that."
            }
            AnswerClass::Filtered => "The provider's filter refused this question.",
            AnswerClass::Server
            | AnswerClass::Unreachable
            | AnswerClass::Garbage
            | AnswerClass::Cut => "I could not reach the model, or its answer broke off.",
        };
        Reply::plain(format!("{words} Your question is kept; nothing was lost."))
    }
}
