//! One incident: its subject, its start and its end, and what each channel has accepted about it.
//!
//! What is serialised here lies on disk between two runs, also across upgrades: the names of the
//! fields in the file are those of version 0.2, and unknown ones are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::notification::{Kind, Level};

/// Most lines of details that an incident keeps.
const MAX_DETAILS: usize = 24;

/// Longest line that an incident keeps, in characters.
const MAX_LINE: usize = 500;

/// How many equal checks in a row it takes to begin or end an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debounce {
    /// Bad checks that begin one; at least 1.
    pub failures: u32,
    /// Good checks that end one; at least 1.
    pub goods: u32,
}

/// Which channels get a notification.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// All of them.
    #[default]
    All,
    /// The first, in the order of the configuration, that accepts.
    First,
}

/// The configured channels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelList {
    /// Their names, in the order of the configuration.
    pub names: Vec<String>,
    /// Which of them get a notification.
    pub mode: Mode,
    /// Whether these are all. Not so when a part of the configuration cannot be read: then no
    /// channel counts as removed.
    pub complete: bool,
}

/// What a check found about one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// All is well, with a one-line reason.
    Good(String),
    /// Something is wrong.
    Bad(Bad),
    /// The check cannot know.
    Unknown,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// How bad.
    pub level: Level,
    /// What, in one line.
    pub summary: String,
    /// More of it, line by line.
    pub details: Vec<String>,
    /// The installation, when the heartbeat names it.
    pub environment: Option<String>,
}

/// A watch as a whole, or one finding of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The name of the watch.
    pub watch: String,
    /// The name of the finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
}

/// From the first bad check to the first good one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its stable id: lower-case letters, digits and `-`.
    pub id: String,
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// The worst level so far.
    pub level: Level,
    /// The installation, when the heartbeat names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What was wrong at first.
    pub summary: String,
    /// More of that, line by line.
    pub details: Vec<String>,
    /// What was wrong at the latest check.
    pub latest: String,
    /// Its first bad check.
    pub started: Timestamp,
    /// Its latest check of any kind.
    pub checked: Timestamp,
    /// How it ended; `None` while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Whether `progress` names its channels, even if there are none.
    #[serde(default)]
    pub assigned: bool,
    /// What each channel has accepted. A channel that has accepted everything is removed.
    #[serde(rename = "told")]
    pub progress: BTreeMap<String, Progress>,
    /// Whether the check of this run was bad.
    #[serde(skip)]
    pub bad_now: bool,
}

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its first good check.
    pub at: Timestamp,
    /// Milliseconds from its start.
    pub duration_ms: u64,
    /// What the good check found.
    pub summary: String,
}

/// What one channel has accepted about one incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// When it last accepted a notification; `None` when it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// The number of the latest notification that it accepted.
    #[serde(default)]
    pub number: u32,
    /// The notification that was being sent when this was saved. It may have arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
}

/// A notification being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its kind.
    pub kind: Kind,
    /// Its number within the incident.
    pub number: u32,
}

impl Progress {
    /// The number of the next notification. A repeated attempt keeps its number, so that a receiver
    /// can recognise it; another kind gets a new one, so that it is not taken for a repeat.
    pub fn next_number(&self, kind: Kind) -> u32 {
        match self.attempt {
            Some(attempt) if attempt.kind == kind => attempt.number,
            Some(attempt) => attempt.number + 1,
            None => self.number + 1,
        }
    }
}

impl Incident {
    /// A new one that no channel knows of. `revision` is the log's.
    pub(crate) fn new(
        subject: &Subject,
        bad: Bad,
        started: Timestamp,
        now: &Timestamp,
        revision: u64,
    ) -> Self {
        let details = bad.details.iter().take(MAX_DETAILS).map(|d| one_line(d));
        Self {
            id: id(subject, &started, revision),
            subject: subject.clone(),
            level: bad.level,
            environment: bad.environment,
            summary: one_line(&bad.summary),
            details: details.collect(),
            latest: one_line(&bad.summary),
            started,
            checked: now.clone(),
            end: None,
            assigned: false,
            progress: BTreeMap::new(),
            bad_now: true,
        }
    }

    /// Decides which channels it concerns: while it goes on all of them, once it is over those that
    /// it concerned by then. In the mode `First` only the channel that accepted, once one did.
    pub(crate) fn assign(&mut self, channels: &ChannelList) {
        if channels.complete {
            self.progress.retain(|name, _| channels.names.contains(name));
        }
        if channels.mode == Mode::First && self.progress.values().any(|p| p.last.is_some()) {
            self.progress.retain(|_, progress| progress.last.is_some());
        } else if self.end.is_none() || !self.assigned {
            for name in &channels.names {
                self.progress.entry(name.clone()).or_default();
            }
        }
        self.assigned |= channels.complete || !channels.names.is_empty();
    }
}

/// An id that no other incident has: subject, time and time since boot of its start. The revision
/// of the log tells apart what a clock that was set back could make equal.
fn id(subject: &Subject, started: &Timestamp, revision: u64) -> String {
    let name = format!("{}-{}", subject.watch, subject.finding.as_deref().unwrap_or_default());
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let name = name.get(..40).unwrap_or(&name).trim_matches('-');
    let boot = started.boot_ms.unwrap_or_default() / 10;
    format!("{name}-{:x}-{boot:x}-{revision:x}", started.time_ms.max(0))
}

/// Without control characters, and not too long.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_LINE).collect()
}
