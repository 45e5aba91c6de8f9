//! Single lines of the status.

use heartbeat::{rfc3339, span};
use serde_json::Value;

/// The last outcome of the question that the bot puts to itself.
pub(super) fn canary(said: &Value) -> Option<String> {
    let age = said["canary_age_s"].as_f64()?;
    Some(match said["canary"].as_str()? {
        "passed" => format!("answered as expected {} ago", s(age)),
        "wrong" => format!("not answered as expected {} ago", s(age)),
        "unanswered" => format!("no answer {} ago", s(age)),
        "superseded" => format!("no answer {} ago; people have had answers since", s(age)),
        _ => return None,
    })
}

/// None were made where none are kept this way.
pub(super) fn backups(backups: &Value) -> Option<String> {
    let newest = backups["newest"].as_str().and_then(rfc3339::parse)?;
    let age_ms = u64::try_from(heartbeat::Now::read().time_ms - newest).unwrap_or(0);
    let count = backups["count"].as_u64().unwrap_or_default();
    Some(format!("{count}, the newest is {} old", span(age_ms)))
}

/// Seconds in words.
pub(super) fn s(seconds: f64) -> String {
    // A cast saturates.
    span((seconds.max(0.0) * 1000.0) as u64)
}
