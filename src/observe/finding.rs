//! Findings: what can be wrong, by name. The name is also the metric's label, the heading in the
//! runbook and the name of the alert.

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A loop of the process does not turn.
    StageStalled,
    /// No poll was completed for too long.
    PollStalled,
    /// Telegram holds updates that polls do not bring.
    UpdatesStuck,
    /// Polls are answered with errors, or not at all.
    PollFailing,
    /// Another program takes this bot's updates.
    Conflict,
    /// Telegram does not accept the token.
    TokenRefused,
    /// An update waits for too long.
    InboxOld,
    /// A reply waits for too long.
    OutboxOld,
    /// So many updates wait that polling pauses.
    BacklogFull,
    /// The provider fails.
    ProviderFailing,
    /// The provider takes long.
    ProviderSlow,
    /// Telegram refused a reply for good.
    DeliveryRefused,
    /// A reply may have been sent twice.
    PossibleDuplicate,
    /// An update could not be handled and was finished without an answer.
    UpdateGivenUp,
    /// Too large a share of the work fails.
    ErrorRatio,
    /// People wait too long for a reply.
    ResponseSlow,
    /// Commits fail.
    StoreFailing,
    /// Commits take long.
    StoreSlow,
    /// The state file was damaged and set aside.
    StoreCorrupt,
    /// The disk of the state directory is nearly full.
    DiskFull,
    /// The machine's memory is nearly used up.
    MemoryHigh,
    /// The process itself uses more memory than it should.
    RssHigh,
    /// The machine's processors are busy.
    CpuHigh,
    /// The time of day jumped.
    ClockJumped,
    /// The process before this one ended without a clean stop.
    UncleanStart,
    /// The process ends and is started again and again.
    CrashLoop,
    /// A new configuration was not taken over.
    ConfigRejected,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something works badly; people are served.
    Degraded,
    /// People are not served.
    Failing,
}

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

impl Kind {
    /// Every kind, in the order in which people should read them.
    pub const ALL: [Self; 27] = [
        Self::CrashLoop,
        Self::StageStalled,
        Self::TokenRefused,
        Self::Conflict,
        Self::PollStalled,
        Self::PollFailing,
        Self::UpdatesStuck,
        Self::StoreFailing,
        Self::StoreCorrupt,
        Self::DiskFull,
        Self::BacklogFull,
        Self::InboxOld,
        Self::OutboxOld,
        Self::ProviderFailing,
        Self::ProviderSlow,
        Self::DeliveryRefused,
        Self::PossibleDuplicate,
        Self::UpdateGivenUp,
        Self::ErrorRatio,
        Self::ResponseSlow,
        Self::StoreSlow,
        Self::MemoryHigh,
        Self::RssHigh,
        Self::CpuHigh,
        Self::ClockJumped,
        Self::UncleanStart,
        Self::ConfigRejected,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::StageStalled => "stage_stalled",
            Self::PollStalled => "poll_stalled",
            Self::PollFailing => "poll_failing",
            Self::UpdatesStuck => "updates_stuck",
            Self::Conflict => "conflict",
            Self::TokenRefused => "token_refused",
            Self::InboxOld => "inbox_old",
            Self::OutboxOld => "outbox_old",
            Self::BacklogFull => "backlog_full",
            Self::ProviderFailing => "provider_failing",
            Self::ProviderSlow => "provider_slow",
            Self::DeliveryRefused => "delivery_refused",
            Self::PossibleDuplicate => "possible_duplicate",
            Self::UpdateGivenUp => "update_given_up",
            Self::ErrorRatio => "error_ratio",
            Self::ResponseSlow => "response_slow",
            Self::StoreFailing => "store_failing",
            Self::StoreSlow => "store_slow",
            Self::StoreCorrupt => "store_corrupt",
            Self::DiskFull => "disk_full",
            Self::MemoryHigh => "memory_high",
            Self::RssHigh => "rss_high",
            Self::CpuHigh => "cpu_high",
            Self::ClockJumped => "clock_jumped",
            Self::UncleanStart => "unclean_start",
            Self::CrashLoop => "crash_loop",
            Self::ConfigRejected => "config_rejected",
        }
    }

    /// How bad it is at worst.
    pub fn severity(self) -> Severity {
        match self {
            Self::StageStalled
            | Self::CrashLoop
            | Self::PollStalled
            | Self::PollFailing
            | Self::UpdatesStuck
            | Self::Conflict
            | Self::TokenRefused
            | Self::InboxOld
            | Self::OutboxOld
            | Self::StoreFailing => Severity::Failing,
            _ => Severity::Degraded,
        }
    }

    /// Every severity that it may have, the worst first.
    pub fn severities(self) -> &'static [Severity] {
        match self {
            Self::InboxOld | Self::OutboxOld => &[Severity::Failing, Severity::Degraded],
            other if other.severity() == Severity::Failing => &[Severity::Failing],
            _ => &[Severity::Degraded],
        }
    }

    /// Whether a question that is asked now may stay without an answer, however bad it is: what
    /// `/ready` looks at, besides everything that is failing.
    pub fn blocks_answers(self) -> bool {
        match self {
            // One chat may wait while the others are served.
            Self::InboxOld | Self::OutboxOld => false,
            Self::ProviderFailing | Self::StoreSlow | Self::BacklogFull => true,
            other => other.severity() == Severity::Failing,
        }
    }
}

impl Finding {
    /// Whether a question that is asked now may stay without an answer because of it.
    pub fn blocks_answers(&self) -> bool {
        self.severity == Severity::Failing || self.kind.blocks_answers()
    }
}

impl Severity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        }
    }
}

impl Status {
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
    fn every_kind_is_listed_once_under_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }

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
