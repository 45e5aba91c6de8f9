//! The verdict's second half: findings open and close with hysteresis, so that a figure at its
//! threshold is told once.
//!
//! Invariants: time comes only from the readings; of one kind at most one finding is open; a
//! finding that opened is told as closed exactly once.

use std::collections::BTreeMap;

use super::report::Reading;
use super::thresholds::Thresholds;
use super::verdict::{Level, seen};
use crate::model::finding::{Finding, Kind, Verdict};

/// How long, in seconds, a condition must hold before its finding opens, and be gone before it
/// closes. Zero where one look is certain: the condition has a duration of its own, or a person
/// must act anyway.
fn patience(kind: Kind) -> (u64, u64) {
    match kind {
        // The beat's own deadline was missed already.
        Kind::StageStalled => (0, 10),
        // Each is a duration that has passed, or ends with one certain event.
        Kind::PollStalled | Kind::TokenRefused | Kind::Conflict => (0, 0),
        // One poll that works between many that fail is no recovery.
        Kind::PollFailing => (0, 10),
        Kind::StoreFailing => (0, 30),
        // After a start or a pause old work is there for a moment, and is being done.
        Kind::InboxOld | Kind::OutboxOld => (15, 15),
        Kind::BacklogFull => (5, 30),
        Kind::ProviderFailing => (0, 15),
        // Averages of minutes are steady already.
        Kind::ProviderSlow | Kind::ResponseSlow | Kind::StoreSlow | Kind::ErrorRatio => (0, 60),
        // Events stay for a configured time.
        Kind::DeliveryRefused
        | Kind::PossibleDuplicate
        | Kind::UpdateGivenUp
        | Kind::StoreCorrupt
        | Kind::ConfigRejected => (0, 0),
        Kind::DiskFull => (10, 60),
        // More than one sample a minute.
        Kind::MemoryHigh | Kind::RssHigh => (90, 120),
        Kind::CpuHigh => (150, 120),
        // Seen in one reading only; told for some minutes.
        Kind::ClockJumped => (0, 300),
    }
}

/// Remembers what is open.
#[derive(Debug, Default)]
pub struct Judge {
    thresholds: Thresholds,
    watched: BTreeMap<Kind, Watched>,
    opened: Vec<Finding>,
    closed: Vec<Finding>,
}

/// One kind whose condition holds, or held until lately. Times are those of the readings.
#[derive(Debug)]
enum Watched {
    /// The condition holds since then, but not for long enough.
    Pending { since_ms: u64 },
    /// The finding is open; the condition is gone since `gone_ms`.
    Open { finding: Finding, gone_ms: Option<u64> },
}

impl Judge {
    /// Nothing is open yet.
    pub fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, ..Self::default() }
    }

    /// The thresholds in force.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Other thresholds from the next reading on; what is open stays open until its condition is
    /// gone.
    pub fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.thresholds = thresholds;
    }

    /// What this reading means, after those before it.
    pub fn judge(&mut self, reading: &Reading) -> Verdict {
        self.opened.clear();
        self.closed.clear();
        let mut seen: BTreeMap<Kind, _> =
            seen(reading, &self.thresholds).into_iter().map(|s| (s.kind, s)).collect();
        for kind in Kind::ALL {
            match seen.remove(&kind) {
                Some(seen) => self.holds(kind, seen.level, seen.text, reading),
                None => self.gone(kind, reading.now_ms),
            }
        }
        let open = self.watched.values().filter_map(|w| match w {
            Watched::Open { finding, .. } => Some(finding.clone()),
            Watched::Pending { .. } => None,
        });
        Verdict::of(open.collect())
    }

    /// What the last call of [`Judge::judge`] opened.
    pub fn opened(&self) -> &[Finding] {
        &self.opened
    }

    /// What the last call of [`Judge::judge`] closed, with the text it had last.
    pub fn closed(&self) -> &[Finding] {
        &self.closed
    }

    fn holds(&mut self, kind: Kind, level: Level, text: String, reading: &Reading) {
        let since_ms = match self.watched.get_mut(&kind) {
            Some(Watched::Open { finding, gone_ms }) => {
                finding.text = text;
                *gone_ms = None;
                return;
            }
            Some(Watched::Pending { since_ms }) => *since_ms,
            None => reading.now_ms,
        };
        if level == Level::Hold {
            return;
        }
        let held_ms = reading.now_ms.saturating_sub(since_ms);
        let watched = if held_ms >= self.scaled_ms(patience(kind).0) {
            let severity = kind.severity();
            let finding = Finding { kind, severity, text, since_ms: reading.wall_ms };
            self.opened.push(finding.clone());
            Watched::Open { finding, gone_ms: None }
        } else {
            Watched::Pending { since_ms }
        };
        self.watched.insert(kind, watched);
    }

    fn gone(&mut self, kind: Kind, now_ms: u64) {
        let clear_ms = self.scaled_ms(patience(kind).1);
        if let Some(Watched::Open { gone_ms, .. }) = self.watched.get_mut(&kind)
            && now_ms.saturating_sub(*gone_ms.get_or_insert(now_ms)) < clear_ms
        {
            return;
        }
        if let Some(Watched::Open { finding, .. }) = self.watched.remove(&kind) {
            self.closed.push(finding);
        }
    }

    /// Milliseconds.
    fn scaled_ms(&self, s: u64) -> u64 {
        // A cast saturates.
        (s as f64 * 1000.0 * self.thresholds.patience) as u64
    }
}
