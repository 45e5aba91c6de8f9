//! Pending notifications: what each channel has still to be sent, read from the log of incidents,
//! and what its answers change in the log.
//!
//! A channel gets one DOWN for each incident, then reminders and what is new about its cause, then one
//! RECOVERED. An incident that
//! was over before the channel accepted its DOWN is sent as one LATE. Nothing is recorded as
//! accepted before the channel has accepted it.

use heartbeat::Now;
use hygiene::duration;

use crate::clock::clock;
use crate::deliver::Outcome;
use crate::incident::{Ack, Attempt, Incident, MAX_CAUSES, Mode, Progress};
use crate::incident_log::{Backoff, IncidentLog};
use crate::notification::{Kind, Level, Notification};
use crate::symptoms;

/// Most notifications that one channel is sent in one run; the others wait for the next run.
const MAX_PENDING: usize = 20;
/// How long a channel is left alone after it refused for a reason that stays: a wrong password that
/// is tried every minute locks accounts.
const BACKOFF_MS: u64 = 5 * 60_000;
/// How long recipients that the others have overtaken are tried again alone.
const LEFT_MS: u64 = 4 * 3_600_000;

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
    /// Takes up what this channel has to be sent now, oldest first, and records that it is about to
    /// be sent, so that no other notification takes its number. What most recipients have comes last.
    pub(crate) fn take_up(&mut self, channel: &str, origin: &Origin) -> Vec<Notification> {
        if self.backoff_left_ms(channel, &origin.now) > 0 {
            return Vec::new();
        }
        let pending = self.incidents.iter_mut().filter_map(|incident| {
            let progress = incident.progress.get(channel)?;
            let refused = progress.refused.as_ref().map(|at| at.elapsed_ms(&origin.now));
            if refused.is_some_and(|ago| ago < BACKOFF_MS) {
                return None;
            }
            let left = progress.attempt.filter(|_| !progress.left.is_empty());
            let kind = due(incident, progress, origin).or(left.map(|attempt| attempt.kind))?;
            let attempt = Attempt { kind, number: progress.next_number(kind) };
            let progress = incident.progress.get_mut(channel)?;
            if left != Some(attempt) {
                // Something newer is for all of them.
                progress.left.clear();
            }
            progress.attempt = Some(attempt);
            let only = progress.left.clone();
            Some(Notification { only, ..notification(kind, attempt.number, incident, origin) })
        });
        let mut pending: Vec<Notification> = pending.take(MAX_PENDING).collect();
        pending.sort_by_key(|notification| !notification.only.is_empty());
        pending
    }

    /// Records a channel's answer. What it did not accept stays pending. Returns a remark when
    /// recipients that were left are given up.
    pub(crate) fn record(&mut self, outcome: &Outcome, mode: Mode, now: &Now) -> Option<String> {
        let Outcome { channel, notification, result } = outcome;
        self.backoffs.remove(channel);
        let taken = match result {
            Ok(taken) => taken,
            Err(failure) => {
                if failure.of_this_alert {
                    return self.refused(channel, notification, now);
                }
                if failure.permanent {
                    self.backoffs.insert(channel.clone(), Backoff { since: now.clone() });
                }
                return None;
            }
        };
        let incident = self.incident(&notification.incident)?;
        if notification.kind == Kind::Changed && notification.only.is_empty() {
            // Who took on the first cause does not know of this one.
            incident.ack = None;
        }
        // What was known before, when this was for those that were left.
        let again = !notification.only.is_empty();
        let before = incident.progress.get(channel).filter(|_| again).cloned();
        let since = before.as_ref().and_then(|p| p.left_since.clone());
        let mut left = taken.left.clone();
        let is_over = since.as_ref().is_some_and(|since| since.elapsed_ms(now) >= LEFT_MS);
        let given_up = (is_over && !left.is_empty()).then(|| {
            let (what, who) = (notification.subject(), std::mem::take(&mut left).join(", "));
            let tried = duration::in_words(LEFT_MS);
            format!("channel {channel}: \"{what}\" is no longer tried for {who}, after {tried}")
        });
        let left_since = (!left.is_empty()).then(|| since.unwrap_or_else(|| now.clone()));
        // In the mode `First`, the channel that accepted is the only one from now on.
        incident.progress.retain(|name, _| name == channel || mode == Mode::All);
        if matches!(notification.kind, Kind::Down | Kind::Reminder | Kind::Changed) {
            let (kind, number) = (notification.kind, notification.number);
            let attempt = (!left.is_empty()).then_some(Attempt { kind, number });
            // Reminders count from when the first recipients had it.
            let last = before.and_then(|p| p.last).or_else(|| Some(now.clone()));
            let known = incident.progress.get(channel).map(|p| p.causes.clone());
            let (causes, refused) = (known.unwrap_or_default(), None);
            let mut progress =
                Progress { last, number, attempt, left, left_since, refused, causes };
            progress.learn(&notification.causes);
            incident.progress.insert(channel.clone(), progress);
        } else if left.is_empty() {
            incident.progress.remove(channel);
        } else if let Some(progress) = incident.progress.get_mut(channel) {
            (progress.left, progress.left_since) = (left, left_since);
        }
        self.drop_finished();
        given_up
    }

    /// Notes that a channel refused this one for what is in it, however short: it is tried again later, and no
    /// more once it is over. Returns a remark then.
    fn refused(&mut self, channel: &str, of: &Notification, now: &Now) -> Option<String> {
        let incident = self.incident(&of.incident)?;
        if incident.end.is_none() {
            incident.progress.get_mut(channel)?.refused = Some(now.clone());
            return None;
        }
        incident.progress.remove(channel);
        self.drop_finished();
        Some(format!("channel {channel}: \"{}\" was never accepted, and is dropped", of.subject()))
    }

    /// Tries what these channels refused again in the next run.
    pub(crate) fn try_refused_again(&mut self, channels: &[String]) {
        let all = self.incidents.iter_mut().flat_map(|incident| &mut incident.progress);
        all.filter(|(name, _)| channels.contains(name)).for_each(|(_, p)| p.refused = None);
    }

    /// How long the channel is still left alone.
    pub(crate) fn backoff_left_ms(&self, channel: &str, now: &Now) -> u64 {
        let since = self.backoffs.get(channel).map(|backoff| backoff.since.elapsed_ms(now));
        since.map_or(0, |since| BACKOFF_MS.saturating_sub(since))
    }

    fn incident(&mut self, id: &str) -> Option<&mut Incident> {
        self.incidents.iter_mut().find(|incident| incident.id == id)
    }
}

