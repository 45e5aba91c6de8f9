//! `[lifecycle]`: how the bot stops.

use crate::config::key::Part;
use crate::config::rule::whole;
use crate::config::section::section;

section! {
    /// The section `[lifecycle]`: how the bot stops.
    pub struct Lifecycle in "lifecycle" {
        /// The grace period for running answers when the bot shuts down, in seconds. Unfinished
        /// ones are answered after the next start.
        grace_s: u64 = whole(0..=600, 20)
            .when("Keep it below the unit's `TimeoutStopSec`.").live(Part::Stop),
    }
}
