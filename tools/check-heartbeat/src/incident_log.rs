//! The log of incidents: when one begins, and when it is over.
//!
//! Pure: checks and the present go in, the log changes; [`pending`](crate::pending) reads from it
//! what each channel has still to be sent. The log is what lies on disk between two runs, so
//! everything that waits to be sent is in it, and its size is bounded.

use std::collections::{BTreeMap, BTreeSet};

use heartbeat::Now;
use serde::{Deserialize, Serialize};

use crate::incident::{ChannelList, Incident, Observation, Subject};
use crate::silence::Silence;

/// Most incidents that are kept. Past that, the oldest that are over are dropped.
const MAX_INCIDENTS: usize = 200;
/// Most subjects that are counted towards an incident at the same time.
const MAX_STREAKS: usize = 500;
/// How long a symptom may outlast its cause: twice what averages look back.
const SYMPTOM_MS: u64 = 10 * 60_000;
/// An incident whose subject was not checked for so long is closed: the watch was removed.
const FORGOTTEN_MS: u64 = 7 * 86_400_000;

/// Equal checks in a row, not yet enough to begin or end an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Streak {
    #[serde(flatten)]
    subject: Subject,
    count: u32,
    first: Now,
}

/// A finding that follows from another cause, which has an incident or had one until lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Symptom {
    #[serde(flatten)]
    subject: Subject,
    /// When the cause was last there.
    cause_seen: Now,
    /// What it was called then: the same finding about another process is another matter.
    #[serde(default)]
    causes: Vec<String>,
}

/// A channel that refused for a reason that stays until someone changes something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backoff {
    pub since: Now,
}

/// All that is remembered between two runs. The names in the file are those of version 0.2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IncidentLog {
    pub revision: u64, // counts up each time that it is saved
    streaks: Vec<Streak>,
    symptoms: Vec<Symptom>,
    pub(crate) silence: Option<Silence>,
    /// In the order of their beginning.
    pub(crate) incidents: Vec<Incident>,
    #[serde(rename = "pauses")]
    pub(crate) backoffs: BTreeMap<String, Backoff>,
}

