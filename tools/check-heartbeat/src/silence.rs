//! A silence: for some time, what is expected to go wrong alerts no one.
//!
//! Invariant: it holds back the causes that are known when it is set, or else the first one that comes.
//! Whatever else goes wrong meanwhile is a second cause, and is sent; unless the silence is for
//! everything, which has to be asked for by name.

use std::collections::BTreeSet;

use heartbeat::Now;
use hygiene::duration;
use serde::{Deserialize, Serialize};

use crate::clock::clock;

/// What was asked for, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Silence {
    pub since: Now,
    pub duration_ms: u64,
    pub by: String,
    pub reason: String, // may be empty
    /// Whether it holds back second causes as well.
    pub everything: bool,
    /// Whether it has its cause already.
    pub taken: bool,
    /// What it holds back, also after it was over once: watches and causes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub held: BTreeSet<(String, String)>,
}

impl Silence {
    /// Milliseconds until it ends; 0 when it is over.
    pub fn left_ms(&self, now: &Now) -> u64 {
        self.duration_ms.saturating_sub(self.since.elapsed_ms(now))
    }

    /// In one line: until when, by whom and why.
    pub fn words(&self, now: &Now) -> String {
        let left = self.left_ms(now);
        let until = now.time_ms.saturating_add(i64::try_from(left).unwrap_or(i64::MAX));
        let (left, until, by) = (duration::in_words(left), clock(until), &self.by);
        let reason = if self.reason.is_empty() { "" } else { ": " };
        let what = match (self.everything, self.taken) {
            (true, _) => "everything",
            (_, true) => "one cause; others are sent",
            _ => "the first cause that comes; others are sent",
        };
        format!("until {until}, {left} more, by {by}{reason}{} ({what})", self.reason)
    }
}
