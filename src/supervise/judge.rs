//! The verdict's second half: findings open and close with hysteresis, so that a figure at its
//! threshold is reported once.
//!
//! Invariants: time comes only from the readings; of one kind at most one finding is open; a
//! finding that opened is reported as closed exactly once.

use std::collections::BTreeMap;

use super::report::{Reading, Sum};
use super::thresholds::Thresholds;
use super::verdict::{Level, Seen, seen};
use super::window::SPAN;
use crate::observe::finding::{Finding, Kind, Verdict};

/// Remembers what is open.
#[derive(Debug)]
#[cfg_attr(test, derive(Default))]
pub struct Judge {
    thresholds: Thresholds,
    watched: BTreeMap<Kind, Watched>,
    opened: Vec<Finding>,
    closed: Vec<Finding>,
    /// What the figures counted when a finding about them closed, and when that was, by the readings.
    closed_at: BTreeMap<Kind, (Sum, u64)>,
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
        Self {
            thresholds,
            watched: BTreeMap::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            closed_at: BTreeMap::new(),
        }
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
                Some(seen) => self.holds(seen, reading),
                None => self.gone(kind, reading),
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

    fn holds(&mut self, seen: Seen, reading: &Reading) {
        let Seen { kind, level, severity, text } = seen;
        let since_ms = match self.watched.get_mut(&kind) {
            Some(Watched::Open { finding, gone_ms }) => {
                finding.text = text;
                finding.severity = severity;
                *gone_ms = None;
                return;
            }
            Some(Watched::Pending { since_ms }) => *since_ms,
            None => reading.now_ms,
        };
        if level == Level::Hold || !self.is_news(kind, reading) {
            return;
        }
        let held_ms = reading.now_ms.saturating_sub(since_ms);
        let watched = if held_ms >= self.scaled_ms(kind.facts().opens_after_s) {
            let finding = Finding { kind, severity, text, since_ms: reading.wall_ms };
            self.opened.push(finding.clone());
            Watched::Open { finding, gone_ms: None }
        } else {
            Watched::Pending { since_ms }
        };
        self.watched.insert(kind, watched);
    }

    /// Whether what happened since the finding closed would open it. What went well may leave the window
    /// first, and then what is over would open it again. Once all of it has left, the window is right again.
    fn is_news(&self, kind: Kind, reading: &Reading) -> bool {
        let figure = self.thresholds.figure(kind, &reading.recent.totals);
        let (Some((now, threshold)), Some((then, at_ms))) = (figure, self.closed_at.get(&kind))
        else {
            return true;
        };
        if reading.now_ms.saturating_sub(*at_ms) > SPAN.as_millis() as u64 {
            return true;
        }
        let new = now.since(*then);
        new.count > 0 && new.sum >= threshold * new.count as f64
    }

    fn gone(&mut self, kind: Kind, reading: &Reading) {
        let now_ms = reading.now_ms;
        let clear_ms = self.scaled_ms(kind.facts().closes_after_s);
        if let Some(Watched::Open { gone_ms, .. }) = self.watched.get_mut(&kind)
            && now_ms.saturating_sub(*gone_ms.get_or_insert(now_ms)) < clear_ms
        {
            return;
        }
        if let Some(Watched::Open { finding, .. }) = self.watched.remove(&kind) {
            self.closed.push(finding);
            let figure = self.thresholds.figure(kind, &reading.recent.totals);
            self.closed_at.extend(figure.map(|(sum, _)| (kind, (sum, now_ms))));
        }
    }

