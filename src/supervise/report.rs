//! The report: what the supervisor saw last, as plain data. The heartbeat, the endpoint, the metrics
//! and systemd only repeat it.

use super::previous_end::PreviousEnd;
use super::retrievals::Retrievals;
use crate::model::budget::Budgets;
use crate::observe::canary::Canary;
use crate::observe::dependency::DependencyState;
use crate::observe::documents::DocumentsState;
use crate::observe::finding::{Kind, Verdict};
use crate::observe::index::IndexState;
use crate::observe::liveness::{Loop, Overdue};
use crate::observe::providers::ProviderState;
use crate::store::{Backups, Spending};

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Telegram did not answer a poll yet.
    #[default]
    Starting,
    /// At work.
    Running,
    /// Asked to stop.
    Draining,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Self; 3] = [Self::Starting, Self::Running, Self::Draining];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
        }
    }
}

/// How much waits, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Rows that wait.
    pub count: u64,
    /// Age of the oldest in milliseconds.
    pub oldest_ms: Option<u64>,
}

/// Figures of the machine and of the process. Ratios are 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct System {
    /// Share of all processors that was busy since the sample before; `None` in the first one.
    pub cpu_ratio: Option<f64>,
    /// Memory of the machine in bytes (or of the control group, when it is limited).
    pub memory_total_bytes: u64,
    /// What of it is in use and cannot be reclaimed.
    pub memory_used_bytes: u64,
    /// Size of the file system that holds the state, in bytes, without what is reserved for root.
    pub disk_total_bytes: u64,
    /// What of it this process may still fill, in bytes.
    pub disk_free_bytes: u64,
    /// Bytes received over all interfaces but the loopback, since boot.
    pub network_received_bytes: u64,
    /// Bytes sent, likewise.
    pub network_sent_bytes: u64,
    /// Processes on the machine, as far as this process may see them.
    pub processes: u64,
    /// Memory of this process in bytes.
    pub rss_bytes: u64,
    /// Files and sockets it has open.
    pub open_files: u64,
    /// How many it may have open.
    pub open_files_max: u64,
    /// Its threads.
    pub threads: u64,
    /// Processor time it has used, in seconds.
    pub cpu_seconds: f64,
    /// When it was started, Unix seconds.
    pub started_s: f64,
}

/// Something that keeps happening with pauses. Times are milliseconds since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// How often.
    pub count: u64,
    /// When it began.
    pub since_ms: u64,
    /// When it happened last.
    pub last_ms: u64,
}

/// Observations: how many, and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// Their sum, in the unit of the figure.
    pub sum: f64,
}

impl Sum {
    /// What came since an earlier state.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            count: self.count.saturating_sub(earlier.count),
            sum: (self.sum - earlier.sum).max(0.0),
        }
    }
}

/// Averages and ratios over the last minutes; `None` where too little happened.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recent {
    /// The time that all of this is about, in seconds.
    pub window_s: u64,
    /// From receipt to arrival of the reply to a command, in seconds: average.
    pub command_s: Option<f64>,
    /// Duration of a question to the provider, in seconds: average.
    pub provider_s: Option<f64>,
    /// Duration of a commit, in seconds: average.
    pub commit_s: Option<f64>,
    /// Work that ended: commands, answers and parts.
    pub done: u64,
    /// Work that failed: answers without an answer, parts dropped, updates given up.
    pub failed: u64,
    /// What the figures count, since the start.
    pub totals: Totals,
}

impl Recent {
    /// The share of work that failed, when there was any.
    pub fn error_ratio(&self) -> Option<f64> {
        let all = self.done + self.failed;
        (all > 0).then(|| self.failed as f64 / all as f64)
    }
}

/// What the figures of the last minutes count, since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Work that failed, each with a weight of 1.
    pub failed: Sum,
    /// From receipt to arrival of the replies to commands, in seconds.
    pub commands: Sum,
    /// Questions to the provider, in seconds.
    pub provider: Sum,
    /// Commits, in seconds.
    pub commits: Sum,
}

/// Something that happened lately, rather than being so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happened {
    /// What.
    pub kind: Kind,
    /// How often since the start.
    pub count: u64,
    /// Milliseconds since it happened last.
    pub ago_ms: u64,
}

