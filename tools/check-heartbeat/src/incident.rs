//! One incident: what it is about, from when to when, and what of it each channel was told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::notice::{Kind, Level};
use crate::stamp::Stamp;

/// Most lines of details that an incident keeps.
const MAX_DETAILS: usize = 24;

/// Longest line in characters that an incident keeps.
const MAX_LINE: usize = 500;

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

impl Incident {
    /// One that nobody was told of yet. `revision` is the book's.
    pub(crate) fn new(
        subject: &Subject,
        bad: Bad,
        started: Stamp,
        now: &Stamp,
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
            told: BTreeMap::new(),
        }
    }

    /// Whether some channel was told of its beginning.
    pub(crate) fn is_told(&self) -> bool {
        self.told.values().any(|t| t.last.is_some())
    }

    /// Notes which channels it concerns: while it goes on all of them, and once it is over, those
    /// that it concerned then. Where the first that accepts is enough, nobody else after that.
    pub(crate) fn assign(&mut self, channels: &Audience) {
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
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> Stamp {
        let time_ms = 1_795_245_873_000 + i64::try_from(minute).unwrap() * 60_000;
        Stamp { time_ms, boot_id: Some("b".to_owned()), boot_ms: Some(minute * 60_000) }
    }

    #[test]
    fn a_number_is_never_used_for_two_notices() {
        let mut told = Told::default();
        let down = told.next(Kind::Down, 1);
        assert_eq!(down.number, 1);
        told.attempt = Some(down);
        assert_eq!(told.next(Kind::Down, 1), down, "the same again");
        assert_eq!(told.next(Kind::Late, 1).number, 2);
        told.attempt = Some(told.next(Kind::Late, 1));
        assert_eq!(told.next(Kind::Late, 2).number, 3, "it covers more now");
        let accepted = Told { last: Some(at(1)), number: 4, attempt: None };
        assert_eq!(accepted.next(Kind::Recovered, 1).number, 5);
    }

    #[test]
    fn ids_are_plain_and_differ() {
        let subject = |watch: &str, finding: Option<&str>| Subject {
            watch: watch.to_owned(),
            finding: finding.map(str::to_owned),
        };
        let all = [
            id(&subject("katana-bot", None), &at(1), 0),
            id(&subject("katana-bot", Some("disk")), &at(1), 0),
            id(&subject("katana-bot", None), &at(2), 0),
            id(&subject("katana-bot", None), &at(1), 1),
            id(&subject("/run/Über/heart beat", None), &at(1), 0),
            id(&subject("", None), &at(1), 0),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        for id in all {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(id.bytes().all(plain) && id.len() < 80, "{id}");
        }
    }
}
