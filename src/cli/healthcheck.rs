//! `katana-bot healthcheck`: asks the daemon's endpoint and ends with 0 or 1, as the health checks of container
//! platforms want it.
//!
//! Invariant: it asks the process that listens here and needs no secret. A heartbeat file would not do: on a
//! shared volume it may be that of the instance before.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::endpoint;
use super::style::say;
use crate::config::{Config, Examined};

/// Exit status of an unhealthy bot; container platforms reserve the others.
const UNHEALTHY: u8 = 1;

/// Runs the command. `alive`: only whether the process makes progress counts.
pub(super) fn healthcheck(config: Option<PathBuf>, alive: bool) -> ExitCode {
    let Examined { loaded, .. } = Config::examine(&endpoint::sources(config));
    let judged = match endpoint::address(&loaded) {
        Some(listen) if alive => ask(listen, "/live", "alive").and_then(|said| progress(&said)),
        Some(listen) => ask(listen, "/health", "status").and_then(|said| judged(&said)),
        None => Err("web.listen is off, so that there is nothing to ask".to_owned()),
    };
    match judged {
        Ok(words) => {
            say(&format!("OK: {words}\n"));
            ExitCode::SUCCESS
        }
        Err(words) => {
            eprintln!("CRITICAL: {}", hygiene::line::harmless(&words));
            ExitCode::from(UNHEALTHY)
        }
    }
}

/// What the endpoint says at `path`, whatever its status code; ours always has `field`.
fn ask(listen: SocketAddr, path: &str, field: &str) -> Result<Value, String> {
    let at = format!("http://{}{path}", endpoint::reachable(listen));
    let answer = endpoint::get(listen, path, None).map_err(|e| format!("{at}: {e}"))?;
    let said = answer.json.filter(|said| !said[field].is_null());
    said.ok_or_else(|| format!("{at}: something else answers there (status {})", answer.code))
}

/// The judgement on an answer of `/live`, in words.
fn progress(said: &Value) -> Result<String, String> {
    if said["alive"] == true { Ok("alive".to_owned()) } else { Err(texts(&said["reasons"])) }
}

/// The judgement on an answer of `/health`, full or in short, in words.
fn judged(said: &Value) -> Result<String, String> {
    // Reports that have stopped are said in `output`.
    if let Some(stalled) = said["output"].as_str() {
        return Err(stalled.to_owned());
    }
    let status = said["status"].as_str().unwrap_or_default();
    let names: Vec<&Value> =
        said["findings"].as_array().into_iter().flatten().map(|f| &f["name"]).collect();
    let words = match names.is_empty() {
        true => status.to_owned(),
        false => format!("{status} ({})", texts(&json!(names))),
    };
    if ["healthy", "degraded"].contains(&status) { Ok(words) } else { Err(words) }
}

/// A list of texts in one line.
fn texts(list: &Value) -> String {
    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_elsewhere_is_unhealthy() {
        let outage = json!({"status": "unhealthy", "findings": [{"name": "poll_failing"}]});
        assert_eq!(judged(&outage), Err("unhealthy (poll_failing)".to_owned()));
        let slow = json!({"status": "degraded", "findings": [{"name": "provider_slow"}]});
        assert_eq!(judged(&slow), Ok("degraded (provider_slow)".to_owned()));
        assert_eq!(judged(&json!({"status": "healthy"})), Ok("healthy".to_owned()));
    }

    #[test]
    fn a_process_that_makes_no_progress_is_not_alive() {
        let silent = json!({"status": "unhealthy", "output": "no report for 60 s"});
        assert_eq!(judged(&silent), Err("no report for 60 s".to_owned()));
        let stalled = json!({"alive": false, "reasons": ["stage_stalled: poll for 90 s"]});
        assert_eq!(progress(&stalled), Err("stage_stalled: poll for 90 s".to_owned()));
        assert_eq!(progress(&json!({"alive": true, "reasons": []})), Ok("alive".to_owned()));
    }
}
