//! Which of the parts in doubt is asked next, and for which id.
//!
//! Most certain first: neighbours of what was found, then some guesses by rank, then the owners of
//! the lowest free ids, then one part everywhere.
//!
//! A part whose attempt was long ago can have very many ids. At most [`limits::PROBES`] of them are
//! asked about, and what is looked at for one step is bounded likewise.

use std::ops::Range;

use super::{InDoubt, Search, Step, Verdict, View};
use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;
use crate::pipeline::known_ids::FreeIds;

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

/// Ids looked at in one step for one that has an owner to look for.
const LOOKED_AT: usize = 2 * limits::PROBES;

/// All that one choice looks at.
struct Choice<'a> {
    search: &'a Search,
    /// Parts that may be asked, in order.
    ready: &'a [usize],
    /// Ids that parts of this search can have.
    free: FreeIds,
    /// Ids that some part is being asked for.
    asked_about: Vec<i64>,
    view: &'a View<'a>,
}

/// The ids that one part can have, by their places among the free ones.
struct Window {
    all: Range<usize>,
    /// Those that it is asked for: the lowest ones, and below a bound the highest ones, too.
    listed: [Range<usize>; 2],
}

impl Window {
    /// Whether it can have more ids than it is asked for.
    fn is_cut(&self) -> bool {
        self.all.len() > limits::PROBES
    }

    fn places(self) -> impl DoubleEndedIterator<Item = usize> {
        let [low, high] = self.listed;
        low.chain(high)
    }
}

impl Search {
    /// The best step for one of the parts that are ready.
    pub(super) fn choose(&self, ready: &[usize], view: &View<'_>) -> Option<(ChatId, Step)> {
        let doing = self.parts.iter().filter_map(|p| p.step.as_ref());
        let asked_about = doing.flat_map(|step| &step.ids).copied().collect();
        Choice { search: self, ready, free: self.free(view), asked_about, view }.best()
    }

    /// Ids that parts of this search can have.
    fn free(&self, view: &View<'_>) -> FreeIds {
        let from = self.parts.iter().map(|p| p.id_before + 1).min().unwrap_or_default();
        let top = self.top(view);
        let last = self.parts.iter().map(|p| p.bound.map_or(top, |bound| bound - 1)).max();
        view.ids.free(from..=last.unwrap_or(top))
    }

    /// The highest id that a part without a bound can have.
    fn top(&self, view: &View<'_>) -> i64 {
        let count = i64::try_from(self.parts.len()).unwrap_or(i64::MAX);
        view.ids.highest.saturating_add(count).saturating_add(MARGIN)
    }
}

