//! `[pipeline]`: how much is done at once, and how much may wait.

use super::key::{Key, Kind};
use super::settled::Settled;

/// The section `[pipeline]`.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Answers that are thought out at the same time, in different chats.
    pub answers_at_once: u32,
    /// Updates that may wait before polling pauses.
    pub backlog_max: u32,
}

pub(super) const KEYS: &[Key] = &[
    Key::new("pipeline.answers_at_once", Kind::Whole(1, 1024), "32").doc(
        "How many questions are answered at the same time; each chat has at most one.",
        "Lower it for a small local model, raise it for a busy bot with a generous provider.",
    ),
    Key::new("pipeline.backlog_max", Kind::Whole(100, 1_000_000), "10000").doc(
        "How many updates may wait on disk before polling pauses; Telegram keeps the rest for 24 hours.",
        "Raise it when long floods are expected and the disk is large.",
    ),
];

impl Pipeline {
    pub(super) fn read(settled: &Settled) -> Self {
        Self {
            answers_at_once: settled.count("pipeline.answers_at_once"),
            backlog_max: settled.count("pipeline.backlog_max"),
        }
    }
}
