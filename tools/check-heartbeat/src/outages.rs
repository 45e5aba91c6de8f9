//! Outages of the last month: incidents in which something was down, also after everyone has heard of them.
//!
//! They lie in a file of their own, because the log of incidents has to be gone when all is well.

use std::collections::BTreeMap;
use std::path::Path;

use heartbeat::{Now, Outage, availability, outage};

use crate::incident::Incident;
use crate::incident_log::IncidentLog;

/// Most outages that are kept; the oldest go first.
const MAX_OUTAGES: usize = 1_000;

/// By watch, from when to when it was down.
type Spans = BTreeMap<String, Vec<(i64, i64)>>;

/// The outage that an incident is, read as `katana-bot status` reads it from the disk.
fn of(incident: &Incident, now: &Now) -> Option<Outage> {
    Outage::of(&serde_json::to_value(incident).ok()?, now)
}

/// Those that are over, of a log that has not dropped them yet.
pub(crate) fn ended(log: &IncidentLog, now: &Now) -> Vec<Outage> {
    let ended = log.incidents.iter().filter(|incident| incident.end.is_some());
    ended.filter_map(|incident| of(incident, now)).collect()
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

/// From when to when each of these watches was down, and others with an outage: in Unix milliseconds.
pub(crate) fn spans(
    watches: impl IntoIterator<Item = String>,
    known: &[Outage],
    log: &IncidentLog,
    now: &Now,
) -> Spans {
    let current = log.incidents.iter().filter_map(|incident| of(incident, now));
    let mut spans: Spans = watches.into_iter().map(|watch| (watch, Vec::new())).collect();
    for outage in outage::joined(known.to_vec(), current) {
        let span = outage.span();
        spans.entry(outage.watch).or_default().push(span);
    }
    spans
}

/// Since when there are checks, as far as is known, in Unix milliseconds.
pub(crate) fn observed_since(folder: Option<&Path>, known: &[Outage], now: &Now) -> i64 {
    let made = folder.and_then(availability::observed_since).unwrap_or(now.time_ms);
    // A folder that was restored from a backup is younger than what lies in it.
    known.iter().map(|outage| outage.until_ms).fold(made, i64::min)
}

/// For people.
pub(crate) fn in_words(spans: &Spans, since_ms: i64, now: &Now) -> Vec<String> {
    let line = |(name, spans): (&String, &Vec<(i64, i64)>)| {
        format!("Availability of {name}: {}", availability::in_words(spans, since_ms, now.time_ms))
    };
    spans.iter().map(line).collect()
}

/// In the text format of Prometheus, for the textfile collector of its node exporter.
pub(crate) fn metrics(spans: &Spans, since_ms: i64, now: &Now) -> Vec<String> {
    let (name, since) =
        ("check_heartbeat_availability_ratio", "check_heartbeat_observed_since_timestamp_seconds");
    let mut lines = vec![
        format!("# HELP {since} Since when there are checks; no window begins earlier."),
        format!("# TYPE {since} gauge"),
        format!("{since} {}", since_ms / 1000),
        format!("# HELP {name} Part of the time without an outage, as the checks saw it."),
        format!("# TYPE {name} gauge"),
    ];
    for (watch, spans) in spans {
        let watch = watch.replace('\\', "\\\\").replace('"', "\\\"");
        let ratios = availability::ratios(spans, since_ms, now.time_ms);
        for (window, ratio) in ["7d", "30d"].iter().zip(ratios) {
            lines.push(format!("{name}{{watch=\"{watch}\",window=\"{window}\"}} {ratio:.6}"));
        }
    }
    lines
}
