//! Watching: from the vitals to one verdict that everybody repeats.
//!
//! ```text
//! stages ──▶ vitals ─┐
//! store ─── depths ──┼─▶ reading ─▶ verdict ─▶ report ─▶ heartbeat, /health, /metrics, STATUS=
//! machine ─ figures ─┘
//! ```
//!
//! Invariant: nothing here decides anything for the stages; a restart is systemd's business.

mod backups;
mod canary;
mod documents;
pub mod exposition;
mod figures;
mod heartbeat;
mod judge;
pub mod metrics;
mod money;
mod previous_end;
mod probe;
mod providers;
mod report;
mod report_hub;
mod retrievals;
mod sampler;
mod seen;
mod supervisor;
mod system;
#[cfg(test)]
mod tests;
mod thresholds;
mod verdict;
mod watchdog;
mod window;
mod words;

pub use ::heartbeat::span;
pub use backups::missing_backup;
pub use probe::probe;
pub use report::{Depth, Happened, MoneyReading, Phase, Reading, Recent, Report, Spell, System};
pub use report_hub::ReportHub;
pub use retrievals::Retrievals;
pub use supervisor::{Settings, Supervisor};
pub use system::Machine;
pub use thresholds::Thresholds;
pub use watchdog::{WatchdogSignal, watchdog};
pub use words::words;
