//! Questions that are edited before they are answered: only the new wording gets an answer.

use super::ChatQueue;
use crate::store::Queued;

impl ChatQueue {
    /// What waits of the same message is not answered, and a running answer to it stops. What came in
    /// pieces stays: the edit is about one of them only.
    pub(super) fn supersede(&mut self, edited: &Queued) {
        let message = edited.update.message_id();
        let is_old = |q: &&Queued| q.others.is_empty() && q.update.message_id() == message;
        let waiting = self.queue.iter().chain(&self.ready).chain(&self.held);
        self.superseded.extend(waiting.filter(is_old).map(|q| q.seq));
        if let Some(running) = self.running.as_ref().filter(|r| r.question && r.message == message)
        {
            running.cancel.cancel();
        }
    }
}
