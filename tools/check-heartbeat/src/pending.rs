//! Pending notifications: what each channel has still to be sent, read from the log of incidents,
//! and what its answers change in the log.
//!
//! A channel gets one DOWN for each incident, then reminders, then one RECOVERED. An incident that
//! was over before the channel accepted its DOWN is sent as one LATE. Nothing is recorded as
//! accepted before the channel has accepted it.

use heartbeat::Now;
use hygiene::duration;

use crate::incident::{Attempt, Incident, Mode, Progress};
use crate::incident_log::{Backoff, IncidentLog};
use crate::notification::{Kind, Level, Notification, clock};

/// Most notifications that one channel is sent in one run; the others wait for the next run.
const MAX_PENDING: usize = 20;
/// How long a channel is left alone after it refused for a reason that stays: a wrong password that
/// is tried every minute locks accounts.
const BACKOFF_MS: u64 = 5 * 60_000;

/// Where and when notifications are made.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The name of this machine.
    pub host: String,
    /// Milliseconds between reminders; `None` for no reminders.
    pub reminder_ms: Option<u64>,
    pub now: Now,
}

impl IncidentLog {
    /// What this channel has to be sent now, oldest first.
    pub(crate) fn pending(&self, channel: &str, origin: &Origin) -> Vec<Notification> {
        if self.backoff_left_ms(channel, &origin.now) > 0 {
            return Vec::new();
        }
        let pending = self.incidents.iter().filter_map(|incident| {
            let progress = incident.progress.get(channel)?;
            let kind = due(incident, progress, origin)?;
            Some(notification(kind, progress.next_number(kind), incident, origin))
        });
        pending.take(MAX_PENDING).collect()
    }

    /// Records that this is about to be sent, so that no other notification takes its number.
    pub(crate) fn attempt(&mut self, channel: &str, notification: &Notification) {
        if let Some(progress) = self.progress(channel, notification) {
            let (kind, number) = (notification.kind, notification.number);
            progress.attempt = Some(Attempt { kind, number });
        }
    }

    /// Records that the channel accepted.
    pub(crate) fn accepted(
        &mut self,
        channel: &str,
        notification: &Notification,
        mode: Mode,
        now: &Now,
    ) {
        self.backoffs.remove(channel);
        if let Some(progress) = self.progress(channel, notification) {
            let (last, number) = (Some(now.clone()), notification.number);
            *progress = Progress { last, number, attempt: None };
        }
        let is_over = !matches!(notification.kind, Kind::Down | Kind::Reminder);
        for incident in self.incidents.iter_mut().filter(|i| i.id == notification.incident) {
            // In the mode `First`, the channel that accepted is the only one from now on.
            incident.progress.retain(|name, _| match name == channel {
                true => !is_over,
                false => mode == Mode::All,
            });
        }
        self.drop_finished();
    }

    /// Records that the channel did not accept. The notification stays pending.
    pub(crate) fn refused(&mut self, channel: &str, permanent: bool, now: &Now) {
        self.backoffs.remove(channel);
        if permanent {
            self.backoffs.insert(channel.to_owned(), Backoff { since: now.clone() });
        }
    }

    /// How long the channel is still left alone.
    pub(crate) fn backoff_left_ms(&self, channel: &str, now: &Now) -> u64 {
        let since = self.backoffs.get(channel).map(|backoff| backoff.since.elapsed_ms(now));
        since.map_or(0, |since| BACKOFF_MS.saturating_sub(since))
    }

    fn progress(&mut self, channel: &str, notification: &Notification) -> Option<&mut Progress> {
        let incident = self.incidents.iter_mut().find(|i| i.id == notification.incident)?;
        incident.progress.get_mut(channel)
    }
}

/// What kind of notification a channel has to be sent about this incident.
fn due(incident: &Incident, progress: &Progress, origin: &Origin) -> Option<Kind> {
    match (&incident.end, &progress.last) {
        (None, None) => Some(Kind::Down),
        (None, Some(last)) => {
            let since = last.elapsed_ms(&origin.now);
            let old = origin.reminder_ms.is_some_and(|every| since >= every);
            (old && incident.bad_now).then_some(Kind::Reminder)
        }
        (Some(_), Some(_)) => Some(Kind::Recovered),
        (Some(_), None) => Some(Kind::Late),
    }
}

fn notification(kind: Kind, number: u32, incident: &Incident, origin: &Origin) -> Notification {
    let now = &origin.now;
    let mut started_ms = incident.started.seen_from_ms(now);
    let mut duration_ms = incident.started.elapsed_ms(now);
    let mut ended_ms = None;
    if let Some(end) = &incident.end {
        // Where the clock was set after the end, both move by the same.
        let moved = end.at.seen_from_ms(now).saturating_sub(end.at.time_ms);
        started_ms = incident.started.seen_from_ms(&end.at).saturating_add(moved);
        ended_ms = Some(end.at.seen_from_ms(now));
        duration_ms = end.duration_ms;
    }
    let (mut summary, mut details) = (incident.bad.summary.clone(), incident.bad.details.clone());
    match (kind, &incident.end) {
        (Kind::Recovered, Some(end)) => {
            details = vec![format!("It was: {summary}")];
            summary.clone_from(&end.summary);
        }
        (Kind::Reminder, _) => {
            details = vec![format!("It began with: {summary}")];
            summary.clone_from(&incident.latest);
        }
        (Kind::Late, _) => {
            let critical = incident.bad.level == Level::Critical;
            let was = if critical { "was down" } else { "had a warning" };
            let (from, to) = (clock(started_ms), clock(ended_ms.unwrap_or(started_ms)));
            let lasted = duration::in_words(duration_ms);
            summary = format!("{was} from {from} to {to} ({lasted}): {summary}; it is over");
        }
        _ if incident.latest != summary => {
            details.push(format!("Latest check: {}", incident.latest));
        }
        _ => {}
    }
    Notification {
        incident: incident.id.clone(),
        number,
        kind,
        level: incident.bad.level,
        watch: incident.subject.watch.clone(),
        finding: incident.subject.finding.clone(),
        host: origin.host.clone(),
        environment: incident.bad.environment.clone(),
        summary,
        details,
        started_ms,
        ended_ms,
        duration_s: Some(duration_ms / 1000).filter(|s| kind != Kind::Down || *s >= 60),
        at_ms: match kind {
            Kind::Down => started_ms,
            _ => ended_ms.unwrap_or(now.time_ms),
        },
    }
}