    /// Milliseconds.
    fn scaled_ms(&self, s: u64) -> u64 {
        // A cast saturates.
        (s as f64 * 1000.0 * self.thresholds.debounce) as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::observe::finding::Status;
    use crate::supervise::report::{Depth, System};

    /// All is well at `s` seconds since the start.
    fn healthy(s: u64) -> Reading {
        let mut reading =
            Reading { now_ms: s * 1000, wall_ms: s as i64 * 1000, ..Reading::default() };
        reading.polling.worked_ms = Some(s * 1000);
        reading.inbox = Some(Depth::default());
        reading.outbox = Some(Depth::default());
        reading
    }

    fn disk(s: u64, used: f64) -> Reading {
        let free = ((1.0 - used) * 1e6).round() as u64;
        let system =
            System { disk_total_bytes: 1_000_000, disk_free_bytes: free, ..System::default() };
        Reading { system: Some(system), ..healthy(s) }
    }

    fn inbox(s: u64, age_s: u64) -> Reading {
        let inbox = Some(Depth { count: 2, oldest_ms: Some(age_s * 1000) });
        Reading { inbox, ..healthy(s) }
    }

    #[test]
    fn a_figure_that_jitters_around_its_threshold_opens_once() {
        let mut judge = Judge::default();
        let jitter = [0.905, 0.899, 0.901, 0.88, 0.91, 0.84, 0.90, 0.895];
        let (mut opened, mut closed) = (0, 0);
        for i in 0..400 {
            judge.judge(&disk(i * 5, jitter[i as usize % jitter.len()]));
            opened += judge.opened().len();
            closed += judge.closed().len();
        }
        assert_eq!((opened, closed), (1, 0));
        for i in 400..420 {
            judge.judge(&disk(i * 5, 0.5));
            opened += judge.opened().len();
            closed += judge.closed().len();
        }
        assert_eq!((opened, closed), (1, 1));
    }

    #[test]
    fn it_opens_after_its_patience_and_closes_after_its_patience() {
        let mut judge = Judge::default();
        let mut status = |reading| judge.judge(&reading).status;
        assert_eq!(status(inbox(100, 130)), Status::Ok);
        assert_eq!(status(inbox(110, 140)), Status::Ok);
        assert_eq!(status(inbox(112, 5)), Status::Ok, "a blip");
        assert_eq!(status(inbox(120, 130)), Status::Ok);
        assert_eq!(status(inbox(134, 144)), Status::Ok);
        assert_eq!(status(inbox(135, 145)), Status::Failing);
        assert_eq!(status(inbox(140, 118)), Status::Failing, "held a little below");
        assert_eq!(status(healthy(150)), Status::Failing);
        assert_eq!(status(healthy(164)), Status::Failing);
        assert_eq!(status(healthy(165)), Status::Ok);
    }

    #[test]
    fn what_is_certain_opens_at_once_and_reports_its_change_once() {
        let mut judge = Judge::default();
        let deaf = |s| Reading { polling: healthy(100).polling, ..healthy(s) };
        assert_eq!(judge.judge(&deaf(174)).status, Status::Ok);
        let verdict = judge.judge(&deaf(175));
        assert_eq!(verdict.findings[0].kind, Kind::PollStalled);
        assert_eq!(verdict.findings[0].since_ms, 175_000);
        assert_eq!(judge.opened(), verdict.findings);
        let verdict = judge.judge(&deaf(180));
        assert_eq!(
            verdict.findings[0].text, "no poll was completed for 1 min 20 s",
            "the text follows"
        );
        assert_eq!(verdict.findings[0].since_ms, 175_000, "its time does not");
        assert!(judge.opened().is_empty());
        assert_eq!(judge.judge(&healthy(185)).status, Status::Ok);
        assert_eq!(judge.closed().len(), 1);
        judge.judge(&healthy(190));
        assert!(judge.closed().is_empty());
    }

    #[test]
    fn a_clock_jump_is_reported_for_some_minutes() {
        let mut judge = Judge::default();
        let verdict = judge.judge(&Reading { clock_jump_ms: -90_000, ..healthy(100) });
        assert_eq!(verdict.findings[0].text, "the time of day jumped back by 1 min 30 s");
        for s in [105, 200, 404] {
            assert_eq!(judge.judge(&healthy(s)).findings, verdict.findings, "{s}");
        }
        assert_eq!(judge.judge(&healthy(405)).status, Status::Ok);
    }

    /// So much of the work of the last minutes failed, and so much in all.
    fn work(s: u64, done: u64, failed: u64, in_all: u64) -> Reading {
        let mut reading = healthy(s);
        (reading.recent.window_s, reading.recent.done, reading.recent.failed) = (300, done, failed);
        reading.recent.totals.failed = Sum { count: in_all, sum: in_all as f64 };
        reading
    }

    #[test]
    fn errors_that_were_reported_do_not_open_it_again_when_successes_leave_the_window() {
        let mut judge = Judge::default();
        assert_eq!(judge.judge(&work(100, 90, 10, 10)).status, Status::Degraded);
        judge.judge(&work(110, 990, 10, 10));
        assert_eq!(judge.judge(&work(170, 990, 10, 10)).status, Status::Ok, "it closed");
        for s in (180..400).step_by(5) {
            assert_eq!(judge.judge(&work(s, 20, 10, 10)).status, Status::Ok, "nothing is new");
        }
        assert_eq!(judge.judge(&work(400, 20, 11, 11)).status, Status::Degraded, "a new error");
    }

    #[test]
    fn slow_commands_that_were_reported_do_not_open_it_again_when_fast_ones_leave_the_window() {
        let mut judge = Judge::default();
        let commands = |s, average: f64, count: u64, sum: f64| {
            let mut reading = healthy(s);
            reading.recent.command_s = Some(average);
            reading.recent.totals.commands = Sum { count, sum };
            reading
        };
        assert_eq!(judge.judge(&commands(100, 3.0, 10, 30.0)).status, Status::Degraded);
        judge.judge(&commands(110, 0.5, 110, 40.0));
        assert_eq!(judge.judge(&commands(170, 0.5, 110, 40.0)).status, Status::Ok);
        assert_eq!(
            judge.judge(&commands(200, 3.0, 120, 41.0)).status,
            Status::Ok,
            "new: 0.1 s each"
        );
        assert_eq!(judge.judge(&commands(210, 3.0, 121, 65.0)).status, Status::Degraded);
    }

    #[test]
    fn a_slowdown_long_after_the_last_one_opens_again() {
        let mut judge = Judge::default();
        let answers = |s, average: f64, count: u64, sum: f64| {
            let mut reading = healthy(s);
            reading.recent.command_s = Some(average);
            reading.recent.totals.commands = Sum { count, sum };
            reading
        };
        assert_eq!(judge.judge(&answers(100, 3.0, 10, 30.0)).status, Status::Degraded);
        judge.judge(&answers(110, 0.1, 110, 40.0));
        assert_eq!(judge.judge(&answers(170, 0.1, 110, 40.0)).status, Status::Ok);
        // A thousand fast ones over an hour; then every one is slow.
        assert_eq!(judge.judge(&answers(3_770, 0.1, 1_110, 140.0)).status, Status::Ok);
        assert_eq!(judge.judge(&answers(3_800, 5.0, 1_120, 190.0)).status, Status::Degraded);
    }

    #[test]
    fn new_thresholds_count_from_the_next_reading() {
        let mut judge = Judge::default();
        for s in [0, 10] {
            judge.judge(&disk(s, 0.92));
        }
        assert_eq!(judge.opened().len(), 1);
        judge.set_thresholds(Thresholds {
            disk_ratio: 0.99,
            debounce: 0.1,
            ..Thresholds::default()
        });
        judge.judge(&disk(15, 0.92));
        assert!(judge.closed().is_empty());
        judge.judge(&disk(21, 0.92));
        assert_eq!(judge.closed().len(), 1, "a tenth of the usual patience");
    }

    #[test]
    fn a_store_that_cannot_be_asked_closes_nothing_and_opens_nothing() {
        let mut judge = Judge::default();
        let blind = |s| Reading { inbox: None, outbox: None, ..healthy(s) };
        for s in 0..100 {
            assert_eq!(judge.judge(&blind(s)).status, Status::Ok);
        }
        for s in 100..120 {
            judge.judge(&inbox(s, 500));
        }
        assert_eq!(judge.judge(&blind(900)).findings[0].kind, Kind::InboxOld);
    }

    proptest! {
        /// Whatever the figure does, changes alternate, and a finding stays for its patience.
        #[test]
        fn changes_alternate_and_are_rare(used in prop::collection::vec(0.80..0.95, 1..300)) {
            let mut judge = Judge::default();
            let mut opened_at = None;
            for (i, used) in used.iter().enumerate() {
                let s = i as u64 * 5;
                let verdict = judge.judge(&disk(s, *used));
                prop_assert!(judge.opened().len() + judge.closed().len() <= 1);
                if !judge.opened().is_empty() {
                    prop_assert_eq!(opened_at, None);
                    opened_at = Some(s);
                }
                if !judge.closed().is_empty() {
                    prop_assert!(s >= opened_at.take().expect("it was open") + 60);
                }
                prop_assert_eq!(verdict.findings.len(), usize::from(opened_at.is_some()));
            }
        }
    }
}
