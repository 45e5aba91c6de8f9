//! How often strangers are heard: wrong codes per person, and new faces over all.
//!
//! Kept in memory only: a restart resets the counts, which does not help anyone to guess one code
//! in 30^8. What must survive a restart (who got which code, and when) is in the store.

use std::collections::{BTreeMap, VecDeque};

use crate::model::ids::UserId;
use crate::model::limits;

const HOUR_MS: i64 = 3_600_000;

/// People whose wrong codes are counted at once; past that the oldest count is dropped.
const GUESSERS: usize = 1000;

/// The counts of the last hour.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    /// When each recent stranger got a code.
    told: VecDeque<i64>,
    /// Start of the hour and wrong codes in it.
    wrong: BTreeMap<UserId, (i64, u32)>,
}

/// Whether a person may try a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tries {
    /// Yes.
    Left,
    /// No, and they do not know that yet.
    JustUsedUp,
    /// No, and they know.
    UsedUp,
}

impl Limiter {
    /// Takes one of the hour's places for strangers, if there is one left.
    pub(super) fn admit_stranger(&mut self, now_ms: i64) -> bool {
        while self.told.front().is_some_and(|at| now_ms - at >= HOUR_MS) {
            self.told.pop_front();
        }
        let room = self.told.len() < limits::STRANGERS_PER_HOUR;
        if room {
            self.told.push_back(now_ms);
        }
        room
    }

    /// Counts a wrong code of this person. `Left` for the first tries of an hour, then
    /// `JustUsedUp` once.
    pub(super) fn wrong_code(&mut self, user: UserId, now_ms: i64) -> Tries {
        self.wrong.retain(|_, (since, _)| now_ms - *since < HOUR_MS);
        if self.wrong.len() >= GUESSERS && !self.wrong.contains_key(&user) {
            let oldest = self.wrong.iter().min_by_key(|(_, (since, _))| *since).map(|(u, _)| *u);
            oldest.map(|u| self.wrong.remove(&u));
        }
        let (_, count) = self.wrong.entry(user).or_insert((now_ms, 0));
        *count = count.saturating_add(1);
        match (*count).cmp(&(limits::CODE_TRIES_PER_HOUR + 1)) {
            std::cmp::Ordering::Less => Tries::Left,
            std::cmp::Ordering::Equal => Tries::JustUsedUp,
            std::cmp::Ordering::Greater => Tries::UsedUp,
        }
    }

    /// Whether this person's next code is looked at.
    pub(super) fn may_try(&self, user: UserId, now_ms: i64) -> bool {
        self.wrong.get(&user).is_none_or(|(since, count)| {
            now_ms - since >= HOUR_MS || *count < limits::CODE_TRIES_PER_HOUR
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_back_after_an_hour_and_memory_is_bounded() {
        let mut limiter = Limiter::default();
        for _ in 0..limits::CODE_TRIES_PER_HOUR {
            assert!(limiter.may_try(UserId(1), 0));
            assert_eq!(limiter.wrong_code(UserId(1), 0), Tries::Left);
        }
        assert!(!limiter.may_try(UserId(1), 1));
        assert_eq!(limiter.wrong_code(UserId(1), 1), Tries::JustUsedUp);
        assert_eq!(limiter.wrong_code(UserId(1), 2), Tries::UsedUp);
        assert!(limiter.may_try(UserId(2), 1));
        assert!(limiter.may_try(UserId(1), HOUR_MS));
        for i in 0..3 * GUESSERS as i64 {
            limiter.wrong_code(UserId(i), 5);
        }
        assert!(limiter.wrong.len() <= GUESSERS);
    }

    #[test]
    fn a_flood_of_strangers_is_let_in_slowly() {
        let mut limiter = Limiter::default();
        let in_one_hour = (0..1000).filter(|i| limiter.admit_stranger(*i)).count();
        assert_eq!(in_one_hour, limits::STRANGERS_PER_HOUR);
        assert!(limiter.admit_stranger(HOUR_MS));
    }
}
