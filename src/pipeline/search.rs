//! Search: which id to ask about next, for which of the parts in doubt of one counter. No IO.
//!
//! One probe answers for one pair of part and id only, and Telegram lets a bot edit 30 times a
//! second. So all parts of a counter are looked for together: the part whose attempt was the k-th
//! most likely has the k-th free id, an id that is found is free for no other part, and beside it
//! are most likely its neighbours.
//!
//! Invariant: a part is said not to have arrived only when every id that it can have was asked
//! about or is another message's.

mod choice;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::known_ids::Ids;
use crate::model::failure::backoff;
use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;

/// Chats asked at once: each answer helps to choose the next question.
const AT_ONCE: usize = 16;

/// A step that takes longer keeps no other part waiting.
const SLOW: Duration = Duration::from_secs(3);

/// After this time parts are looked for even if polls have not caught up: a hit is certain, only a
/// miss is not.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks while nothing can be asked.
const SOON: Duration = Duration::from_millis(50);

/// The parts in doubt of one counter.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// By rank.
    parts: Vec<InDoubt>,
    /// The rank of the next part.
    next_rank: usize,
    /// Ids that were found, with the ranks of their parts.
    found: BTreeMap<i64, usize>,
    /// How many parts are not at an id.
    misses: HashMap<i64, usize>,
}

#[derive(Debug)]
struct InDoubt {
    chat: ChatId,
    /// Its place in the order of attempts.
    rank: usize,
    /// The highest id known before the attempt.
    id_before: i64,
    /// All ids that this part can have are below this one, if there is one.
    bound: Option<i64>,
    since: Instant,
    settled_at: Instant,
    not_before: Instant,
    /// A step for it is being done.
    step: Option<Doing>,
    /// It is at none of these.
    not_at: BTreeSet<i64>,
    /// Steps that failed.
    failures: u32,
}

#[derive(Debug)]
struct Doing {
    begun: Instant,
    ids: Vec<i64>,
    /// Neighbours of the id were found.
    is_likely: bool,
}

/// One step for one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask whether it has one of these ids.
    Ask(Vec<MessageId>),
    /// It is at none of the ids that were asked about.
    Conclude(Verdict),
}

/// What a search without a hit means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Those were all that it can have: it did not arrive.
    Lost,
    /// It can have others.
    Unclear,
    /// More will be known when polls work again.
    TooEarly,
}

impl Verdict {
    /// One word for the log.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Unclear => "unclear",
            Self::TooEarly => "ask_again",
        }
    }
}

/// What a search looks at.
pub(super) struct View<'a> {
    pub(super) ids: &'a Ids,
    /// In private chats every message is received. In a group others may write unheard (privacy
    /// mode, other bots), so that only a later message of our own bounds a search.
    pub(super) is_private: bool,
    /// A send is on its way, and its answer will bound the search.
    pub(super) counter_will_show: bool,
    pub(super) caught_up: Option<Instant>,
    pub(super) now: Instant,
}

/// What a search does next.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) step: Option<(ChatId, Step)>,
    /// A part waits until everything that people wrote has been received.
    pub(super) is_behind: bool,
    /// When to look again.
    pub(super) wake: Option<Instant>,
}

impl View<'_> {
    fn is_caught_up(&self, part: &InDoubt) -> bool {
        self.caught_up.is_some_and(|at| at > part.since)
    }
}

impl Search {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn add(
        &mut self,
        chat: ChatId,
        id_before: i64,
        since: Instant,
        settled_at: Instant,
    ) {
        self.remove(chat);
        let rank = self.next_rank;
        self.next_rank += 1;
        self.parts.push(InDoubt {
            chat,
            rank,
            id_before,
            bound: None,
            since,
            settled_at,
            not_before: settled_at,
            step: None,
            not_at: BTreeSet::new(),
            failures: 0,
        });
    }

