//! Metrics: everything that the vitals and the last report hold, under names of Prometheus'
//! conventions. `docs/metrics.md` lists them all.
//!
//! The stages write plain atomics; this reads them when somebody asks, so there is no second set
//! of figures. Invariants: reading touches no disk; no label holds an id or a text of people; series
//! that are known beforehand are there from the start, with 0.

mod calls;
mod host;
mod work;

use super::exposition::Family;
use super::report::Report;
use crate::observe::histogram::{Buckets, Histogram};
use crate::observe::vitals::{Timing, Vitals};
use crate::store::Timings;

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
}

/// Everything as it stands now.
pub fn families(
    names: &Names<'_>,
    vitals: &Vitals,
    report: &Report,
    store: Option<&Timings>,
) -> Vec<Family> {
    let mut families = host::verdict(names, vitals, report);
    families.extend(work::families(names, vitals, report));
    families.extend(calls::families(names, vitals, store));
    families.extend(report.reading.system.iter().flat_map(host::system));
    families
}

/// Adds what was tallied in a family, after the labels that are known beforehand.
fn tallied(family: Family, vitals: &Vitals, name: &'static str, known: &[&str]) -> Family {
    let rows = vitals.tallied(name);
    let silent = known.iter().filter(|label| rows.iter().all(|(row, _)| row != *label));
    let family = silent.fold(family, |family, label| family.with_count(&[label], 0));
    rows.iter().fold(family, |family, (label, count)| family.with_count(&[label], *count))
}

/// All series of durations, after those that are known beforehand.
fn observed(
    vitals: &Vitals,
    timing: Timing,
    known: &[(&str, &str)],
) -> Vec<(String, String, Buckets)> {
    let mut rows = vitals.observed(timing);
    for (first, second) in known {
        if rows.iter().all(|(a, b, _)| a != first || b != second) {
            let none = Histogram::new(timing.bounds()).read();
            rows.push(((*first).to_owned(), (*second).to_owned(), none));
        }
    }
    rows
}
