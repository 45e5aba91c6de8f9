//! `[pipeline]`: how much is done at once, and how much may wait.

use crate::config::key::Part;
use crate::config::rule::count;
use crate::config::section::section;

section! {
    /// The section `[pipeline]`: how much is done at once, and how much may wait.
    pub struct Pipeline in "pipeline" {
        /// How many questions are answered at the same time; each chat has at most one.
        answers_at_once: u32 = count(1..=1024, 32)
            .when("Lower it for a small local model, raise it for a busy bot with a generous provider.")
            .live(Part::Answers),

        /// How many updates may wait on disk before polling pauses; Telegram keeps the rest for 24
        /// hours.
        backlog_max: u32 = count(100..=1_000_000, 10_000)
            .when("Raise it when long floods are expected and the disk is large.")
            .live(Part::Stages),
    }
}
