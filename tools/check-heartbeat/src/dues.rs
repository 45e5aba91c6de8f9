//! What each channel is owed: notices made from the book of incidents, and what their fate changes
//! in it.
//!
//! A channel is owed one DOWN for each incident, then reminders, then one RECOVERED. An incident
//! that was over before the channel accepted its DOWN is told in one LATE, together with all others
//! of the kind. Nothing is marked before it was accepted.

use heartbeat::span;

use crate::book::{Book, Pause};
use crate::incident::{Audience, End, Incident, Mode};
use crate::notice::{Kind, Level, Notice, clock};
use crate::stamp::Stamp;

/// Most notices that are given to one channel in one run.
pub const MAX_DUES: usize = 20;

/// Most incidents that one LATE lists.
const MAX_LISTED: usize = 15;

/// How long a channel is left alone that failed for a reason that stays: a wrong password tried
/// every minute locks accounts.
const PAUSE_MS: u64 = 5 * 60_000;

/// How often, and from where, people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// The name of this machine.
    pub host: String,
    /// Milliseconds between reminders; `None` for no reminders.
    pub reminder_ms: Option<u64>,
}

/// One notice that is to be told now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its kind.
    pub kind: Kind,
    /// The ids of the incidents that it covers: one, unless it is LATE.
    pub incidents: Vec<String>,
    /// The channels to offer it to, one after the other until one accepts, each with the notice as
    /// it is numbered there.
    pub offers: Vec<(String, Notice)>,
}

impl Book {
    /// What is to be told now, oldest first. `channels.names` are those that can be tried; more
    /// than [`MAX_DUES`] for one channel wait for the next run.
    pub fn dues(&self, channels: &Audience, telling: &Telling, now: &Stamp) -> Vec<Due> {
        let all = || channels.names.iter();
        match channels.mode {
            Mode::All => all().flat_map(|name| self.lane(&[name], telling, now)).collect(),
            Mode::First => self.lane(&all().collect::<Vec<_>>(), telling, now),
        }
    }

    /// What one of these channels has to be told.
    fn lane(&self, channels: &[&String], telling: &Telling, now: &Stamp) -> Vec<Due> {
        let mut dues = Vec::new();
        let mut late: Vec<&Incident> = Vec::new();
        for incident in &self.incidents {
            // Where the first that accepts is enough, all that are left here are owed the same.
            let owed = |name: &&&String| self.owed(incident, name, telling, now);
            let Some(kind) = channels.iter().find_map(|name| owed(&name)) else { continue };
            if kind == Kind::Late {
                late.push(incident);
                continue;
            }
            let offer = |name: &&String| {
                let notice = self.notice(kind, incident, name, telling, now);
                ((**name).clone(), notice)
            };
            let offers =
                channels.iter().filter(|name| owed(name) == Some(kind)).map(offer).collect();
            dues.push(Due { kind, incidents: vec![incident.id.clone()], offers });
        }
        if !late.is_empty() {
            let offer = |name: &&String| {
                let notice = self.late(&late, name, telling, now);
                ((**name).clone(), notice)
            };
            let knows = |name: &&&String| {
                late.iter().any(|i| self.owed(i, name, telling, now) == Some(Kind::Late))
            };
            let offers = channels.iter().filter(knows).map(offer).collect();
            let incidents = late.iter().map(|i| i.id.clone()).collect();
            // First, because it is the oldest.
            dues.insert(0, Due { kind: Kind::Late, incidents, offers });
        }
        dues.truncate(MAX_DUES);
        dues
    }

    fn owed(
        &self,
        incident: &Incident,
        name: &str,
        telling: &Telling,
        now: &Stamp,
    ) -> Option<Kind> {
        let told = incident.told.get(name)?;
        if self.pauses.get(name).is_some_and(|p| p.since.elapsed_ms(now) < PAUSE_MS) {
            return None;
        }
        match (&incident.end, &told.last) {
            (None, None) => Some(Kind::Down),
            (None, Some(last)) => {
                let old = telling.reminder_ms.is_some_and(|every| last.elapsed_ms(now) >= every);
                (old && self.going_on.contains(&incident.id)).then_some(Kind::Reminder)
            }
            (Some(_), Some(_)) => Some(Kind::Recovered),
            (Some(_), None) => Some(Kind::Late),
        }
    }

