//! Whether the checker holds alerts back, as far as we may read its memory: root may.

use std::path::{Path, PathBuf};

use heartbeat::{Now, rfc3339};
use hygiene::line::one_line;
use serde_json::Value;

/// Largest memory that is read, in bytes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The silence that is in effect for the checker of this heartbeat, in words.
pub(super) fn of(heartbeat: &Path) -> Option<String> {
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
