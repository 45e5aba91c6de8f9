//! How the providers of the list stand, for those who watch.

use crate::model::class::AnswerClass;

/// One model of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderState {
    /// As configured.
    pub name: String,
    /// The model that is asked.
    pub model: String,
    /// Why it is not asked; `None` while it is.
    pub outage: Option<ProviderOutage>,
}

/// Why a provider is not asked. Times are milliseconds since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderOutage {
    /// What failed last.
    pub class: AnswerClass,
    /// Nothing but an act of a person helps.
    pub is_unusable: bool,
    /// A probe is on its way.
    pub is_probed: bool,
    /// For how long already when this was noted.
    pub lasts_ms: u64,
    /// When this was noted.
    pub noted_ms: u64,
    /// When it is asked again.
    pub until_ms: u64,
}

impl ProviderState {
    /// The word for metrics and reports.
    pub fn word(&self) -> &'static str {
        match self.outage {
            None => "closed",
            Some(outage) if outage.is_probed => "half_open",
            Some(_) => "open",
        }
    }
}

impl ProviderOutage {
    /// For how long at `now_ms`.
    pub fn lasts_ms(&self, now_ms: u64) -> u64 {
        self.lasts_ms.saturating_add(now_ms.saturating_sub(self.noted_ms))
    }

    /// Milliseconds until it is asked again.
    pub fn due_ms(&self, now_ms: u64) -> u64 {
        self.until_ms.saturating_sub(now_ms)
    }
}