    fn part(&mut self, chat: ChatId) -> Option<&mut InDoubt> {
        self.parts.iter_mut().find(|p| p.chat == chat)
    }

    pub(super) fn remove(&mut self, chat: ChatId) {
        self.parts.retain(|p| p.chat != chat);
        if self.parts.is_empty() {
            *self = Self::default();
        }
    }

    /// A message of ours was given this id, in an attempt begun at `begun`: what had settled by
    /// then has a lower one.
    pub(super) fn bound(&mut self, id: MessageId, begun: Instant) {
        for part in self.parts.iter_mut().filter(|p| p.settled_at <= begun) {
            part.bound = Some(part.bound.map_or(id.0, |bound| bound.min(id.0)));
        }
    }

    pub(super) fn started(&mut self, chat: ChatId, step: &Step, now: Instant) {
        let ids = match step {
            Step::Ask(ids) => ids.iter().map(|id| id.0).collect(),
            Step::Conclude(_) => Vec::new(),
        };
        let is_likely = ids.first().is_some_and(|id| self.is_beside_a_found_one(*id));
        if let Some(part) = self.part(chat) {
            part.step = Some(Doing { begun: now, ids, is_likely });
        }
    }

    fn is_beside_a_found_one(&self, id: i64) -> bool {
        [id - 1, id + 1].iter().any(|id| self.found.contains_key(id))
    }

    pub(super) fn not_at(&mut self, chat: ChatId, ids: &[MessageId]) {
        for MessageId(id) in ids {
            if self.part(chat).is_some_and(|part| part.not_at.insert(*id)) {
                *self.misses.entry(*id).or_default() += 1;
            }
        }
    }

    pub(super) fn found(&mut self, chat: ChatId, id: MessageId) {
        if let Some(rank) = self.part(chat).map(|part| part.rank) {
            self.found.insert(id.0, rank);
        }
    }

    pub(super) fn probes(&mut self, chat: ChatId) -> usize {
        self.part(chat).map_or(0, |part| part.not_at.len())
    }

    pub(super) fn go_on(&mut self, chat: ChatId) {
        if let Some(part) = self.part(chat) {
            part.step = None;
        }
    }

    pub(super) fn put_off(&mut self, chat: ChatId, now: Instant, first: Duration) {
        if let Some(part) = self.part(chat) {
            part.step = None;
            part.failures += 1;
            part.not_before = now + backoff(part.failures, first, limits::SEND_BACKOFF_MAX);
        }
    }

    /// What to do next.
    pub(super) fn plan(&self, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let busy = self.parts.iter().filter(|p| p.is_busy(view.now));
        if busy.count() >= AT_ONCE {
            return plan;
        }
        let mut ready = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            if let Some(doing) = &part.step {
                let slow = Some(doing.begun + SLOW).filter(|at| *at > view.now);
                plan.wake = plan.wake.into_iter().chain(slow).min();
                continue;
            }
            let mut from = part.not_before;
            if from <= view.now && !view.is_caught_up(part) {
                plan.is_behind = true;
                from = part.since + PATIENCE;
            }
            if from <= view.now {
                ready.push(index);
            } else {
                plan.wake = plan.wake.into_iter().chain([from]).min();
            }
        }
        if !ready.is_empty() {
            plan.step = self.choose(&ready, view);
            // Answers that are on their way decide how to go on.
            plan.wake = plan.wake.into_iter().chain([view.now + SOON]).min();
        }
        plan
    }
}

impl InDoubt {
    /// Whether others should wait for what its step says.
    fn is_busy(&self, now: Instant) -> bool {
        self.step.as_ref().is_some_and(|step| now < step.begun + SLOW)
    }

    /// Whether it can have this id and was not asked for it.
    fn may_have(&self, id: i64) -> bool {
        let is_within = id > self.id_before && self.bound.is_none_or(|bound| id < bound);
        is_within && !self.not_at.contains(&id)
    }
}

#[cfg(test)]
mod tests;
