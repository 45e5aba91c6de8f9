//! The commit that finishes an update, and what follows it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Thought, Worked, Worker};
use crate::model::class::CallOutcome;
use crate::model::ids::{ChatId, InboxSeq};
use crate::model::message::UpdateEvent;
use crate::model::work::WorkKind;
use crate::observe::label::Label;
use crate::observe::vitals::Timing;
use crate::pipeline::deliver::{Leaving, Slot};
use crate::pipeline::parts::parts_of;
use crate::store::{Finish, OpenPart, Pieces, Queued, UpdateOutcome};

impl Worker {
    pub(super) async fn finish(&self, queued: &Queued, mut thought: Thought) -> Worked {
        let base = &self.parts.base;
        if !self.forget_most(&thought.effects).await {
            return Worked::Interrupted;
        }
        let press = thought.press.take();
        let pieces = pieces_of(queued, &mut thought);
        let (finish, slot) = self.prepare(queued.seq, queued.update.chat(), pieces, thought);
        let commit = || base.store.finish(Arc::clone(&finish));
        let Some(stored) = base.retry_until_stored("finish an update", commit).await else {
            self.unstored(slot);
            return Worked::Interrupted;
        };
        let leaving = self.finished(queued.received_ms, &finish, slot, stored);
        if let Some((id, notice)) = press {
            self.parts.close_press(&id, notice);
        }
        Worked::Done(leaving)
    }

    /// What is to be committed, and the place of its first part in the send queue.
    pub(super) fn prepare(
        &self,
        seq: InboxSeq,
        here: Option<ChatId>,
        pieces: Pieces,
        thought: Thought,
    ) -> (Arc<Finish>, Option<Slot>) {
        let mut parts = Vec::new();
        for say in thought.replies {
            let thread = thought.thread.filter(|_| Some(say.to) == here);
            parts.extend(parts_of(say.to, say.reply, thread, self.parts.client.redactor()));
        }
        let answer = matches!(thought.outcome, UpdateOutcome::Answered | UpdateOutcome::Failed);
        for part in &mut parts {
            part.extra.answer = answer;
        }
        let slot = parts.first().map(|first| self.delivery.reserve(first.chat));
        let finish = Finish {
            seq,
            outcome: thought.outcome,
            keep_body: thought.keep_body,
            pieces,
            effects: thought.effects,
            turn: thought.turn,
            parts,
            first_attempt: slot.as_ref().and_then(Slot::first_attempt),
        };
        (Arc::new(finish), slot)
    }

    /// The commit failed.
    pub(super) fn unstored(&self, slot: Option<Slot>) {
        let nothing = self.delivery.take(slot, Vec::new());
        debug_assert!(nothing.is_none(), "nothing was committed");
    }

    /// The commit is on disk; answers the part that leaves now.
    pub(super) fn finished(
        &self,
        received_ms: i64,
        finish: &Finish,
        slot: Option<Slot>,
        stored: Vec<OpenPart>,
    ) -> Option<Leaving> {
        self.note_response(received_ms, finish.outcome);
        self.take_effect(&finish.effects);
        self.delivery.take(slot, stored)
    }

    fn note_response(&self, received_ms: i64, outcome: UpdateOutcome) {
        let vitals = &self.parts.base.vitals;
        let now_ms = self.parts.base.clock.now_ms();
        vitals.processed_at_ms.store(now_ms, Ordering::Relaxed);
        // An apology is ready sooner than an answer, and is counted apart.
        let (kind, ended) = match outcome {
            UpdateOutcome::Command => (WorkKind::Command, CallOutcome::Ok.into()),
            UpdateOutcome::Answered => (WorkKind::Question, CallOutcome::Ok.into()),
            UpdateOutcome::Failed => (WorkKind::Question, Label::Failed),
            _ => return,
        };
        vitals.increment("update", outcome.as_str());
        let waited_ms = now_ms.saturating_sub(received_ms);
        vitals.observe(Timing::Response, kind, ended, waited_ms as f64 / 1e3);
    }
}

/// What else is done with an update, and what is kept in its place.
fn pieces_of(queued: &Queued, thought: &mut Thought) -> Pieces {
    use UpdateOutcome::{Answered, Cancelled, Failed, Limited};
    let is_question = matches!(thought.outcome, Answered | Failed | Cancelled | Limited);
    let whole = thought.whole.take().or_else(|| whole_of(queued).filter(|_| is_question));
    Pieces { others: queued.others.clone(), whole }
}

/// What came in pieces, which is kept so that an edit of a piece can be answered.
pub(super) fn whole_of(queued: &Queued) -> Option<Box<UpdateEvent>> {
    let is_whole = queued.update.message().is_some_and(|message| !message.pieces.is_empty());
    is_whole.then(|| Box::new(queued.update.event.clone()))
}
