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

    /// Ids in `range` that no known message has, in order.
    pub(super) fn free(&self, range: RangeInclusive<i64>) -> impl Iterator<Item = i64> {
        let (from, to) = range.into_inner();
        let above = (self.highest + 1).max(from)..=to;
        let before = self.gaps.range(..from).next_back();
        let gaps = before.into_iter().chain(self.gaps.range(from..=to.max(from)));
        gaps.flat_map(move |(first, last)| (*first).max(from)..=(*last).min(to)).chain(above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_that_nobody_has_are_free() {
        let mut ids = Ids::default();
        for id in [10, 13, 12, 20] {
            ids.take(id);
        }
        assert_eq!(ids.free(1..=22).collect::<Vec<_>>(), [11, 14, 15, 16, 17, 18, 19, 21, 22]);
        assert_eq!(ids.free(15..=16).collect::<Vec<_>>(), [15, 16]);
        ids.take(16);
        ids.take(11);
        assert_eq!(ids.free(10..=18).collect::<Vec<_>>(), [14, 15, 17, 18]);
        assert_eq!(ids.complete_from, 10);
        ids.remember_from(7);
        assert_eq!(ids.free(1..=14).collect::<Vec<_>>(), [8, 9, 14]);
        ids.remember_from(30);
        assert_eq!(ids.free(28..=32).collect::<Vec<_>>(), [28, 29, 31, 32]);
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
