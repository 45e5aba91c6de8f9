//! The outcome of the question that the bot puts to itself.

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CanaryState {
    /// None is configured.
    #[default]
    None,
    /// It waits for the first poll, or for its first answer.
    Asked,
    /// The answer was the expected one.
    Passed,
    /// There was an answer, but not the expected one.
    Wrong,
    /// There was no answer, for this reason.
    Unanswered(&'static str),
    /// There was no answer, but a person's question has been answered since.
    Superseded,
}

/// The question as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Canary {
    /// Its last outcome.
    pub state: CanaryState,
    /// When that was, in milliseconds since the start of the process.
    pub at_ms: u64,
    /// When it was asked last, or put off because its budget was used up; likewise.
    pub tried_ms: u64,
    /// How often in a row it was not answered as expected.
    pub failures: u32,
}

impl CanaryState {
    /// The names of all states.
    pub const NAMES: [&str; 7] =
        ["none", "asked", "passed", "wrong", "unanswered", Self::OVER_BUDGET, "superseded"];

    /// Those that are counted when they come about.
    pub const OUTCOMES: [&str; 4] = ["passed", "wrong", "unanswered", Self::OVER_BUDGET];

    /// It could not be asked, because its budget is used up.
    pub const OVER_BUDGET: &str = "over_budget";

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Asked => "asked",
            Self::Passed => "passed",
            Self::Wrong => "wrong",
            Self::Unanswered(Self::OVER_BUDGET) => Self::OVER_BUDGET,
            Self::Unanswered(_) => "unanswered",
            Self::Superseded => "superseded",
        }
    }
}

impl Canary {
    /// With this outcome as the latest one.
    #[must_use]
    pub fn then(self, state: CanaryState, at_ms: u64) -> Self {
        let failures = match state {
            CanaryState::Wrong | CanaryState::Unanswered(_) => self.failures.saturating_add(1),
            _ => 0,
        };
        Self { state, at_ms, tried_ms: at_ms, failures }
    }

    /// As it stands when a provider answered last at `answered_ms`: a person who got an answer shows that there
    /// are answers again. It does not show that they are right.
    #[must_use]
    pub fn seen_with(self, answered_ms: Option<u64>) -> Self {
        match self.state {
            CanaryState::Unanswered(_) if answered_ms.is_some_and(|ms| ms > self.at_ms) => {
                Self { state: CanaryState::Superseded, failures: 0, ..self }
            }
            _ => self,
        }
    }
}