impl IncidentLog {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        let Self { streaks, symptoms, silence, incidents, .. } = self;
        streaks.is_empty() && symptoms.is_empty() && silence.is_none() && incidents.is_empty()
    }

    /// Gives what is known of a watch its name of today. Version 0.2 called the watch of a bot that is one
    /// of several by the path of its file.
    pub(crate) fn rename(&mut self, before: &str, name: &str) {
        let incidents = self.incidents.iter_mut().map(|incident| &mut incident.subject);
        let subjects = incidents.chain(self.streaks.iter_mut().map(|streak| &mut streak.subject));
        for subject in subjects.filter(|subject| subject.watch == before) {
            name.clone_into(&mut subject.watch);
        }
    }

    /// Takes in what a check found about one subject. `needed`: how many bad checks in a row begin an
    /// incident, and how many good ones end it.
    pub(crate) fn observe(
        &mut self,
        subject: Subject,
        observation: Observation,
        now: &Now,
        needed: (u32, u32),
    ) {
        let open = self.incidents.iter().position(|incident| incident.is_open(&subject));
        if let Some(open) = open {
            self.incidents[open].checked = now.clone();
        }
        match (observation, open) {
            (Observation::Unknown, _) => {}
            (Observation::Bad(bad), Some(open)) => {
                self.forget_streak(&subject);
                self.incidents[open].goes_on(bad);
            }
            (Observation::Bad(bad), None) => {
                let since = bad.since.as_ref().unwrap_or(now);
                if let Some(first) = self.count(&subject, since, needed.0) {
                    let id = id(&subject, &first, self.revision);
                    self.incidents.push(Incident::new(id, subject, bad, first, now.clone()));
                }
            }
            (Observation::Good(summary, since), Some(open)) => {
                let since = since.as_ref().unwrap_or(now);
                if let Some(first) = self.count(&subject, since, needed.1) {
                    self.incidents[open].finish(first, now, &summary);
                }
            }
            (Observation::Good(..), None) => self.forget_streak(&subject),
        }
    }

    /// Counts one more check of the same kind. The time of the first one when there are enough.
    fn count(&mut self, subject: &Subject, now: &Now, needed: u32) -> Option<Now> {
        let found = self.streaks.iter().position(|s| s.subject == *subject);
        let begin = || Streak { subject: subject.clone(), count: 0, first: now.clone() };
        let mut streak = found.map_or_else(begin, |index| self.streaks.remove(index));
        streak.count += 1;
        if streak.count >= needed {
            return Some(streak.first);
        }
        self.streaks.push(streak);
        None
    }

    fn forget_streak(&mut self, subject: &Subject) {
        self.streaks.retain(|s| s.subject != *subject);
    }

    /// Whether people know of everything that goes on: a channel has accepted it, or a silence holds it
    /// back.
    pub(crate) fn is_known(&self) -> bool {
        let mut open = self.incidents.iter().filter(|incident| incident.end.is_none());
        open.all(|i| i.is_silenced() || i.progress.values().any(|p| p.last.is_some()))
    }

    /// Whether an incident about this goes on.
    pub(crate) fn is_open(&self, subject: &Subject) -> bool {
        self.incidents.iter().any(|incident| incident.is_open(subject))
    }

    /// Whether a finding follows from another cause, and so is not an incident of its own. It stays so for
    /// some minutes after its cause is gone, because averages over minutes do. `causes`: its own names.
    pub(crate) fn follows(
        &mut self,
        subject: &Subject,
        causes: &[String],
        has_cause: bool,
        now: &Now,
    ) -> bool {
        if let Some(open) = self.incidents.iter_mut().find(|i| i.is_open(subject)) {
            if has_cause {
                // The alert about the cause speaks for what is new here.
                open.is_known_as(causes);
            }
            return false;
        }
        let known = self.symptoms.iter().position(|symptom| symptom.subject == *subject);
        if has_cause {
            known.map(|known| self.symptoms.remove(known));
            let (subject, cause_seen) = (subject.clone(), now.clone());
            self.symptoms.push(Symptom { subject, cause_seen, causes: causes.to_vec() });
            return true;
        }
        let same = |s: &Symptom| s.causes == causes || s.causes.is_empty();
        let known = known.map(|known| &self.symptoms[known]).filter(|symptom| same(symptom));
        known.is_some_and(|symptom| symptom.cause_seen.elapsed_ms(now) < SYMPTOM_MS)
    }

    /// Forgets the symptoms of a watch that are not reported any more.
    pub(crate) fn keep_symptoms(&mut self, watch: &str, reported: &BTreeSet<String>) {
        self.symptoms.retain(|symptom| {
            let name = symptom.subject.finding.as_ref();
            symptom.subject.watch != watch || name.is_some_and(|name| reported.contains(name))
        });
    }

    /// The findings of a watch that have an incident or are on the way to one.
    pub(crate) fn findings(&self, watch: &str) -> BTreeSet<String> {
        let open = self.incidents.iter().filter(|i| i.end.is_none()).map(|i| &i.subject);
        let subjects = open.chain(self.streaks.iter().map(|s| &s.subject));
        subjects.filter(|s| s.watch == watch).filter_map(|s| s.finding.clone()).collect()
    }

    /// Closes the incidents that no check has looked at for a week.
    pub(crate) fn close_unwatched(&mut self, now: &Now) {
        for incident in self.incidents.iter_mut().filter(|i| i.end.is_none()) {
            if incident.checked.elapsed_ms(now) > FORGOTTEN_MS {
                let at = incident.checked.clone();
                incident.finish(at, now, "no longer watched");
            }
        }
    }

    /// Decides which channels each incident concerns, and drops what no channel still has to get.
    /// Returns the ids of incidents that are dropped because there are too many.
    pub(crate) fn tidy(&mut self, channels: &ChannelList, now: &Now) -> Vec<String> {
        self.streaks.retain(|streak| streak.first.elapsed_ms(now) < FORGOTTEN_MS);
        self.streaks.truncate(MAX_STREAKS);
        self.symptoms.truncate(MAX_STREAKS);
        self.incidents.iter_mut().for_each(|incident| incident.assign(channels));
        if channels.complete {
            self.backoffs.retain(|name, _| channels.names.contains(name));
            self.drop_finished();
        }
        let mut dropped = Vec::new();
        while self.incidents.len() > MAX_INCIDENTS {
            let Some(oldest) = self.incidents.iter().position(|i| i.end.is_some()) else { break };
            dropped.push(self.incidents.remove(oldest).id);
        }
        dropped
    }

    /// Drops the incidents of which every channel has accepted everything.
    pub(crate) fn drop_finished(&mut self) {
        self.incidents.retain(|i| i.end.is_none() || !i.assigned || !i.progress.is_empty());
    }

    /// Begins a silence, or replaces one.
    pub(crate) fn silence(&mut self, silence: Silence) {
        self.end_silence();
        self.silence = Some(silence);
        self.apply_silence(None);
    }

    /// Ends the silence: what goes on and was held back is sent now.
    pub(crate) fn end_silence(&mut self) -> bool {
        for incident in self.incidents.iter_mut().filter(|incident| incident.end.is_none()) {
            incident.silenced.clear();
        }
        self.silence.take().is_some()
    }

    /// Marks what the silence holds back. `now`: the time of a check, or `None` when it was just set.
    pub(crate) fn apply_silence(&mut self, now: Option<&Now>) {
        let Some(silence) = &mut self.silence else { return };
        if now.is_some_and(|now| silence.left_ms(now) == 0) {
            self.end_silence();
            return;
        }
        let open = self.incidents.iter_mut().filter(|incident| incident.end.is_none());
        for incident in open {
            let of_it = |cause: &String| (incident.subject.watch.clone(), cause.clone());
            if silence.everything || now.is_none() || !silence.taken {
                silence.taken = true;
                incident.silenced.clone_from(&incident.causes);
                silence.held.extend(incident.causes.iter().map(of_it));
                continue;
            }
            let again = incident.causes.iter().filter(|cause| silence.held.contains(&of_it(cause)));
            let again: Vec<String> = again.cloned().collect();
            incident.silenced.extend(again);
            incident.silenced.sort();
            incident.silenced.dedup();
        }
    }
}

/// An id that no other incident has: subject, time and time since boot of its start. The revision
/// of the log distinguishes what a clock that was set back could make equal.
fn id(subject: &Subject, started: &Now, revision: u64) -> String {
    let name = format!("{}-{}", subject.watch, subject.finding.as_deref().unwrap_or_default());
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let name = name.get(..40).unwrap_or(&name).trim_matches('-');
    let boot = started.boot_ms.unwrap_or_default() / 10;
    format!("{name}-{:x}-{boot:x}-{revision:x}", started.time_ms.max(0))
}
