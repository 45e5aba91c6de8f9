//! Questions in a supergroup that is not allowed, which are looked at some more times before they are refused:
//! a group that has just become a supergroup has a new id, and the service message that says so may come
//! after the first question.
//!
//! Invariants: nothing waits that would have been answered at once; they stay new on disk.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::model::ids::InboxSeq;
use crate::model::limits;
use crate::store::Queued;

/// Those of one chat.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    waiting: Vec<(Instant, Queued)>,
    /// How often each was looked at.
    looks: HashMap<InboxSeq, u8>,
}

impl Deferred {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// This is looked at again at that time.
    pub(super) fn add(&mut self, queued: Queued, at: Instant) {
        let looks = self.looks.entry(queued.seq).or_default();
        *looks += 1;
        if self.waiting.len() >= limits::MOVE_WAITING {
            *looks = limits::MOVE_LOOKS;
        }
        self.waiting.push((at, queued));
    }

    /// Whether this is the last look at it.
    pub(super) fn has_waited(&mut self, seq: InboxSeq) -> bool {
        let is_last = self.looks.get(&seq).is_some_and(|looks| *looks >= limits::MOVE_LOOKS);
        if is_last {
            self.looks.remove(&seq);
        }
        is_last
    }

    /// What is to be looked at by now, in order.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Queued> {
        let (due, rest) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(at, _)| *at <= now);
        self.waiting = rest;
        let due: Vec<(Instant, Queued)> = due;
        due.into_iter().map(|(_, queued)| queued).collect()
    }

    /// What waits.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Queued> {
        self.waiting.iter().map(|(_, queued)| queued)
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Queued> {
        self.waiting.iter_mut().map(|(_, queued)| queued)
    }

    /// All of them.
    pub(super) fn take_all(&mut self) -> Vec<Queued> {
        self.waiting.drain(..).map(|(_, queued)| queued).collect()
    }
}
