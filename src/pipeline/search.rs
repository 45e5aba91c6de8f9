//! Search: which id to ask about next, for which of the parts in doubt of one counter. No IO.
//!
//! One probe answers for one pair of part and id only, and Telegram lets a bot edit 30 times a
//! second. So all parts of a counter are looked for together: the part whose attempt was the k-th
//! most likely has the k-th free id, an id that is found is free for no other part, and where it
//! was found tells where its neighbours are.
//!
//! Invariant: a part is said not to have arrived only when every id that it can have was asked
//! about or is another message's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::message_ids::Ids;
use crate::model::failure::backoff;
use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;

/// Ids beyond all known and expected ones that are asked about: messages that people wrote and the
/// bot has not heard of yet can lie between.
const MARGIN: i64 = 16;

/// Chats asked at once: knowledge from one answer helps to choose the next question.
const AT_ONCE: usize = 16;

/// Ids for which parts are looked for at the same time.
const IDS_AT_ONCE: usize = 5;

/// After so many parts that are not at an id, it is probably no part's.
const MISSES: usize = 20;

/// Ids asked about together when one part is looked for everywhere.
const BATCH: usize = 8;

/// A step that takes longer keeps no other part waiting.
const SLOW: Duration = Duration::from_secs(3);

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
    /// A step for it is being done, since then, about these ids.
    step: Option<(Instant, Vec<i64>)>,
    /// It is at none of these.
    not_at: BTreeSet<i64>,
    /// Steps that failed.
    failures: u32,
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
    pub(super) stand_will_show: bool,
    pub(super) caught_up: Option<Instant>,
    pub(super) patience: Duration,
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
        if let Some(part) = self.part(chat) {
            part.step = Some((now, ids));
        }
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
            if let Some((begun, _)) = part.step {
                let slow = Some(begun + SLOW).filter(|at| *at > view.now);
                plan.wake = plan.wake.into_iter().chain(slow).min();
                continue;
            }
            let mut from = part.not_before;
            if from <= view.now && !view.is_caught_up(part) {
                plan.is_behind = true;
                from = part.since + view.patience;
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

    /// The best step for one of the parts that are ready.
    fn choose(&self, ready: &[usize], view: &View<'_>) -> Option<(ChatId, Step)> {
        let free = self.free(view);
        for part in ready.iter().map(|i| &self.parts[*i]) {
            if let Some(verdict) = self.verdict(part, &free, view) {
                return Some((part.chat, Step::Conclude(verdict)));
            }
        }
        let (part, ids) = self
            .first_guess(ready, &free)
            .or_else(|| self.owner_of_an_id(ready, &free, view))
            .or_else(|| self.everywhere(ready, &free, view))?;
        Some((part.chat, Step::Ask(ids.into_iter().map(MessageId).collect())))
    }

    /// Ids that parts of this search can have, in order.
    fn free(&self, view: &View<'_>) -> Vec<i64> {
        let from = self.parts.iter().map(|p| p.id_before + 1).min().unwrap_or_default();
        let count = i64::try_from(self.parts.len()).unwrap_or(i64::MAX);
        let top = view.ids.highest.saturating_add(count).saturating_add(MARGIN);
        let last = self.parts.iter().map(|p| p.bound.map_or(top, |bound| bound - 1)).max();
        view.ids.free(from..=last.unwrap_or(top)).take(limits::PROBES * 16).collect()
    }

    /// What it means when nothing is left to ask about; `None` while there is.
    fn verdict(&self, part: &InDoubt, free: &[i64], view: &View<'_>) -> Option<Verdict> {
        if part.not_at.len() >= limits::PROBES {
            return Some(Verdict::Unclear);
        }
        let candidates = part.candidates(free);
        // What was asked about and found elsewhere since is no candidate any more.
        let may_be_done = part.not_at.len() >= candidates.len();
        if !may_be_done || candidates.iter().any(|id| !part.not_at.contains(id)) {
            return None;
        }
        let all_are_known = part.id_before + 1 >= view.ids.complete_from;
        Some(match (part.bound, view.is_private) {
            (Some(_), _) if all_are_known => Verdict::Lost,
            (None, true) if !view.is_caught_up(part) => Verdict::TooEarly,
            (None, true) if all_are_known => Verdict::Lost,
            _ => Verdict::Unclear,
        })
    }

    /// Each part is first asked for the free id of its rank.
    fn first_guess(&self, ready: &[usize], free: &[i64]) -> Option<(&InDoubt, Vec<i64>)> {
        let index = ready.iter().find(|i| self.parts[**i].not_at.is_empty())?;
        let part = &self.parts[*index];
        let skipped = free.partition_point(|id| *id <= part.id_before);
        let candidates = part.candidates(free);
        let place = index.saturating_sub(skipped).min(candidates.len().saturating_sub(1));
        candidates.get(place).map(|id| (part, vec![*id]))
    }

    /// Whose are the lowest free ids? The parts are asked whose ranks fit best between those that
    /// were found below and above.
    fn owner_of_an_id(
        &self,
        ready: &[usize],
        free: &[i64],
        view: &View<'_>,
    ) -> Option<(&InDoubt, Vec<i64>)> {
        if let [only] = self.parts.as_slice()
            && only.bound.is_some()
            && only.not_at.len() % 2 == 1
        {
            // After a restart the bound may be far nearer than the last id known before.
            let last = only.candidates(free).iter().rev().find(|id| !only.not_at.contains(id));
            return last.map(|id| (only, vec![*id]));
        }
        let mut looked = 0;
        for id in free {
            let may_have = |p: &&InDoubt| p.can_have(*id) && !p.not_at.contains(id);
            if !self.parts.iter().any(|p| may_have(&p)) {
                continue;
            }
            // Ids beyond the highest known one are asked about one by one: where one does not
            // exist, the next does not either.
            let is_beyond = *id > view.ids.highest;
            if self.misses.get(id).is_some_and(|misses| *misses >= MISSES) {
                if is_beyond {
                    return None;
                }
                continue;
            }
            if !self.is_asked_about(*id) {
                let rank = self.expected_rank(*id);
                let parts = ready.iter().map(|i| &self.parts[*i]).filter(may_have);
                if let Some(best) = parts.min_by_key(|p| (p.rank as i64 - rank).abs()) {
                    return Some((best, vec![*id]));
                }
            }
            looked += 1;
            if is_beyond || looked >= IDS_AT_ONCE {
                return None;
            }
        }
        None
    }

    fn is_asked_about(&self, id: i64) -> bool {
        self.parts.iter().any(|p| p.step.as_ref().is_some_and(|(_, ids)| ids.contains(&id)))
    }

    /// The rank that the part with this id has if nothing was lost between its neighbours.
    fn expected_rank(&self, id: i64) -> i64 {
        let below = self.found.range(..id).next_back().map(|(i, r)| (*i, *r as i64));
        let above = self.found.range(id..).next().map(|(i, r)| (*i, *r as i64));
        match (below, above) {
            (Some((low, first)), Some((high, last))) => {
                first + (id - low) * (last - first) / (high - low).max(1)
            }
            (Some((low, rank)), None) => rank + (id - low),
            (None, Some((high, rank))) => rank - (high - id),
            (None, None) => 0,
        }
    }

    /// One part is looked for at all ids that it can have. When it is sent again, its new id
    /// bounds the search for all others.
    fn everywhere(
        &self,
        ready: &[usize],
        free: &[i64],
        view: &View<'_>,
    ) -> Option<(&InDoubt, Vec<i64>)> {
        let part = &self.parts[*ready.first()?];
        let is_alone = !self.parts.iter().any(|p| p.is_busy(view.now));
        if !is_alone || (part.bound.is_none() && view.stand_will_show) {
            return None;
        }
        let rest = part.candidates(free).iter().filter(|id| !part.not_at.contains(id));
        Some((part, rest.copied().take(BATCH).collect()))
    }
}

