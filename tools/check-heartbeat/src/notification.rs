//! A notification: one event of one incident, ready to be sent through any channel.
//!
//! The pair of incident and number identifies it: when it is sent again after a crash it carries the
//! same pair, so that a receiver can recognise it.

use heartbeat::rfc3339;
use hygiene::duration;
use hygiene::line::one_line;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::clock;

/// Longest summary of a shortened notification, in characters.
const SHORT_SUMMARY: usize = 200;

/// What happened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An incident began.
    Down,
    /// It still goes on.
    Reminder,
    /// It still goes on, and has another cause than before.
    Changed,
    /// It is over, and this channel had accepted its beginning.
    Recovered,
    /// It was over before this channel accepted its beginning.
    Late,
    /// Nothing: someone tries the channels.
    #[default]
    Test,
}

/// How bad it is; the worst first.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Someone has to do something.
    Critical,
    /// Needs a look.
    #[default]
    Warning,
}

/// One event of one incident. Times are in milliseconds since 1970.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its stable id: lower-case letters, digits and `-`.
    pub incident: String,
    /// 1, 2, … within the incident, for one channel.
    pub number: u32,
    pub kind: Kind,
    pub level: Level,
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
    pub details: Vec<String>,
    /// Names of what is wrong now.
    pub causes: Vec<String>,
    pub started_ms: i64,
    /// `None` while it goes on.
    pub ended_ms: Option<i64>,
    /// How long it has gone on, in seconds; `None` when it has only just begun. Measured by the time
    /// since boot, so it can differ from the distance of the two times when the clock was set.
    pub duration_s: Option<u64>,
    /// When the event happened, not when it was sent.
    pub at_ms: i64,
    /// The recipients of the channel that it is still for; empty for all.
    pub only: Vec<String>,
}

impl Notification {
    /// One line for a mail's subject: `DOWN: katana-bot, disk on host1 (production)`. Without the
    /// summary, so that a mail program threads what belongs together.
    pub fn subject(&self) -> String {
        let headline = match (self.kind, self.level) {
            (Kind::Down, Level::Critical) => "DOWN",
            (Kind::Down, Level::Warning) => "WARNING",
            (Kind::Reminder, Level::Critical) => "STILL DOWN",
            (Kind::Reminder, Level::Warning) => "STILL A WARNING",
            (Kind::Changed, _) => "NEW CAUSE",
            (Kind::Recovered, _) => "RECOVERED",
            (Kind::Late, Level::Critical) => "WAS DOWN",
            (Kind::Late, Level::Warning) => "WAS A WARNING",
            (Kind::Test, _) => "TEST",
        };
        let finding = self.finding.as_ref().map(|f| format!(", {f}")).unwrap_or_default();
        let environment = self.environment.as_ref().map(|e| format!(" ({e})")).unwrap_or_default();
        format!("{headline}: {}{finding} on {}{environment}", self.watch, self.host)
    }

    /// The same for a service that refuses long ones: with at most so many characters of details.
    pub fn shortened(&self, details: usize) -> Self {
        let mut left = details;
        let fits = |line: &&String| {
            left = left.saturating_sub(line.chars().count());
            left > 0
        };
        let mut short = self.clone();
        short.details = self.details.iter().take_while(fits).cloned().collect();
        short.summary = one_line(&self.summary, SHORT_SUMMARY);
        short.details.push("Shortened: the service refused the whole text.".to_owned());
        short
    }

    /// All of it as text for people: what, why, since when, until when, where.
    pub fn text(&self) -> String {
        let mut lines = vec![self.subject(), String::new(), self.summary.clone()];
        lines.extend(self.details.iter().cloned());
        lines.push(String::new());
        if self.kind == Kind::Test {
            lines.push(format!("Sent: {}", clock(self.at_ms)));
        } else {
            lines.push(format!("Start: {}", clock(self.started_ms)));
            lines.extend(self.ended_ms.map(|ended_ms| format!("End: {}", clock(ended_ms))));
            let label = if self.ended_ms.is_some() { "Duration" } else { "So far" };
            let lasted = self.duration_s.map(|s| duration::in_words(s.saturating_mul(1000)));
            lines.extend(lasted.map(|lasted| format!("{label}: {lasted}")));
        }
        lines.push(format!("Host: {}", self.host));
        lines.push(format!("Incident: {}, notice {}\n", self.incident, self.number));
        lines.join("\n")
    }

    /// All of it for programs. Times are in RFC 3339; what does not apply is null.
    pub fn json(&self) -> Value {
        json!({
            "incident": self.incident,
            "number": self.number,
            "kind": self.kind,
            "level": self.level,
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
    }
}
