//! The ids of one counter that are known to be taken. No IO.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::model::limits;

/// The ids of one counter: all up to the highest known one are taken, except for the gaps.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// First to last id of each gap, keyed by the first.
    gaps: BTreeMap<i64, i64>,
    /// The highest id known.
    pub(super) highest: i64,
    /// Gaps below this id are not remembered.
    pub(super) complete_from: i64,
}

impl Ids {
    /// This id is another message's.
    pub(super) fn take(&mut self, id: i64) {
        if id > self.highest {
            if self.highest == 0 {
                self.complete_from = id;
            } else if id > self.highest + 1 {
                self.gaps.insert(self.highest + 1, id - 1);
            }
            self.highest = id;
            if self.gaps.len() > limits::ID_GAPS
                && let Some((_, last)) = self.gaps.pop_first()
            {
                self.complete_from = last + 1;
            }
            return;
        }
        let Some((first, last)) = self.gaps.range(..=id).next_back().map(|(f, l)| (*f, *l)) else {
            return;
        };
        if id > last {
            return;
        }
        self.gaps.remove(&first);
        if first < id {
            self.gaps.insert(first, id - 1);
        }
        if id < last {
            self.gaps.insert(id + 1, last);
        }
    }

    /// This id was the highest known one before an attempt. What is above it and not known to be
    /// taken is a gap.
    pub(super) fn remember_from(&mut self, id: i64) {
        self.take(id);
        if id < self.complete_from {
            self.gaps.insert(id + 1, self.complete_from - 1);
            self.complete_from = id;
        }
    }

    /// Ids in `range` that no known message has.
    pub(super) fn free(&self, range: RangeInclusive<i64>) -> FreeIds {
        let (from, to) = range.into_inner();
        let before = self.gaps.range(..from).next_back();
        let gaps = before.into_iter().chain(self.gaps.range(from..=to.max(from)));
        let gaps = gaps.map(|(first, last)| ((*first).max(from), (*last).min(to)));
        let above = ((self.highest + 1).max(from), to);
        let mut runs = Vec::new();
        let mut len = 0;
        for (first, last) in gaps.chain([above]).filter(|(first, last)| first <= last) {
            runs.push(Run { first, last, below: len });
            len = len.saturating_add(distance(first, last).saturating_add(1));
        }
        FreeIds { runs, len }
    }
}

/// Free ids in order, by their places: the lowest one has place 0. There may be very many, so they
/// are not listed.
#[derive(Debug, Default)]
pub(super) struct FreeIds {
    runs: Vec<Run>,
    pub(super) len: usize,
}

/// Free ids without a gap between them.
#[derive(Debug)]
struct Run {
    first: i64,
    last: i64,
    /// How many free ids there are below.
    below: usize,
}

impl FreeIds {
    /// The id at a place.
    pub(super) fn at(&self, place: usize) -> Option<i64> {
        if place >= self.len {
            return None;
        }
        let run = &self.runs[self.runs.partition_point(|run| run.below <= place).checked_sub(1)?];
        Some(run.first + i64::try_from(place - run.below).ok()?)
    }

    /// How many of them are below an id: its place, if it is free.
    pub(super) fn below(&self, id: i64) -> usize {
        let index = self.runs.partition_point(|run| run.first < id);
        let Some(run) = index.checked_sub(1).map(|i| &self.runs[i]) else { return 0 };
        run.below.saturating_add(distance(run.first, id.min(run.last.saturating_add(1))))
    }

    pub(super) fn contains(&self, id: i64) -> bool {
        self.at(self.below(id)) == Some(id)
    }
}

fn distance(from: i64, to: i64) -> usize {
    usize::try_from(to.saturating_sub(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_that_no_message_has_are_free() {
        let mut ids = Ids::default();
        for id in [10, 13, 12, 20] {
            ids.take(id);
        }
        let free = |ids: &Ids, range| {
            let free = ids.free(range);
            let listed: Vec<_> = (0..free.len).filter_map(|place| free.at(place)).collect();
            for id in 0..40 {
                assert_eq!(free.below(id), listed.iter().filter(|i| **i < id).count(), "{id}");
                assert_eq!(free.contains(id), listed.contains(&id), "{id}");
            }
            assert_eq!(free.at(free.len), None);
            listed
        };
        assert_eq!(free(&ids, 1..=22), [11, 14, 15, 16, 17, 18, 19, 21, 22]);
        assert_eq!(free(&ids, 15..=16), [15, 16]);
        ids.take(16);
        ids.take(11);
        assert_eq!(free(&ids, 10..=18), [14, 15, 17, 18]);
        assert_eq!(ids.complete_from, 10);
        ids.remember_from(7);
        assert_eq!(free(&ids, 1..=14), [8, 9, 14]);
        ids.remember_from(30);
        assert_eq!(free(&ids, 28..=32), [28, 29, 31, 32]);
    }

    #[test]
    fn gaps_are_bounded_and_what_is_forgotten_is_known() {
        let mut ids = Ids::default();
        let far = i64::try_from(limits::ID_GAPS).unwrap() * 2 + 11;
        (1..=far).step_by(2).for_each(|id| ids.take(id));
        assert!(ids.gaps.len() <= limits::ID_GAPS);
        let first = *ids.gaps.first_key_value().unwrap().0;
        assert_eq!(ids.complete_from, first - 1, "everything from here on is known");
    }
}
