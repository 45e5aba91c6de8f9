//! Which providers are not asked, kept over a restart.

/// A model of a provider that is not asked. Times are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBreaker {
    /// The provider as configured.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The class of the last failure, as logs and metrics name it.
    pub class: String,
    /// Only an act of a person helps.
    pub is_unusable: bool,
    /// When it began.
    pub since_ms: i64,
    /// When it is asked again.
    pub until_ms: i64,
    /// Milliseconds of the cooldown, without jitter.
    pub cooldown_ms: i64,
}
