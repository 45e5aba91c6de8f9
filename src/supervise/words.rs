//! One line in words, for `systemctl status`.

use super::report::{Phase, Report};
use crate::observe::documents::DocumentsState;
use crate::observe::finding::Status;

/// What the bot is doing. It changes only when something changed: ages are left out.
pub fn words(report: &Report) -> String {
    let worst = report.verdict.findings.first().map(|f| format!("{}: {}", f.kind.name(), f.text));
    let more = match report.verdict.findings.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let doing = match report.phase {
        Phase::Starting => "connecting to Telegram",
        Phase::Running if report.reading.paused => "paused by the owner",
        Phase::Running if report.reading.documents == DocumentsState::Reading => {
            "reading its documents; questions wait"
        }
        Phase::Running if report.reading.backlog_full => "catching up",
        Phase::Running => "answering",
        Phase::Draining => "stopping: running answers get their grace period",
    };
    match (report.verdict.status, worst) {
        (Status::Ok, _) | (_, None) => doing.to_owned(),
        (Status::Degraded, Some(worst)) => format!("{doing}; degraded: {worst}{more}"),
        (Status::Failing, Some(worst)) => format!("failing: {worst}{more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::finding::{Finding, Kind, Verdict};

    #[test]
    fn the_worst_comes_first_and_the_rest_is_counted() {
        let finding = |kind: Kind, text: &str| Finding {
            kind,
            severity: kind.severity(),
            text: text.to_owned(),
            since_ms: 0,
        };
        let mut report = Report { phase: Phase::Running, ..Report::default() };
        assert_eq!(words(&report), "answering");
        report.verdict = Verdict::of(vec![finding(Kind::CpuHigh, "busy")]);
        assert_eq!(words(&report), "answering; degraded: cpu_high: busy");
        report.verdict =
            Verdict::of(vec![finding(Kind::CpuHigh, "busy"), finding(Kind::PollStalled, "deaf")]);
        assert_eq!(words(&report), "failing: poll_stalled: deaf (and 1 more)");
    }
}
