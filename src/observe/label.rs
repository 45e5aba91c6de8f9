//! Labels of series of durations and sizes.

use crate::model::class::CallOutcome;
use crate::model::work::WorkKind;

/// The value of one label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// The family has no such label, or the value is not known.
    None,
    /// A name that comes from elsewhere, such as a method or a model.
    Name(String),
    /// A model of a provider, as configured.
    Model {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
    },
    /// What was worked on.
    Work(WorkKind),
    /// How a call ended.
    Outcome(CallOutcome),
    /// Work that ended without what was asked for.
    Failed,
    /// Whose tokens were counted.
    Tokens(TokenKind),
    /// What exceeds the bound on the number of series.
    Other,
}

/// Whose tokens were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    /// The question's, with everything that goes along with it.
    Input,
    /// The answer's.
    Output,
}

impl Label {
    /// A model of a provider.
    pub fn model(provider: &str, model: &str) -> Self {
        Self::Model { provider: provider.to_owned(), model: model.to_owned() }
    }

    /// The provider, where it is known.
    pub fn provider(&self) -> Option<&str> {
        match self {
            Self::Model { provider, .. } => Some(provider),
            _ => None,
        }
    }

    /// The word for metrics.
    pub fn as_str(&self) -> &str {
        match self {
            Self::None => "",
            Self::Name(name) | Self::Model { model: name, .. } => name,
            Self::Work(kind) => kind.as_str(),
            Self::Outcome(outcome) => outcome.as_str(),
            Self::Failed => "failed",
            Self::Tokens(TokenKind::Input) => "input",
            Self::Tokens(TokenKind::Output) => "output",
            Self::Other => "other",
        }
    }
}

impl From<&str> for Label {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<WorkKind> for Label {
    fn from(kind: WorkKind) -> Self {
        Self::Work(kind)
    }
}

impl From<CallOutcome> for Label {
    fn from(outcome: CallOutcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl From<TokenKind> for Label {
    fn from(kind: TokenKind) -> Self {
        Self::Tokens(kind)
    }
}
