//! Metrics: everything that the vitals and the last report hold, under names of Prometheus'
//! conventions. `docs/metrics.md` lists them all.
//!
//! The stages write plain atomics; this reads them on request, so there is no second set of
//! figures. Invariants: reading touches no disk; no label holds an id or a text of people; series
//! that are known beforehand are there from the start, with 0.

mod calls;
mod documents;
mod host;
mod known;
mod money;
mod work;

pub use known::Names;

use super::exposition::Family;
use super::report::Report;
use crate::observe::vitals::Vitals;
use crate::store::Timings;

/// Everything as it stands now.
pub fn families(
    names: &Names<'_>,
    vitals: &Vitals,
    report: &Report,
    store: Option<&Timings>,
) -> Vec<Family> {
    let mut families = host::verdict(names, vitals, report);
    families.extend(work::families(names, vitals, report));
    families.extend(documents::families(vitals, report));
    families.extend(calls::families(names, vitals, store));
    families.extend(money::families(names, vitals, report));
    families.extend(report.reading.system.iter().flat_map(host::process));
    families.extend(report.reading.system.iter().flat_map(host::machine));
    families
}
