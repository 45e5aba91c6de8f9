//! What a chat's next worker gets.

use tokio::time::Instant;

use super::Dispatcher;
use crate::model::ids::ChatId;
use crate::model::limits;
use crate::store::Queued;

impl Dispatcher {
    /// What is worked on next in a chat. Pieces of a whole that is not complete are put aside.
    pub(super) async fn next_of(&mut self, chat: Option<ChatId>) -> Option<Queued> {
        loop {
            let chat_queue = self.chats.get_mut(&chat)?;
            if let Some(queued) = chat_queue.ready.pop_front() {
                return Some(queued);
            }
            if chat_queue.queue.is_empty() && !self.read_more(chat).await {
                return None;
            }
            let chat_queue = self.chats.get_mut(&chat)?;
            let Some(queued) = chat_queue.queue.pop_front() else {
                let waits = !chat_queue.gatherings.is_empty() || !chat_queue.deferred.is_empty();
                if chat_queue.held.is_empty() && !waits {
                    self.chats.remove(&chat);
                }
                return None;
            };
            self.queued -= 1;
            if !chat_queue.gatherings.concern(&queued) {
                return Some(queued);
            }
            let (ready, until) = chat_queue.gatherings.take(queued, Instant::now());
            chat_queue.ready.extend(ready);
            if let Some(until) = until {
                self.wakes.insert((until, chat));
            }
        }
    }

    /// A question is looked at again after a pause.
    pub(super) fn defer(&mut self, queued: Queued) {
        let (chat, at) = (queued.update.chat(), Instant::now() + limits::MOVE_LOOK);
        self.chats.entry(chat).or_default().deferred.add(queued, at);
        self.wakes.insert((at, chat));
    }

    /// A group has become this chat: what waits for that is looked at now.
    pub(super) async fn look_now(&mut self, chat: Option<ChatId>) {
        if let Some(chat_queue) = self.chats.get_mut(&chat) {
            chat_queue.ready.extend(chat_queue.deferred.take_all());
            self.start(chat).await;
        }
    }

    /// Nothing more is expected of some pieces.
    pub(super) async fn wake_up(&mut self, now: Instant) {
        while let Some((at, chat)) = self.wakes.first().copied().filter(|(at, _)| *at <= now) {
            self.wakes.remove(&(at, chat));
            self.fetch_pieces(chat, now).await;
            if let Some(chat_queue) = self.chats.get_mut(&chat) {
                let before = chat_queue.queue.len();
                let due = chat_queue.gatherings.due(&mut chat_queue.queue, now);
                self.queued -= before - chat_queue.queue.len();
                chat_queue.ready.extend(due);
                chat_queue.ready.extend(chat_queue.deferred.take_due(now));
            }
            self.start(chat).await;
        }
    }
}
