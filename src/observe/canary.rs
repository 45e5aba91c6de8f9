//! The outcome of the question that the bot puts to itself after a start.

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CanaryState {
    /// None is configured.
    #[default]
    None,
    /// It waits for the first poll, or for its answer.
    Asked,
    /// The answer was the expected one.
    Passed,
    /// There was an answer, but not the expected one.
    Wrong,
    /// There was no answer, for this reason.
    Unanswered(&'static str),
}

impl CanaryState {
    /// The names of all states.
    pub const NAMES: [&str; 5] = ["none", "asked", "passed", "wrong", "unanswered"];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Asked => "asked",
            Self::Passed => "passed",
            Self::Wrong => "wrong",
            Self::Unanswered(_) => "unanswered",
        }
    }
}
