//! The heartbeat file: what a daemon writes every few seconds, and how a checker judges it.
//!
//! Apart from the standard library, only `serde` with its JSON and our own `hygiene` are used, so that the checker
//! stays small and the daemon gains nothing new. Beside the file may be `last-exit`, which says why the daemon
//! ended. The file is text for people first: its first line is the time in RFC 3339, then one `key: value` a
//! line. Nothing here panics on any content of a file.
//!
//! ```text
//! 2026-11-21T07:24:33.120Z
//! format: 1
//! boot_id: 5b1c5d7e-6c0e-4d9b-b6a8-6a3d0a6a8f10
//! boot_ms: 8123450
//! awake_ms: 8123450
//! sequence: 1604
//! pid: 812
//! version: 0.1.0
//! environment: production
//! manager: systemd
//! verdict: degraded
//! finding: provider_slow degraded the last 20 answers took 9.1 s on average
//! impact: provider_slow answers take a long time
//! first_step: provider_slow see the provider's status page, or choose a faster model
//! age: poll 1250
//! ```

mod advice;
pub mod availability;
mod file;
mod format;
mod judge;
mod last_exit;
mod manager;
mod now;
pub mod outage;
pub mod rfc3339;

pub use advice::advice_for;
pub use file::{ReadError, in_memory, read, read_quick, temporary, write};
pub use format::ParseError;
pub use hygiene::duration::in_words as span;
use serde::{Serialize, Serializer};

pub use judge::{FUTURE_TOLERANCE_MS, Judgement, Reason, State, judge};
pub use last_exit::LastExit;
pub use manager::Manager;
pub use now::Now;
pub use outage::Outage;

/// Where the packaged daemon writes, and the checker looks.
pub const DEFAULT_PATH: &str = "/run/katana-bot/heartbeat";

/// Oldest heartbeat, in seconds, that the checker takes for fresh unless told otherwise.
pub const DEFAULT_THRESHOLD_S: u64 = 120;

/// The age that says for how long people have been served without a break.
pub const SERVING: &str = "serving";

/// The version of the format that this crate writes and fully understands.
pub const FORMAT: u32 = 1;

/// Largest heartbeat file in bytes that is read; this crate writes far less.
pub const MAX_BYTES: usize = 64 * 1024;

/// Most findings, and most ages, that are written.
pub const MAX_ENTRIES: usize = 64;

/// Longest text of a value in characters; longer ones are cut when written.
pub const MAX_TEXT: usize = 300;

/// One heartbeat: that the writer lives, and what it thinks of itself. As JSON it is for people's own
/// programs; the file has a format of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heartbeat {
    /// When it was formed, in milliseconds since 1970, by the wall clock.
    #[serde(rename = "time", serialize_with = "as_time")]
    pub time_ms: i64,
    /// The kernel's random id of this boot; empty when unknown.
    #[serde(skip)]
    pub boot_id: String,
    /// Milliseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    #[serde(skip)]
    pub boot_ms: u64,
    /// Milliseconds awake since boot (`CLOCK_MONOTONIC`); versions before 0.3 do not write it.
    #[serde(skip)]
    pub awake_ms: Option<u64>,
    /// Counts up from the writer's start.
    pub sequence: u64,
    /// The writer's process id.
    pub pid: u32,
    /// The writer's version.
    pub version: String,
    /// The name of the installation, such as `production`; may be empty.
    pub environment: String,
    /// What starts and stops the writer; versions before 0.3 do not write it.
    #[serde(skip)]
    pub manager: Option<Manager>,
    /// What the writer thinks of itself.
    pub verdict: Verdict,
    /// Why the verdict is not ok.
    pub findings: Vec<Finding>,
    /// Name and age in milliseconds of what the verdict was formed from, such as `poll`.
    #[serde(rename = "ages_ms", serialize_with = "as_map")]
    pub ages: Vec<(String, u64)>,
}

fn as_time<S: Serializer>(time_ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&rfc3339::format(*time_ms))
}

fn as_map<S: Serializer>(ages: &[(String, u64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(ages.iter().map(|(name, age)| (name, age)))
}

/// What a daemon thinks of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Ok,
    /// It does its work, but something needs a look.
    Degraded,
    /// It cannot do its work.
    Failing,
    /// It was asked to stop, and did.
    Stopped,
}

impl Verdict {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
            Self::Stopped => "stopped",
        }
    }

    /// The verdict that a word in the file stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Ok, Self::Degraded, Self::Failing, Self::Stopped]
            .into_iter()
            .find(|v| v.word() == word)
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Needs a look.
    Degraded,
    /// Keeps the daemon from its work.
    Failing,
}

impl Severity {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        }
    }

    /// The severity that a word in the file stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Degraded, Self::Failing].into_iter().find(|s| s.word() == word)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, without blanks: also metric label and heading in the runbook.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line for people.
    pub text: String,
    /// What it means for those who use the program; empty when the writer does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub impact: String,
    /// What to do first; empty when the writer does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub first_step: String,
}
