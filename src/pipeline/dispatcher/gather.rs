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
use crate::model::quote::Author;
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

    /// Whether an update is a piece, or may end what is gathered.
    pub(super) fn concern(&self, queued: &Queued) -> bool {
        !self.0.is_empty() || is_new_piece(queued)
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
        let is_of_album = message(&queued).is_some_and(|m| m.album.is_some());
        let is_before = |g: &Gathering| g.is_of(sender(&queued)) && !(is_of_album && g.is_album());
        let mut ready = self.close(is_before, &mut VecDeque::new());
        if is_new_piece(&queued) && self.0.len() < limits::GATHERINGS {
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
            let mut at = 0;
            while let Some(queued) = queue.get(at).filter(|_| !gathering.is_whole()) {
                if gathering.awaits(queued) {
                    queue.remove(at).into_iter().for_each(|queued| gathering.add(queued));
                } else {
                    at += 1;
                }
            }
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

    /// Whether this is the next piece.
    fn awaits(&self, queued: &Queued) -> bool {
        let (Some(last), Some(next)) = (message(&self.last), message(queued)) else { return false };
        let is_of_same = last.from.id == next.from.id
            && last.thread == next.thread
            && last.authorship == next.authorship
            && source(last) == source(next)
            && next.edited_s.is_none()
            && queued.others.is_empty();
        if !is_of_same || last.album.is_some() {
            return is_of_same && last.album == next.album;
        }
        let Body::Text(text) = &next.body else { return false };
        let within_s = i64::try_from(limits::PIECES_WITHIN.as_secs()).unwrap_or(0);
        let is_command = !is_long(text) && commands::is_command(text, "").is_some();
        // By Telegram's clock: what waited at Telegram arrives together, whenever it was written.
        next.date_s.saturating_sub(last.date_s) <= within_s && !is_command
    }

    /// Whether no further piece can belong to it.
    fn is_whole(&self) -> bool {
        let is_end = message(&self.last).is_none_or(|m| m.album.is_none() && !is_long(m.words()));
        is_end || self.before.len() + 1 >= limits::PIECES
    }

    fn is_of(&self, person: Option<Asker>) -> bool {
        sender(&self.last) == person
    }

    fn is_album(&self) -> bool {
        message(&self.last).is_some_and(|m| m.album.is_some())
    }

    fn within(&self) -> Duration {
        if self.is_album() { limits::ALBUM_WITHIN } else { limits::PIECES_WITHIN }
    }

    /// All pieces as one update: the last one, because everything before it was said by then.
    fn whole(self) -> Queued {
        let others = self.before.iter().map(|piece| piece.seq).collect();
        let joined = join(&self.before, &self.last);
        let mut whole = Queued { others, ..self.last };
        if let Some(joined) = joined {
            whole.update.event = UpdateEvent::Message(joined);
        }
        whole
    }
}

/// One message that says what all of them say; `None` for a single one.
fn join(before: &[Queued], last: &Queued) -> Option<Incoming> {
    let messages: Vec<&Incoming> = before.iter().chain([last]).filter_map(message).collect();
    let [first, .., last] = messages[..] else { return None };
    // A reply is attached to the picture with the words, or to the beginning of a long text.
    let base = messages.iter().find(|m| !m.words().is_empty()).unwrap_or(&messages[0]);
    let mut joined = Incoming::clone(base);
    joined.date_s = last.date_s;
    joined.reply_to_bot = messages.iter().any(|m| m.reply_to_bot);
    if first.album.is_some() {
        let captions: Vec<&str> = messages.iter().filter_map(|m| m.caption.as_deref()).collect();
        joined.caption = (!captions.is_empty()).then(|| captions.join("\n"));
    } else {
        let mut text = String::new();
        for piece in &messages {
            text.push_str(piece.words());
            // A client that cuts where a line ends leaves the line break out.
            if units(piece.words()) < limits::MESSAGE_UNITS {
                text.push('\n');
            }
        }
        text.truncate(text.trim_end_matches('\n').len());
        joined.body = Body::Text(text);
    }
    Some(joined)
}

/// The same of what is not put together yet.
fn is_new_piece(queued: &Queued) -> bool {
    queued.others.is_empty() && is_piece(&queued.update)
}

/// Whether more may belong to this: a picture of an album, or a text so long that it may have been cut.
pub(in crate::pipeline) fn is_piece(update: &Update) -> bool {
    let UpdateEvent::Message(message) = &update.event else { return false };
    let is_cut = || matches!(&message.body, Body::Text(text) if is_long(text));
    message.edited_s.is_none() && (message.album.is_some() || is_cut())
}

/// Who wrote it first, if it was forwarded.
fn source(message: &Incoming) -> Option<&Author> {
    message.context.as_ref()?.forwarded.as_ref()
}

fn is_long(text: &str) -> bool {
    // No text has more units than bytes; most are short.
    text.len() >= limits::PIECE_UNITS && units(text) >= limits::PIECE_UNITS
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Who said it, and in which topic.
fn sender(queued: &Queued) -> Option<Asker> {
    Some((queued.update.from()?.id, queued.update.thread().unwrap_or(0)))
}

fn message(queued: &Queued) -> Option<&Incoming> {
    match &queued.update.event {
        UpdateEvent::Message(message) => Some(message),
        _ => None,
    }
}