    /// A notice of one incident for one channel.
    fn notice(
        &self,
        kind: Kind,
        incident: &Incident,
        channel: &str,
        telling: &Telling,
        now: &Stamp,
    ) -> Notice {
        let times = Times::of(incident, now);
        let (summary, details, at_ms) = match (kind, &incident.end) {
            (Kind::Recovered, Some(end)) => {
                let was = format!("It was: {}", incident.summary);
                (end.summary.clone(), vec![was], times.ended_ms.unwrap_or(now.time_ms))
            }
            (Kind::Reminder, _) => {
                let since = format!("It began with: {}", incident.summary);
                (incident.latest.clone(), vec![since], now.time_ms)
            }
            _ => {
                let mut details = incident.details.clone();
                if incident.latest != incident.summary {
                    details.push(format!("Latest check: {}", incident.latest));
                }
                (incident.summary.clone(), details, times.started_ms)
            }
        };
        let next = incident.told.get(channel).cloned().unwrap_or_default().next(kind, 1);
        Notice {
            incident: incident.id.clone(),
            number: next.number,
            kind,
            level: incident.level,
            watch: incident.subject.watch.clone(),
            finding: incident.subject.finding.clone(),
            host: telling.host.clone(),
            environment: incident.environment.clone(),
            summary,
            details,
            started_ms: times.started_ms,
            ended_ms: times.ended_ms,
            duration_s: Some(times.duration_ms / 1000).filter(|s| kind != Kind::Down || *s >= 60),
            at_ms,
        }
    }

    /// One notice of all incidents that were over before this channel could be told.
    fn late(&self, late: &[&Incident], channel: &str, telling: &Telling, now: &Stamp) -> Notice {
        let first = late[0];
        let times: Vec<Times> = late.iter().map(|i| Times::of(i, now)).collect();
        let listed = late.iter().zip(&times).take(MAX_LISTED);
        let mut details: Vec<String> = listed.map(|(i, times)| times.line(i)).collect();
        let dropped = self.dropped.get(channel).copied().unwrap_or(0) as usize;
        let unlisted = late.len() - details.len() + dropped;
        if unlisted > 0 {
            details.push(format!("and {unlisted} more that are not listed here"));
        }
        let summary = match late {
            [_] if dropped == 0 => format!("{}; it is over", times[0].sentence(first)),
            _ => {
                let many = late.len() + dropped;
                format!("{many} incidents came and went while this could not be told")
            }
        };
        let of = u32::try_from(late.len()).unwrap_or(u32::MAX);
        let told = first.told.get(channel).cloned().unwrap_or_default();
        let same_watch = late.iter().all(|i| i.subject.watch == first.subject.watch);
        let total: u64 = times.iter().map(|t| t.duration_ms / 1000).sum();
        let ended_ms = times.iter().filter_map(|t| t.ended_ms).max();
        Notice {
            incident: first.id.clone(),
            number: told.next(Kind::Late, of).number,
            kind: Kind::Late,
            level: late.iter().map(|i| i.level).min().unwrap_or(Level::Critical),
            watch: if same_watch { first.subject.watch.clone() } else { "several watches".into() },
            finding: first.subject.finding.clone().filter(|_| late.len() == 1),
            host: telling.host.clone(),
            environment: first.environment.clone(),
            summary,
            details,
            started_ms: times.iter().map(|t| t.started_ms).min().unwrap_or(now.time_ms),
            ended_ms,
            duration_s: Some(total),
            at_ms: ended_ms.unwrap_or(now.time_ms),
        }
    }