impl InDoubt {
    /// Whether others should wait for what its step says.
    fn is_busy(&self, now: Instant) -> bool {
        self.step.as_ref().is_some_and(|(begun, _)| now < *begun + SLOW)
    }

    fn can_have(&self, id: i64) -> bool {
        id > self.id_before && self.bound.is_none_or(|bound| id < bound)
    }

    /// The ids that it can have, of those that are free.
    fn candidates<'a>(&self, free: &'a [i64]) -> &'a [i64] {
        let first = free.partition_point(|id| *id <= self.id_before);
        let end = self.bound.map_or(free.len(), |bound| free.partition_point(|id| *id < bound));
        free.get(first..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::message_ids::{MessageIdTracker, Reconcile};

    /// What Telegram holds: the chat of each id, where it is a part's.
    struct Telegram {
        last: i64,
        chats: HashMap<i64, ChatId>,
        known: MessageIdTracker,
        now: Instant,
        probes: usize,
    }

    /// Chats whose messages were on their way at the crash.
    const CHATS: usize = 200;

    /// Edits that Telegram allows in a minute.
    const A_MINUTE: usize = 30 * 60;

    fn chat(rank: usize) -> ChatId {
        ChatId(100 + rank as i64)
    }

    /// Sends that came in the order of `ranks`, and are all in doubt; after each of them someone
    /// else may have written, heard or not.
    fn crashed(ranks: &[usize], lost: &[usize], others: impl Fn(usize) -> Option<bool>) -> Telegram {
        let now = Instant::now();
        let (chats, known) = (HashMap::new(), MessageIdTracker::default());
        let mut telegram = Telegram { last: 1000, chats, known, now, probes: 0 };
        telegram.known.heard(ChatId(1), MessageId(1000));
        for rank in ranks.iter().filter(|r| !lost.contains(r)) {
            telegram.last += 1;
            telegram.chats.insert(telegram.last, chat(*rank));
            if let Some(heard) = others(*rank) {
                telegram.last += 1;
                if heard {
                    telegram.known.heard(ChatId(1), MessageId(telegram.last));
                }
            }
        }
        (0..CHATS).for_each(|r| telegram.known.in_doubt(chat(r), MessageId(1000), now, now));
        telegram.known.caught_up(now + Duration::from_millis(1));
        telegram
    }

    impl Telegram {
        /// Looks for all parts, some probes at a time; answers who was found and who was not.
        fn search(&mut self) -> (usize, usize) {
            let (mut found, mut lost) = (0, 0);
            loop {
                let mut asked = Vec::new();
                self.now += Duration::from_millis(100);
                while let Reconcile::Step(chat, step) = self.known.reconcile(self.now, SLOW) {
                    self.known.started(chat, &step, self.now);
                    asked.push((chat, step));
                    if asked.len() == 8 {
                        break;
                    }
                }
                if asked.is_empty() {
                    return (found, lost);
                }
                for (chat, step) in asked {
                    match step {
                        Step::Ask(ids) => {
                            self.probes += ids.len();
                            let (here, elsewhere): (Vec<_>, Vec<_>) =
                                ids.iter().partition(|id| self.chats.get(&id.0) == Some(&chat));
                            self.known.not_at(chat, &elsewhere);
                            match here.first() {
                                Some(id) => {
                                    self.known.found(chat, *id);
                                    self.known.resolved(chat);
                                    found += 1;
                                }
                                None => self.known.go_on(chat),
                            }
                        }
                        Step::Conclude(verdict) => {
                            assert_eq!(verdict, Verdict::Lost);
                            let there = self.chats.iter().find(|(_, c)| **c == chat);
                            assert_eq!(there, None, "said to be lost");
                            self.known.resolved(chat);
                            lost += 1;
                            // It is sent again, and its new id shows where the counter stands.
                            self.last += 1;
                            self.known.sent(chat, MessageId(self.last), self.now);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn all_parts_in_doubt_are_found_or_surely_lost_within_a_minute_of_edits() {
        let mut dice = fastrand::Rng::with_seed(5);
        let in_order: Vec<_> = (0..CHATS).collect();
        let mut shuffled = |by: usize| {
            let mut keyed: Vec<_> = (0..CHATS).map(|r| (r + dice.usize(0..=by), r)).collect();
            keyed.sort_unstable();
            keyed.into_iter().map(|(_, r)| r).collect::<Vec<_>>()
        };
        let (nearly, mixed) = (shuffled(5), shuffled(20));
        let some: Vec<_> = (0..CHATS).filter(|r| r % 9 == 4).collect();
        let nobody = |_| None;
        let table: [(&str, &[usize], &[usize], &dyn Fn(usize) -> Option<bool>, usize); 9] = [
            ("in order", &in_order, &[], &nobody, CHATS),
            ("nearly in order", &nearly, &[], &nobody, 3 * CHATS),
            ("mixed", &mixed, &[], &nobody, A_MINUTE),
            ("one lost", &nearly, &[50], &nobody, 3 * CHATS),
            ("some lost", &nearly, &some, &nobody, A_MINUTE),
            ("the last lost", &nearly, &in_order[120..], &nobody, 4 * CHATS),
            ("none arrived", &in_order, &in_order, &nobody, 3 * CHATS),
            ("others heard", &nearly, &[], &|r| (r % 2 == 0).then_some(true), 4 * CHATS),
            ("others unheard", &nearly, &[], &|r| (r % 19 == 7).then_some(false), A_MINUTE),
        ];
        for (name, ranks, lost, others, most) in table {
            let mut telegram = crashed(ranks, lost, others);
            assert_eq!(telegram.search(), (CHATS - lost.len(), lost.len()), "{name}");
            eprintln!("{name}: {} probes", telegram.probes);
            assert!(telegram.probes <= most, "{name}: {} probes", telegram.probes);
        }
    }

    #[test]
    fn in_a_supergroup_nothing_is_surely_lost() {
        let group = ChatId(-1_000_000_000_005);
        let (mut known, now) = (MessageIdTracker::default(), Instant::now());
        known.heard(group, MessageId(10));
        known.caught_up(now + Duration::from_millis(1));
        known.in_doubt(group, MessageId(10), now, now);
        let mut asked = Vec::new();
        loop {
            match known.reconcile(now, SLOW) {
                Reconcile::Step(chat, Step::Ask(ids)) => {
                    asked.extend(ids.iter().map(|id| id.0));
                    known.not_at(chat, &ids);
                }
                end => {
                    let unclear = Step::Conclude(Verdict::Unclear);
                    assert_eq!(end, Reconcile::Step(group, unclear));
                    break;
                }
            }
        }
        assert_eq!(asked, (11..=11 + MARGIN).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_said_to_be_lost_before_polls_have_caught_up() {
        let (mut known, now) = (MessageIdTracker::default(), Instant::now());
        known.heard(chat(0), MessageId(10));
        known.in_doubt(chat(0), MessageId(10), now, now);
        assert_eq!(known.reconcile(now, SLOW), Reconcile::CatchUp);
        assert!(matches!(known.reconcile(now, SLOW), Reconcile::Wait(Some(_))), "once a second");
        let later = now + SLOW;
        while let Reconcile::Step(chat, Step::Ask(ids)) = known.reconcile(later, SLOW) {
            known.not_at(chat, &ids);
        }
        let too_early = Step::Conclude(Verdict::TooEarly);
        assert_eq!(known.reconcile(later, SLOW), Reconcile::Step(chat(0), too_early));
    }

    #[test]
    fn after_a_restart_the_first_own_id_is_the_nearest_bound() {
        let group = ChatId(-1_000_000_000_005);
        let (mut known, now) = (MessageIdTracker::default(), Instant::now());
        known.heard(group, MessageId(100));
        known.caught_up(now + Duration::from_millis(1));
        known.in_doubt(group, MessageId(100), now, now);
        known.sent(group, MessageId(5002), now);
        let mut asked = Vec::new();
        while asked.len() < 4
            && let Reconcile::Step(chat, Step::Ask(ids)) = known.reconcile(now, SLOW)
        {
            asked.extend(ids.iter().map(|id| id.0));
            known.not_at(chat, &ids);
        }
        assert_eq!(asked, [101, 5001, 102, 5000]);
        for step in 0.. {
            match known.reconcile(now, SLOW) {
                Reconcile::Step(chat, Step::Ask(ids)) => known.not_at(chat, &ids),
                end => {
                    assert!(step < limits::PROBES, "a gap of 5,000 is not probed whole");
                    let unclear = Step::Conclude(Verdict::Unclear);
                    assert_eq!(end, Reconcile::Step(group, unclear));
                    break;
                }
            }
        }
    }
}
