//! Outages, as the checker remembers them: in `outages.json` when they are over, and inside the incidents of
//! `incidents.json` while they go on. The checker and `katana-bot status` read both, and count the same.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Now;

/// From the last sign of life to the first good check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// The id of its incident.
    pub id: String,
    /// The name of the watch.
    pub watch: String,
    /// The heartbeat. Version 0.2 did not write it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// When it began, in Unix milliseconds.
    pub from_ms: i64,
    /// When it was over, likewise; for one that goes on, now.
    pub until_ms: i64,
}

/// What of an incident says whether something was down.
#[derive(Deserialize)]
struct Incident {
    id: String,
    watch: String,
    file: Option<String>,
    level: String,
    started: Now,
    end: Option<End>,
}

#[derive(Deserialize)]
struct End {
    at: Now,
}

impl Outage {
    /// The outage that an incident of the checker's log is; one that goes on lasts until now. `None` for a
    /// warning, and for what is not an incident.
    pub fn of(incident: &Value, now: &Now) -> Option<Self> {
        let Incident { id, watch, file, level, started, end } =
            Incident::deserialize(incident).ok()?;
        let until_ms = end.map_or(now.time_ms, |end| end.at.seen_from_ms(now));
        let from_ms = started.seen_from_ms(now);
        (level == "critical").then_some(Self { id, watch, file, from_ms, until_ms })
    }

    /// Whether it is about this heartbeat. One of version 0.2 has only the name of the watch: that of the unit,
    /// or the path.
    pub fn is_about(&self, heartbeat: &Path) -> bool {
        let path = heartbeat.display().to_string();
        let unit = heartbeat.parent().and_then(Path::file_name).unwrap_or_default();
        match &self.file {
            Some(file) => *file == path,
            None => self.watch == path || self.watch == *unit.to_string_lossy(),
        }
    }

    /// From when to when, in Unix milliseconds.
    pub fn span(&self) -> (i64, i64) {
        (self.from_ms, self.until_ms)
    }
}

/// Those that are over, and what the incidents add to them.
pub fn joined(over: Vec<Outage>, incidents: impl IntoIterator<Item = Outage>) -> Vec<Outage> {
    let mut all = over;
    for outage in incidents {
        if all.iter().all(|known| known.id != outage.id) {
            all.push(outage);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_in_both_counts_once_and_warnings_not_at_all() {
        let at = |ms: i64| json!({"time_ms": ms, "boot_id": null, "boot_ms": null});
        let now = Now { time_ms: 1_000, boot_id: None, boot_ms: None, awake_ms: None };
        let incident = |id: &str, level: &str, end: Value| json!({"id": id, "watch": "w", "level": level, "started": at(10), "end": end, "told": {}});
        let of = |incident: Value| Outage::of(&incident, &now);
        let over = of(incident("a", "critical", json!({"at": at(50), "summary": "ok"}))).unwrap();
        assert_eq!(over.span(), (10, 50));
        let open = of(incident("b", "critical", Value::Null)).unwrap();
        assert_eq!(open.span(), (10, 1_000));
        assert_eq!(of(incident("c", "warning", Value::Null)), None);
        assert_eq!(of(json!({"id": "d"})), None);
        let all = joined(vec![over.clone()], [over.clone(), open.clone()]);
        assert_eq!(all, [over, open]);
    }
}
