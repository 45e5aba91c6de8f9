//! Albums and long texts arrive in pieces, each an update of its own: what belongs together is put together
//! before it is worked on.
//!
//! Invariants: only pieces wait, for at most [`limits::PIECES_WITHIN`] after the last one, and nothing else of
//! their chat; the pieces stay new on disk until the commit that finishes the whole; what a person says
//! stays in order.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::commands;
use crate::model::ids::UserId;
use crate::model::limits;
use crate::model::message::{Body, Incoming, Update, UpdateEvent};
use crate::model::pieces::Piece;
use crate::model::quote::Author;
use crate::model::text::utf16_len;
use crate::store::Queued;

/// A person, and a topic of the chat (0 outside topics).
type Asker = (UserId, i64);

/// Pieces that wait for the next one.
#[derive(Debug)]
pub(super) struct Gathering {
    before: Vec<Queued>,
    last: Queued,
    /// The next piece is expected until then.
    pub(super) until: Instant,
}

/// The pieces of one chat.
#[derive(Debug, Default)]
pub(super) struct Gatherings(Vec<Gathering>);

impl Gatherings {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pieces, to be changed.
    pub(super) fn pieces_mut(&mut self) -> impl Iterator<Item = &mut Queued> {
        self.0
            .iter_mut()
            .flat_map(|gathering| gathering.before.iter_mut().chain([&mut gathering.last]))
    }

    /// The last piece of each.
    pub(super) fn last_pieces(&self) -> impl Iterator<Item = &Queued> {
        self.0.iter().map(|gathering| &gathering.last)
    }

    /// Whether nothing more is expected of some by now.
    pub(super) fn are_due(&self, now: Instant) -> bool {
        self.0.iter().any(|gathering| gathering.until <= now)
    }

    /// Adds a piece to one that is due and awaits it; whether there is one.
    pub(super) fn add_to_due(&mut self, queued: &Queued, now: Instant) -> bool {
        let awaits = |g: &&mut Gathering| g.until <= now && !g.is_whole() && g.awaits(queued);
        let found = self.0.iter_mut().find(awaits);
        found.map(|gathering| gathering.add(queued.clone())).is_some()
    }

    /// Adds those of the queue to what is due.
    pub(super) fn add_from(&mut self, queue: &mut VecDeque<Queued>, now: Instant) {
        for gathering in self.0.iter_mut().filter(|gathering| gathering.until <= now) {
            gathering.complete(queue);
        }
    }

    /// Whether an update is a piece, or may end what is gathered.
    pub(super) fn concern(&self, queued: &Queued) -> bool {
        !self.0.is_empty() || is_piece(&queued.update)
    }

    /// Takes an update in, if it is a piece or ends what is gathered. Answers what can be worked on now, in
    /// order, and until when the update itself waits.
    pub(super) fn take(&mut self, queued: Queued, now: Instant) -> (Vec<Queued>, Option<Instant>) {
        if !self.concern(&queued) {
            return (vec![queued], None);
        }
        if let Some(at) = self.0.iter().position(|gathering| gathering.awaits(&queued)) {
            self.0[at].add(queued);
            if self.0[at].is_whole() {
                return (vec![self.0.remove(at).whole()], None);
            }
            self.0[at].until = now + self.0[at].within();
            return (Vec::new(), Some(self.0[at].until));
        }
        // What a person says next comes after what was said before; only albums may come mixed.
        let is_of_album = queued.update.message().is_some_and(|m| m.album.is_some());
        let is_before = |g: &Gathering| g.is_of(sender(&queued)) && !(is_of_album && g.is_album());
        let mut ready = self.close(is_before, &mut VecDeque::new());
        if is_piece(&queued.update) && self.0.len() < limits::GATHERINGS {
            let mut gathering = Gathering { before: Vec::new(), last: queued, until: now };
            gathering.until = now + gathering.within();
            let until = gathering.until;
            self.0.push(gathering);
            return (ready, Some(until));
        }
        ready.push(queued);
        (ready, None)
    }

    /// What nothing more is expected of.
    pub(super) fn due(&mut self, queue: &mut VecDeque<Queued>, now: Instant) -> Vec<Queued> {
        self.close(|gathering| gathering.until <= now, queue)
    }

    /// What a person has said in pieces so far.
    pub(super) fn of(
        &mut self,
        person: Option<Asker>,
        queue: &mut VecDeque<Queued>,
    ) -> Vec<Queued> {
        self.close(|gathering| gathering.is_of(person), queue)
    }

    /// Ends some, after adding the pieces that are in the queue.
    fn close(
        &mut self,
        is_ended: impl Fn(&Gathering) -> bool,
        queue: &mut VecDeque<Queued>,
    ) -> Vec<Queued> {
        let (ended, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.0).into_iter().partition(is_ended);
        self.0 = rest;
        let complete = |mut gathering: Gathering| {
            gathering.complete(queue);
            gathering.whole()
        };
        ended.into_iter().map(complete).collect()
    }
}

/// These updates with their pieces put together, as they would be worked on if nothing more came.
pub(super) fn together<'a>(updates: impl Iterator<Item = &'a Queued>) -> Vec<Queued> {
    let (mut gatherings, now) = (Gatherings::default(), Instant::now());
    let mut whole = Vec::new();
    for queued in updates {
        whole.extend(gatherings.take(queued.clone(), now).0);
    }
    whole.extend(gatherings.close(|_| true, &mut VecDeque::new()));
    whole
}

