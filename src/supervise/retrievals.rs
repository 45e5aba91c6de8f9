//! Searches of the documents in the last hour: how many found nothing, and how many answers name no source.

use std::collections::VecDeque;

use crate::observe::vitals::Vitals;

/// Questions are few, so what they show is counted over an hour, in milliseconds.
const SPAN_MS: u64 = 3_600_000;

/// The window moves on in steps of this length, in milliseconds.
const STEP_MS: u64 = SPAN_MS / 60;

/// Fewest searches, and fewest answers with documents, before their shares say anything.
const SEARCHES_MIN: u64 = 20;

/// Searches of the documents, and their outcomes, in the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retrievals {
    /// Searches of the documents for a question.
    pub searches: u64,
    /// Those that found nothing.
    pub none: u64,
    /// Answers for which passages had been found.
    pub answers: u64,
    /// Those that name none of them as their source.
    pub unsourced: u64,
}

impl Retrievals {
    /// Since the start.
    fn of(vitals: &Vitals) -> Self {
        let sum = |family, label: &str| {
            let rows = vitals.counters(family).into_iter();
            rows.filter(|(name, _)| label.is_empty() || name == label).map(|(_, n)| n).sum()
        };
        Self {
            searches: sum("retrieval", ""),
            none: sum("retrieval", "none"),
            answers: sum("answer_sources", ""),
            unsourced: sum("answer_sources", "none"),
        }
    }

    fn since(self, begin: Self) -> Self {
        Self {
            searches: self.searches.saturating_sub(begin.searches),
            none: self.none.saturating_sub(begin.none),
            answers: self.answers.saturating_sub(begin.answers),
            unsourced: self.unsourced.saturating_sub(begin.unsourced),
        }
    }

    /// The share of searches that found nothing, where there were enough of them.
    pub fn no_hit_ratio(&self) -> Option<f64> {
        (self.searches >= SEARCHES_MIN).then(|| self.none as f64 / self.searches as f64)
    }

    /// The share of answers without a source, where there were enough of them.
    pub fn unsourced_ratio(&self) -> Option<f64> {
        (self.answers >= SEARCHES_MIN).then(|| self.unsourced as f64 / self.answers as f64)
    }
}

/// The last hour. Invariant: it keeps one sample a minute.
#[derive(Debug, Default)]
pub(super) struct RetrievalWindow {
    /// Oldest first. The first one is where the window begins; without any it begins with the process.
    samples: VecDeque<(u64, Retrievals)>,
}

impl RetrievalWindow {
    pub(super) fn look(&mut self, now_ms: u64, vitals: &Vitals) -> Retrievals {
        self.at(now_ms, Retrievals::of(vitals))
    }

    fn at(&mut self, now_ms: u64, now: Retrievals) -> Retrievals {
        if self.samples.is_empty() {
            self.samples.push_back((0, Retrievals::default()));
        }
        let edge_ms = now_ms.saturating_sub(SPAN_MS);
        while self.samples.get(1).is_some_and(|(at_ms, _)| *at_ms <= edge_ms) {
            self.samples.pop_front();
        }
        let begin = self.samples.front().map(|(_, then)| *then).unwrap_or_default();
        if self.samples.back().is_some_and(|(at_ms, _)| now_ms.saturating_sub(*at_ms) >= STEP_MS) {
            self.samples.push_back((now_ms, now));
        }
        now.since(begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_forgets_what_is_older_than_an_hour() {
        let mut window = RetrievalWindow::default();
        let so_far = |searches| Retrievals { searches, none: searches, ..Retrievals::default() };
        assert_eq!(window.at(10_000, so_far(5)).searches, 5);
        for minute in 1..=90 {
            window.at(minute * 60_000, so_far(5 + minute));
        }
        // One a minute.
        assert_eq!(window.at(90 * 60_000 + 1, so_far(95)).searches, 60);
        assert!(window.samples.len() <= 62);
        assert_eq!(window.at(300 * 60_000, so_far(95)).searches, 0);
    }
}
