//! Names and labels that are known beforehand: their series are there from the start, with 0.

use crate::observe::histogram::Histogram;
use crate::observe::label::Label;
use crate::observe::vitals::{Series, Timing, Vitals};
use crate::supervise::exposition::Family;

/// Names that are known beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// Version of the program.
    pub version: &'a str,
    /// Name of the installation.
    pub environment: &'a str,
    /// Which provider answers.
    pub provider: &'a str,
    /// With which model; may be empty.
    pub model: &'a str,
    /// The chat commands.
    pub commands: &'a [&'static str],
    /// Features with whom each is on for.
    pub features: &'a [(&'static str, &'static str)],
}

/// Unix milliseconds as Prometheus' seconds. Before the first event there is no series: the age of a 0 would be
/// half a century.
pub(super) fn time_s(at_ms: Option<i64>) -> Option<f64> {
    at_ms.map(|ms| ms as f64 / 1000.0)
}

/// Adds the counters of a family, after the labels that are known beforehand.
pub(super) fn counted(
    family: Family,
    vitals: &Vitals,
    name: &'static str,
    known: &[&str],
) -> Family {
    let rows = vitals.counters(name);
    let silent = known.iter().filter(|label| rows.iter().all(|(row, _)| row != *label));
    let family = silent.fold(family, |family, label| family.with_count(&[label], 0));
    rows.iter().fold(family, |family, (label, count)| family.with_count(&[label], *count))
}

/// All series of durations, after those that are known beforehand.
pub(super) fn observed(vitals: &Vitals, timing: Timing, known: &[(Label, Label)]) -> Vec<Series> {
    let mut rows = vitals.observed(timing);
    for (first, second) in known {
        if rows.iter().all(|(a, b, _)| a != first || b != second) {
            let none = Histogram::new(timing.bounds()).read();
            rows.push((first.clone(), second.clone(), none));
        }
    }
    rows
}
