//! A point in time that can be compared with a later one although the clock was set in between.

use heartbeat::Now;
use serde::{Deserialize, Serialize};

/// How far wall clock and time since boot may drift apart before the clock counts as set.
const DRIFT_MS: u64 = 5_000;

/// A point in time by both clocks: the wall clock for people, the time since boot for distances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    /// Milliseconds since 1970.
    pub time_ms: i64,
    /// The kernel's id of that boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Milliseconds since that boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_ms: Option<u64>,
}

impl From<&Now> for Timestamp {
    fn from(now: &Now) -> Self {
        Self { time_ms: now.time_ms, boot_id: now.boot_id.clone(), boot_ms: now.boot_ms }
    }
}

impl Timestamp {
    /// The distance by the time since boot, when both are of one boot.
    fn boot_distance_ms(&self, later: &Self) -> Option<u64> {
        let same = self.boot_id.is_some() && self.boot_id == later.boot_id;
        Some(later.boot_ms?.saturating_sub(self.boot_ms.filter(|_| same)?))
    }

    /// Milliseconds until `later`: by the time since boot within one boot, else by the wall clock,
    /// and then never less than 0.
    pub fn elapsed_ms(&self, later: &Self) -> u64 {
        self.boot_distance_ms(later).unwrap_or_else(|| {
            u64::try_from(later.time_ms.saturating_sub(self.time_ms)).unwrap_or(0)
        })
    }

    /// This time as the wall clock of `later` would have shown it, in milliseconds since 1970: when
    /// the clock was set in between, the later one counts. Never after `later`.
    pub fn seen_from_ms(&self, later: &Self) -> i64 {
        let Some(distance) = self.boot_distance_ms(later) else {
            return self.time_ms.min(later.time_ms);
        };
        let distance = i64::try_from(distance).unwrap_or(i64::MAX);
        let by_boot = later.time_ms.saturating_sub(distance);
        let drift = by_boot.abs_diff(self.time_ms);
        if drift > DRIFT_MS { by_boot } else { self.time_ms.min(later.time_ms) }
    }
}
