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
use crate::model::histogram::{Buckets, Histogram};
use crate::model::vitals::{Timing, Vitals};
use crate::store::Timings;

/// Names that are known beforehand.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Version of the program.
    pub version: &'static str,
    /// Name of the installation.
    pub environment: String,
    /// Which provider answers.
    pub provider: String,
    /// With which model; may be empty.
    pub model: String,
    /// The chat commands.
    pub commands: Vec<&'static str>,
}

/// Makes the metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    names: Names,
}

impl Metrics {
    /// For a bot of these names.
    pub fn new(names: Names) -> Self {
        Self { names }
    }

    /// Everything as it stands now.
    pub fn families(
        &self,
        vitals: &Vitals,
        report: &Report,
        store: Option<&Timings>,
    ) -> Vec<Family> {
        let mut families = host::verdict(&self.names, vitals, report);
        families.extend(work::families(&self.names, vitals, report));
        families.extend(calls::families(&self.names, vitals, store));
        families.extend(report.reading.system.iter().flat_map(host::system));
        families
    }
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
