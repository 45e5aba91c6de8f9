//! Findings: what can be wrong, by name. The name is also the metric's label, the heading in the
//! runbook and the name of the alert.

pub use super::kind::{Facts, Kind, Severity};

/// One finding that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// One line in words, with figures, for people.
    pub text: String,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
}

/// All together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing is wrong.
    #[default]
    Ok,
    /// Something works badly.
    Degraded,
    /// People are not served.
    Failing,
}

impl Finding {
    /// Whether a question that is asked now may stay without an answer because of it.
    pub fn blocks_answers(&self) -> bool {
        self.severity == Severity::Failing || self.kind.facts().blocks_answers
    }
}

impl Status {
    /// All of them, best first.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Degraded, Self::Failing];

    /// The status of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        }
    }
}

/// What is open, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The worst of the findings.
    pub status: Status,
    /// What is open, worst first.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The verdict that these findings make.
    pub fn of(mut findings: Vec<Finding>) -> Self {
        let place = |kind: Kind| Kind::ALL.iter().position(|k| *k == kind);
        findings.sort_by_key(|f| (std::cmp::Reverse(f.severity), place(f.kind)));
        let status = match findings.first().map(|f| f.severity) {
            None => Status::Ok,
            Some(Severity::Degraded) => Status::Degraded,
            Some(Severity::Failing) => Status::Failing,
        };
        Self { status, findings }
    }

    /// Whether a question that is asked now may stay without an answer.
    pub fn blocks_answers(&self) -> bool {
        self.findings.iter().any(Finding::blocks_answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides() {
        let finding = |kind: Kind| Finding {
            kind,
            severity: kind.severity(),
            text: String::new(),
            since_ms: 0,
        };
        assert_eq!(Verdict::of(Vec::new()).status, Status::Ok);
        let verdict = Verdict::of(vec![finding(Kind::CpuHigh), finding(Kind::InboxOld)]);
        assert_eq!(verdict.status, Status::Failing);
        assert_eq!(verdict.findings[0].kind, Kind::InboxOld);
    }
}
