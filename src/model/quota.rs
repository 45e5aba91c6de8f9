//! How often something may happen in a fixed time, for each key: questions of a person in a minute, wrong codes
//! in an hour.
//!
//! Kept in memory only. An item counts once however often it is taken, so that work that is repeated after a
//! failed commit does not use up more than it should.

use std::collections::BTreeMap;
use std::time::Duration;

/// The counts of all keys. Their number is bounded: past that the oldest are forgotten.
#[derive(Debug)]
pub struct Quota<K> {
    length_ms: i64,
    most_keys: usize,
    windows: BTreeMap<K, Window>,
}

/// What one key had since the first item of its window.
#[derive(Debug)]
struct Window {
    since_ms: i64,
    admitted: Vec<i64>,
    first_refused: Option<i64>,
}

/// Whether an item may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Admitted,
    /// Not before the window ends.
    Refused {
        /// It is the first of its window: the others are better refused in silence.
        is_first: bool,
        /// When the window ends, in milliseconds by the clock of the items.
        until_ms: i64,
    },
}

impl<K: Ord + Copy> Quota<K> {
    /// Windows of this length, for at most `most_keys` keys.
    pub fn new(length: Duration, most_keys: usize) -> Self {
        let length_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Self { length_ms, most_keys, windows: BTreeMap::new() }
    }

    /// Whether [`Quota::take`] would admit this item.
    pub fn admits(&self, key: K, item: i64, most: u32, now_ms: i64) -> bool {
        self.windows.get(&key).is_none_or(|window| {
            window.is_over(self.length_ms, now_ms)
                || window.admitted.contains(&item)
                || window.admitted.len() < most as usize
        })
    }

    /// Counts an item, if the key has had fewer than `most` in its window. The first item begins the window.
    pub fn take(&mut self, key: K, item: i64, most: u32, now_ms: i64) -> Admission {
        let length_ms = self.length_ms;
        if !self.windows.contains_key(&key) && self.windows.len() >= self.most_keys {
            self.make_room(now_ms);
        }
        let fresh = || Window { since_ms: now_ms, admitted: Vec::new(), first_refused: None };
        let window = self.windows.entry(key).or_insert_with(fresh);
        if window.is_over(length_ms, now_ms) && !window.admitted.contains(&item) {
            *window = fresh();
        }
        if window.admitted.contains(&item) {
            return Admission::Admitted;
        }
        if window.admitted.len() < most as usize {
            window.admitted.push(item);
            return Admission::Admitted;
        }
        let is_first = *window.first_refused.get_or_insert(item) == item;
        Admission::Refused { is_first, until_ms: window.since_ms.saturating_add(length_ms) }
    }

    /// Forgets the windows that are over, and a quarter of the others if they are too many.
    fn make_room(&mut self, now_ms: i64) {
        let length_ms = self.length_ms;
        self.windows.retain(|_, window| !window.is_over(length_ms, now_ms));
        if self.windows.len() < self.most_keys {
            return;
        }
        let mut begun: Vec<i64> = self.windows.values().map(|window| window.since_ms).collect();
        let quarter = begun.len() / 4;
        let (_, oldest, _) = begun.select_nth_unstable(quarter);
        let oldest = *oldest;
        self.windows.retain(|_, window| window.since_ms > oldest);
    }
}

impl Window {
    fn is_over(&self, length_ms: i64, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.since_ms) >= length_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn refused(is_first: bool, until_ms: i64) -> Admission {
        Admission::Refused { is_first, until_ms }
    }

    #[test]
    fn a_window_ends_after_its_time_and_one_refusal_is_the_first() {
        let mut quota = Quota::new(MINUTE, 10);
        let took: Vec<_> = (0..5).map(|item| quota.take('a', item, 2, 1000 + item)).collect();
        let (yes, no) = (Admission::Admitted, |is_first| refused(is_first, 61_000));
        assert_eq!(took, [yes, yes, no(true), no(false), no(false)]);
        assert!(quota.admits('b', 9, 2, 2000) && !quota.admits('a', 9, 2, 60_999));
        assert_eq!(quota.take('a', 9, 2, 61_000), yes);
        assert_eq!(
            quota.take('a', 10, 2, 500),
            yes,
            "what is older counts in the window that runs"
        );
    }

    #[test]
    fn an_item_counts_once_and_is_answered_alike() {
        let mut quota = Quota::new(MINUTE, 10);
        for _ in 0..3 {
            assert_eq!(quota.take(1, 7, 1, 0), Admission::Admitted);
            assert_eq!(quota.take(1, 8, 1, 1), refused(true, 60_000));
        }
        assert!(quota.admits(1, 7, 1, 1));
        assert_eq!(quota.take(1, 7, 1, 70_000), Admission::Admitted, "it was admitted before");
    }

    #[test]
    fn the_number_of_keys_is_bounded_and_the_latest_stay() {
        let mut quota = Quota::new(MINUTE, 100);
        for key in 0..1000 {
            assert_eq!(quota.take(key, 1, 1, key), Admission::Admitted);
            assert!(quota.windows.len() <= 100);
            assert!(!quota.admits(key, 2, 1, key));
        }
        assert!(!quota.admits(980, 2, 1, 1000));
        quota.take(5000, 1, 1, 100_000);
        for key in 0..100 {
            quota.take(key, 1, 1, 100_000);
        }
        assert!(quota.windows.len() <= 100);
    }
}
