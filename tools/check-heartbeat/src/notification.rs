//! A notification: one event of one incident, ready to be sent through any channel.
//!
//! The pair of incident and number identifies it: when it is sent again after a crash it carries the
//! same pair, so that a receiver can recognise it.

use heartbeat::{rfc3339, span};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An incident began.
    Down,
    /// It still goes on.
    Reminder,
    /// It is over, and this channel had accepted its beginning.
    Recovered,
    /// One or more incidents were over before this channel accepted their beginning.
    Late,
    /// Nothing: someone tries the channels.
    Test,
}

impl Kind {
    /// The word in JSON: `down`, `reminder`, `recovered`, `late` or `test`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Reminder => "reminder",
            Self::Recovered => "recovered",
            Self::Late => "late",
            Self::Test => "test",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Someone has to do something.
    Critical,
    /// Needs a look.
    Warning,
}

impl Level {
    /// The word in JSON: `critical` or `warning`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

/// One event of one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The incident's stable id: small letters, digits and `-`.
    pub incident: String,
    /// 1, 2, … within the incident, for one channel.
    pub number: u32,
    /// What happened.
    pub kind: Kind,
    /// How bad it is.
    pub level: Level,
    /// The name of what is watched.
    pub watch: String,
    /// The finding of a degraded program that the incident is about; `None` when it is about the
    /// program as a whole.
    pub finding: Option<String>,
    /// The machine that sends it.
    pub host: String,
    /// The installation, such as `production`, when the heartbeat names it.
    pub environment: Option<String>,
    /// What happened, in one line.
    pub summary: String,
    /// More of it, line by line.
    pub details: Vec<String>,
    /// When the incident began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it was over, in milliseconds since 1970; `None` while it goes on.
    pub ended_ms: Option<i64>,
    /// How long it has gone on, in seconds; `None` when it has only just begun. Measured by the time
    /// since boot, so it can differ from the distance of the two times when the clock was set.
    pub duration_s: Option<u64>,
    /// When the event happened, in milliseconds since 1970; not when it was sent.
    pub at_ms: i64,
}

impl Notification {
    /// What it is about: `katana-bot, disk on host1 (production)`.
    fn about(&self) -> String {
        let finding = self.finding.as_ref().map(|f| format!(", {f}")).unwrap_or_default();
        let environment = self.environment.as_ref().filter(|e| !e.is_empty());
        let environment = environment.map(|e| format!(" ({e})")).unwrap_or_default();
        format!("{}{finding} on {}{environment}", self.watch, self.host)
    }

    /// What happened, in one or two words in capitals: `DOWN`, `WARNING`, `STILL DOWN`, …
    pub fn headline(&self) -> &'static str {
        match (self.kind, self.level) {
            (Kind::Down, Level::Critical) => "DOWN",
            (Kind::Down, Level::Warning) => "WARNING",
            (Kind::Reminder, Level::Critical) => "STILL DOWN",
            (Kind::Reminder, Level::Warning) => "STILL A WARNING",
            (Kind::Recovered, _) => "RECOVERED",
            (Kind::Late, Level::Critical) => "WAS DOWN",
            (Kind::Late, Level::Warning) => "WAS A WARNING",
            (Kind::Test, _) => "TEST",
        }
    }

    /// One line for a mail's subject: `DOWN: katana-bot on host1 (production)`. Without the summary,
    /// so that a mail program threads what belongs together.
    pub fn subject(&self) -> String {
        format!("{}: {}", self.headline(), self.about())
    }

    /// All of it as text for people: what, why, since when, until when, where.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n{}\n", self.subject(), self.summary);
        for detail in &self.details {
            text.push_str(detail);
            text.push('\n');
        }
        text.push('\n');
        if self.kind == Kind::Test {
            text.push_str(&format!("Sent: {}\n", clock(self.at_ms)));
        } else {
            text.push_str(&format!("Start: {}\n", clock(self.started_ms)));
            if let Some(ended_ms) = self.ended_ms {
                text.push_str(&format!("End: {}\n", clock(ended_ms)));
            }
            if let Some(duration_s) = self.duration_s {
                let label = if self.ended_ms.is_some() { "Duration" } else { "So far" };
                text.push_str(&format!("{label}: {}\n", span(duration_s.saturating_mul(1000))));
            }
        }
        text.push_str(&format!("Host: {}\n", self.host));
        text.push_str(&format!("Incident: {}, notice {}\n", self.incident, self.number));
        text
    }

    /// All of it for programs, as one line of JSON. Times are in RFC 3339; what is unknown is null.
    pub fn to_json(&self) -> String {
        json!({
            "incident": self.incident,
            "number": self.number,
            "kind": self.kind.word(),
            "level": self.level.word(),
            "watch": self.watch,
            "finding": self.finding,
            "host": self.host,
            "environment": self.environment,
            "subject": self.subject(),
            "summary": self.summary,
            "details": self.details,
            "started": rfc3339::format(self.started_ms),
            "ended": self.ended_ms.map(rfc3339::format),
            "duration_s": self.duration_s,
            "at": rfc3339::format(self.at_ms),
        })
        .to_string()
    }
}

/// A time for people, to the second: `2026-11-21 07:24:33 UTC`.
pub fn clock(time_ms: i64) -> String {
    let full = rfc3339::format(time_ms);
    format!("{} {} UTC", &full[..10], &full[11..19])
}
