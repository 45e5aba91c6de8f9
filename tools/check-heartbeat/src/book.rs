//! The book of incidents: when one begins, and when it is over.
//!
//! Pure: checks and the present go in, the book changes; `dues` reads from it what each channel is
//! owed. The book is what lies on disk between two runs, so all that waits to be told is in it, and
//! its size is bounded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::incident::{Audience, Bad, End, Incident, Patience, Sign, Subject, one_line};
use crate::stamp::Stamp;

/// Most incidents that are kept, over or not. Past that, the oldest that are over are only counted.
pub const MAX_INCIDENTS: usize = 200;

/// Most subjects that are counted towards an incident at the same time.
const MAX_STREAKS: usize = 500;

/// An incident whose subject was not checked for so long is closed: the watch was removed.
const FORGOTTEN_MS: u64 = 7 * 86_400_000;

/// Consecutive checks that all said the same, on the way to changing a mind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Streak {
    #[serde(flatten)]
    subject: Subject,
    count: u32,
    first: Stamp,
}

/// A channel that failed for a reason that stays until somebody changes something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pause {
    pub(crate) since: Stamp,
}

/// All that is remembered between two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// Counts up with every time that it is saved.
    #[serde(default)]
    pub revision: u64,
    #[serde(default)]
    streaks: Vec<Streak>,
    /// Incidents in the order of their beginning.
    #[serde(default)]
    pub incidents: Vec<Incident>,
    /// For each channel, how many incidents it was never told of because there were too many.
    #[serde(default)]
    pub dropped: BTreeMap<String, u32>,
    #[serde(default)]
    pub(crate) pauses: BTreeMap<String, Pause>,
    /// Ids of incidents that this run found to go on.
    #[serde(skip)]
    pub(crate) going_on: BTreeSet<String>,
}

