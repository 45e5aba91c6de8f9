//! Questions that are edited before they are answered: only the new wording gets an answer.
//!
//! An edited piece of an album or paste changes the whole where it waits, and is done with it. Any other edit
//! takes the place of the question, which is not answered. An edit that changes no word changes nothing
//! here; it is recognised when it is its turn.

use super::chat_queue::{ChatQueue, asker};
use super::gather;
use crate::model::ids::MessageId;
use crate::model::message::{Incoming, UpdateEvent};
use crate::model::pieces::Piece;
use crate::pipeline::think::mark;
use crate::store::Queued;

impl ChatQueue {
    /// Takes an edit in before it is its turn. Answers whether nothing is left to be done about it.
    pub(super) fn take_edit(&mut self, edited: &Queued, username: &str) -> bool {
        let id = edited.update.message_id();
        let at = self.queue.iter().position(|q| !q.is_edit() && q.update.message_id() == id);
        let is_tail = at.is_some_and(|at| {
            let before = self.gatherings.last_pieces().chain(self.queue.range(..at));
            gather::is_tail(before, &self.queue[at])
        });
        let mut gathered = self.gatherings.pieces_mut();
        let is_done = gathered.any(|piece| absorb(piece, edited, true));
        drop(gathered);
        let is_done = is_done || self.all_waiting().any(|q| absorb(q, edited, is_tail));
        if !is_done {
            self.supersede(edited, username);
        }
        is_done
    }

    /// Takes edits in that wait on disk, in order, behind what was read from there.
    pub(super) fn take_edits_of(
        &mut self,
        read: &mut Vec<Queued>,
        edits: &[Queued],
        username: &str,
    ) {
        for (number, edited) in edits.iter().enumerate() {
            let id = edited.update.message_id();
            let at = read.iter().position(|q| !q.is_edit() && q.update.message_id() == id);
            let is_tail = at.is_some_and(|at| {
                let queued = self.gatherings.last_pieces().chain(&self.queue);
                gather::is_tail(queued.chain(&read[..at]), &read[at])
            });
            if read.iter_mut().any(|waiting| absorb(waiting, edited, is_tail)) {
                self.on_disk.retain(|seq| *seq != edited.seq);
                read.retain(|queued| queued.seq != edited.seq);
                continue;
            }
            if asker(edited, username).is_none() {
                continue;
            }
            let earlier = read.iter().chain(&edits[..number]);
            let is_old = |q: &&Queued| q.seq < edited.seq && q.update.message_id() == id;
            let old: Vec<&Queued> = earlier.filter(is_old).collect();
            if old.iter().any(|q| !q.is_edit() && asker(q, username).is_some()) {
                self.replacing.insert(edited.seq);
            }
            self.superseded.extend(old.iter().map(|q| q.seq));
        }
    }

    /// What waits and is not gathered.
    fn all_waiting(&mut self) -> impl Iterator<Item = &mut Queued> {
        let queued = self.queue.iter_mut().chain(&mut self.ready).chain(&mut self.held);
        queued.chain(self.deferred.iter_mut())
    }

    /// What waits of the same message is not answered, and a running answer to it stops.
    fn supersede(&mut self, edited: &Queued, username: &str) {
        let Some(message) = edited.update.message() else { return };
        let (id, words_mark) = (message.message_id, mark(message.words()));
        let is_question = asker(edited, username).is_some();
        let mut replaces = false;
        for q in self.queue.iter().chain(&self.ready).chain(&self.held).chain(self.deferred.iter())
        {
            let is_old = |m: &&Incoming| m.message_id == id;
            let Some(old) = q.update.message().filter(is_old) else { continue };
            if is_question && mark(old.words()) != words_mark {
                replaces |= asker(q, username).is_some()
                    && (!q.is_edit() || self.replacing.contains(&q.seq));
                self.superseded.insert(q.seq);
            }
        }
        if let Some(running) = self.running.as_ref().filter(|running| running.question) {
            let is_changed = |(said, words): &(MessageId, u64)| *said == id && *words != words_mark;
            // A piece alone need not be a question.
            let is_piece = running.pieces.iter().any(is_changed);
            let is_whole =
                running.pieces.is_empty() && running.said.is_some_and(|said| is_changed(&said));
            if is_piece || is_whole && is_question {
                running.cancel.cancel();
                replaces |= running.is_first;
            }
        }
        if replaces {
            self.replacing.insert(edited.seq);
        }
    }

    /// The worker has ended. What waits again still takes the place of an unanswered question, and still
    /// gets no answer if it was stopped.
    pub(super) fn stopped_running(&mut self, waits: Option<&Queued>) {
        let Some(running) = self.running.take() else { return };
        let Some(queued) = waits else { return };
        self.seen.insert(queued.seq);
        if running.replaces {
            self.replacing.insert(queued.seq);
        }
        if running.cancel.is_cancelled() {
            self.superseded.insert(queued.seq);
        }
    }
}

/// Changes what waits, if the edit is of one of its pieces; it is done with the whole then. `is_tail`: the message
/// that is edited is the last piece of what waits in front of it.
fn absorb(waiting: &mut Queued, edited: &Queued, is_tail: bool) -> bool {
    let Some(edit) = edited.update.message() else { return false };
    let is_piece = gather::is_piece(&waiting.update);
    let UpdateEvent::Message(message) = &mut waiting.update.event else { return false };
    let (id, words) = (edit.message_id, edit.words());
    if message.pieces.len() > 1 {
        if !message.reword_piece(id, words) {
            return false;
        }
    } else if message.message_id == id && message.edited_s.is_none() && (is_piece || is_tail) {
        message.reword(words);
        if is_piece {
            // It stays one, however short it is now.
            message.pieces = vec![Piece { message_id: id, words: words.to_owned() }];
        }
    } else {
        return false;
    }
    if message.words().trim_start().starts_with('/') {
        // What is edited in carries no authority.
        message.edited_s = edit.edited_s;
    }
    waiting.others.push(edited.seq);
    true
}
