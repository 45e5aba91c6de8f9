//! One look at the bot for one answer: the last report, how old it is, and what stands in the
//! vitals now.

use std::sync::Arc;

use jiff::Timestamp;

use super::parts::{About, Parts};
use crate::model::limits;
use crate::observe::dependency::DependencyState;
use crate::observe::finding::{Finding, Kind, Severity, Status};
use crate::observe::vitals::Vitals;
use crate::supervise::{Phase, Report};

/// One moment.
pub(super) struct View<'a> {
    pub about: Arc<About>,
    pub vitals: &'a Vitals,
    pub report: Arc<Report>,
    /// Milliseconds since the start of the process.
    pub now_ms: u64,
    /// Since the last report was made, or since the start when there is none.
    pub report_age_ms: u64,
    /// Whether reports have stopped coming.
    pub stale: bool,
}

/// The state of the whole or of a dependency, as `/health` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Healthy,
    Degraded,
    Unhealthy,
    /// Nothing is known of it yet.
    Unknown,
}

impl<'a> View<'a> {
    /// How it stands now.
    pub(super) fn of(parts: &'a Parts) -> Self {
        let Parts { report_hub, vitals, about, report_every, .. } = parts;
        let report = report_hub.report();
        let now_ms = vitals.now_ms();
        let report_age_ms = now_ms.saturating_sub(report.reading.now_ms);
        let bound = *report_every * 3 + limits::REPORT_SLACK;
        let stale = u128::from(report_age_ms) > bound.as_millis();
        let about = about.load_full();
        Self { about, vitals, report, now_ms, report_age_ms, stale }
    }
}

impl View<'_> {
    /// What is wrong, worst first.
    pub fn findings(&self) -> &[Finding] {
        &self.report.verdict.findings
    }

    /// The state of the whole.
    pub fn health(&self) -> Health {
        match self.report.verdict.status {
            _ if self.stale => Health::Unhealthy,
            Status::Ok => Health::Healthy,
            Status::Degraded => Health::Degraded,
            Status::Failing => Health::Unhealthy,
        }
    }

    /// The text for a stalled supervisor.
    pub fn stale_words(&self) -> Option<String> {
        self.stale.then(|| {
            let age = self.report_age_ms / 1000;
            format!("the supervisor is stalled: its last report is {age} s old")
        })
    }

    /// Why a question that is asked now may stay without an answer; empty when it would not.
    pub fn obstacles(&self, full: bool) -> Vec<String> {
        let mut reasons = Vec::new();
        match self.report.phase {
            Phase::Starting => {
                let waits_for = self.report.reading.waits_for_state;
                let what = waits_for.unwrap_or("Telegram has not answered a poll yet");
                reasons.push(format!("starting: {what}"));
            }
            Phase::Draining => reasons.push("stopping: no new updates are accepted".into()),
            Phase::Running => {}
        }
        reasons.extend(self.stale_words());
        reasons.extend(self.named(|f| f.blocks_answers(), full));
        if reasons.is_empty() && !self.report.is_ready() {
            reasons.push("the last report says so".into());
        }
        reasons
    }

    /// Why the process makes no progress, so that a restart may help; empty when it does.
    pub fn standstills(&self, full: bool) -> Vec<String> {
        let stalled = self.named(|f| f.kind == Kind::StageStalled, full);
        self.stale_words().into_iter().chain(stalled).collect()
    }

    /// The findings that are meant: names, and texts if `full`.
    fn named(&self, is_meant: fn(&Finding) -> bool, full: bool) -> impl Iterator<Item = String> {
        self.findings().iter().filter(move |f| is_meant(f)).map(move |f| {
            if full { format!("{}: {}", f.kind.name(), f.text) } else { f.kind.name().to_owned() }
        })
    }

    /// Seconds since a call of this dependency worked.
    pub fn worked_age_s(&self, run: &DependencyState) -> Option<f64> {
        run.worked_ms.map(|at| seconds(self.now_ms.saturating_sub(at)))
    }

    /// When an update was last done, Unix milliseconds.
    pub fn processed_at_ms(&self) -> Option<i64> {
        let at = self.vitals.processed_at_ms.load(std::sync::atomic::Ordering::Relaxed);
        (at > 0).then_some(at)
    }

    /// Seconds since then.
    pub fn processed_age_s(&self) -> Option<f64> {
        let age = self.processed_at_ms().map(|at| self.vitals.wall_ms().saturating_sub(at).max(0));
        age.and_then(|ms| u64::try_from(ms).ok()).map(seconds)
    }
}

/// Milliseconds as seconds.
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// Unix milliseconds as RFC 3339, whole seconds.
pub(super) fn time(ms: i64) -> Option<String> {
    Timestamp::from_second(ms.div_euclid(1000)).ok().map(|t| t.to_string())
}

impl Health {
    /// The word in `/health` and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

/// What a severity means for one dependency.
impl From<Severity> for Health {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Degraded => Self::Degraded,
            Severity::Failing => Self::Unhealthy,
        }
    }
}
