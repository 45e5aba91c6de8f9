//! At once: an update whose reply is known without waiting is finished in the commit that accepts it.
//!
//! Invariants: this happens only in a chat in which nothing else waits, so that its order holds; what
//! has to wait, or panics, changed nothing and goes the usual way.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::admission::Asker;
use super::{DispatchInfo, Source, ThinkParts, Thought, Worker, heard, question, speaker};
use crate::answer::{AskedBy, Progress, Purpose};
use crate::model::effect::Effect;
use crate::model::ids::{ChatId, InboxSeq};
use crate::model::message::{Incoming, Update, UpdateEvent};
use crate::model::work::WorkKind;
use crate::pipeline::deliver::{Delivery, Slot};
use crate::pipeline::dispatcher::{is_cancel, is_piece};
use crate::pipeline::route::{Route, route};
use crate::store::{Finish, OpenPart, Pieces, StoreError, UpdateOutcome};

/// Commands that never go this way: one deletes for a while before its commit, one counts wrong
/// codes when it is only tried, and one loads a file.
const NOT_AT_ONCE: [&str; 3] = ["forget", "claim", "learn"];

/// Thinks about updates before they are accepted.
pub struct AtOnce {
    worker: Worker,
}

/// An update that is done with its acceptance.
pub(in crate::pipeline) struct Ready {
    /// Its place in the batch.
    pub(in crate::pipeline) place: usize,
    /// What it led to.
    pub(in crate::pipeline) finish: Arc<Finish>,
    slot: Option<Slot>,
}

impl AtOnce {
    pub(in crate::pipeline) fn new(parts: Arc<ThinkParts>, delivery: Delivery) -> Self {
        let worker = Worker {
            parts,
            delivery,
            cancel: CancellationToken::new(),
            info: DispatchInfo::default(),
        };
        Self { worker }
    }

    /// Those of a batch that can be finished now. `idle`: chats in which nothing waits. What is answered
    /// has to be given to [`AtOnce::finished`] or [`AtOnce::unstored`].
    pub(in crate::pipeline) fn think(
        &self,
        updates: &[Update],
        mut idle: HashSet<ChatId>,
    ) -> Vec<Ready> {
        let mut all = Vec::new();
        if self.worker.parts.base.tasks.drain().is_cancelled() {
            return all;
        }
        // They concern what was said before them in the same batch.
        for update in updates.iter().filter(|update| self.looks_back(update)) {
            if let Some(chat) = update.chat() {
                idle.remove(&chat);
            }
        }
        for (place, update) in updates.iter().enumerate() {
            let Some(chat) = update.chat().filter(|chat| idle.contains(chat)) else { continue };
            // What panics here would panic again with the next process, to which Telegram gives it again.
            let ready =
                std::panic::catch_unwind(AssertUnwindSafe(|| self.ready(place, update, chat)));
            let Ok(Some(ready)) = ready else {
                idle.remove(&chat);
                continue;
            };
            if !ready.finish.effects.is_empty() {
                // What follows may depend on them, so it waits for the commit.
                idle.remove(&chat);
            }
            all.push(ready);
        }
        all
    }

    fn ready(&self, place: usize, update: &Update, chat: ChatId) -> Option<Ready> {
        let mut thought = self.thought(update)?;
        thought.thread = thought.thread.or(update.thread());
        let pieces = Pieces::default();
        let (finish, slot) = self.worker.prepare(InboxSeq(0), Some(chat), pieces, thought);
        Some(Ready { place, finish, slot })
    }

    /// Whether an update concerns earlier ones: an edit, or `/cancel`.
    fn looks_back(&self, update: &Update) -> bool {
        let UpdateEvent::Message(message) = &update.event else { return false };
        message.edited_s.is_some() || is_cancel(update, &self.worker.parts.me.username)
    }

    fn thought(&self, update: &Update) -> Option<Thought> {
        // More may belong to it.
        if is_piece(update) {
            return None;
        }
        // The runtime would make it wait after some steps, only to let others run.
        let think = tokio::task::unconstrained(self.worker.at_once(update));
        let thought = think.now_or_never()?.ok()??;
        let fits = matches!(thought.outcome, UpdateOutcome::Answered | UpdateOutcome::Command)
            && !thought.effects.iter().any(|effect| matches!(effect, Effect::Forget(_)));
        fits.then_some(thought)
    }

    /// It was committed: the first part is sent in a task of its own.
    pub(in crate::pipeline) fn finished(&self, ready: Ready, parts: Vec<OpenPart>, now_ms: i64) {
        let leaving = self.worker.finished(now_ms, &ready.finish, ready.slot, parts);
        if let Some(leaving) = leaving {
            let delivery = self.worker.delivery.clone();
            let send = async move { delivery.send(leaving).await };
            self.worker.parts.base.tasks.spawn("send", send);
        }
    }

    /// It was not: it is known already, or the commit failed.
    pub(in crate::pipeline) fn unstored(&self, ready: Ready) {
        self.worker.unstored(ready.slot);
    }
}

impl Worker {
    /// Thinks about an update, if that may be possible at once.
    async fn at_once(&self, update: &Update) -> Result<Option<Thought>, StoreError> {
        let parts = &*self.parts;
        Ok(match route(update, &parts.me.username) {
            Route::Command { message, word, args }
                if !NOT_AT_ONCE.iter().any(|name| word.eq_ignore_ascii_case(name))
                    && self.may_chat(message).await? =>
            {
                let thought = self.command(InboxSeq(0), message, &word, &args).await?;
                heard(update, message, WorkKind::Command.as_str(), word.len() + args.len());
                Some(thought)
            }
            Route::Question { message, text, is_fresh }
                if message.edited_s.is_none()
                    && parts.answerer.is_instant()
                    && !parts.signals.paused.load(Ordering::SeqCst) =>
            {
                let role = self.role(message).await?;
                if !parts.context.may_chat(message.place, message.chat, role).await? {
                    return Ok(None);
                }
                // Refused the usual way, which counts it as the same one.
                let asker = Asker::of(message, role, update.id);
                let Ok(_place) = parts.admissions.admit(asker) else { return Ok(None) };
                let (progress, _) = watch::channel(Progress::Begun);
                let speaker = speaker(message);
                let (seq, order) = (InboxSeq(0), InboxSeq(0));
                let source = Source { seq, order, message, is_fresh };
                let question = question(&source, &text, speaker.as_deref());
                let asked = AskedBy { update: seq, order, purpose: Purpose::Question };
                let answered =
                    parts.answerer.answer(question, asked, &progress, &self.cancel).await?;
                heard(update, message, WorkKind::Question.as_str(), text.len());
                Some(self.answered(&source, &text, answered))
            }
            _ => None,
        })
    }

    /// Whether the sender may chat here. A stranger's message goes the usual way.
    pub(super) async fn may_chat(&self, message: &Incoming) -> Result<bool, StoreError> {
        let context = &self.parts.context;
        let role = self.role(message).await?;
        context.may_chat(message.place, message.chat, role).await
    }
}

#[cfg(test)]
mod tests;
