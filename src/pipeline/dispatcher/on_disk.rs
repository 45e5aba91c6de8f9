//! What of a chat waits on disk, because it does not fit in memory.

use super::{Dispatcher, Ended, asker};
use crate::model::failure::chain;
use crate::model::ids::ChatId;
use crate::model::limits;

impl Dispatcher {
    /// Takes updates of a chat that wait on disk into its queue, until there is one or none is left.
    /// Answers whether they could be read; if not, the chat's next worker is started later.
    pub(super) async fn read_more(&mut self, chat: Option<ChatId>) -> bool {
        loop {
            let Some(chat_queue) = self.chats.get_mut(&chat) else { return true };
            let room = limits::QUEUED_UPDATES.saturating_sub(self.queued);
            let count = room.clamp(1, limits::CHAT_QUEUE).min(chat_queue.on_disk.len());
            if count == 0 || !chat_queue.queue.is_empty() {
                return true;
            }
            let places = chat_queue.on_disk.iter().take(count).copied().collect();
            let more = match self.base.store.new_updates_at(places).await {
                Ok(more) => more,
                Err(e) => {
                    self.base.store_failed(&e);
                    tracing::error!(
                        error = chain(&e),
                        "cannot read the inbox of a chat; trying again"
                    );
                    self.start_later(chat);
                    return false;
                }
            };
            // Those that were done meanwhile, by /forget, are not among them.
            chat_queue.on_disk.drain(..count);
            for queued in more {
                let is_cancelled = |from| {
                    chat_queue.cancelled.get(&from).is_some_and(|until| queued.seq <= *until)
                };
                if let Some(from) = asker(&queued, &self.username)
                    && !is_cancelled(from)
                    && let Some(n) = chat_queue.unread.get_mut(&from)
                {
                    *n = n.saturating_sub(1);
                }
                self.queued += 1;
                chat_queue.queue.push_back(queued);
            }
        }
    }

    /// Looks at a chat again after a pause.
    fn start_later(&mut self, chat: Option<ChatId>) {
        let (ended, halt) = (self.ended.0.clone(), self.base.tasks.halt().clone());
        self.running += 1;
        if let Some(chat_queue) = self.chats.get_mut(&chat) {
            chat_queue.retrying = true;
        }
        self.base.tasks.spawn("inbox-retry", async move {
            tokio::select! {
                () = tokio::time::sleep(limits::SEND_BACKOFF) => {}
                () = halt.cancelled() => {}
            }
            let _ = ended.send(Ended { chat, retry: true, ..Ended::default() });
        });
    }
}
