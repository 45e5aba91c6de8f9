//! What of a chat waits on disk, because it does not fit in memory.

use tokio::time::Instant;

use super::chat_queue::asker;
use super::{Dispatcher, Ended};
use crate::model::ids::{ChatId, InboxSeq};
use crate::model::limits;
use crate::store::Queued;

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
            let places: Vec<InboxSeq> = chat_queue.on_disk.iter().take(count).copied().collect();
            let Some(mut more) = self.read_places(chat, places.clone()).await else { return false };
            let Some(chat_queue) = self.chats.get_mut(&chat) else { return true };
            let edits = chat_queue.edits_on_disk.take(more.iter());
            if !edits.is_empty() {
                let Some(edits) = self.read_places(chat, edits).await else { return false };
                let Some(chat_queue) = self.chats.get_mut(&chat) else { return true };
                chat_queue.take_edits_of(&mut more, &edits, &self.username);
            }
            let Some(chat_queue) = self.chats.get_mut(&chat) else { return true };
            // Those that were done meanwhile, by /forget, are not among what was read.
            let last = places.last().copied().unwrap_or_default();
            chat_queue.on_disk.retain(|seq| *seq > last);
            for queued in more {
                chat_queue.edits_on_disk.remove(&queued);
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

    /// Updates of a chat that wait on disk; `None` if they cannot be read, and the chat is looked at later.
    async fn read_places(
        &mut self,
        chat: Option<ChatId>,
        places: Vec<InboxSeq>,
    ) -> Option<Vec<Queued>> {
        match self.base.store.new_updates_at(places).await {
            Ok(more) => Some(more),
            Err(e) => {
                self.base.cannot_read("the inbox of a chat", &e);
                self.start_later(chat);
                None
            }
        }
    }

    /// Pieces that wait in the queue and on disk join those that nothing more is expected of by now, so that a
    /// queue that is longer than fits in memory splits no album and no paste.
    pub(super) async fn fetch_pieces(&mut self, chat: Option<ChatId>, now: Instant) {
        let Some(chat_queue) = self.chats.get_mut(&chat) else { return };
        if !chat_queue.gatherings.are_due(now) {
            return;
        }
        let before = chat_queue.queue.len();
        chat_queue.gatherings.add_from(&mut chat_queue.queue, now);
        self.queued -= before - chat_queue.queue.len();
        let places = chat_queue.on_disk.iter().take(limits::PIECES_SOUGHT).copied();
        let places: Vec<InboxSeq> = places.collect();
        if places.is_empty() {
            return;
        }
        let Some(more) = self.read_places(chat, places).await else { return };
        let Some(chat_queue) = self.chats.get_mut(&chat) else { return };
        let is_added = |queued: &Queued| chat_queue.gatherings.add_to_due(queued, now);
        let added: Vec<Queued> = more.into_iter().filter(is_added).collect();
        let edits = chat_queue.edits_on_disk.take(added.iter());
        chat_queue.on_disk.retain(|place| added.iter().all(|queued| queued.seq != *place));
        if edits.is_empty() {
            return;
        }
        let Some(edits) = self.read_places(chat, edits).await else { return };
        let Some(chat_queue) = self.chats.get_mut(&chat) else { return };
        for edited in edits {
            if chat_queue.take_edit(&edited, &self.username) {
                chat_queue.on_disk.retain(|place| *place != edited.seq);
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