impl Gathering {
    fn add(&mut self, queued: Queued) {
        self.before.push(std::mem::replace(&mut self.last, queued));
    }

    /// Adds its next pieces that are in the queue.
    fn complete(&mut self, queue: &mut VecDeque<Queued>) {
        let mut at = 0;
        while let Some(queued) = queue.get(at).filter(|_| !self.is_whole()) {
            if self.awaits(queued) {
                queue.remove(at).into_iter().for_each(|queued| self.add(queued));
            } else {
                at += 1;
            }
        }
    }

    /// Whether this is the next piece.
    fn awaits(&self, queued: &Queued) -> bool {
        is_next(&self.last, queued)
    }

    /// Whether no further piece can belong to it.
    fn is_whole(&self) -> bool {
        let is_end = self.last.update.message().is_none_or(|m| m.album.is_none() && !is_long(m));
        is_end || self.before.len() + 1 >= limits::PIECES
    }

    fn is_of(&self, person: Option<Asker>) -> bool {
        sender(&self.last) == person
    }

    fn is_album(&self) -> bool {
        self.last.update.message().is_some_and(|m| m.album.is_some())
    }

    fn within(&self) -> Duration {
        if self.is_album() { limits::ALBUM_WITHIN } else { limits::PIECES_WITHIN }
    }

    /// All pieces as one update: the last one, because everything before it was said by then.
    fn whole(self) -> Queued {
        let joined = join(&self.before, &self.last);
        let done_with = |piece: Queued| [piece.seq].into_iter().chain(piece.others);
        let mut whole = self.last;
        whole.others.extend(self.before.into_iter().flat_map(done_with));
        if let Some(joined) = joined {
            whole.update.event = UpdateEvent::Message(joined);
        }
        whole
    }
}

/// One message that says what all of them say; `None` for a single one.
fn join(before: &[Queued], last: &Queued) -> Option<Incoming> {
    let messages: Vec<&Incoming> =
        before.iter().chain([last]).filter_map(|piece| piece.update.message()).collect();
    let [first, .., last] = messages[..] else { return None };
    // A reply is attached to the picture with the words, or to the beginning of a long text.
    let base = messages.iter().find(|m| !m.words().is_empty()).unwrap_or(&first);
    let mut joined = Incoming::clone(base);
    joined.date_s = last.date_s;
    joined.reply_to_bot = messages.iter().any(|m| m.reply_to_bot);
    let others = messages.iter().filter(|m| m.message_id != base.message_id);
    let others = others.filter_map(|m| m.document.as_deref().cloned());
    // In the order in which they were sent, whichever has the words.
    match joined.document {
        Some(_) => joined.more_documents = others.collect(),
        None => joined.more_documents.clear(),
    }
    let piece = |m: &&Incoming| Piece { message_id: m.message_id, words: m.words().to_owned() };
    joined.pieces = messages.iter().map(piece).collect();
    joined.join_pieces();
    Some(joined)
}

/// Whether more may belong to this: a picture of an album, or a text so long that it may have been cut. What
/// was put together already is whole.
pub(in crate::pipeline) fn is_piece(update: &Update) -> bool {
    let Some(message) = update.message() else { return false };
    let is_cut = || matches!(&message.body, Body::Text(_)) && is_long(message);
    let is_new = message.edited_s.is_none() && message.pieces.len() <= 1;
    is_new && (message.album.is_some() || is_cut())
}

/// Whether an update is the last piece of what waits in front of it.
pub(super) fn is_tail<'a>(mut before: impl Iterator<Item = &'a Queued>, queued: &Queued) -> bool {
    before.any(|piece| is_piece(&piece.update) && is_next(piece, queued))
}

/// Whether an update is the next piece after another one.
fn is_next(piece: &Queued, queued: &Queued) -> bool {
    let (Some(last), Some(next)) = (piece.update.message(), queued.update.message()) else {
        return false;
    };
    let is_of_same = last.from.id == next.from.id
        && last.thread == next.thread
        && last.authorship == next.authorship
        && source(last) == source(next)
        && next.edited_s.is_none()
        && next.pieces.len() <= 1;
    if !is_of_same || last.album.is_some() {
        return is_of_same && last.album == next.album;
    }
    let Body::Text(text) = &next.body else { return false };
    let within_s = i64::try_from(limits::PIECES_WITHIN.as_secs()).unwrap_or(0);
    let is_command = !is_long(next) && commands::is_command(text, "").is_some();
    // By Telegram's clock: what waited at Telegram arrives together, whenever it was written.
    next.date_s.saturating_sub(last.date_s) <= within_s && !is_command
}

/// Who wrote it first, if it was forwarded.
fn source(message: &Incoming) -> Option<&Author> {
    message.context.as_ref()?.forwarded.as_ref()
}

/// Whether a text may have been cut behind it. One that is known to be a piece was, however short it is now.
fn is_long(message: &Incoming) -> bool {
    let text = message.words();
    // No text has more units than bytes; most are short.
    !message.pieces.is_empty()
        || text.len() >= limits::PIECE_UNITS && utf16_len(text) >= limits::PIECE_UNITS
}

/// Who said it, and in which topic.
fn sender(queued: &Queued) -> Option<Asker> {
    Some((queued.update.from()?.id, queued.update.thread().unwrap_or(0)))
}
