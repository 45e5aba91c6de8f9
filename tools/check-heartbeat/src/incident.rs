//! One incident: its subject, its start and its end, and what each channel has accepted about it.
//!
//! What is serialised here lies on disk between two runs, also across upgrades: the names in the
//! file are those of version 0.2, and unknown ones are ignored.

use std::collections::BTreeMap;

use heartbeat::Now;
use serde::{Deserialize, Serialize};

use crate::notification::{Kind, Level};

/// Most lines of details that an incident keeps.
const MAX_DETAILS: usize = 24;
/// Longest line that an incident keeps, in characters.
const MAX_LINE: usize = 500;

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
    pub names: Vec<String>, // their names, in the order of the configuration
    pub mode: Mode,
    /// Whether these are all. Not so when a part of the configuration cannot be read: then no
    pub complete: bool, // channel counts as removed
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
    pub summary: String, // in one line
    pub details: Vec<String>,
    pub environment: Option<String>, // the installation, when the heartbeat names it
}

/// A watch as a whole, or one finding of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub watch: String,
    pub finding: Option<String>,
}

/// From the first bad check to the first good one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incident {
    pub id: String, // lower-case letters, digits and `-`
    #[serde(flatten)]
    pub subject: Subject,
    pub level: Level, // the worst one so far
    pub environment: Option<String>,
    pub summary: String, // what was wrong at first
    pub details: Vec<String>,
    pub latest: String,   // what was wrong at the latest check
    pub started: Now,     // the first bad check
    pub checked: Now,     // the latest check of any kind
    pub end: Option<End>, // `None` while it goes on
    pub assigned: bool,   // whether `progress` names its channels, even if there are none
    /// By channel. One that has accepted everything is removed.
    #[serde(rename = "told")]
    pub progress: BTreeMap<String, Progress>,
    #[serde(skip)]
    pub bad_now: bool, // whether the check of this run was bad
}

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    pub at: Now,          // the first good check
    pub duration_ms: u64, // from the start
    pub summary: String,  // what the good check found
}

/// What one channel has accepted about one incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub last: Option<Now>, // when it last accepted a notification
    pub number: u32,       // of the latest notification that it accepted
    /// The notification that was being sent when this was saved. It may have arrived.
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
    pub fn new(id: String, subject: Subject, bad: Bad, started: Now, now: Now) -> Self {
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

    pub fn finish(&mut self, at: Now, summary: &str) {
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
