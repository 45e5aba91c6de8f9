//! Single lines of the status.

use heartbeat::{rfc3339, span};
use hygiene::line::count;
use serde_json::Value;

/// The last outcome of the question that the bot puts to itself.
pub(super) fn canary(said: &Value) -> Option<String> {
    let age = said["canary_age_s"].as_f64()?;
    Some(match said["canary"].as_str()? {
        "passed" => format!("answered as expected {} ago", s(age)),
        "wrong" => format!("not answered as expected {} ago", s(age)),
        "unanswered" => format!("no answer {} ago", s(age)),
        "over_budget" => format!("not asked {} ago: its budget is used up", s(age)),
        "superseded" => format!("no answer {} ago; people have had answers since", s(age)),
        _ => return None,
    })
}

/// One provider of the list, where there are several or it is not asked: what it is called, and how it is.
pub(super) fn provider(one: &Value) -> (String, String) {
    let text = |key: &str| one[key].as_str().unwrap_or("?");
    let label = format!("provider {}", text("name"));
    let model = text("model");
    let line = match (text("breaker"), one["failing_for_s"].as_f64()) {
        ("closed", _) | (_, None) => format!("{model}: is asked"),
        (state, Some(failing)) => {
            let what = if one["unusable"] == true { "cannot be used" } else { "fails" };
            let next = match one["asked_again_in_s"].as_f64() {
                _ if state == "half_open" => "a question is trying it".to_owned(),
                Some(wait) if wait > 0.0 => format!("it is tried again in {}", s(wait)),
                _ => "the next question tries it".to_owned(),
            };
            format!("{model}: {what} ({}) for {}; {next}", text("class"), s(failing))
        }
    };
    (label, line)
}

/// The documents, and how far their vectors are.
pub(super) fn documents(said: &Value) -> Option<String> {
    let (documents, index) = (&said["documents"], &said["index"]);
    let mut line = match documents["state"].as_str()? {
        "read" => {
            let passages = documents["passages"].as_u64().unwrap_or_default();
            format!("{} in {}", documents["files"], count(passages, "passage"))
        }
        "reading" => "being read; questions wait".to_owned(),
        "unreadable" => "cannot be read".to_owned(),
        _ => return None,
    };
    if let Some(n) = index["unreadable"].as_u64().filter(|n| *n > 0) {
        line.push_str(&format!("; {n} cannot be read (`katana-bot knowledge status`)"));
    }
    if let Some(n) = index["folders_unreadable"].as_u64().filter(|n| *n > 0) {
        let folders = count(n, "folder");
        line.push_str(&format!("; {folders} cannot be read (`katana-bot knowledge status`)"));
    }
    for (name, what) in [("active", "vectors"), ("building", "vectors of the next model")] {
        let (done, of) = (index[name]["embedded"].as_u64(), index[name]["of"].as_u64());
        if let Some((done, of)) = done.zip(of).filter(|(done, of)| done < of || name == "building")
        {
            let eta = index[name]["eta_s"].as_f64().map(|left| format!(", {} left", s(left)));
            line.push_str(&format!("; {what}: {done} of {of}{}", eta.unwrap_or_default()));
        }
    }
    if index["short_of_space"] == true {
        line.push_str("; the index does not grow, because its disk is nearly full");
    }
    if let Some(age) = index["oldest_change_age_s"].as_f64() {
        line.push_str(&format!("; a change waits for {}", s(age)));
    }
    Some(line)
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