impl Choice<'_> {
    fn best(&self) -> Option<(ChatId, Step)> {
        for part in self.ready_parts() {
            if let Some(verdict) = self.verdict(part) {
                return Some((part.chat, Step::Conclude(verdict)));
            }
        }
        let (part, ids) = self.beside_a_found_one().or_else(|| self.by_guess())?;
        Some((part.chat, Step::Ask(ids.into_iter().map(MessageId).collect())))
    }

    fn ready_parts(&self) -> impl Iterator<Item = &InDoubt> {
        self.ready.iter().map(|i| &self.search.parts[*i])
    }

    fn window(&self, part: &InDoubt) -> Window {
        let first = self.free.below(part.id_before.saturating_add(1));
        let end = part.bound.unwrap_or(self.search.top(self.view).saturating_add(1));
        let all = first..self.free.below(end).max(first);
        let count = all.len().min(limits::PROBES);
        let low = if part.bound.is_some() { count.div_ceil(2) } else { count };
        Window { listed: [first..first + low, all.end - (count - low)..all.end], all }
    }

    /// What it means when nothing is left to ask about; `None` while there is.
    fn verdict(&self, part: &InDoubt) -> Option<Verdict> {
        let window = self.window(part);
        if part.not_at.len() < window.all.len().min(limits::PROBES) {
            return None;
        }
        // What was asked about may have been found to be another part's since.
        let is_open =
            |id: &&i64| self.free.contains(**id) && window.all.contains(&self.free.below(**id));
        let asked = part.not_at.iter().filter(is_open).count();
        let all_were_asked = asked == window.all.len();
        if !all_were_asked && !window.is_cut() {
            return None;
        }
        let all_are_known = part.id_before + 1 >= self.view.ids.complete_from;
        Some(match (part.bound, self.view.is_private) {
            (Some(_), _) if all_were_asked && all_are_known => Verdict::Lost,
            (_, true) if !self.view.is_caught_up(part) => Verdict::TooEarly,
            (None, true) if all_were_asked && all_are_known => Verdict::Lost,
            _ => Verdict::Unclear,
        })
    }

    /// The neighbours in rank of a part that was found most likely have the free ids beside its id.
    fn beside_a_found_one(&self) -> Option<(&InDoubt, Vec<i64>)> {
        let (parts, mut found) = (&self.search.parts, self.search.found.iter().peekable());
        while let Some((id, first)) = found.next() {
            let place = self.free.below(*id);
            // Those found without a free id between them.
            let mut last = first;
            while let Some((_, rank)) = found.next_if(|(id, _)| self.free.below(**id) == place) {
                last = rank;
            }
            let below = place.checked_sub(1).and_then(|place| self.free.at(place));
            let before = parts.partition_point(|p| p.rank < *first).checked_sub(1);
            let after = parts.partition_point(|p| p.rank <= *last);
            let above = self.free.at(place).map(|id| (id, after));
            for (id, index) in below.zip(before).into_iter().chain(above) {
                let part = parts.get(index).filter(|p| p.may_have(id));
                let part = part.filter(|_| self.ready.binary_search(&index).is_ok());
                if let Some(part) = part.filter(|_| !self.asked_about.contains(&id)) {
                    return Some((part, vec![id]));
                }
            }
        }
        None
    }

    fn by_guess(&self) -> Option<(&InDoubt, Vec<i64>)> {
        let parts = self.search.parts.iter().filter(|p| p.is_busy(self.view.now));
        let doing: Vec<_> = parts.filter_map(|p| p.step.as_ref()).collect();
        let likely = doing.iter().filter(|step| step.is_likely).count();
        if likely > 0 && doing.len() >= likely + GUESSES {
            return None;
        }
        let is_alone = doing.is_empty();
        self.first_guess().or_else(|| self.owner_of_an_id()).or_else(|| self.everywhere(is_alone))
    }

    /// Some parts, spread over all, are asked for the free id of their rank.
    fn first_guess(&self) -> Option<(&InDoubt, Vec<i64>)> {
        let is_new = |p: &InDoubt| p.rank.is_multiple_of(SPREAD) && p.not_at.is_empty();
        let index = *self.ready.iter().find(|i| is_new(&self.search.parts[**i]))?;
        // Each part before it most likely has the lowest free id that is left.
        let (mut place, mut next) = (0, 0);
        for part in &self.search.parts[..=index] {
            let all = self.window(part).all;
            place = all.start.max(next).min(all.end.saturating_sub(1));
            next = next.max(place + 1);
        }
        let part = &self.search.parts[index];
        let id = self.free.at(place).filter(|id| part.may_have(*id))?;
        Some((part, vec![id]))
    }

    /// Whose are the lowest free ids? The parts are asked whose ranks fit best between those that
    /// were found below and above.
    fn owner_of_an_id(&self) -> Option<(&InDoubt, Vec<i64>)> {
        let search = self.search;
        if let [only] = search.parts.as_slice()
            && only.bound.is_some()
            && only.not_at.len() % 2 == 1
        {
            // After a restart the bound may be far nearer than the last id known before.
            let places = self.window(only).places().rev();
            let mut ids = places.filter_map(|place| self.free.at(place));
            return ids.find(|id| !only.not_at.contains(id)).map(|id| (only, vec![id]));
        }
        let mut looked = 0;
        for id in self.listed().take(LOOKED_AT).filter_map(|place| self.free.at(place)) {
            if !search.parts.iter().any(|p| p.may_have(id)) {
                continue;
            }
            // Ids beyond the highest known one are asked about one by one: where one does not
            // exist, the next does not either.
            let is_beyond = id > self.view.ids.highest;
            if search.misses.get(&id).is_some_and(|misses| *misses >= MISSES) {
                if is_beyond {
                    return None;
                }
                continue;
            }
            if !self.asked_about.contains(&id) {
                let rank = self.expected_rank(id);
                let parts = self.ready_parts().filter(|p| p.may_have(id));
                if let Some(best) = parts.min_by_key(|p| (p.rank as i64 - rank).abs()) {
                    return Some((best, vec![id]));
                }
            }
            looked += 1;
            if is_beyond || looked >= IDS_AT_ONCE {
                return None;
            }
        }
        None
    }

    /// The places of all ids that parts are asked for, in order.
    fn listed(&self) -> impl Iterator<Item = usize> {
        let windows = self.search.parts.iter().map(|p| self.window(p));
        let mut ranges: Vec<_> = windows.flat_map(|window| window.listed).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut next = 0;
        ranges.into_iter().flat_map(move |range| {
            let rest = range.start.max(next)..range.end;
            next = next.max(range.end);
            rest
        })
    }

    /// The rank that the part with this id has if nothing was lost between its neighbours.
    fn expected_rank(&self, id: i64) -> i64 {
        let below = self.search.found.range(..id).next_back().map(|(i, r)| (*i, *r as i64));
        let above = self.search.found.range(id..).next().map(|(i, r)| (*i, *r as i64));
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
    fn everywhere(&self, is_alone: bool) -> Option<(&InDoubt, Vec<i64>)> {
        let part = self.ready_parts().next()?;
        if !is_alone || (part.bound.is_none() && self.view.counter_will_show) {
            return None;
        }
        let ids = self.window(part).places().filter_map(|place| self.free.at(place));
        let ids: Vec<_> = ids.filter(|id| !part.not_at.contains(id)).take(BATCH).collect();
        (!ids.is_empty()).then_some((part, ids))
    }
}
