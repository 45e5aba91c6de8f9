//! What people are told: one notice, in the words and the JSON that every channel repeats.

use serde::Serialize;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An incident began.
    Down,
    /// It still lasts.
    Reminder,
    /// It is over.
    Recovered,
    /// It began and ended while the channel did not work.
    Late,
    /// Somebody tries the channel.
    Test,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Not working.
    Critical,
    /// Working badly.
    Warning,
}

/// One thing to tell.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// Stable id of the incident, `[a-z0-9-]+`.
    pub incident: String,
    /// The how manieth notice of this incident, from 1.
    pub number: u32,
    /// What happened.
    pub kind: Kind,
    /// How bad it is.
    pub level: Level,
    /// The watched thing.
    pub watch: String,
    /// The finding of a degraded daemon.
    pub finding: Option<String>,
    /// The host.
    pub host: String,
    /// The environment.
    pub environment: Option<String>,
    /// One line.
    pub summary: String,
    /// More lines.
    pub details: Vec<String>,
    /// Begin, Unix milliseconds.
    pub started_ms: i64,
    /// End, Unix milliseconds.
    pub ended_ms: Option<i64>,
    /// Duration in seconds.
    pub duration_s: Option<u64>,
    /// When this notice was made, Unix milliseconds.
    pub at_ms: i64,
}

impl Notice {
    /// One line for a subject.
    pub fn subject(&self) -> String {
        format!("[{:?}] {} on {}: {}", self.kind, self.watch, self.host, self.summary)
    }

    /// The whole text, without the subject.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.summary);
        for detail in &self.details {
            text.push_str(detail);
            text.push('\n');
        }
        text
    }

    /// The notice as one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
