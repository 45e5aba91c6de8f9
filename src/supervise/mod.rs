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
mod judge;
mod probe;
mod reading;
mod report;
mod system;
mod verdict;
mod watchdog;
mod window;

pub use board::Board;
pub use judge::Judge;
pub use probe::probe;
pub use reading::{Gauge, Told, Waiting};
pub use report::{Depth, Happened, Phase, Reading, Recent, Report, Spell, System};
pub use system::Machine;
pub use verdict::{Level, Seen, TEXT_CHARS, Thresholds, over_limit, seen};
pub use watchdog::{Bark, watchdog};
