//! What a server makes of texts, or why it does not.

use crate::model::class::AnswerClass;
use crate::provider::failure::ProviderError;

/// The longest vector: no model has half as many dimensions.
pub(super) const DIMENSIONS_MAX: usize = 8192;

/// What a server made of some texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// A vector for each text, in their order.
    pub vectors: Vec<Vec<f32>>,
    /// How many tokens the texts had, where the server said that.
    pub tokens: Option<u64>,
}

/// Why there are no vectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddingsError {
    /// The server refused, failed, or could not be reached.
    #[error("{0}")]
    Call(#[from] ProviderError),
    /// It answered with another number of vectors than there were texts.
    #[error("the server sent {got} vectors for {asked} texts")]
    Count {
        /// Texts.
        asked: usize,
        /// Vectors.
        got: usize,
    },
    /// A vector has another length than it should.
    #[error(
        "the server sent a vector of {got} dimensions, {expected} were expected; is it still the same model?"
    )]
    Dimensions {
        /// As many as were asked for, or as the other vectors have.
        expected: usize,
        /// As many as there are.
        got: usize,
    },
    /// A vector cannot be one.
    #[error("the server sent a vector that is {what}")]
    Nonsense {
        /// What it is.
        what: &'static str,
    },
}

impl EmbeddingsError {
    /// The class, for logs and metrics.
    pub fn class(&self) -> AnswerClass {
        match self {
            Self::Call(error) => error.answer_class(),
            Self::Count { .. } | Self::Dimensions { .. } | Self::Nonsense { .. } => {
                AnswerClass::Garbage
            }
        }
    }
}
