//! One incident: its subject, its start and its end, and what each channel has accepted about it.
//!
//! What is serialised here lies on disk between two runs, also across upgrades: the names in the
//! file are those of version 0.2, and unknown ones are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::notification::{Kind, Level};

/// Most lines of details that an incident keeps.
const MAX_DETAILS: usize = 24;

/// Longest line that an incident keeps, in characters.
const MAX_LINE: usize = 500;

/// How many equal checks in a row it takes to begin or end an incident; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debounce {
    /// Bad checks that begin one.
    pub failures: u32,
    /// Good checks that end one.
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
pub(crate) enum Observation {
    /// All is well, and why.
    Good(String),
    Bad(Bad),
    /// The check cannot know.
    Unknown,
}

/// What is wrong.
pub(crate) struct Bad {
    pub level: Level,
    /// In one line.
    pub summary: String,
    pub details: Vec<String>,
    /// The installation, when the heartbeat names it.
    pub environment: Option<String>,
}

/// A watch as a whole, or one finding of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub watch: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
}

/// From the first bad check to the first good one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incident {
    /// Lower-case letters, digits and `-`.
    pub id: String,
    #[serde(flatten)]
    pub subject: Subject,
    /// The worst one so far.
    pub level: Level,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What was wrong at first.
    pub summary: String,
    pub details: Vec<String>,
    /// What was wrong at the latest check.
    pub latest: String,
    /// The first bad check.
    pub started: Timestamp,
    /// The latest check of any kind.
    pub checked: Timestamp,
    /// `None` while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Whether `progress` names its channels, even if there are none.
    #[serde(default)]
    pub assigned: bool,
    /// By channel. One that has accepted everything is removed.
    #[serde(rename = "told")]
    pub progress: BTreeMap<String, Progress>,
    /// Whether the check of this run was bad.
    #[serde(skip)]
    pub bad_now: bool,
}

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// The first good check.
    pub at: Timestamp,
    /// From the start.
    pub duration_ms: u64,
    /// What the good check found.
    pub summary: String,
}

/// What one channel has accepted about one incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
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

/// A notification being sent, by its kind and its number within the incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub kind: Kind,
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
    /// A new one that no channel knows of. `id` must be unique.
    pub fn new(id: String, subject: Subject, bad: Bad, started: Timestamp, now: Timestamp) -> Self {
        Self {
            id,
            subject,
            level: bad.level,
            environment: bad.environment,
            summary: one_line(&bad.summary),
            details: bad.details.iter().take(MAX_DETAILS).map(|d| one_line(d)).collect(),
            latest: one_line(&bad.summary),
            started,
            checked: now,
            end: None,
            assigned: false,
            progress: BTreeMap::new(),
            bad_now: true,
        }
    }

    pub fn finish(&mut self, at: Timestamp, summary: &str) {
        let duration_ms = self.started.elapsed_ms(&at);
        self.end = Some(End { at, duration_ms, summary: one_line(summary) });
    }

    /// Decides which channels it concerns: while it goes on all of them, once it is over those that
    /// it concerned by then. In the mode `First` only the channel that accepted, once one did.
    pub fn assign(&mut self, channels: &ChannelList) {
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

/// Without control characters, and not too long.
pub(crate) fn one_line(text: &str) -> String {
    hygiene::line::one_line(text, MAX_LINE)
}
