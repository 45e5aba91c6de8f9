//! The last minutes: what the counts and durations of the vitals gained since then.
//!
//! Invariant: at most [`SLOTS`] samples are kept, however often one is taken.

use std::collections::VecDeque;
use std::time::Duration;

use super::report::{Recent, Sum, Totals};
use crate::model::work::WorkKind;
use crate::observe::finding::Kind;
use crate::observe::histogram::Buckets;
use crate::observe::label::Label;
use crate::observe::vitals::{Timing, Vitals};

/// How far back the window reaches.
pub const SPAN: Duration = Duration::from_secs(300);

/// Samples kept at most; together with the newest one they cut the window this finely.
const SLOTS: usize = 60;

/// Fewest observations of which an average is taken.
const AVERAGE_MIN: u64 = 3;

/// Remembers how the vitals stood in the last minutes.
#[derive(Debug)]
pub struct Window {
    span_ms: u64,
    /// Oldest first. The first one is where the window begins.
    samples: VecDeque<Sample>,
}

/// How the vitals stood at one moment, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sample {
    now_ms: u64,
    done: u64,
    failed: u64,
    responses: Sum,
    deliveries: Sum,
    provider: Sum,
    commits: Sum,
}

impl Default for Window {
    fn default() -> Self {
        Self::new(SPAN)
    }
}

impl Window {
    /// A window that reaches back this far; it begins with the process, when nothing had happened.
    pub fn new(span: Duration) -> Self {
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self { span_ms, samples: VecDeque::from([Sample::default()]) }
    }

    /// What happened in the window that ends now. `commits` are the durations of all commits since
    /// the start, in seconds, when the store told them.
    pub fn look(&mut self, now_ms: u64, vitals: &Vitals, commits: Option<&Buckets>) -> Recent {
        let now = Sample::take(now_ms, vitals, commits);
        self.keep(now);
        let begin = self.samples.front().copied().unwrap_or_default();
        now.since(&begin)
    }

    fn keep(&mut self, now: Sample) {
        let edge_ms = now.now_ms.saturating_sub(self.span_ms);
        while self.samples.get(1).is_some_and(|second| second.now_ms <= edge_ms) {
            self.samples.pop_front();
        }
        let last_ms = self.samples.back().map_or(0, |s| s.now_ms);
        if now.now_ms.saturating_sub(last_ms) >= self.span_ms / SLOTS as u64 {
            self.samples.push_back(now);
        }
        // One more than slots: the one that lies at or before the edge.
        while self.samples.len() > SLOTS + 1 {
            self.samples.pop_front();
        }
    }
}

impl Sample {
    fn take(now_ms: u64, vitals: &Vitals, commits: Option<&Buckets>) -> Self {
        let given_up =
            vitals.events().iter().find(|(kind, _)| *kind == Kind::UpdateGivenUp).map(|e| e.1);
        Self {
            now_ms,
            done: vitals.commands.get() + vitals.answers.get() + vitals.sent.get(),
            // A model that people chose for their chat fails them only.
            failed: vitals.answers_failed.get().saturating_sub(vitals.chosen_failed.get())
                // A person who leaves, or a closed topic, is not a failure.
                + vitals.dropped.get().saturating_sub(vitals.of_chats.get())
                + given_up.map_or(0, |event| event.count),
            responses: sum(vitals, Timing::Response, |first, _| *first == WorkKind::Command.into()),
            // Parts of answers are many and paced; where parts say what they belong to, only the
            // replies to commands count.
            deliveries: sum(vitals, Timing::Delivery, |first, _| {
                *first != WorkKind::Question.into()
            }),
            provider: sum(vitals, Timing::Configured, |_, _| true),
            commits: commits.map_or_else(Sum::default, sum_of),
        }
    }

    fn since(&self, begin: &Self) -> Recent {
        let response = average(self.responses.since(begin.responses));
        let delivery = average(self.deliveries.since(begin.deliveries));
        Recent {
            window_s: self.now_ms.saturating_sub(begin.now_ms) / 1000,
            command_s: response.map(|r| r + delivery.unwrap_or(0.0)),
            provider_s: average(self.provider.since(begin.provider)),
            commit_s: average(self.commits.since(begin.commits)),
            done: self.done.saturating_sub(begin.done),
            failed: self.failed.saturating_sub(begin.failed),
            totals: self.totals(),
        }
    }

