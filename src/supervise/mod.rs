//! Watching: from the vitals to one verdict that everybody repeats.
//!
//! ```text
//! stages ──▶ vitals ─┐
//! store ─── depths ──┼─▶ reading ─▶ verdict ─▶ report ─▶ heartbeat, /health, /metrics, STATUS=
//! machine ─ figures ─┘
//! ```
//!
//! Invariant: nothing here decides anything for the stages; a restart is systemd's business.

mod board;
pub mod exposition;
mod metrics;
mod report;

pub use board::Board;
pub use metrics::{Metrics, Names, StoreTimings};
pub use report::{Depth, Happened, Phase, Reading, Recent, Report, System};
