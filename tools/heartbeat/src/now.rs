//! A point in time by three clocks: the wall clock for people, the time since boot for distances, and
//! the time awake for programs, which do nothing while the machine sleeps.
//!
//! It can be compared with a later one although the wall clock was set in between.

use std::time::{SystemTime, UNIX_EPOCH};

use hygiene::uptime;
use serde::{Deserialize, Serialize};

/// How far the two clocks may drift apart before the wall clock counts as set.
const DRIFT_MS: u64 = 5_000;

/// A point in time, once the present. The wall clock may jump; the time since boot cannot, and
/// counts suspend; the time awake does not count it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Milliseconds since 1970, by the wall clock.
    pub time_ms: i64,
    /// The kernel's random id of this boot; `None` where the kernel reports none.
    pub boot_id: Option<String>,
    /// Milliseconds since boot, suspend included; `None` where the kernel reports none.
    pub boot_ms: Option<u64>,
    /// Milliseconds that the machine was awake since boot; `None` where that was not written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awake_ms: Option<u64>,
}

impl Now {
    /// Asks the clocks (`CLOCK_REALTIME`, `CLOCK_BOOTTIME`, `CLOCK_MONOTONIC`), and the kernel for
    /// `/proc/sys/kernel/random/boot_id`.
    pub fn read() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let time_ms = match since {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let boot_id = boot_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        let (boot_ms, awake_ms) = (Some(uptime::since_boot_ms()), Some(uptime::awake_ms()));
        Self { time_ms, boot_id, boot_ms, awake_ms }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time_ms: i64, boot: &str, boot_ms: u64) -> Now {
        let boot_id = Some(boot.to_owned());
        Now { time_ms, boot_id, boot_ms: Some(boot_ms), awake_ms: None }
    }

    #[test]
    fn a_clock_that_was_set_changes_no_distance() {
        let day = 86_400_000;
        let start = at(10 * day, "a", 1_000);
        for jump in [-day, 0, day] {
            let later = at(10 * day + 60_000 + jump, "a", 61_000);
            assert_eq!(start.elapsed_ms(&later), 60_000);
            assert_eq!(start.seen_from_ms(&later), 10 * day + jump);
        }
    }

    #[test]
    fn over_a_boot_the_wall_clock_counts_and_never_backwards() {
        let start = at(1_000_000, "a", 900_000);
        let later = at(1_600_000, "b", 5_000);
        assert_eq!(start.elapsed_ms(&later), 600_000);
        assert_eq!(start.seen_from_ms(&later), 1_000_000);
        let earlier = at(400_000, "b", 5_000);
        assert_eq!(start.elapsed_ms(&earlier), 0);
        assert_eq!(start.seen_from_ms(&earlier), 400_000);
    }

    #[test]
    fn small_drift_is_not_shown() {
        let start = at(1_000_000, "a", 0);
        assert_eq!(start.seen_from_ms(&at(1_064_000, "a", 60_000)), 1_000_000);
        assert_eq!(start.seen_from_ms(&at(1_066_000, "a", 60_000)), 1_006_000);
    }

    #[test]
    fn time_since_boot_advances() {
        let (a, b) = (Now::read(), Now::read());
        assert_eq!(a.boot_id, b.boot_id);
        assert!(a.boot_ms <= b.boot_ms && a.awake_ms <= b.awake_ms, "{a:?} {b:?}");
        assert!(a.time_ms > 1_700_000_000_000);
    }
}
