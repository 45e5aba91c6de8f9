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
    /// Whether it lies in the question, so that others are answered all the same.
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
            Self::FirstTokenLate => "no first words in time".into(),
            Self::Late => "the answer did not end in time".into(),
            Self::Empty => "the answer is empty".into(),
        }
    }

    /// What the chat is told: short, honest, without the provider's own words.
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
                "I cannot use the model right now; whoever runs this bot has to look at it."
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
