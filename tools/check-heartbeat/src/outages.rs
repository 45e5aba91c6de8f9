//! Outages of the last month: incidents in which something was down, also after everyone has heard of them.
//!
//! They lie in a file of their own, because the log of incidents has to be gone when all is well.

use std::collections::{BTreeMap, BTreeSet};

use heartbeat::{Now, availability};
use serde::{Deserialize, Serialize};

use crate::incident::Incident;
use crate::incident_log::IncidentLog;
use crate::notification::Level;

/// Most outages that are kept; the oldest go first.
const MAX_OUTAGES: usize = 1_000;

/// From the last sign of life to the first good check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    id: String, // of its incident
    watch: String,
    from_ms: i64, // Unix milliseconds
    until_ms: i64,
}

impl Outage {
    /// The outage that an incident is; one that goes on lasts until now. `None` for a warning.
    fn of(incident: &Incident, now: &Now) -> Option<Self> {
        let until_ms = incident.end.as_ref().map_or(now.time_ms, |end| end.at.seen_from_ms(now));
        (incident.bad.level == Level::Critical).then(|| Self {
            id: incident.id.clone(),
            watch: incident.subject.watch.clone(),
            from_ms: incident.started.seen_from_ms(now),
            until_ms,
        })
    }
}

/// Those that are over, of a log that has not dropped them yet.
pub(crate) fn ended(log: &IncidentLog, now: &Now) -> Vec<Outage> {
    let ended = log.incidents.iter().filter(|incident| incident.end.is_some());
    ended.filter_map(|incident| Outage::of(incident, now)).collect()
}

/// Adds what is not known yet, and drops what is older than the longest window. `None`: nothing changed.
pub(crate) fn merged(known: &[Outage], new: &[Outage], now: &Now) -> Option<Vec<Outage>> {
    let is_known = |id: &str| known.iter().any(|outage| outage.id == id);
    let new: Vec<_> = new.iter().filter(|outage| !is_known(&outage.id)).cloned().collect();
    if new.is_empty() {
        return None;
    }
    let (_, longest) = availability::WINDOWS[1];
    let mut all = [known, &new].concat();
    all.retain(|outage| outage.until_ms > now.time_ms.saturating_sub(longest));
    all.sort_by_key(|outage| outage.until_ms);
    all.drain(..all.len().saturating_sub(MAX_OUTAGES));
    Some(all)
}

/// All that is known of each of these watches, and of others with an outage: the windows of
/// [`availability::WINDOWS`] with the ratio of each, 0 to 1.
pub(crate) fn ratios(
    watches: impl IntoIterator<Item = String>,
    known: &[Outage],
    log: &IncidentLog,
    now: &Now,
) -> BTreeMap<String, [f64; 2]> {
    let seen: BTreeSet<&str> = known.iter().map(|outage| outage.id.as_str()).collect();
    let current = log.incidents.iter().filter_map(|incident| Outage::of(incident, now));
    let current = current.filter(|outage| !seen.contains(outage.id.as_str()));
    let all: Vec<Outage> = known.iter().cloned().chain(current).collect();
    let names = watches.into_iter().chain(all.iter().map(|outage| outage.watch.clone()));
    let spans = |name: &str| -> Vec<(i64, i64)> {
        let of_it = all.iter().filter(|outage| outage.watch == name);
        of_it.map(|outage| (outage.from_ms, outage.until_ms)).collect()
    };
    let ratio = |name: &str| {
        let spans = spans(name);
        availability::WINDOWS
            .map(|(_, window)| availability::ratio(spans.iter().copied(), window, now.time_ms))
    };
    names.map(|name| (name.clone(), ratio(&name))).collect()
}

/// For people.
pub(crate) fn in_words(ratios: &BTreeMap<String, [f64; 2]>) -> Vec<String> {
    let target = availability::percent(availability::TARGET);
    let line = |(name, [week, month]): (&String, &[f64; 2])| {
        let (week, month) = (availability::percent(*week), availability::percent(*month));
        format!("Available: {name} {week} in 7 days, {month} in 30 days (target {target})")
    };
    ratios.iter().map(line).collect()
}

/// In the text format of Prometheus, for the textfile collector of its node exporter.
pub(crate) fn metrics(ratios: &BTreeMap<String, [f64; 2]>) -> Vec<String> {
    let name = "check_heartbeat_availability_ratio";
    let mut lines = vec![
        format!("# HELP {name} Part of the time without an outage, as the checks saw it."),
        format!("# TYPE {name} gauge"),
    ];
    for (watch, ratios) in ratios {
        let watch = watch.replace('\\', "\\\\").replace('"', "\\\"");
        for (window, ratio) in ["7d", "30d"].iter().zip(ratios) {
            lines.push(format!("{name}{{watch=\"{watch}\",window=\"{window}\"}} {ratio:.6}"));
        }
    }
    lines
}
