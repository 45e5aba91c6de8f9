//! Where normal ends: plain numbers, which the configuration fills.

use std::time::Duration;

use super::report::{Sum, System, Totals};
use crate::model::limits;
use crate::observe::finding::Kind;

/// Where normal ends. Ratios are 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// Without a completed poll for this long the bot is deaf.
    pub poll_stalled: Duration,
    /// Polls that fail for this long.
    pub poll_failing: Duration,
    /// 409 answers that continue for this long come from another program, not from our own restart.
    pub conflict: Duration,
    /// Age of the oldest update that waits.
    pub inbox_age: Duration,
    /// Age of the oldest part that waits.
    pub outbox_age: Duration,
    /// Questions that fail one after the other.
    pub provider_failures: u32,
    /// Average duration of a question to the provider, in seconds.
    pub provider_slow_s: f64,
    /// Average time to the reply to a command, in seconds.
    pub response_s: f64,
    /// Share of the work that fails.
    pub error_ratio: f64,
    /// Share of the disk that is used.
    pub disk_ratio: f64,
    /// Share of the memory that is used.
    pub memory_ratio: f64,
    /// Share of the processors that is busy.
    pub cpu_ratio: f64,
    /// Average duration of a commit, in seconds.
    pub commit_slow_s: f64,
    /// Memory of the process in bytes that is a finding; 0 is never.
    pub rss_warn_bytes: u64,
    /// Memory of the process in bytes at which it should be replaced; 0 is never.
    pub rss_stop_bytes: u64,
    /// Documents that cannot be read; 0 is never.
    pub documents_unreadable: u64,
    /// Age of the oldest change of the documents that is not searched yet; 0 is never.
    pub documents_stale: Duration,
    /// Requests to the embeddings server, or to Qdrant, that fail one after the other; 0 is never.
    pub search_failures: u32,
    /// Share of the searches of an hour that find nothing.
    pub no_hit_ratio: f64,
    /// Share of the answers with documents that name no source.
    pub unsourced_ratio: f64,
    /// Age of the newest backup; 0 is never.
    pub backup_age: Duration,
    /// Whether there must be a backup.
    pub backup_required: bool,
    /// How long something that happened stays a finding.
    pub event: Duration,
    /// Stretches or shortens how long conditions must hold or be gone.
    pub debounce: f64,
}

/// In the first time after a start, an old poll of our own may still be open at Telegram, and the process
/// that this one replaces may still be ending.
const START: Duration = Duration::from_secs(60);

/// A conflict is over when so long has passed without a 409: a minute, with the time between two reports.
/// Other programs pause for less when a poll fails.
const UNDISTURBED: Duration = Duration::from_secs(55);

impl Thresholds {
    /// How long after a start conflicts do not open a finding.
    pub fn start(&self) -> Duration {
        START.mul_f64(self.debounce)
    }

    /// What a finding about a figure of the last minutes counts, and the average from which on it opens.
    pub fn figure(&self, kind: Kind, totals: &Totals) -> Option<(Sum, f64)> {
        match kind {
            // Each failure weighs 1, so that one is enough.
            Kind::ErrorRatio => Some((totals.failed, self.error_ratio)),
            Kind::ResponseSlow => Some((totals.commands, self.response_s)),
            Kind::ProviderSlow => Some((totals.provider, self.provider_slow_s)),
            Kind::StoreSlow => Some((totals.commits, self.commit_slow_s)),
            _ => None,
        }
    }

    /// How long after the last conflict the next one is another matter: never less than a round of our own
    /// pauses.
    pub fn undisturbed(&self) -> Duration {
        UNDISTURBED.mul_f64(self.debounce).max(limits::CONFLICT_PAUSE * 2)
    }
}

/// Whether the process uses so much memory that a fresh one should take its place.
pub fn over_limit(system: &System, thresholds: &Thresholds) -> bool {
    thresholds.rss_stop_bytes > 0 && system.rss_bytes >= thresholds.rss_stop_bytes
}
