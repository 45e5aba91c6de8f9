//! Riders: what the next commit of any kind stores, too.
//!
//! Invariant: the next commit stores what waits here; a rider whose commit fails rides with the one after it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What waits for a commit.
#[derive(Debug)]
pub(super) struct Riders<T>(Mutex<Waiting<T>>);

#[derive(Debug)]
struct Waiting<T> {
    all: Vec<T>,
    /// How many of them, the first ones, are in the commit that is being made.
    in_commit: usize,
}

impl<T> Default for Riders<T> {
    fn default() -> Self {
        Self(Mutex::new(Waiting { all: Vec::new(), in_commit: 0 }))
    }
}

impl<T: Clone> Riders<T> {
    /// Adds one; answers how many there are.
    pub(super) fn add(&self, one: T) -> usize {
        let mut waiting = self.waiting();
        waiting.all.push(one);
        waiting.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting().all.is_empty()
    }

    /// Looks at all that wait.
    pub(super) fn look<R>(&self, look: impl FnOnce(&[T]) -> R) -> R {
        look(&self.waiting().all)
    }

    /// All that wait, for the transaction that is running.
    pub(super) fn to_commit(&self) -> Vec<T> {
        let mut waiting = self.waiting();
        waiting.in_commit = waiting.all.len();
        waiting.all.clone()
    }

    /// The transaction was committed.
    pub(super) fn committed(&self) {
        let mut waiting = self.waiting();
        let count = std::mem::take(&mut waiting.in_commit);
        waiting.all.drain(..count);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
