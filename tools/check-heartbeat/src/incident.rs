//! One incident: its subject, its start and its end, and what each channel has accepted about it.
//!
//! What is serialised here lies on disk between two runs, also across upgrades: the names in the
//! file are those of version 0.2, and unknown ones are ignored.

use std::collections::BTreeMap;

use heartbeat::Now;
use serde::{Deserialize, Serialize};

use crate::notification::{Kind, Level};

/// Most causes of one incident that are news.
pub(crate) const MAX_CAUSES: usize = 40;

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
    pub names: Vec<String>, // in the order of the configuration
    pub mode: Mode,
    /// Whether these are all. Not so when a part of the configuration cannot be read: then no
    /// channel counts as removed.
    pub complete: bool,
}

/// What a check found about one subject.
pub(crate) enum Observation {
    /// All is well, why, and since when, where the heartbeat says so.
    Good(String, Option<Now>),
    Bad(Bad),
    /// The check cannot know.
    Unknown,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bad {
    pub level: Level,
    pub environment: Option<String>, // the installation, when the heartbeat names it
    pub summary: String,             // in one line
    pub details: Vec<String>,
    /// Names of what is wrong: a reason or findings. One that was not there before is news.
    #[serde(default)]
    pub causes: Vec<String>,
    /// The heartbeat that it is about; `None` for an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The last sign of life before it.
    #[serde(skip)]
    pub since: Option<Now>,
}

/// A watch as a whole, or one finding of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub watch: String,
    pub finding: Option<String>,
}

/// That someone knows of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ack {
    pub at: Now,
    pub by: String,
    pub reason: String, // may be empty
}

/// From the last sign of life, or where there was none the first bad check, to the first good one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incident {
    pub id: String, // lower-case letters, digits and `-`
    #[serde(flatten)]
    pub subject: Subject,
    #[serde(flatten)]
    pub bad: Bad, // what was wrong at first, with the worst level so far
    pub latest: String, // what was wrong at the latest check
    #[serde(default)]
    pub latest_details: Vec<String>,
    /// The names of what was wrong at the latest bad check.
    #[serde(default, rename = "latest_causes")]
    pub causes: Vec<String>,
    /// Those that a silence holds back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silenced: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<Ack>,
    pub started: Now,     // the last sign of life, or the first bad check
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
    pub at: Now,          // since when all was well again
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
    /// Recipients of that notification that may take it later, while the others have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// When it refused the latest notification for what is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Now>,
    /// The causes that it has accepted, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// Since when these recipients are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_since: Option<Now>,
}

/// A notification being sent, by its kind and its number within the incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub kind: Kind,
    pub number: u32,
}

impl Progress {
    /// The channel has accepted these causes as well.
    pub fn learn(&mut self, causes: &[String]) {
        self.causes.extend_from_slice(causes);
        self.causes.sort();
        self.causes.dedup();
        self.causes.truncate(MAX_CAUSES);
    }

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
    pub fn new(id: String, subject: Subject, bad: Bad, started: Now, checked: Now) -> Self {
        Self {
            id,
            subject,
            latest: bad.summary.clone(),
            latest_details: bad.details.clone(),
            causes: bad.causes.clone(),
            bad,
            started,
            checked,
            silenced: Vec::new(),
            ack: None,
            end: None,
            assigned: false,
            progress: BTreeMap::new(),
            bad_now: true,
        }
    }

    /// Whether it is about this, and goes on.
    pub fn is_open(&self, subject: &Subject) -> bool {
        self.end.is_none() && self.subject == *subject
    }

    /// Those who know of it know of these causes as well.
    pub fn is_known_as(&mut self, causes: &[String]) {
        for progress in self.progress.values_mut().filter(|progress| progress.last.is_some()) {
            progress.learn(causes);
        }
    }

    /// Takes in one more bad check.
    pub fn goes_on(&mut self, bad: Bad) {
        self.bad.level = self.bad.level.min(bad.level);
        (self.latest, self.latest_details, self.causes) = (bad.summary, bad.details, bad.causes);
        self.bad_now = true;
    }

    /// Whether a silence holds back all that is wrong.
    pub fn is_silenced(&self) -> bool {
        !self.silenced.is_empty() && self.causes.iter().all(|cause| self.silenced.contains(cause))
    }

    /// Ends it at `at`, or at the check of `now` where that was before it began.
    pub fn finish(&mut self, at: Now, now: &Now, summary: &str) {
        let at = if at.elapsed_ms(&self.started) > 0 { now.clone() } else { at };
        let duration_ms = self.started.elapsed_ms(&at);
        self.end = Some(End { at, duration_ms, summary: summary.to_owned() });
    }

    /// Decides which channels it concerns: while it goes on all of them, once it is over those that
    /// it concerned by then. In the mode `First` only the channel that accepted, once one did.
    pub fn assign(&mut self, channels: &ChannelList) {
        if channels.complete {
            self.progress.retain(|name, _| channels.names.contains(name));
        }
        if self.end.is_some() && !self.silenced.is_empty() {
            // What was over before the silence was is news to no one.
            self.assigned = true;
            self.progress.retain(|_, progress| progress.last.is_some());
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
