//! A `/remove` does not wait for the answers of its chat: what it takes away would be used until then.
//!
//! It is worked on beside the answer that runs, which ends when its asker may not chat here any more. Commands keep
//! their order: only questions are overtaken.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::chat_queue::{ChatQueue, asker};
use super::{Dispatcher, Ended};
use crate::model::ids::ChatId;
use crate::pipeline::route::is_command;
use crate::pipeline::think;

impl Dispatcher {
    /// Starts work on the first `/remove` that waits in a chat, if a question is answered there and nothing but
    /// questions waits before it.
    pub(super) fn start_beside(&mut self, chat: Option<ChatId>) {
        let Some(chat_queue) = self.chats.get_mut(&chat) else { return };
        let Some(at) = first_remove(chat_queue, &self.username) else { return };
        let Some(queued) = chat_queue.queue.remove(at) else { return };
        chat_queue.beside = true;
        self.queued -= 1;
        self.running += 1;
        let worker = think::Worker {
            parts: Arc::clone(&self.parts),
            delivery: self.delivery.clone(),
            cancel: CancellationToken::new(),
            info: think::DispatchInfo::default(),
        };
        self.launch(Ended { chat, beside: true, ..Ended::default() }, worker, queued);
    }
}

fn first_remove(chat_queue: &ChatQueue, username: &str) -> Option<usize> {
    if !chat_queue.is_answering() || chat_queue.beside {
        return None;
    }
    let is_question = |queued| asker(queued, username).is_some();
    let at = chat_queue.queue.iter().position(|queued| !is_question(queued))?;
    let found = chat_queue.queue.get(at)?;
    let may_go = !found.is_edit()
        && is_command(&found.update, username, "remove")
        && chat_queue.ready.iter().all(is_question);
    may_go.then_some(at)
}
