//! What one look found.

use crate::cli::style::Mark;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// What was checked.
    pub(super) name: &'static str,
    pub(super) mark: Mark,
    pub(super) text: String,
    /// What to do, a line each.
    pub(super) advice: Vec<String>,
    /// Whether the configuration has to be fixed, rather than something outside it.
    pub(super) is_config: bool,
}

impl Check {
    pub(super) fn good(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, mark: Mark::Good, text: text.into(), advice: Vec::new(), is_config: false }
    }

    /// What was not looked at, and need not be.
    pub(super) fn skipped(name: &'static str, text: impl Into<String>) -> Self {
        Self { mark: Mark::Skipped, ..Self::good(name, text) }
    }

    /// The same with these lines of advice.
    pub(super) fn advised(self, advice: Vec<String>) -> Self {
        Self { advice, ..self }
    }

    pub(super) fn note(
        name: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let advice = vec![advice.into()];
        Self { mark: Mark::Note, advice, ..Self::good(name, text) }
    }

    pub(super) fn bad(
        name: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { mark: Mark::Bad, ..Self::note(name, text, advice) }
    }

    pub(super) fn config(self) -> Self {
        Self { is_config: true, ..self }
    }
}
