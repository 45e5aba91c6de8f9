//! The send queue: which part may leave next, and which have to wait for what. No IO of its own.
//!
//! Invariants: at most one part of a chat is on its way; a chat's parts leave in order; a part in
//! doubt blocks only its own chat.

mod in_doubt;
mod next;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

pub(super) use self::next::{Next, NextAction};
use super::message_ids::MessageIdTracker;
use crate::model::failure::backoff;
use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;
use crate::store::{OpenPart, PartState};
use crate::telegram::pace::{Pacer, Rates, Wait};

/// While a counter's highest id is unknown, others look again this soon.
const COUNTER_PAUSE: Duration = Duration::from_millis(10);

/// All chats with parts to send.
pub(super) struct SendQueue {
    map: HashMap<ChatId, ChatQueue>,
    /// Chats that may have something to do now.
    ready: VecDeque<ChatId>,
    timers: BinaryHeap<Reverse<(Instant, ChatId)>>,
    in_flight: usize,
    pacer: Pacer,
    reconcile_after: Duration,
    /// The last thing to do was a step of the reconciler; what else is ready comes first now.
    reconciled: bool,
}

#[derive(Default)]
struct ChatQueue {
    /// Parts in memory, in order.
    parts: VecDeque<OpenPart>,
    /// One part is on its way.
    busy: bool,
    /// Due parts wait on disk that are not in memory. They are read when nothing of the chat is
    /// in memory or on its way, so that whatever is due on disk then is new here.
    on_disk: bool,
    /// They are being read.
    loading: bool,
    /// Commits under way whose parts may be kept in memory, see [`SendQueue::expect`].
    expected: usize,
    /// Changes whenever parts are read from disk, moved or dropped there: what was committed
    /// before may then be known already, or gone.
    epoch: u64,
    /// The chat has this id now; its parts go on there when the one on its way is back.
    goes_on_in: Option<ChatId>,
    /// Nothing leaves before this: 429, or a failed try.
    not_before: Option<Instant>,
}

impl SendQueue {
    pub(super) fn new(pacer: Pacer, reconcile_after: Duration) -> Self {
        Self {
            map: HashMap::new(),
            ready: VecDeque::new(),
            timers: BinaryHeap::new(),
            in_flight: 0,
            pacer,
            reconcile_after,
            reconciled: false,
        }
    }

    /// Other rates from now on. Who waits for the old ones is looked at again.
    pub(super) fn set_rates(&mut self, rates: Option<Rates>) {
        self.pacer.set_rates(rates);
        self.ready.extend(self.timers.drain().map(|Reverse((_, chat))| chat));
    }

    /// Takes room for something that may as well be left out; none while a part waits for room.
    pub(super) fn take_spare(&mut self, now: Instant) -> bool {
        self.ready.is_empty() && self.pacer.take_spare(now)
    }

    /// Something of this chat waits on disk.
    pub(super) fn fill(&mut self, chat: ChatId) {
        self.map.entry(chat).or_default().on_disk = true;
        self.ready.push_back(chat);
    }

    /// Parts that were asked for by [`Next::Load`]; fewer than `limit` means there are no more.
    pub(super) fn loaded(&mut self, chat: ChatId, parts: Vec<OpenPart>, limit: usize) {
        let queue = self.map.entry(chat).or_default();
        if !std::mem::take(&mut queue.loading) {
            // The chat moved while they were read; they wait under its new id.
            return;
        }
        // Once more: what was committed between the two may have been read.
        queue.epoch += 1;
        // Not cleared here: more may have been committed after the reading.
        queue.on_disk |= parts.len() >= limit;
        queue.parts.extend(parts);
        self.ready.push_front(chat);
    }

    /// A commit is about to store due parts of `chat`. What is answered has to be given to
    /// [`SendQueue::offer`] afterwards, with the parts or without.
    pub(super) fn expect(&mut self, chat: ChatId) -> u64 {
        let queue = self.map.entry(chat).or_default();
        queue.expected += 1;
        queue.epoch
    }

