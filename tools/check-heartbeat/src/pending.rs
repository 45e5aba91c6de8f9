//! Pending notifications: what each channel has still to be sent, read from the log of incidents,
//! and what its answers change in the log.
//!
//! A channel gets one DOWN for each incident, then reminders, then one RECOVERED. Incidents that
//! were over before the channel accepted their DOWN are sent together, as one LATE. Nothing is
//! recorded as accepted before the channel has accepted it.

use heartbeat::span;

use crate::clock::Timestamp;
use crate::incident::{Attempt, Incident, Mode, Progress};
use crate::incident_log::{Backoff, IncidentLog};
use crate::notification::{Kind, Level, Notification, clock};

/// Most notifications that one channel is sent in one run; the others wait for the next run.
pub const MAX_PENDING: usize = 20;

/// Most incidents that one LATE lists.
const MAX_LISTED: usize = 15;

/// How long a channel is left alone after it refused for a reason that stays: a wrong password that
/// is tried every minute locks accounts.
const BACKOFF_MS: u64 = 5 * 60_000;

/// Where notifications come from, and how often an incident is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The name of this machine.
    pub host: String,
    /// Milliseconds between reminders; `None` for no reminders.
    pub reminder_ms: Option<u64>,
}

impl IncidentLog {
    /// What this channel has to be sent now, oldest first.
    pub fn pending(&self, channel: &str, origin: &Origin, now: &Timestamp) -> Vec<Notification> {
        if self.backoff_left_ms(channel, now) > 0 {
            return Vec::new();
        }
        let (mut pending, mut late) = (Vec::new(), Vec::new());
        for incident in &self.incidents {
            match due(incident, channel, origin, now) {
                None => {}
                Some(Kind::Late) => late.push(incident),
                Some(kind) => pending.push(notification(kind, incident, channel, origin, now)),
            }
        }
        if let Some(last) = late.last() {
            pending.insert(0, self.late(&late, last, channel, origin, now));
        }
        pending.truncate(MAX_PENDING);
        pending
    }

    /// One notification about all incidents that were over before this channel accepted their DOWN.
    /// It has the id of the last one, so that a repeat with another one in it is not the same.
    fn late(
        &self,
        late: &[&Incident],
        last: &Incident,
        channel: &str,
        origin: &Origin,
        now: &Timestamp,
    ) -> Notification {
        let times: Vec<Times> = late.iter().map(|i| Times::of(i, now)).collect();
        let listed = late.iter().zip(&times).take(MAX_LISTED);
        let mut details: Vec<String> = listed.map(|(i, times)| times.line(i)).collect();
        let dropped = self.dropped.get(channel).copied().unwrap_or(0) as usize;
        let count = late.len() + dropped;
        if count > details.len() {
            details.push(format!("and {} more that are not listed here", count - details.len()));
        }
        let summary = match count {
            1 => format!("{}; it is over", times[0].sentence(last)),
            _ => format!("{count} incidents came and went while this could not be sent"),
        };
        let one_watch = late.iter().all(|i| i.subject.watch == last.subject.watch);
        let watch = if one_watch { last.subject.watch.as_str() } else { "several watches" };
        let ended_ms = times.iter().filter_map(|t| t.ended_ms).max();
        Notification {
            level: late.iter().map(|i| i.level).min().unwrap_or(Level::Critical),
            watch: watch.to_owned(),
            finding: last.subject.finding.clone().filter(|_| late.len() == 1),
            summary,
            details,
            started_ms: times.iter().map(|t| t.started_ms).min().unwrap_or(now.time_ms),
            ended_ms,
            duration_s: Some(times.iter().map(|t| t.duration_ms / 1000).sum()),
            at_ms: ended_ms.unwrap_or(now.time_ms),
            ..notification(Kind::Late, last, channel, origin, now)
        }
    }

    /// Records that this is about to be sent, so that no other notification takes its number.
    pub fn attempt(&mut self, channel: &str, notification: &Notification) {
        let attempt = Attempt { kind: notification.kind, number: notification.number };
        for incident in self.incidents.iter_mut().filter(|i| i.id == notification.incident) {
            incident.progress.entry(channel.to_owned()).or_default().attempt = Some(attempt);
        }
    }

    /// Records that the channel accepted.
    pub fn accepted(
        &mut self,
        channel: &str,
        notification: &Notification,
        mode: Mode,
        now: &Timestamp,
    ) {
        self.backoffs.remove(channel);
        for incident in &mut self.incidents {
            let this = incident.id == notification.incident;
            let Some(progress) = incident.progress.get_mut(channel) else { continue };
            match notification.kind {
                Kind::Down | Kind::Reminder if this => {
                    let number = notification.number;
                    *progress = Progress { last: Some(now.clone()), number, attempt: None };
                    if mode == Mode::First {
                        incident.progress.retain(|name, _| name == channel);
                    }
                }
                Kind::Recovered if this => drop(incident.progress.remove(channel)),
                // It covers every incident that was over and unknown to the channel.
                Kind::Late if incident.end.is_some() && progress.last.is_none() => match mode {
                    Mode::All => drop(incident.progress.remove(channel)),
                    Mode::First => incident.progress.clear(),
                },
                _ => {}
            }
        }
        if notification.kind == Kind::Late {
            self.dropped.remove(channel);
        }
        self.drop_finished();
    }