/// Everything the verdict looks at. Times are milliseconds since the start of the process, unless
/// they say otherwise.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What the start waits for while it has no state file; nothing else is known then.
    pub waits_for_state: Option<&'static str>,
    /// Now.
    pub now_ms: u64,
    /// Now, Unix milliseconds.
    pub wall_ms: i64,
    /// How far the time of day moved against the steady clock since the reading before, in
    /// milliseconds.
    pub clock_jump_ms: i64,
    /// The loop that is late by most.
    pub overdue: Option<Overdue>,
    /// Milliseconds since each loop turned, in the order of [`Loop::ALL`]; `None` for one that does
    /// not run.
    pub silent_ms: [Option<u64>; Loop::ALL.len()],
    /// Polls.
    pub polling: DependencyState,
    /// 409 answers to polls, while they go on. Polls that work may lie between them.
    pub conflict: Option<Spell>,
    /// The host that a webhook sends updates to, while one is set.
    pub webhook: Option<String>,
    /// Sends.
    pub sending: DependencyState,
    /// Questions to the provider.
    pub provider: DependencyState,
    /// Commits, as the probe sees them.
    pub store: DependencyState,
    /// Updates that wait; `None` when the store could not be asked.
    pub inbox: Option<Depth>,
    /// Parts that wait.
    pub outbox: Option<Depth>,
    /// Chats that the waiting parts belong to.
    pub outbox_chats: u64,
    /// Updates that wait at Telegram (`getWebhookInfo`), when it was asked.
    pub pending: Option<u64>,
    /// Telegram holds updates that polls do not return.
    pub updates_stuck: bool,
    /// The providers of the list, in its order.
    pub providers: Vec<ProviderState>,
    /// The question that the bot puts to itself.
    pub canary: Canary,
    /// Polling pauses because too much waits.
    pub backlog_full: bool,
    /// When that was so last.
    pub backlog_full_ms: Option<u64>,
    /// The owner paused answering.
    pub paused: bool,
    /// How far the documents are.
    pub documents: DocumentsState,
    /// How their index stands.
    pub index: IndexState,
    /// Requests to the embeddings server.
    pub embeddings: DependencyState,
    /// Requests to Qdrant.
    pub qdrant: DependencyState,
    /// Searches of the last hour.
    pub retrievals: Retrievals,
    /// The backups that rotate; `None` where their folder cannot be read.
    pub backups: Option<Backups>,
    /// What answers cost.
    pub money: MoneyReading,
    /// The last minutes.
    pub recent: Recent,
    /// What happened.
    pub happened: Vec<Happened>,
    /// The machine, once it was looked at.
    pub system: Option<System>,
    /// Milliseconds since each start without a clean stop before it, of this process and those
    /// before it.
    pub unclean_starts_ms: Vec<u64>,
    /// How the process before this one ended, unless it was stopped.
    pub previous_end: Option<PreviousEnd>,
    /// When the first poll of this process was answered.
    pub served_ms: Option<u64>,
    /// Why the last reload was refused, while the old configuration stands.
    pub config_rejected: Option<String>,
    /// When an update was last done, Unix milliseconds.
    pub processed_at_ms: Option<i64>,
}

/// What answers cost, and what they may cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MoneyReading {
    /// What was spent today and this month; `None` when the store could not be asked.
    pub spent: Option<Spending>,
    /// The limits.
    pub budgets: Budgets,
    /// Questions were refused because the total is used up, and it has not opened again.
    pub refuses: bool,
    /// Models that were asked and whose price is guessed.
    pub without_price: usize,
    /// How old the built-in prices are in days, where they are in use.
    pub prices_age_days: Option<i64>,
}

/// One look at everything.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Counts the reports of this process, from 1; 0 before the first.
    pub sequence: u64,
    /// Where the process is in its life.
    pub phase: Phase,
    /// What was seen.
    pub reading: Reading,
    /// What it means.
    pub verdict: Verdict,
}

impl Report {
    /// Whether a question that is asked now would be answered.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Running && !self.reading.paused && !self.verdict.blocks_answers()
    }
}
