//! What the bot works on; durations are measured for each kind.

/// Kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkKind {
    /// A command; for deliveries, everything that is not an answer.
    Command,
    /// A question to the provider, and its answer.
    Question,
}

impl WorkKind {
    /// The word for metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Question => "question",
        }
    }
}