    /// Records that the channel did not accept. The notification stays pending.
    pub fn refused(&mut self, channel: &str, permanent: bool, now: &Timestamp) {
        if permanent {
            self.backoffs.insert(channel.to_owned(), Backoff { since: now.clone() });
        } else {
            self.backoffs.remove(channel);
        }
    }

    /// The channel works: it has just accepted a test.
    pub fn clear_backoff(&mut self, channel: &str) {
        self.backoffs.remove(channel);
    }

    /// The channels that are left alone for a while although something waits for them, each with
    /// the milliseconds until it is tried again.
    pub fn backing_off(&self, now: &Timestamp) -> Vec<(String, u64)> {
        let waits = |name: &str| {
            self.incidents
                .iter()
                .any(|i| i.progress.get(name).is_some_and(|p| p.last.is_none() || i.end.is_some()))
        };
        let left = self.backoffs.keys().map(|name| (name.clone(), self.backoff_left_ms(name, now)));
        left.filter(|(name, left)| *left > 0 && waits(name)).collect()
    }

    fn backoff_left_ms(&self, channel: &str, now: &Timestamp) -> u64 {
        let since = self.backoffs.get(channel).map(|backoff| backoff.since.elapsed_ms(now));
        since.map_or(0, |since| BACKOFF_MS.saturating_sub(since))
    }
}

/// What kind of notification the channel has to be sent about this incident.
fn due(incident: &Incident, channel: &str, origin: &Origin, now: &Timestamp) -> Option<Kind> {
    let progress = incident.progress.get(channel)?;
    match (&incident.end, &progress.last) {
        (None, None) => Some(Kind::Down),
        (None, Some(last)) => {
            let old = origin.reminder_ms.is_some_and(|every| last.elapsed_ms(now) >= every);
            (old && incident.bad_now).then_some(Kind::Reminder)
        }
        (Some(_), Some(_)) => Some(Kind::Recovered),
        (Some(_), None) => Some(Kind::Late),
    }
}

fn notification(
    kind: Kind,
    incident: &Incident,
    channel: &str,
    origin: &Origin,
    now: &Timestamp,
) -> Notification {
    let times = Times::of(incident, now);
    let (summary, details, at_ms) = match (kind, &incident.end) {
        (Kind::Recovered, Some(end)) => {
            let was = format!("It was: {}", incident.summary);
            (end.summary.clone(), vec![was], times.ended_ms.unwrap_or(now.time_ms))
        }
        (Kind::Reminder, _) => {
            let first = format!("It began with: {}", incident.summary);
            (incident.latest.clone(), vec![first], now.time_ms)
        }
        _ => {
            let mut details = incident.details.clone();
            if incident.latest != incident.summary {
                details.push(format!("Latest check: {}", incident.latest));
            }
            (incident.summary.clone(), details, times.started_ms)
        }
    };
    Notification {
        incident: incident.id.clone(),
        number: incident.progress.get(channel).map_or(1, |p| p.next_number(kind)),
        kind,
        level: incident.level,
        watch: incident.subject.watch.clone(),
        finding: incident.subject.finding.clone(),
        host: origin.host.clone(),
        environment: incident.environment.clone(),
        summary,
        details,
        started_ms: times.started_ms,
        ended_ms: times.ended_ms,
        duration_s: Some(times.duration_ms / 1000).filter(|s| kind != Kind::Down || *s >= 60),
        at_ms,
    }
}

/// Start, end and duration of an incident, as the present clock shows them.
struct Times {
    started_ms: i64,
    ended_ms: Option<i64>,
    duration_ms: u64,
}

impl Times {
    fn of(incident: &Incident, now: &Timestamp) -> Self {
        let Some(end) = &incident.end else {
            let started_ms = incident.started.seen_from_ms(now);
            return Self {
                started_ms,
                ended_ms: None,
                duration_ms: incident.started.elapsed_ms(now),
            };
        };
        // Where the clock was set after the end, both move by the same.
        let ended_ms = end.at.seen_from_ms(now);
        let moved = ended_ms.saturating_sub(end.at.time_ms);
        let started_ms = incident.started.seen_from_ms(&end.at).saturating_add(moved);
        Self { started_ms, ended_ms: Some(ended_ms), duration_ms: end.duration_ms }
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
