//! Counts that the stages report; who reads them is not the stages' business.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::limits;

/// What has happened since the start. Shared by all stages, cheap to write.
#[derive(Debug, Default)]
pub struct Vitals {
    /// Polls that Telegram answered.
    pub polls: Count,
    /// Polls that failed, whatever the reason.
    pub polls_failed: Count,
    /// 409 answers to polls.
    pub conflicts: Count,
    /// 429 answers to any call.
    pub rate_limited: Count,
    /// Updates accepted into the inbox.
    pub updates: Count,
    /// Updates that were delivered again and not stored twice.
    pub updates_repeated: Count,
    /// Commands that were answered.
    pub commands: Count,
    /// Questions that got an answer.
    pub answers: Count,
    /// Questions whose provider failed.
    pub answers_failed: Count,
    /// Parts that arrived.
    pub sent: Count,
    /// Parts that Telegram refused for good.
    pub dropped: Count,
    /// Parts found to have arrived by the reconciler.
    pub reconciled_arrived: Count,
    /// Parts found not to have arrived by the reconciler, and sent again.
    pub reconciled_lost: Count,
    /// Parts sent again although they may have arrived.
    pub possible_duplicates: Count,
    labelled: Mutex<BTreeMap<(&'static str, String), u64>>,
}

/// One count that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Vitals {
    /// Counts something with a name of its own, such as an ignored kind of update. The number of
    /// different names is bounded; what exceeds it is counted as `other`.
    pub fn tally(&self, family: &'static str, label: &str) {
        let mut map = self.labelled.lock().unwrap_or_else(PoisonError::into_inner);
        let full = map.len() >= limits::TALLY_LABELS;
        let key = (family, label.to_owned());
        let key = if full && !map.contains_key(&key) { (family, "other".to_owned()) } else { key };
        *map.entry(key).or_default() += 1;
    }

    /// Everything tallied in one family, by label.
    pub fn tallied(&self, family: &'static str) -> Vec<(String, u64)> {
        let map = self.labelled.lock().unwrap_or_else(PoisonError::into_inner);
        map.iter().filter(|((f, _), _)| *f == family).map(|((_, l), n)| (l.clone(), *n)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded() {
        let vitals = Vitals::default();
        for i in 0..limits::TALLY_LABELS * 2 {
            vitals.tally("ignored", &format!("kind{i}"));
        }
        let rows = vitals.tallied("ignored");
        assert!(rows.len() <= limits::TALLY_LABELS + 1);
        assert_eq!(rows.iter().map(|(_, n)| n).sum::<u64>(), limits::TALLY_LABELS as u64 * 2);
    }
}