    /// Notes that this is about to be offered, so that nothing else will ever take its number.
    pub fn attempt(&mut self, due: &Due) {
        let of = u32::try_from(due.incidents.len()).unwrap_or(u32::MAX);
        // A LATE is numbered within the first incident that it covers.
        let first = due.incidents.first();
        let Some(incident) = self.incidents.iter_mut().find(|i| Some(&i.id) == first) else {
            return;
        };
        for (name, _) in &due.offers {
            let told = incident.told.entry(name.clone()).or_default();
            told.attempt = Some(told.next(due.kind, of));
        }
    }

    /// Notes that a channel accepted.
    pub fn accepted(&mut self, due: &Due, channel: &str, mode: Mode, now: &Stamp) {
        self.pauses.remove(channel);
        for incident in self.incidents.iter_mut().filter(|i| due.incidents.contains(&i.id)) {
            match due.kind {
                Kind::Down | Kind::Reminder => {
                    let told = incident.told.entry(channel.to_owned()).or_default();
                    let number = told.attempt.take().map(|a| a.number);
                    told.number = number.unwrap_or(told.number + 1);
                    told.last = Some(now.clone());
                    if mode == Mode::First {
                        incident.told.retain(|name, _| name == channel);
                    }
                }
                Kind::Late if mode == Mode::First => incident.told.clear(),
                Kind::Recovered | Kind::Late | Kind::Test => {
                    incident.told.remove(channel);
                }
            }
        }
        if due.kind == Kind::Late {
            self.dropped.remove(channel);
        }
        self.drop_settled();
    }

    /// The channel works: somebody mended it and tried.
    pub fn lift(&mut self, channel: &str) {
        self.pauses.remove(channel);
    }

    /// Channels that something waits for and that are left alone for a while, each with the
    /// milliseconds until it is tried again.
    pub fn held(&self, now: &Stamp) -> Vec<(String, u64)> {
        let waits = |name: &str| {
            let told = |i: &Incident| i.told.get(name).map(|told| told.last.is_none());
            self.incidents.iter().any(|i| told(i).is_some_and(|never| never || i.end.is_some()))
        };
        let left = self.pauses.iter().map(|(name, pause)| {
            (name.clone(), PAUSE_MS.saturating_sub(pause.since.elapsed_ms(now)))
        });
        left.filter(|(name, left)| *left > 0 && waits(name)).collect()
    }

    /// Notes that a channel did not accept. The notice stays due.
    pub fn refused(&mut self, channel: &str, permanent: bool, now: &Stamp) {
        if permanent {
            self.pauses.insert(channel.to_owned(), Pause { since: now.clone() });
        } else {
            self.pauses.remove(channel);
        }
    }
}

/// Start, end and duration of an incident, as the present clock shows them.
struct Times {
    started_ms: i64,
    ended_ms: Option<i64>,
    duration_ms: u64,
}

impl Times {
    fn of(incident: &Incident, now: &Stamp) -> Self {
        match &incident.end {
            None => Self {
                started_ms: incident.started.seen_from_ms(now),
                ended_ms: None,
                duration_ms: incident.started.elapsed_ms(now),
            },
            Some(End { at, duration_ms, .. }) => {
                // Where the clock was set after the end, both move by the same.
                let ended_ms = at.seen_from_ms(now);
                let moved = ended_ms.saturating_sub(at.time_ms);
                let started_ms = incident.started.seen_from_ms(at).saturating_add(moved);
                Self { started_ms, ended_ms: Some(ended_ms), duration_ms: *duration_ms }
            }
        }
    }

    /// `was down from … to … (5 min): why`.
    fn sentence(&self, incident: &Incident) -> String {
        let was = match incident.level {
            Level::Critical => "was down",
            Level::Warning => "had a warning",
        };
        let (from, to) = (clock(self.started_ms), clock(self.ended_ms.unwrap_or(self.started_ms)));
        format!("{was} from {from} to {to} ({}): {}", span(self.duration_ms), incident.summary)
    }

    fn line(&self, incident: &Incident) -> String {
        let finding = incident.subject.finding.as_ref().map(|f| format!(", {f}"));
        let about = format!("{}{}", incident.subject.watch, finding.unwrap_or_default());
        format!("{about} {} [{}]", self.sentence(incident), incident.id)
    }
}
