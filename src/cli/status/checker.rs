//! What the checker remembers, as far as we may read it (root may): whether it holds alerts back, and how
//! much of the time people were served.

use std::path::{Path, PathBuf};

use heartbeat::{Judgement, Now, Outage, Reason, availability, outage, rfc3339};
use hygiene::line::one_line;
use serde_json::Value;

/// Largest memory that is read, in bytes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The part of the last days without an outage, in words; `None` where there is no checker. `found`: the
/// heartbeat as it is now, which the checker may not have seen yet.
pub(super) fn availability(heartbeat: &Path, found: &Judgement) -> Option<String> {
    let memory = memory(heartbeat)?;
    let now = Now::read();
    let read = |name: &str| {
        let text = hygiene::text::read(&memory.with_file_name(name), MAX_BYTES).ok()?;
        serde_json::from_str::<Value>(&text).ok()
    };
    // Without outages and incidents there is neither file, but there is the folder of a checker.
    let folder = memory.parent().filter(|folder| folder.read_dir().is_ok())?;
    let since_ms = availability::observed_since(folder)?;
    let outages = read("outages.json").unwrap_or_default();
    let incidents = read("incidents.json").unwrap_or_default();
    let mut spans = outages_of(heartbeat, outages, &incidents, &now);
    spans.extend(silent_since(found).map(|since| (since, now.time_ms)));
    Some(availability::in_words(&spans, since_ms, now.time_ms))
}

/// When a bot that is silent was last seen. One that was stopped on purpose may be meant to stay so.
fn silent_since(found: &Judgement) -> Option<i64> {
    let is_silent = matches!(found.reason, Reason::Stale | Reason::PreviousBoot | Reason::Ended);
    found.heartbeat.as_ref().filter(|_| is_silent).map(|beat| beat.time_ms)
}

/// From when to when this bot was down, in Unix milliseconds. What cannot be read does not count.
fn outages_of(heartbeat: &Path, outages: Value, incidents: &Value, now: &Now) -> Vec<(i64, i64)> {
    let over = match outages {
        Value::Array(all) => all,
        _ => Vec::new(),
    };
    let over = over.into_iter().filter_map(|of| serde_json::from_value(of).ok());
    let incidents = incidents["incidents"].as_array().into_iter().flatten();
    let all = outage::joined(over.collect(), incidents.filter_map(|of| Outage::of(of, now)));
    all.iter().filter(|outage| outage.is_about(heartbeat)).map(Outage::span).collect()
}

/// The silence that is in effect for the checker of this heartbeat, in words.
pub(super) fn silence(heartbeat: &Path) -> Option<String> {
    let text = hygiene::text::read(&memory(heartbeat)?, MAX_BYTES).ok()?;
    let silence = serde_json::from_str::<Value>(&text).ok()?["silence"].take();
    in_words(&silence, &Now::read())
}

fn in_words(silence: &Value, now: &Now) -> Option<String> {
    let since: Now = serde_json::from_value(silence["since"].clone()).ok()?;
    let left = silence["duration_ms"].as_u64()?.checked_sub(since.elapsed_ms(now))?;
    let until = now.time_ms.saturating_add(i64::try_from(left).ok()?);
    let text = |key: &str| one_line(silence[key].as_str().unwrap_or_default(), 200);
    let reason = Some(text("reason")).filter(|reason| !reason.is_empty());
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    Some(format!("silenced until {} by {}{reason}", rfc3339::format(until), text("by")))
}

/// Where the packaged checker of this heartbeat remembers incidents.
fn memory(heartbeat: &Path) -> Option<PathBuf> {
    let unit = heartbeat.parent()?.strip_prefix("/run").ok()?.to_str()?;
    let instance =
        unit.strip_prefix("katana-bot").filter(|i| i.is_empty() || i.starts_with('@'))?;
    Some(format!("/var/lib/katana-check{instance}/incidents.json").into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_silence_is_shown_until_it_is_over() {
        let now = Now { time_ms: 1_795_245_873_000, boot_id: None, boot_ms: None, awake_ms: None };
        let since = json!({"time_ms": 1_795_245_813_000_i64, "boot_id": null, "boot_ms": null});
        let mut silence =
            json!({"since": since, "duration_ms": 120_000, "by": "root", "reason": "disk\u{1b}"});
        assert_eq!(
            in_words(&silence, &now).unwrap(),
            "silenced until 2026-11-21T07:25:33.000Z by root: disk"
        );
        silence["duration_ms"] = json!(59_000);
        assert_eq!(in_words(&silence, &now), None);
        assert_eq!(in_words(&Value::Null, &now), None);
    }

    #[test]
    fn outages_of_this_bot_and_what_goes_on_count() {
        let day = 86_400_000_i64;
        let now = Now { time_ms: 100 * day, boot_id: None, boot_ms: None, awake_ms: None };
        let heartbeat = Path::new("/run/katana-bot@staging/heartbeat");
        let ours =
            |outages: &Value, incidents| outages_of(heartbeat, outages.clone(), incidents, &now);
        let outages = json!([
            {"id": "a", "watch": "/run/katana-bot@staging/heartbeat", "from_ms": 90 * day, "until_ms": 93 * day},
            {"id": "b", "watch": "other", "from_ms": 95 * day, "until_ms": 99 * day},
            {"id": "c", "watch": "front desk", "file": heartbeat, "from_ms": 1, "until_ms": 2},
            {"id": "d", "watch": "katana-bot@staging", "file": "/run/x", "from_ms": 3, "until_ms": 4},
        ]);
        let mut wanted = vec![(90 * day, 93 * day), (1, 2)];
        assert_eq!(ours(&outages, &Value::Null), wanted);
        let started = json!({"time_ms": 100 * day - day / 2, "boot_id": null, "boot_ms": null});
        let open = json!({"id": "e", "watch": "katana-bot@staging", "level": "critical", "started": started, "end": null});
        let incidents = json!({"incidents": [open]});
        wanted.push((100 * day - day / 2, 100 * day));
        assert_eq!(ours(&outages, &incidents), wanted);
    }

    #[test]
    fn a_bot_that_is_silent_now_counts_before_a_check_has_seen_it() {
        let now = Now { time_ms: 1_795_245_873_000, boot_id: None, boot_ms: None, awake_ms: None };
        let judged =
            |text: &str| heartbeat::judge(Ok(text.as_bytes()), &now, Duration::from_secs(120));
        let text = "2026-11-21T07:00:00.000Z\nformat: 1\nboot_id: \nboot_ms: 0\nsequence: 1\npid: 7\n\
                    version: 1\nenvironment: \nverdict: ok\n";
        let stale = judged(text);
        assert_eq!(stale.reason, Reason::Stale, "{stale:?}");
        assert_eq!(silent_since(&stale), rfc3339::parse("2026-11-21T07:00:00Z"));
        let stopped = judged(&text.replace("verdict: ok", "verdict: stopped"));
        assert_eq!(silent_since(&stopped), None);
        assert_eq!(availability(Path::new("/nowhere/heartbeat"), &stale), None);
    }

    #[test]
    fn the_memory_is_that_of_the_instance() {
        let memory = |path: &str| memory(Path::new(path)).map(|p| p.display().to_string());
        let staging = memory("/run/katana-bot@staging/heartbeat").unwrap();
        assert_eq!(staging, "/var/lib/katana-check@staging/incidents.json");
        assert!(memory("/run/katana-bot/heartbeat").is_some());
        for other in ["/run/katana-bots/heartbeat", "/tmp/katana-bot/heartbeat", "heartbeat"] {
            assert_eq!(memory(other), None, "{other}");
        }
    }
}
