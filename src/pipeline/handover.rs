//! Hand-over: updates go from ingress to the dispatcher in memory, right after their commit. What does
//! not fit is read from disk.
//!
//! Invariant: the order is that of the inbox, and a gap is never hidden.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as Turn;

use crate::model::ids::ChatId;
use crate::model::limits;
use crate::store::Queued;

/// Between ingress and dispatcher.
#[derive(Debug, Default)]
pub(super) struct Handover {
    waiting: Mutex<Waiting>,
    /// Held from before a commit until its updates are here: commits are handed over in their order.
    pub(super) turn: Turn<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    updates: VecDeque<Queued>,
    /// Updates that were committed are not here.
    gap: bool,
    /// How many updates of each chat were committed and are not done. `None` until that is known of all
    /// that earlier processes left.
    open: Option<HashMap<Option<ChatId>, usize>>,
}

impl Handover {
    /// Updates that were just committed, in order.
    pub(super) fn offer(&self, updates: Vec<Queued>) {
        let mut waiting = self.waiting();
        if let Some(open) = &mut waiting.open {
            count(open, updates.iter());
        }
        if waiting.gap || waiting.updates.len() + updates.len() > limits::HANDOVER {
            waiting.gap = true;
            // The disk is read from the first one that is missing, and has all later ones, too.
            waiting.updates = VecDeque::new();
        } else {
            waiting.updates.extend(updates);
        }
    }

    /// All that was offered since the last time, or `None` when it has to be read from disk. What is
    /// committed from now on is offered again.
    pub(super) fn take(&self) -> Option<VecDeque<Queued>> {
        let mut waiting = self.waiting();
        let gap = std::mem::take(&mut waiting.gap);
        let updates = std::mem::take(&mut waiting.updates);
        (!gap).then_some(updates)
    }

    /// Everything that was taken is done, and nothing else waits on disk.
    pub(super) fn all_done(&self) {
        let mut waiting = self.waiting();
        if !waiting.gap {
            let mut open = HashMap::new();
            count(&mut open, waiting.updates.iter());
            waiting.open = Some(open);
        }
    }

    /// Updates of a chat are done.
    pub(super) fn done(&self, chat: Option<ChatId>, count: usize) {
        if let Some(open) = &mut self.waiting().open
            && let Some(left) = open.get_mut(&chat)
        {
            *left = left.saturating_sub(count);
            if *left == 0 {
                open.remove(&chat);
            }
        }
    }

    /// The chats among these in which every update that was committed is done.
    pub(super) fn idle(&self, chats: impl Iterator<Item = ChatId>) -> HashSet<ChatId> {
        match &self.waiting().open {
            Some(open) => chats.filter(|chat| !open.contains_key(&Some(*chat))).collect(),
            None => HashSet::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count<'a>(open: &mut HashMap<Option<ChatId>, usize>, updates: impl Iterator<Item = &'a Queued>) {
    for queued in updates {
        *open.entry(queued.update.chat()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{InboxSeq, UpdateId};
    use crate::model::message::{Update, UpdateEvent};

    fn queued(seqs: std::ops::Range<i64>) -> Vec<Queued> {
        let event = || UpdateEvent::Ignored { kind: "poll".into(), chat: None };
        let update = |id| Update { id: UpdateId(id), event: event() };
        let queued = |n| {
            let (seq, update) = (InboxSeq(n), update(n));
            Queued { seq, received_ms: 0, update, others: Vec::new() }
        };
        seqs.map(queued).collect()
    }

    #[test]
    fn what_does_not_fit_is_a_gap_until_it_was_noticed() {
        let handover = Handover::default();
        let most = i64::try_from(limits::HANDOVER).unwrap();
        handover.offer(queued(0..most));
        assert_eq!(handover.take().unwrap().len(), limits::HANDOVER);
        assert!(handover.take().unwrap().is_empty());
        handover.offer(queued(0..most));
        handover.offer(queued(most..most + 1));
        // It would fit again, but comes after the gap.
        handover.offer(queued(most + 1..most + 2));
        assert!(handover.take().is_none());
        handover.offer(queued(most + 2..most + 3));
        assert_eq!(handover.take().unwrap()[0].seq, InboxSeq(most + 2));
    }

    #[test]
    fn a_chat_is_idle_when_all_its_updates_are_done() {
        let handover = Handover::default();
        let group = ChatId(-5);
        let update = |seq| {
            let event = UpdateEvent::Ignored { kind: "poll".into(), chat: Some(group) };
            Queued {
                seq: InboxSeq(seq),
                received_ms: 0,
                update: Update { id: UpdateId(seq), event },
                others: Vec::new(),
            }
        };
        let is_idle = || handover.idle([group].into_iter()).contains(&group);
        // It is not known what an earlier process left.
        assert!(!is_idle());
        handover.offer(vec![update(1)]);
        handover.all_done();
        // One waits to be taken.
        assert!(!is_idle());
        handover.take();
        handover.offer(vec![update(2)]);
        handover.done(Some(group), 1);
        assert!(!is_idle());
        handover.done(Some(group), 1);
        assert!(is_idle());
    }
}