    fn totals(&self) -> Totals {
        let commands = Sum { sum: self.responses.sum + self.deliveries.sum, ..self.responses };
        Totals {
            failed: Sum { count: self.failed, sum: self.failed as f64 },
            commands,
            provider: self.provider,
            commits: self.commits,
        }
    }
}

/// All series of a family whose labels are wanted.
fn sum(vitals: &Vitals, timing: Timing, wanted: impl Fn(&Label, &Label) -> bool) -> Sum {
    let series = vitals.observed(timing);
    let wanted = series.iter().filter(|(first, second, _)| wanted(first, second));
    wanted
        .map(|(_, _, buckets)| sum_of(buckets))
        .fold(Sum::default(), |a, b| Sum { count: a.count + b.count, sum: a.sum + b.sum })
}

fn sum_of(buckets: &Buckets) -> Sum {
    Sum { count: buckets.count(), sum: buckets.sum }
}

fn average(sum: Sum) -> Option<f64> {
    (sum.count >= AVERAGE_MIN).then(|| sum.sum / sum.count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::CallOutcome;
    use crate::observe::histogram::Histogram;

    fn respond(vitals: &Vitals, times: u64, s: f64) {
        for _ in 0..times {
            vitals.commands.add_one();
            vitals.observe(Timing::Response, WorkKind::Command, Label::None, s);
        }
    }

    #[test]
    fn only_the_last_minutes_count() {
        let (mut window, vitals) = (Window::default(), Vitals::default());
        respond(&vitals, 10, 9.0);
        vitals.dropped.add(2);
        vitals.happened(Kind::UpdateGivenUp);
        let recent = window.look(60_000, &vitals, None);
        assert_eq!((recent.window_s, recent.done, recent.failed), (60, 10, 3));
        assert_eq!(recent.command_s, Some(9.0));
        for s in (65..=600).step_by(5) {
            window.look(s * 1000, &vitals, None);
        }
        respond(&vitals, 4, 1.0);
        let recent = window.look(605_000, &vitals, None);
        assert_eq!((recent.window_s, recent.done, recent.failed), (300, 4, 0));
        assert_eq!(recent.command_s, Some(1.0));
    }

    #[test]
    fn averages_need_a_few_observations_of_the_right_kind() {
        let (mut window, vitals) = (Window::default(), Vitals::default());
        let commits = Histogram::new(&[1.0]);
        for n in 1..=3 {
            vitals.observe(Timing::Response, WorkKind::Question, Label::None, 60.0);
            vitals.observe(Timing::Configured, Label::None, Label::None, 3.0);
            vitals.observe(Timing::Provider, "chosen", CallOutcome::Ok, 60.0);
            vitals.observe(Timing::Delivery, Label::None, Label::None, 0.5);
            vitals.observe(Timing::Response, WorkKind::Command, Label::None, 0.25);
            commits.observe(0.01);
            let recent = window.look(n * 1000, &vitals, Some(&commits.read()));
            assert_eq!(recent.command_s, (n == 3).then_some(0.75), "{n}");
            assert_eq!(recent.provider_s, (n == 3).then_some(3.0), "{n}");
            assert_eq!(recent.commit_s.is_some(), n == 3, "{n}");
        }
    }

    #[test]
    fn the_ring_is_bounded_and_reaches_back_at_any_pace() {
        for step_ms in [100, 1000, 5000, 60_000, 1_000_000] {
            let (mut window, vitals) = (Window::default(), Vitals::default());
            let mut recent = Recent::default();
            for i in 1..2000 {
                vitals.sent.add_one();
                recent = window.look(i * step_ms, &vitals, None);
                assert!(window.samples.len() <= SLOTS + 2, "{step_ms}: {}", window.samples.len());
            }
            let span_s = SPAN.as_secs();
            let wanted = span_s.max(step_ms / 1000);
            assert!(
                recent.window_s >= span_s.min(199) && recent.window_s <= wanted + span_s / 60 + 1,
                "{step_ms}: {}",
                recent.window_s
            );
            assert_eq!(recent.window_s, recent.done * step_ms / 1000, "{step_ms}");
        }
    }
}
