//! Incidents: when one begins, when it is over, and what of it each channel was told.
//!
//! Pure: checks and the present go in, the book of incidents changes; `dues` reads from it what
//! each channel is owed. The book is what lies on disk between two runs, so all that waits to be
//! told is in it, and its size is bounded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::notice::{Kind, Level};
use crate::stamp::Stamp;

/// Most incidents that are kept, over or not. Past that, the oldest that are over are only counted.
pub const MAX_INCIDENTS: usize = 200;

/// Most subjects that are counted towards an incident at the same time.
const MAX_STREAKS: usize = 500;

/// Most lines of details that an incident keeps.
const MAX_DETAILS: usize = 24;

/// Longest line in characters that an incident keeps.
const MAX_LINE: usize = 500;

/// An incident whose subject was not checked for so long is closed: the watch was removed.
const FORGOTTEN_MS: u64 = 7 * 86_400_000;

/// How many checks it takes to change a mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Consecutive bad checks that make an incident; at least 1.
    pub failures: u32,
    /// Consecutive good checks that end one; at least 1.
    pub goods: u32,
}

/// Which channels are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// All of them.
    #[default]
    All,
    /// The first, in the order of the configuration, that accepts.
    First,
}

/// Who is to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// The names of the channels, in the order of the configuration.
    pub names: Vec<String>,
    /// Which of them.
    pub mode: Mode,
    /// Whether these are all there are. Not so when the configuration cannot be read: then no
    /// channel counts as removed.
    pub complete: bool,
}

/// What a check says of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// All is well.
    Good {
        /// Why, in one line.
        summary: String,
    },
    /// Something is wrong.
    Bad(Bad),
    /// Neither: the check could not know.
    Hold,
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

/// What an incident is about: a watch as a whole, or one finding of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// The name of the watch.
    pub watch: String,
    /// The name of the finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
}

/// Consecutive checks that all said the same, on the way to changing a mind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Streak {
    #[serde(flatten)]
    subject: Subject,
    count: u32,
    first: Stamp,
}

/// Something was wrong, from its first bad check to its first good one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its stable id: small letters, digits and `-`.
    pub id: String,
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// How bad it is.
    pub level: Level,
    /// The installation, when the heartbeat names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What was wrong when it was noticed.
    pub summary: String,
    /// More of that, line by line.
    pub details: Vec<String>,
    /// What was wrong at the latest check.
    pub latest: String,
    /// Its first bad check.
    pub started: Stamp,
    /// Its latest check of any kind.
    pub checked: Stamp,
    /// How it ended; `None` while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Whether `told` names the channels that it concerns, even if there are none.
    #[serde(default)]
    pub assigned: bool,
    /// What each channel knows. One that has been told everything is not in it any more.
    pub told: BTreeMap<String, Told>,
}

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its first good check.
    pub at: Stamp,
    /// Milliseconds from its start.
    pub duration_ms: u64,
    /// What the good check said.
    pub summary: String,
}

/// What one channel knows of one incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When it last accepted a notice of this incident; `None` when it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Stamp>,
    /// The number of the latest notice that it accepted, or that another kind has replaced.
    #[serde(default)]
    pub number: u32,
    /// The notice that was on its way when this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
}

/// A notice on its way. It may have arrived although nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its kind.
    pub kind: Kind,
    /// Its number within the incident.
    pub number: u32,
    /// How many incidents it covers.
    pub of: u32,
}

impl Told {
    /// The attempt to make now. Trying the same again keeps its number, so that a receiver can
    /// recognise it; anything else gets a new one, so that it is not taken for the same.
    pub fn next(&self, kind: Kind, of: u32) -> Attempt {
        match self.attempt {
            Some(attempt) if attempt.kind == kind && attempt.of == of => attempt,
            Some(attempt) => Attempt { kind, number: attempt.number + 1, of },
            None => Attempt { kind, number: self.number + 1, of },
        }
    }
}

/// A channel that failed for a reason that stays until somebody changes something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pause {
    pub(crate) since: Stamp,
}

/// All that is remembered between two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// Counts up with every time that it is saved.
    #[serde(default)]
    pub revision: u64,
    #[serde(default)]
    streaks: Vec<Streak>,
    /// Incidents in the order of their beginning.
    #[serde(default)]
    pub incidents: Vec<Incident>,
    /// For each channel, how many incidents it was never told of because there were too many.
    #[serde(default)]
    pub dropped: BTreeMap<String, u32>,
    #[serde(default)]
    pub(crate) pauses: BTreeMap<String, Pause>,
    /// Ids of incidents that this run found to go on.
    #[serde(skip)]
    pub(crate) going_on: BTreeSet<String>,
}

