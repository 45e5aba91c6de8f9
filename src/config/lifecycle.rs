//! `[lifecycle]`: how the bot stops.

use super::key::{Key, Kind};
use super::settled::Settled;

/// The section `[lifecycle]`.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    /// How long running work may finish after the first signal.
    pub grace_s: u64,
}

pub(super) const KEYS: &[Key] = &[Key::new("lifecycle.grace_s", Kind::Whole(0, 600), "20").doc(
    "How long running answers may finish when the bot is asked to stop, in seconds. What is not finished is done after the next start.",
    "Keep it below the unit's `TimeoutStopSec`.",
)];

impl Lifecycle {
    pub(super) fn read(settled: &Settled) -> Self {
        Self { grace_s: settled.whole("lifecycle.grace_s") }
    }
}
