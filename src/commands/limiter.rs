//! How often strangers are heard: wrong codes per person, and new faces over all.
//!
//! Kept in memory only: a restart resets the counts, which does not help anyone to guess one code
//! in 30^8. What must survive a restart (who got which code, and when) is in the store.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::ids::{InboxSeq, UserId};
use crate::model::limits;
use crate::model::quota::{Admission, Quota};

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MS: i64 = 3_600_000;

/// People whose wrong codes are counted at once; past that the oldest count is dropped.
const GUESSERS: usize = 1000;

/// The counts of the last hour.
#[derive(Debug)]
pub(super) struct Limiter {
    /// When each recent stranger got a code.
    told: VecDeque<i64>,
    /// Wrong codes.
    wrong: Quota<UserId>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { told: VecDeque::new(), wrong: Quota::new(HOUR, GUESSERS) }
    }
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

    /// Counts a wrong code of this person, which came with this update. `Left` for the first tries of an hour,
    /// then `JustUsedUp` once.
    pub(super) fn wrong_code(&mut self, user: UserId, update: InboxSeq, now_ms: i64) -> Tries {
        match self.wrong.take(user, update.0, limits::CODE_TRIES_PER_HOUR, now_ms) {
            Admission::Admitted => Tries::Left,
            Admission::Refused { is_first: true, .. } => Tries::JustUsedUp,
            Admission::Refused { is_first: false, .. } => Tries::UsedUp,
        }
    }

    /// Whether the code that this person sent with this update is looked at.
    pub(super) fn may_try(&self, user: UserId, update: InboxSeq, now_ms: i64) -> bool {
        self.wrong.admits(user, update.0, limits::CODE_TRIES_PER_HOUR, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_back_after_an_hour() {
        let mut limiter = Limiter::default();
        let most = i64::from(limits::CODE_TRIES_PER_HOUR);
        let (ann, bob) = (UserId(1), UserId(2));
        for update in (0..most).map(InboxSeq) {
            assert!(limiter.may_try(ann, update, 0));
            assert_eq!(limiter.wrong_code(ann, update, 0), Tries::Left);
        }
        let next = |n| InboxSeq(most + n);
        assert!(!limiter.may_try(ann, next(0), 1));
        assert_eq!(limiter.wrong_code(ann, next(0), 1), Tries::JustUsedUp);
        assert_eq!(limiter.wrong_code(ann, next(1), 2), Tries::UsedUp);
        assert!(limiter.may_try(bob, next(2), 1));
        assert!(limiter.may_try(ann, next(2), HOUR_MS));
    }

    #[test]
    fn a_flood_of_strangers_is_let_in_slowly() {
        let mut limiter = Limiter::default();
        let in_one_hour = (0..1000).filter(|i| limiter.admit_stranger(*i)).count();
        assert_eq!(in_one_hour, limits::STRANGERS_PER_HOUR);
        assert!(limiter.admit_stranger(HOUR_MS));
    }
}
