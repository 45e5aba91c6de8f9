//! A bot on another machine, judged by what its `/health` answers.
//!
//! Invariants: an answer ends in time and is bounded, see [`channel::fetch`]; what it says is foreign text,
//! and reaches people as one line each.

use std::time::Instant;

use heartbeat::{Finding, Heartbeat, Judgement, Now, Reason, Severity, State, Verdict};
use hygiene::duration;
use hygiene::line::one_line;
use serde_json::Value;

use crate::channel;

/// Longest text that is taken over, in characters.
const TEXT: usize = 300;

/// Asks and judges by `deadline`.
pub fn judge(url: &str, now: &Now, deadline: Instant) -> Judgement {
    match channel::fetch(url, deadline) {
        Err(failure) => unreachable(&failure.to_string()),
        Ok((status, body)) => {
            let said: Value = serde_json::from_slice(&body).unwrap_or_default();
            judged(status, &said, now)
        }
    }
}

/// That there was no answer.
pub fn unreachable(why: &str) -> Judgement {
    judgement(State::Critical, Reason::Unreachable, one_line(why, TEXT))
}

fn judgement(state: State, reason: Reason, text: String) -> Judgement {
    Judgement { state, reason, text, age_ms: None, heartbeat: None }
}

fn judged(status: u16, said: &Value, now: &Now) -> Judgement {
    let (state, reason, verdict) = match said["status"].as_str() {
        Some("healthy") => (State::Ok, Reason::Fresh, Verdict::Ok),
        Some("degraded") => (State::Warning, Reason::Degraded, Verdict::Degraded),
        Some("unhealthy") => (State::Critical, Reason::Failing, Verdict::Failing),
        _ => {
            let text = format!("the answer (status {status}) is not that of /health");
            return judgement(State::Critical, Reason::Garbled, text);
        }
    };
    let text = |value: &Value| one_line(value.as_str().unwrap_or_default(), TEXT);
    let finding = |one: &Value| {
        let failing = one["severity"] == "failing";
        Finding {
            // Without access to the full answer there are only names.
            name: text(if one.is_string() { one } else { &one["name"] }),
            severity: if failing { Severity::Failing } else { Severity::Degraded },
            text: text(&one["text"]),
            impact: String::new(),
            first_step: String::new(),
        }
    };
    let findings = said["findings"].as_array().into_iter().flatten().take(heartbeat::MAX_ENTRIES);
    let findings: Vec<Finding> = findings.map(finding).filter(|one| !one.name.is_empty()).collect();
    let named = findings.iter().map(|one| match one.text.as_str() {
        "" => one.name.clone(),
        text => format!("{}: {text}", one.name),
    });
    let named = one_line(&named.collect::<Vec<_>>().join("; "), TEXT);
    let age_s = said["report_age_s"].as_f64().filter(|age| (0.0..1e9).contains(age));
    // In range, by the filter.
    let age_ms = age_s.map(|age| (age * 1000.0) as u64);
    let old = age_ms.map(|age| format!(" (its report is {} old)", duration::in_words(age)));
    let words = match (verdict, named.as_str()) {
        (Verdict::Ok, _) => "it answers and is healthy".to_owned(),
        (verdict, "") => verdict.word().to_owned(),
        (verdict, named) => format!("{}: {named}", verdict.word()),
    };
    let beat = Heartbeat {
        time_ms: now.time_ms,
        boot_id: String::new(),
        boot_ms: 0,
        awake_ms: None,
        sequence: 0,
        pid: 0,
        version: text(&said["version"]),
        environment: text(&said["environment"]),
        manager: None,
        verdict,
        findings,
        ages: Vec::new(),
    };
    let text = format!("{words}{}", old.unwrap_or_default());
    Judgement { age_ms, heartbeat: Some(beat), ..judgement(state, reason, text) }
}
