//! Why a question has no answer.

use super::breaker::Outcome;
use crate::model::budget::OverBudget;
use crate::model::class::AnswerClass;
use crate::model::failure::{Blame, Classify, RetryPolicy, chain};
use crate::model::reply::Reply;
use crate::provider::ProviderError;
use crate::store::StoreError;

/// Why there is no answer.
pub(super) enum AnswerError {
    Provider(ProviderError),
    FirstTokenLate,
    /// The same by the provider's own threshold, while there was another to ask.
    Slow,
    Late,
    Empty,
    /// The model thought until its room was used up.
    TokensUsedUp,
    /// It does not fit into a budget.
    OverBudget(OverBudget),
    /// What it would cost cannot be written down.
    Ledger(StoreError),
    /// Our own limits, or what the server asked for, leave no room in time.
    AtLimit,
}

impl AnswerError {
    /// Whether the provider is not the cause, so that this says nothing about its health.
    pub(super) fn is_askers(&self) -> bool {
        match self {
            Self::Provider(e) => e.blame() == Blame::User,
            // No provider was asked.
            Self::OverBudget(_) | Self::Ledger(_) | Self::AtLimit => true,
            _ => false,
        }
    }

    /// Whether another provider may answer what this one did not.
    pub(super) fn passes_on(&self) -> bool {
        !matches!(
            self,
            Self::TokensUsedUp | Self::Ledger(_) | Self::Provider(ProviderError::Filtered)
        )
    }

    /// What it says about the provider.
    pub(super) fn outcome(&self) -> Outcome {
        let class = self.class();
        match self {
            _ if self.is_askers() => Outcome::Neutral,
            Self::TokensUsedUp | Self::AtLimit | Self::OverBudget(_) | Self::Ledger(_) => {
                Outcome::Neutral
            }
            Self::Provider(error) => match class {
                AnswerClass::Auth
                | AnswerClass::Quota
                | AnswerClass::NotFound
                | AnswerClass::Config => Outcome::Unusable(class),
                _ => {
                    let wait = match error.retry_policy() {
                        RetryPolicy::After(wait) => u64::try_from(wait.as_millis()).ok(),
                        RetryPolicy::Backoff | RetryPolicy::Never => None,
                    };
                    Outcome::Failed { class, retry_after_ms: wait }
                }
            },
            Self::FirstTokenLate | Self::Slow | Self::Late | Self::Empty => {
                Outcome::Failed { class, retry_after_ms: None }
            }
        }
    }

    pub(super) fn class(&self) -> AnswerClass {
        match self {
            Self::Provider(e) => e.answer_class(),
            Self::FirstTokenLate | Self::Slow => AnswerClass::FirstTokenTimeout,
            Self::Late => AnswerClass::Timeout,
            Self::Empty => AnswerClass::Empty,
            Self::TokensUsedUp => AnswerClass::TokensUsedUp,
            Self::OverBudget(_) => AnswerClass::OverBudget,
            Self::Ledger(_) => AnswerClass::Ledger,
            Self::AtLimit => AnswerClass::RateLimit,
        }
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Provider(e) => chain(e),
            Self::FirstTokenLate => "the first words did not arrive in time".into(),
            Self::Slow => "no word arrived within slow_after_s".into(),
            Self::Late => "the answer was not complete in time".into(),
            Self::Empty => "the answer shows nothing".into(),
            Self::TokensUsedUp => "the model used all of its tokens before it wrote an answer; \
                                   raise answer.max_output_tokens"
                .into(),
            Self::OverBudget(over) => format!(
                "too little is left of the budget of a {}: {} of {} are spent ({})",
                over.period.as_str(),
                over.spent,
                over.limit,
                over.scope.as_str()
            ),
            Self::Ledger(e) => format!("what it would cost cannot be written down: {}", chain(e)),
            Self::AtLimit => "the provider takes no more requests before the answer would be late: by \
                              its own words, or by requests_per_minute, tokens_per_minute or parallel"
                .into(),
        }
    }

    /// What the chat sees: short, honest, without the provider's own text. `chosen` is the model that
    /// people chose for this chat, if that one failed.
    pub(super) fn reply(&self, chosen: Option<&str>) -> Reply {
        let words = match self.class() {
            AnswerClass::FirstTokenTimeout | AnswerClass::Timeout => {
                "The model took too long, so I stopped waiting."
            }
            AnswerClass::Empty => "The model returned an empty answer.",
            AnswerClass::TokensUsedUp => {
                "The model used up its room for thinking before it wrote an answer; the operator of \
                 this bot can give it more. A simpler question may still work."
            }
            AnswerClass::RateLimit | AnswerClass::Overloaded => {
                "The model is busy right now and refused the question."
            }
            AnswerClass::OverBudget => "Nothing is left to spend for now.",
            AnswerClass::Ledger => "I cannot note down what an answer costs, so I ask no one.",
            AnswerClass::TooLong => "This message alone is too long for the model.",
            AnswerClass::Auth
            | AnswerClass::Quota
            | AnswerClass::NotFound
            | AnswerClass::BadRequest
            | AnswerClass::Config => match chosen {
                Some(_) => "I cannot use the model that was chosen here.",
                None => {
                    "I cannot use the model right now; the operator of this bot has to fix that."
                }
            },
            AnswerClass::Filtered => "The provider's filter refused this question.",
            AnswerClass::Server
            | AnswerClass::Unreachable
            | AnswerClass::Garbage
            | AnswerClass::Cut => "I could not reach the model, or its answer broke off.",
        };
        let way_back = way_back(chosen);
        Reply::plain(format!("{words}{way_back} Your question is kept; nothing was lost."))
    }
}

/// How to leave a model that was chosen in the conversation; begins with a blank.
pub(super) fn way_back(chosen: Option<&str>) -> String {
    chosen.map_or_else(String::new, |model| {
        format!(" Here {model} answers; /model default goes back to the usual model.")
    })
}
