//! `katana-bot healthcheck`: asks the daemon's endpoint and ends with 0 or 1, as the health checks of container
//! platforms want it.
//!
//! Invariant: it asks the process that listens here and needs no secret. A heartbeat file would not do: on a
//! shared volume it may be that of the instance before.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

use super::endpoint;
use super::style::say;
use crate::config::{Config, Examined};
use crate::observe::finding::Kind;

/// Exit status of an unhealthy bot; container platforms reserve the others.
const UNHEALTHY: u8 = 1;

/// Runs the command. `alive`: only whether the process makes progress counts.
pub(super) fn healthcheck(config: Option<PathBuf>, alive: bool) -> ExitCode {
    let Examined { loaded, .. } = Config::examine(&endpoint::sources(config));
    let judged = match endpoint::address(&loaded) {
        Some(listen) => ask(listen).and_then(|said| judged(&said, alive)),
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

/// What `/health` says, whatever its status code.
fn ask(listen: SocketAddr) -> Result<Value, String> {
    let at = format!("http://{}/health", endpoint::reachable(listen));
    let answer = endpoint::get(listen, "/health", None).map_err(|e| format!("{at}: {e}"))?;
    let said = answer.json.filter(|said| said["status"].is_string());
    said.ok_or_else(|| format!("{at}: something else answers there (status {})", answer.code))
}

/// The judgement on an answer of `/health`, full or in short, in words.
fn judged(said: &Value, alive: bool) -> Result<String, String> {
    let names: Vec<&str> = said["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|f| f["name"].as_str())
        .collect();
    let status = said["status"].as_str().unwrap_or_default();
    let mut words = status.to_owned();
    if !names.is_empty() {
        words.push_str(&format!(" ({})", names.join(", ")));
    }
    // Reports that have stopped are said in `output`.
    let stalled = said["output"].as_str();
    if let Some(stalled) = stalled {
        return Err(stalled.to_owned());
    }
    let hangs = names.contains(&Kind::StageStalled.name());
    let good = if alive { !hangs } else { ["healthy", "degraded"].contains(&status) };
    if good { Ok(words) } else { Err(words) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_outage_elsewhere_is_unhealthy_and_alive() {
        let outage = json!({"status": "unhealthy", "findings": [{"name": "poll_failing"}]});
        assert_eq!(judged(&outage, false), Err("unhealthy (poll_failing)".to_owned()));
        assert_eq!(judged(&outage, true), Ok("unhealthy (poll_failing)".to_owned()));
        let slow = json!({"status": "degraded", "findings": [{"name": "provider_slow"}]});
        assert_eq!(judged(&slow, false), Ok("degraded (provider_slow)".to_owned()));
    }

    #[test]
    fn a_process_that_makes_no_progress_is_not_alive() {
        let stalled = json!({"status": "unhealthy", "findings": [{"name": "stage_stalled"}]});
        let silent = json!({"status": "unhealthy", "output": "no report for 60 s"});
        for said in [stalled, silent] {
            assert!(judged(&said, true).is_err() && judged(&said, false).is_err(), "{said}");
        }
    }
}
