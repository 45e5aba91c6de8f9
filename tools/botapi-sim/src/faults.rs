//! What can go wrong on purpose, and how often: seeded dice per class of methods, and single shots.
//!
//! Deterministic: one throw a request, in the order in which requests arrive.

use std::ops::Range;
use std::time::Duration;

/// Which dice a method is thrown with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `getUpdates`.
    Polls,
    /// `sendMessage`, `sendMessageDraft` and every edit.
    Sends,
    /// Everything else.
    Other,
}

impl Class {
    /// The class of a method by its name.
    #[must_use]
    pub fn of(method: &str) -> Self {
        match method {
            "getUpdates" => Self::Polls,
            "sendMessage" | "sendMessageDraft" | "editMessageText" | "editMessageReplyMarkup" => {
                Self::Sends
            }
            _ => Self::Other,
        }
    }
}

/// One thing that goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request waits before it has its effect; a client that leaves meanwhile prevents the effect.
    DelayBefore(Range<Duration>),
    /// The effect happens at once, the answer comes late.
    DelayAfter(Range<Duration>),
    /// 500 as JSON, without effect.
    ServerError,
    /// 502 as an HTML page of a proxy, without effect.
    BadGateway,
    /// 429 with this `retry_after` in seconds, without effect.
    TooManyRequests(u64),
    /// The connection closes without effect and without an answer.
    Reset,
    /// The effect happens, the connection closes without an answer.
    AnswerLost,
    /// The effect happens, the answer breaks off in the middle of its body.
    AnswerCut,
    /// Nothing is ever answered, and nothing happened.
    BlackHole,
    /// Nothing is ever answered, but the effect happened.
    BlackHoleAfterEffect,
}

impl Fault {
    /// Whether the request still has its effect.
    #[must_use]
    pub const fn has_effect(&self) -> bool {
        matches!(
            self,
            Self::DelayBefore(_)
                | Self::DelayAfter(_)
                | Self::AnswerLost
                | Self::AnswerCut
                | Self::BlackHoleAfterEffect
        )
    }
}

/// Faults with their probabilities. The probabilities of one class add up to at most 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// For `getUpdates`.
    pub polls: Vec<(Fault, f64)>,
    /// For messages and edits.
    pub sends: Vec<(Fault, f64)>,
    /// For everything else.
    pub other: Vec<(Fault, f64)>,
    /// `sendMessageDraft` answers 404, as on a server that does not know it yet.
    pub without_drafts: bool,
}

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every kind of fault on every class; together they meet `rate` (0 to 1) of all requests.
    /// Delays stay under 300 ms; black holes are left out, as each holds a client for its whole timeout
    /// (add them with [`Faults::on`]).
    #[must_use]
    pub fn everything(rate: f64) -> Self {
        let span = Duration::from_millis(20)..Duration::from_millis(300);
        let kinds = [
            Fault::DelayBefore(span.clone()),
            Fault::DelayAfter(span),
            Fault::ServerError,
            Fault::BadGateway,
            Fault::TooManyRequests(1),
            Fault::Reset,
            Fault::AnswerLost,
            Fault::AnswerCut,
        ];
        let each = rate / 8.0;
        let all: Vec<_> = kinds.into_iter().map(|fault| (fault, each)).collect();
        Self { polls: all.clone(), sends: all.clone(), other: all, without_drafts: false }
    }

    /// Adds `fault` to a class, meeting `rate` (0 to 1) of its requests.
    #[must_use]
    pub fn on(mut self, class: Class, fault: Fault, rate: f64) -> Self {
        match class {
            Class::Polls => self.polls.push((fault, rate)),
            Class::Sends => self.sends.push((fault, rate)),
            Class::Other => self.other.push((fault, rate)),
        }
        self
    }

    /// Makes `sendMessageDraft` unknown.
    #[must_use]
    pub fn without_drafts(mut self) -> Self {
        self.without_drafts = true;
        self
    }

    /// Throws the dice for a class.
    pub(crate) fn throw(&self, class: Class, rng: &mut fastrand::Rng) -> Option<Fault> {
        let kinds = match class {
            Class::Polls => &self.polls,
            Class::Sends => &self.sends,
            Class::Other => &self.other,
        };
        if kinds.is_empty() {
            return None;
        }
        let mut dice = rng.f64();
        for (fault, rate) in kinds {
            if dice < *rate {
                return Some(fault.clone());
            }
            dice -= rate;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same_faults() {
        let faults = Faults::everything(0.5);
        let throw = |seed| {
            let mut rng = fastrand::Rng::with_seed(seed);
            (0..200).map(|_| faults.throw(Class::Sends, &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(throw(7), throw(7));
        assert_ne!(throw(7), throw(8));
        let hits = throw(7).iter().flatten().count();
        assert!((60..140).contains(&hits), "{hits} of 200 at rate 0.5");
    }

    #[test]
    fn no_faults_means_none() {
        let mut rng = fastrand::Rng::with_seed(1);
        assert_eq!(Faults::none().throw(Class::Polls, &mut rng), None);
    }
}