    /// Parts that were just committed as due. They stay in memory, unless the order or the disk
    /// demands that they are read from there. Answers whether something may leave now.
    pub(super) fn offer(&mut self, chat: ChatId, epoch: u64, parts: Vec<OpenPart>) -> bool {
        let queue = self.map.entry(chat).or_default();
        queue.expected = queue.expected.saturating_sub(1);
        let fits = queue.parts.len() + parts.len() <= limits::QUEUED_PARTS;
        // Parts that are being read from disk are older, and come first.
        if queue.epoch == epoch && !queue.on_disk && !queue.loading && fits {
            queue.parts.extend(parts);
        } else {
            queue.on_disk |= !parts.is_empty();
        }
        if queue.busy || queue.loading {
            return false;
        }
        self.ready.push_back(chat);
        true
    }

    /// The part of `chat` on its way has arrived: the next one, if it may leave at once. The
    /// chat stays busy with it.
    pub(super) fn follow(
        &mut self,
        chat: ChatId,
        message_ids: &mut MessageIdTracker,
        now: Instant,
    ) -> Option<(Box<OpenPart>, MessageId)> {
        // Others that wait have their turn first.
        if !self.ready.is_empty() {
            return None;
        }
        let queue = self.map.get_mut(&chat)?;
        if queue.parts.front()?.state != PartState::Due {
            return None;
        }
        let id_before = message_ids.begin(chat)?;
        if self.pacer.take(chat, now).is_err() {
            message_ids.end(chat);
            return None;
        }
        queue.not_before = None;
        let part = queue.parts.pop_front()?;
        Some((Box::new(part), id_before))
    }