/// What kind of notification a channel has to be sent about this incident.
fn due(incident: &Incident, progress: &Progress, origin: &Origin) -> Option<Kind> {
    match (&incident.end, &progress.last) {
        (None, _) if incident.is_silenced() => None,
        (None, None) => Some(Kind::Down),
        (None, Some(_)) if !incident.bad_now => None,
        (None, Some(last)) => {
            let known = |cause: &str| {
                progress.causes.iter().any(|k| k == cause || symptoms::follows_from(cause, k))
            };
            let is_news = |cause: &String| !known(cause);
            let may = !progress.causes.is_empty() && progress.causes.len() < MAX_CAUSES;
            if may && incident.causes.iter().any(is_news) {
                return Some(Kind::Changed);
            }
            let since = last.elapsed_ms(&origin.now);
            let old = origin.reminder_ms.is_some_and(|every| since >= every);
            (old && incident.ack.is_none()).then_some(Kind::Reminder)
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
        (Kind::Reminder | Kind::Changed, _) => {
            details.clone_from(&incident.latest_details);
            details.push(format!("It began with: {summary}"));
            summary.clone_from(&incident.latest);
        }
        (Kind::Down, _) if incident.causes != incident.bad.causes => {
            details.clone_from(&incident.latest_details);
            details.push(format!("It began with: {summary}"));
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
    if let Some(Ack { at, by, reason }) = &incident.ack {
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        details.push(format!("Acknowledged by {by}, {}{reason}", clock(at.seen_from_ms(now))));
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
        causes: incident.causes.clone(),
        started_ms,
        ended_ms,
        duration_s: Some(duration_ms / 1000).filter(|s| kind != Kind::Down || *s >= 60),
        at_ms: if kind == Kind::Down { started_ms } else { ended_ms.unwrap_or(now.time_ms) },
        only: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Taken;
    use crate::incident::{Bad, ChannelList, Observation, Subject};

    const MINUTE: u64 = 60_000;

    fn at(ms: u64) -> Now {
        let boot_id = Some("boot".to_owned());
        Now { time_ms: i64::try_from(ms).unwrap(), boot_id, boot_ms: Some(ms), awake_ms: None }
    }

    /// One run in which the server refuses one recipient for now. What was sent, by kind and whether
    /// it was for that one only, and the remarks.
    fn run(log: &mut IncidentLog, bad: &[&str], now: &Now) -> (Vec<(Kind, bool)>, Vec<String>) {
        for watch in ["a", "b"] {
            let subject = Subject { watch: watch.to_owned(), finding: None };
            let found = match bad.contains(&watch) {
                true => Observation::Bad(Bad {
                    level: Level::Critical,
                    environment: None,
                    summary: "stale".to_owned(),
                    details: Vec::new(),
                    causes: Vec::new(),
                    file: None,
                    since: None,
                }),
                false => Observation::Good("fresh".to_owned(), None),
            };
            log.observe(subject, found, now, (1, 1));
        }
        let names = vec!["mail".to_owned()];
        log.tidy(&ChannelList { names, mode: Mode::All, complete: true }, now);
        let origin = Origin { host: "h".to_owned(), reminder_ms: None, now: now.clone() };
        let (mut sent, mut remarks) = (Vec::new(), Vec::new());
        for notification in log.take_up("mail", &origin) {
            sent.push((notification.kind, !notification.only.is_empty()));
            let left = vec!["later@example.org".to_owned()];
            let result = Ok(Taken { remarks: Vec::new(), left });
            let outcome = Outcome { channel: "mail".to_owned(), notification, result };
            remarks.extend(log.record(&outcome, Mode::All, now));
        }
        (sent, remarks)
    }

    #[test]
    fn who_is_left_is_given_up_in_the_end_and_delays_no_one() {
        use Kind::{Down, Recovered};
        let (mut log, begun) = (IncidentLog::default(), 10 * MINUTE);
        assert_eq!(run(&mut log, &["a"], &at(begun)).0, [(Down, false)]);
        // What is new comes before what most have.
        let (sent, _) = run(&mut log, &["a", "b"], &at(begun + MINUTE));
        assert_eq!(sent, [(Down, false), (Down, true)]);
        let (sent, remarks) = run(&mut log, &["a", "b"], &at(begun + LEFT_MS - 1));
        assert_eq!((sent.len(), remarks.len()), (2, 0));
        let (_, remarks) = run(&mut log, &["a", "b"], &at(begun + LEFT_MS));
        assert_eq!(
            remarks,
            ["channel mail: \"DOWN: a on h\" is no longer tried for later@example.org, after 4 h"]
        );
        let (sent, remarks) = run(&mut log, &["a", "b"], &at(begun + LEFT_MS + MINUTE));
        assert_eq!((sent, remarks.len()), (vec![(Down, true)], 1), "now the other one");
        assert_eq!(run(&mut log, &["a", "b"], &at(begun + LEFT_MS + MINUTE)).0, []);
        // The end has a time of its own, after which nothing is left.
        let over = begun + 2 * LEFT_MS;
        assert_eq!(run(&mut log, &[], &at(over)).0, [(Recovered, false); 2]);
        assert_eq!(run(&mut log, &[], &at(over + LEFT_MS - 1)).0, [(Recovered, true); 2]);
        assert_eq!(run(&mut log, &[], &at(over + LEFT_MS)).1.len(), 2);
        assert!(log.is_empty());
    }
}
