//! States that would be logged again and again: said once when they begin, once for each other cause, and
//! once when they are over, with how often it happened.

use std::time::{Duration, Instant};

/// A state that goes on, such as failing polls. Nothing goes on at first.
#[derive(Debug, Default)]
pub struct Repeats {
    since: Option<Instant>,
    last: Option<Instant>,
    count: u64,
    causes: Vec<&'static str>,
}

/// A state that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// How often it happened.
    pub count: u64,
    /// From the first time to the end.
    pub lasted: Duration,
}

impl Repeats {
    /// It happened, for this cause. Answers whether that is news: the first time, or another cause.
    pub fn is_news(&mut self, cause: &'static str) -> bool {
        self.since.get_or_insert_with(Instant::now);
        self.count += 1;
        let is_known = self.causes.contains(&cause);
        if !is_known {
            self.causes.push(cause);
        }
        !is_known
    }

    /// The same for a state whose end is seen only by `quiet` passing without it.
    pub fn is_news_after(&mut self, cause: &'static str, quiet: Duration) -> bool {
        if self.last.replace(Instant::now()).is_some_and(|last| last.elapsed() >= quiet) {
            self.over();
        }
        self.is_news(cause)
    }

    /// It is over; `None` if it did not go on.
    pub fn over(&mut self) -> Option<Over> {
        let since = std::mem::take(&mut self.since)?;
        self.causes.clear();
        Some(Over { count: std::mem::take(&mut self.count), lasted: since.elapsed() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_news_once_and_the_end_has_their_number() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.over(), None);
        for round in 0..3 {
            assert_eq!(repeats.is_news("timeout"), round == 0);
            assert_eq!(repeats.is_news("connect"), round == 0);
        }
        assert_eq!(repeats.over().map(|over| over.count), Some(6));
        assert_eq!(repeats.over(), None);
        assert!(repeats.is_news("timeout"));
    }

    #[test]
    fn after_a_quiet_time_it_is_news_again() {
        let mut repeats = Repeats::default();
        let hour = Duration::from_secs(3600);
        assert!(repeats.is_news_after("timeout", hour) && !repeats.is_news_after("timeout", hour));
        assert!(repeats.is_news_after("timeout", Duration::ZERO));
    }
}