    /// Whether nothing is on its way and nothing could be sent right now.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.ready.is_empty()
    }

    /// Room for a part of `chat` that will be committed as *sending*, if it could leave at once.
    pub(super) fn reserve(
        &mut self,
        chat: ChatId,
        message_ids: &mut MessageIdTracker,
        now: Instant,
    ) -> Option<MessageId> {
        if self.in_flight >= limits::SENDS_AT_ONCE || !self.ready.is_empty() {
            return None;
        }
        let queue = self.map.entry(chat).or_default();
        let waits = queue.not_before.is_some_and(|at| at > now);
        let others = queue.busy || queue.loading || queue.on_disk || !queue.parts.is_empty();
        // Parts that are being committed come first, too.
        if others || queue.expected > 0 || waits {
            return None;
        }
        let id_before = message_ids.begin(chat)?;
        if self.pacer.take(chat, now).is_err() {
            message_ids.end(chat);
            return None;
        }
        queue.busy = true;
        self.in_flight += 1;
        Some(id_before)
    }

    /// The next thing to do.
    pub(super) fn next(&mut self, message_ids: &mut MessageIdTracker, now: Instant) -> Next {
        while let Some(Reverse((at, chat))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            self.ready.push_back(chat);
        }
        let sends_first = self.reconciled && !self.ready.is_empty();
        let mut wake = None;
        if !sends_first {
            match self.reconcile(message_ids, now) {
                Ok(next) => return next,
                Err(at) => wake = at,
            }
        }
        while self.in_flight < limits::SENDS_AT_ONCE {
            let Some(chat) = self.ready.front().copied() else { break };
            match self.look(chat, message_ids, now) {
                Look::Nothing => {
                    self.ready.pop_front();
                }
                Look::Later(at) => {
                    self.ready.pop_front();
                    self.timers.push(Reverse((at, chat)));
                }
                // Whose turn it is stays: the room that comes next would always be taken by others.
                Look::Hold(at) => return Next::Sleep(Some(at)),
                Look::Load => {
                    self.ready.pop_front();
                    return Next::Load(chat);
                }
                Look::Go(next) => {
                    self.ready.pop_front();
                    self.in_flight += 1;
                    self.reconciled = false;
                    return next;
                }
            }
        }
        if sends_first {
            match self.reconcile(message_ids, now) {
                Ok(next) => return next,
                Err(at) => wake = at,
            }
        }
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        Next::Sleep(timer.into_iter().chain(wake).min())
    }

    fn look(&mut self, chat: ChatId, message_ids: &mut MessageIdTracker, now: Instant) -> Look {
        let Some(queue) = self.map.get_mut(&chat) else { return Look::Nothing };
        if queue.busy || queue.loading {
            return Look::Nothing;
        }
        if let Some(at) = queue.not_before.filter(|at| *at > now) {
            return Look::Later(at);
        }
        let Some(head) = queue.parts.front() else {
            if queue.on_disk {
                queue.on_disk = false;
                queue.loading = true;
                queue.epoch += 1;
                return Look::Load;
            }
            if queue.expected == 0 {
                self.map.remove(&chat);
            }
            return Look::Nothing;
        };
        if head.state != PartState::Due {
            // The reconciler says when.
            return Look::Nothing;
        }
        let Some(id_before) = message_ids.begin(chat) else {
            return Look::Later(now + COUNTER_PAUSE);
        };
        match self.pacer.take(chat, now) {
            Ok(()) => {}
            Err(wait) => {
                message_ids.end(chat);
                return match wait {
                    Wait::Overall(at) => Look::Hold(at),
                    Wait::Chat(at) => Look::Later(at),
                };
            }
        }
        queue.busy = true;
        match queue.parts.pop_front() {
            Some(part) => Look::Go(Next::Send(Box::new(part), id_before)),
            None => Look::Nothing,
        }
    }

    /// The part of `chat` that was on its way has come to something.
    pub(super) fn done(
        &mut self,
        chat: ChatId,
        after: NextAction,
        message_ids: &mut MessageIdTracker,
        now: Instant,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let queue = self.map.entry(chat).or_default();
        queue.busy = false;
        self.ready.extend(queue.goes_on_in.take());
        match &after {
            NextAction::InDoubt(part) => {
                let PartState::Sending { id_before, .. } = part.state else { return };
                message_ids.in_doubt(chat, id_before, now, now + self.reconcile_after);
            }
            NextAction::Search(_) => message_ids.go_on(chat),
            NextAction::SearchLater(_) => message_ids.put_off(chat, now, self.reconcile_after),
            NextAction::Continue
            | NextAction::Retry(..)
            | NextAction::Resend(_)
            | NextAction::ShutOut => message_ids.resolved(chat),
        }
        match after {
            NextAction::Continue => queue.not_before = None,
            NextAction::Retry(mut part, at) => {
                part.state = PartState::Due;
                queue.parts.push_front(*part);
                queue.not_before = Some(at);
            }
            NextAction::InDoubt(part)
            | NextAction::Search(part)
            | NextAction::SearchLater(part) => {
                queue.not_before = None;
                queue.parts.push_front(*part);
            }
            NextAction::Resend(mut part) => {
                part.state = PartState::Due;
                // A server that never gives a usable answer is not asked ever faster.
                if part.attempts > 1 {
                    let longest = limits::SEND_BACKOFF_MAX;
                    queue.not_before =
                        Some(now + backoff(part.attempts, self.reconcile_after, longest));
                }
                queue.parts.push_front(*part);
            }
            NextAction::ShutOut => {
                queue.parts.clear();
                // What was stored since then is still there.
                queue.on_disk = true;
                queue.epoch += 1;
            }
        }
        if queue.parts.is_empty() && !queue.on_disk {
            if queue.not_before.is_none() && queue.expected == 0 {
                self.map.remove(&chat);
            }
        } else {
            self.ready.push_back(chat);
        }
    }

    /// The group has another id now; what waits on disk was moved.
    pub(super) fn moved(&mut self, from: ChatId, to: ChatId) {
        let mut on_its_way = false;
        if let Some(old) = self.map.get_mut(&from) {
            old.parts.retain(|p| p.state != PartState::Due);
            old.on_disk = true;
            old.loading = false;
            old.epoch += 1;
            on_its_way = old.busy;
            old.goes_on_in = old.busy.then_some(to);
            self.ready.push_back(from);
        }
        self.map.entry(to).or_default().on_disk = true;
        // What follows must not overtake a part that may come back.
        if !on_its_way {
            self.ready.push_back(to);
        }
    }
}

enum Look {
    Nothing,
    Later(Instant),
    Hold(Instant),
    Load,
    Go(Next),
}

#[cfg(test)]
mod tests;