impl Book {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.streaks.is_empty() && self.incidents.is_empty() && self.dropped.is_empty()
    }

    /// Takes in what a check says of one subject.
    pub fn observe(&mut self, subject: &Subject, sign: Sign, now: &Stamp, patience: Patience) {
        let open = self.incidents.iter().position(|i| i.end.is_none() && i.subject == *subject);
        if let Some(open) = open {
            self.incidents[open].checked = now.clone();
        }
        match (sign, open) {
            (Sign::Hold, _) => {}
            (Sign::Bad(bad), Some(open)) => {
                self.forget_streak(subject);
                let incident = &mut self.incidents[open];
                incident.level = incident.level.min(bad.level);
                incident.latest = one_line(&bad.summary);
                self.going_on.insert(incident.id.clone());
            }
            (Sign::Bad(bad), None) => {
                if let Some(first) = self.count(subject, now, patience.failures) {
                    self.begin(subject, bad, first, now);
                }
            }
            (Sign::Good { summary }, Some(open)) => {
                if let Some(first) = self.count(subject, now, patience.goods) {
                    let incident = &mut self.incidents[open];
                    let duration_ms = incident.started.elapsed_ms(&first);
                    incident.end =
                        Some(End { at: first, duration_ms, summary: one_line(&summary) });
                }
            }
            (Sign::Good { .. }, None) => self.forget_streak(subject),
        }
    }

    /// The findings of a watch that have an incident or are on the way to one.
    pub fn findings(&self, watch: &str) -> Vec<String> {
        let open = self.incidents.iter().filter(|i| i.end.is_none()).map(|i| &i.subject);
        let subjects = open.chain(self.streaks.iter().map(|s| &s.subject));
        let ours = subjects.filter(|s| s.watch == watch).filter_map(|s| s.finding.clone());
        ours.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Closes what is no longer watched. What concerns nobody yet, because it was found while the
    /// channels could not be read, is dropped when it is about no watch in `known`: it was none.
    pub fn close_unwatched(&mut self, known: &BTreeSet<&str>, channels: &Audience, now: &Stamp) {
        if channels.complete {
            self.incidents.retain(|i| i.assigned || known.contains(i.subject.watch.as_str()));
        }
        for incident in self.incidents.iter_mut().filter(|i| i.end.is_none()) {
            let idle = incident.checked.elapsed_ms(now) > FORGOTTEN_MS;
            if idle && !self.going_on.contains(&incident.id) {
                let at = incident.checked.clone();
                let duration_ms = incident.started.elapsed_ms(&at);
                let summary = "no longer watched".to_owned();
                incident.end = Some(End { at, duration_ms, summary });
            }
        }
    }

    /// Notes whom each incident concerns, and drops what nobody is owed.
    pub fn tidy(&mut self, channels: &Audience, now: &Stamp) {
        self.streaks.retain(|streak| streak.first.elapsed_ms(now) < FORGOTTEN_MS);
        for incident in &mut self.incidents {
            incident.assign(channels);
        }
        if channels.complete {
            self.dropped.retain(|name, _| channels.names.contains(name));
            self.pauses.retain(|name, _| channels.names.contains(name));
            self.drop_settled();
        }
        while self.incidents.len() > MAX_INCIDENTS && self.drop_oldest() {}
    }

    /// Drops the incidents of which everybody knows everything.
    pub(crate) fn drop_settled(&mut self) {
        self.incidents.retain(|i| i.end.is_none() || !i.assigned || !i.told.is_empty());
    }

    /// Forgets the oldest incident that is over, before others one that no channel knows of.
    fn drop_oldest(&mut self) -> bool {
        let over = |i: &&Incident| i.end.is_some();
        let unknown = |i: &Incident| i.end.is_some() && i.told.values().all(|t| t.last.is_none());
        let oldest = self.incidents.iter().position(unknown);
        let oldest = oldest.or_else(|| self.incidents.iter().position(|i| over(&i)));
        let Some(oldest) = oldest else { return false };
        for (name, told) in self.incidents.remove(oldest).told {
            if told.last.is_none() {
                *self.dropped.entry(name).or_default() += 1;
            }
        }
        true
    }

    /// Counts one more check of the same kind. The stamp of the first when they suffice.
    fn count(&mut self, subject: &Subject, now: &Stamp, needed: u32) -> Option<Stamp> {
        let found = self.streaks.iter().position(|s| s.subject == *subject);
        let index = found.unwrap_or_else(|| {
            let subject = subject.clone();
            self.streaks.push(Streak { subject, count: 0, first: now.clone() });
            self.streaks.len() - 1
        });
        self.streaks[index].count += 1;
        if self.streaks[index].count >= needed {
            return Some(self.streaks.remove(index).first);
        }
        if self.streaks.len() > MAX_STREAKS {
            self.streaks.remove(0);
        }
        None
    }

    fn forget_streak(&mut self, subject: &Subject) {
        self.streaks.retain(|s| s.subject != *subject);
    }

    fn begin(&mut self, subject: &Subject, bad: Bad, started: Stamp, now: &Stamp) {
        let incident = Incident::new(subject, bad, started, now, self.revision);
        self.going_on.insert(incident.id.clone());
        self.incidents.push(incident);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::Mode;
    use crate::notice::Level;

    const ONE: Patience = Patience { failures: 1, goods: 1 };

    fn at(minute: u64) -> Stamp {
        let time_ms = 1_795_245_873_000 + i64::try_from(minute).unwrap() * 60_000;
        Stamp { time_ms, boot_id: Some("b".to_owned()), boot_ms: Some(minute * 60_000) }
    }

    fn subject(watch: &str) -> Subject {
        Subject { watch: watch.to_owned(), finding: None }
    }

    fn bad() -> Sign {
        let summary = "gone\n".to_owned();
        Sign::Bad(Bad { level: Level::Critical, summary, details: vec![], environment: None })
    }

    fn good() -> Sign {
        Sign::Good { summary: "well".to_owned() }
    }

    fn audience(names: &[&str], mode: Mode, complete: bool) -> Audience {
        Audience { names: names.iter().map(|n| (*n).to_owned()).collect(), mode, complete }
    }

    fn told(book: &Book) -> Vec<&str> {
        book.incidents[0].told.keys().map(String::as_str).collect()
    }

    #[test]
    fn start_and_end_are_the_first_checks_of_their_kind() {
        let mut book = Book::default();
        let patience = Patience { failures: 2, goods: 3 };
        let signs =
            [bad(), good(), bad(), bad(), good(), bad(), good(), Sign::Hold, good(), good()];
        for (minute, sign) in (1..).zip(signs) {
            book.observe(&subject("a"), sign, &at(minute), patience);
        }
        let [incident] = &book.incidents[..] else { panic!("{book:?}") };
        assert_eq!((&incident.started, &incident.checked), (&at(3), &at(10)));
        let end = incident.end.as_ref().unwrap();
        assert_eq!((&end.at, end.duration_ms), (&at(7), 240_000));
        assert_eq!(incident.summary, "gone ", "one line");
        assert!(book.streaks.is_empty());
    }

    #[test]
    fn an_incident_concerns_the_channels_of_its_time() {
        let mut book = Book::default();
        book.observe(&subject("a"), bad(), &at(1), ONE);
        book.tidy(&audience(&["x"], Mode::All, true), &at(1));
        book.tidy(&audience(&["x", "y"], Mode::All, true), &at(2));
        assert_eq!(told(&book), ["x", "y"], "a new channel hears of what goes on");
        // A configuration that cannot be read removes nobody.
        book.tidy(&audience(&[], Mode::All, false), &at(3));
        assert_eq!(told(&book), ["x", "y"]);
        book.tidy(&audience(&["y"], Mode::All, true), &at(4));
        assert_eq!(told(&book), ["y"]);
        book.observe(&subject("a"), good(), &at(5), ONE);
        book.tidy(&audience(&["y", "z"], Mode::All, true), &at(6));
        assert_eq!(told(&book), ["y"], "what is over is no business of a new channel");
        book.tidy(&audience(&["z"], Mode::All, true), &at(7));
        assert!(book.is_empty());
    }

    #[test]
    fn what_nobody_could_be_found_for_waits_for_the_mended_configuration() {
        let mut book = Book::default();
        let broken = audience(&[], Mode::All, false);
        book.observe(&subject("a"), bad(), &at(1), ONE);
        book.tidy(&broken, &at(1));
        book.observe(&subject("a"), good(), &at(2), ONE);
        book.tidy(&broken, &at(2));
        book.tidy(&audience(&["x"], Mode::All, true), &at(3));
        assert_eq!(told(&book), ["x"]);
    }

    #[test]
    fn what_a_guess_left_behind_is_dropped() {
        let mut book = Book::default();
        book.observe(&subject("guessed"), bad(), &at(1), ONE);
        book.observe(&subject("real"), bad(), &at(1), ONE);
        let (broken, known) = (audience(&[], Mode::All, false), BTreeSet::from(["real"]));
        book.close_unwatched(&known, &broken, &at(1));
        book.tidy(&broken, &at(1));
        assert_eq!(book.incidents.len(), 2, "another mistake may be about the channels alone");
        let mended = audience(&["x"], Mode::All, true);
        book.close_unwatched(&known, &mended, &at(2));
        book.tidy(&mended, &at(2));
        assert_eq!(book.incidents.len(), 1);
        assert_eq!((book.incidents[0].subject.watch.as_str(), told(&book)), ("real", vec!["x"]));
    }

    #[test]
    fn a_watch_that_was_removed_is_closed_after_a_week() {
        let mut book = Book::default();
        let all = audience(&["x"], Mode::All, true);
        book.observe(&subject("a"), bad(), &at(1), ONE);
        book.tidy(&all, &at(1));
        book.going_on.clear();
        let day = 24 * 60;
        let known = BTreeSet::new();
        book.close_unwatched(&known, &all, &at(7 * day));
        assert_eq!(book.incidents[0].end, None);
        book.close_unwatched(&known, &all, &at(7 * day + 2));
        let end = book.incidents[0].end.as_ref().unwrap();
        assert_eq!((&end.at, end.summary.as_str()), (&at(1), "no longer watched"));
    }
}