impl Book {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.streaks.is_empty() && self.incidents.is_empty() && self.dropped.is_empty()
    }

    /// Takes in what a check says of one subject.
    pub fn observe(&mut self, subject: &Subject, sign: Sign, now: &Stamp, patience: Patience) {
        let open = self.incidents.iter().position(|i| i.end.is_none() && i.subject == *subject);
        if let Some(open) = open {
            self.incidents[open].checked = now.clone();
        }
        match (sign, open) {
            (Sign::Hold, _) => {}
            (Sign::Bad(bad), Some(open)) => {
                self.forget_streak(subject);
                let incident = &mut self.incidents[open];
                incident.level = incident.level.min(bad.level);
                incident.latest = line(&bad.summary);
                self.going_on.insert(incident.id.clone());
            }
            (Sign::Bad(bad), None) => {
                if let Some(first) = self.count(subject, now, patience.failures) {
                    self.begin(subject, bad, first, now);
                }
            }
            (Sign::Good { summary }, Some(open)) => {
                if let Some(first) = self.count(subject, now, patience.goods) {
                    let incident = &mut self.incidents[open];
                    let duration_ms = incident.started.elapsed_ms(&first);
                    incident.end = Some(End { at: first, duration_ms, summary: line(&summary) });
                }
            }
            (Sign::Good { .. }, None) => self.forget_streak(subject),
        }
    }

    /// The findings of a watch that have an incident or are on the way to one.
    pub fn findings(&self, watch: &str) -> Vec<String> {
        let open = self.incidents.iter().filter(|i| i.end.is_none()).map(|i| &i.subject);
        let subjects = open.chain(self.streaks.iter().map(|s| &s.subject));
        let ours = subjects.filter(|s| s.watch == watch).filter_map(|s| s.finding.clone());
        ours.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Closes what is no longer watched, notes whom each incident concerns, and drops what nobody is
    /// owed.
    pub fn tidy(&mut self, channels: &Audience, now: &Stamp) {
        for incident in self.incidents.iter_mut().filter(|i| i.end.is_none()) {
            let idle = incident.checked.elapsed_ms(now) > FORGOTTEN_MS;
            if idle && !self.going_on.contains(&incident.id) {
                let at = incident.checked.clone();
                let duration_ms = incident.started.elapsed_ms(&at);
                let summary = "no longer watched".to_owned();
                incident.end = Some(End { at, duration_ms, summary });
            }
        }
        self.streaks.retain(|streak| streak.first.elapsed_ms(now) < FORGOTTEN_MS);
        for incident in &mut self.incidents {
            incident.assign(channels);
        }
        if channels.complete {
            self.dropped.retain(|name, _| channels.names.contains(name));
            self.pauses.retain(|name, _| channels.names.contains(name));
            self.drop_settled();
        }
        while self.incidents.len() > MAX_INCIDENTS && self.drop_oldest() {}
    }

    /// Drops the incidents of which everybody knows everything.
    pub(crate) fn drop_settled(&mut self) {
        self.incidents.retain(|i| i.end.is_none() || !i.assigned || !i.told.is_empty());
    }

    /// Forgets the oldest incident that is over, before others one that no channel knows of.
    fn drop_oldest(&mut self) -> bool {
        let over = |i: &&Incident| i.end.is_some();
        let unknown = |i: &Incident| i.end.is_some() && i.told.values().all(|t| t.last.is_none());
        let oldest = self.incidents.iter().position(unknown);
        let oldest = oldest.or_else(|| self.incidents.iter().position(|i| over(&i)));
        let Some(oldest) = oldest else { return false };
        for (name, told) in self.incidents.remove(oldest).told {
            if told.last.is_none() {
                *self.dropped.entry(name).or_default() += 1;
            }
        }
        true
    }

    /// Counts one more check of the same kind. The stamp of the first when they suffice.
    fn count(&mut self, subject: &Subject, now: &Stamp, needed: u32) -> Option<Stamp> {
        let found = self.streaks.iter().position(|s| s.subject == *subject);
        let index = found.unwrap_or_else(|| {
            let subject = subject.clone();
            self.streaks.push(Streak { subject, count: 0, first: now.clone() });
            self.streaks.len() - 1
        });
        self.streaks[index].count += 1;
        if self.streaks[index].count >= needed {
            return Some(self.streaks.remove(index).first);
        }
        if self.streaks.len() > MAX_STREAKS {
            self.streaks.remove(0);
        }
        None
    }

    fn forget_streak(&mut self, subject: &Subject) {
        self.streaks.retain(|s| s.subject != *subject);
    }

    fn begin(&mut self, subject: &Subject, bad: Bad, started: Stamp, now: &Stamp) {
        let id = id(subject, &started, self.revision);
        let details = bad.details.iter().take(MAX_DETAILS).map(|d| line(d));
        self.going_on.insert(id.clone());
        self.incidents.push(Incident {
            id,
            subject: subject.clone(),
            level: bad.level,
            environment: bad.environment,
            summary: line(&bad.summary),
            details: details.collect(),
            latest: line(&bad.summary),
            started,
            checked: now.clone(),
            end: None,
            assigned: false,
            told: BTreeMap::new(),
        });
    }
}

impl Incident {
    /// Whether some channel was told of its beginning.
    pub(crate) fn is_told(&self) -> bool {
        self.told.values().any(|t| t.last.is_some())
    }

    /// Notes which channels it concerns: while it goes on all of them, and once it is over, those
    /// that it concerned then. Where the first that accepts is enough, nobody else after that.
    fn assign(&mut self, channels: &Audience) {
        if channels.complete {
            self.told.retain(|name, _| channels.names.contains(name));
        }
        let first = channels.mode == Mode::First && self.is_told();
        if first {
            self.told.retain(|_, told| told.last.is_some());
        } else if self.end.is_none() || !self.assigned {
            for name in &channels.names {
                self.told.entry(name.clone()).or_default();
            }
        }
        self.assigned |= channels.complete || !channels.names.is_empty();
    }
}

/// An id that no other incident has: subject, time and time since boot of its start. The revision
/// of the book tells apart what a clock set back could make equal.
fn id(subject: &Subject, started: &Stamp, revision: u64) -> String {
    let name = format!("{}-{}", subject.watch, subject.finding.as_deref().unwrap_or_default());
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let words = name.split('-').filter(|w| !w.is_empty()).collect::<Vec<_>>().join("-");
    let name: String = words.chars().take(40).collect();
    let boot_s = started.boot_ms.unwrap_or_default() / 10;
    format!("{}-{:x}-{boot_s:x}-{revision:x}", name.trim_matches('-'), started.time_ms.max(0))
}

/// Without control characters, and not too long.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_LINE).collect()
}
