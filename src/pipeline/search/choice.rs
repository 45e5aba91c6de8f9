//! Which of the parts in doubt is asked next, and for which id.
//!
//! Most certain first: neighbours of what was found, then some guesses by rank, then the owners of
//! the lowest free ids, then one part everywhere.

use super::{InDoubt, Search, Step, Verdict, View};
use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;

/// Ids beyond all known and expected ones that are asked about: messages that people wrote and the
/// bot has not heard of yet can lie between.
pub(super) const MARGIN: i64 = 16;

/// Of them, how many by mere guess while there are better questions to wait for.
const GUESSES: usize = 2;

/// Each so many-th part is asked for the id of its rank at first.
const SPREAD: usize = 4;

/// Ids for which parts are looked for at the same time.
const IDS_AT_ONCE: usize = 5;

/// After so many parts that are not at an id, it is probably no part's.
const MISSES: usize = 10;

/// Ids asked about together when one part is looked for everywhere.
const BATCH: usize = 8;

impl Search {
    /// The best step for one of the parts that are ready.
    pub(super) fn choose(&self, ready: &[usize], view: &View<'_>) -> Option<(ChatId, Step)> {
        let free = self.free(view);
        for part in ready.iter().map(|i| &self.parts[*i]) {
            if let Some(verdict) = self.verdict(part, &free, view) {
                return Some((part.chat, Step::Conclude(verdict)));
            }
        }
        let guess = || {
            let doing = || self.parts.iter().filter(|p| p.is_busy(view.now)).flat_map(|p| &p.step);
            let likely = doing().filter(|step| step.is_likely).count();
            if likely > 0 && doing().count() >= likely + GUESSES {
                return None;
            }
            self.first_guess(ready, &free)
                .or_else(|| self.owner_of_an_id(ready, &free, view))
                .or_else(|| self.everywhere(ready, &free, view))
        };
        let (part, ids) = self.beside_a_found_one(ready, &free).or_else(guess)?;
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
        let candidates = part.candidates(free);
        // What was asked about may have been found to be another part's since.
        if part.not_at.len() < candidates.len().min(limits::PROBES) {
            return None;
        }
        let asked = candidates.iter().filter(|id| part.not_at.contains(id)).count();
        let all_were_asked = asked == candidates.len();
        if !all_were_asked && asked < limits::PROBES {
            return None;
        }
        let all_are_known = part.id_before + 1 >= view.ids.complete_from;
        Some(match (part.bound, view.is_private) {
            (Some(_), _) if all_were_asked && all_are_known => Verdict::Lost,
            (_, true) if !view.is_caught_up(part) => Verdict::TooEarly,
            (None, true) if all_were_asked && all_are_known => Verdict::Lost,
            _ => Verdict::Unclear,
        })
    }

    /// The neighbours in rank of a part that was found most likely have the free ids beside its id.
    fn beside_a_found_one(&self, ready: &[usize], free: &[i64]) -> Option<(&InDoubt, Vec<i64>)> {
        for (at, id) in free.iter().enumerate() {
            let previous = at.checked_sub(1).map_or(i64::MIN, |at| free[at]);
            let next = free.get(at + 1).copied().unwrap_or(i64::MAX);
            let below = self.found.range(previous..*id).next_back().map(|(_, rank)| *rank);
            let above = self.found.range(*id..next).next().map(|(_, rank)| *rank);
            let after = below.map(|rank| self.parts.partition_point(|p| p.rank <= rank));
            let before =
                above.and_then(|rank| self.parts.partition_point(|p| p.rank < rank).checked_sub(1));
            for index in after.into_iter().chain(before) {
                let part = self.parts.get(index).filter(|p| p.may_have(*id));
                if let Some(part) = part.filter(|_| ready.binary_search(&index).is_ok())
                    && !self.is_asked_about(*id)
                {
                    return Some((part, vec![*id]));
                }
            }
        }
        None
    }

    /// Some parts, spread over all, are asked for the free id of their rank.
    fn first_guess(&self, ready: &[usize], free: &[i64]) -> Option<(&InDoubt, Vec<i64>)> {
        let is_new = |p: &InDoubt| p.rank.is_multiple_of(SPREAD) && p.not_at.is_empty();
        let index = ready.iter().find(|i| is_new(&self.parts[**i]))?;
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
            if !self.parts.iter().any(|p| p.may_have(*id)) {
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
                let parts = ready.iter().map(|i| &self.parts[*i]);
                let parts = parts.filter(|p| p.may_have(*id));
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
        self.parts.iter().any(|p| p.step.as_ref().is_some_and(|step| step.ids.contains(&id)))
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
