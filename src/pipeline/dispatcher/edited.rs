//! Questions that are edited before they are answered: only the new wording gets an answer.

use super::{ChatQueue, asker, is_edit};
use crate::store::Queued;

impl ChatQueue {
    /// What waits of the same message is not answered, and a running answer to it stops. What came in
    /// pieces stays: the edit is about one of them only.
    pub(super) fn supersede(&mut self, edited: &Queued, username: &str) {
        let message = edited.update.message_id();
        let is_old = |q: &&Queued| q.others.is_empty() && q.update.message_id() == message;
        let waiting = self.queue.iter().chain(&self.ready).chain(&self.held);
        let old: Vec<&Queued> = waiting.filter(is_old).collect();
        let mut replaces = old.iter().any(|q| {
            asker(q, username).is_some() && (!is_edit(q) || self.replacing.contains(&q.seq))
        });
        self.superseded.extend(old.iter().map(|q| q.seq));
        if let Some(running) = self.running.as_ref().filter(|r| r.question && r.message == message)
        {
            running.cancel.cancel();
            replaces |= running.is_first;
        }
        if replaces {
            self.replacing.insert(edited.seq);
        }
    }

    /// The worker has ended. What waits again still takes the place of an unanswered question.
    pub(super) fn stopped_running(&mut self, waits: Option<&Queued>) {
        let running = self.running.take();
        if let Some(queued) = waits.filter(|_| running.is_some_and(|r| r.is_first)) {
            self.replacing.insert(queued.seq);
        }
    }
}
