//! From what the checks found to what the channels accepted, by way of the log of incidents.

use std::time::Instant;

use heartbeat::{Now, State};

use crate::channel::{Channel, Environment, telegram_from_env};
use crate::cli::Args;
use crate::clock::Timestamp;
use crate::config::{Config, Problem};
use crate::deliver::{Outcome, deliver};
use crate::incident::{ChannelList, Mode};
use crate::incident_log::IncidentLog;
use crate::notification::Notification;
use crate::pending::Origin;
use crate::report::Done;
use crate::state_dir::{self, StateDir};
use crate::watch::{AlertOn, Checked};

/// The channels of the configuration.
pub struct Channels {
    /// Those that can be used now.
    pub open: Vec<Box<dyn Channel>>,
    /// All of them.
    pub list: ChannelList,
    /// What is wrong with those that cannot be used.
    pub problems: Vec<Problem>,
}

/// Opens the channels of the configuration; without any, the one that the environment describes.
pub fn open_channels(config: &Config) -> Channels {
    let env = Environment::of_process();
    let list = ChannelList { mode: config.mode, complete: config.complete, ..Default::default() };
    let mut channels = Channels { open: Vec::new(), list, problems: Vec::new() };
    for (index, entry) in config.channels.iter().enumerate() {
        channels.list.names.push(entry.name.clone());
        match entry.settings.as_ref().map(|settings| settings.open(&env)) {
            None => {}
            Some(Ok(channel)) => channels.open.push(channel),
            Some(Err(problem)) => {
                let key = format!("channel[{}].{}", index + 1, problem.key);
                channels.problems.push(Problem { key, ..problem });
            }
        }
    }
    let from_env = if config.channels.is_empty() { telegram_from_env(&env) } else { None };
    match from_env {
        None => {}
        Some(Ok(channel)) => {
            channels.list.names.push(channel.name().to_owned());
            channels.open.push(channel);
        }
        Some(Err(problem)) => {
            channels.list.complete = false;
            channels.problems.push(problem);
        }
    }
    channels
}

/// The name of this machine.
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "unknown-host".to_owned(),
        name => name.to_owned(),
    }
}

/// Sends what the channels have not accepted yet.
pub fn notify(
    args: &Args,
    config: &Config,
    checked: &[Checked],
    now: &Now,
    deadline: Instant,
    problems: &mut Vec<Problem>,
) -> Done {
    let mut done = Done::default();
    let channels = open_channels(config);
    problems.extend(channels.problems.iter().cloned());
    // Without a channel, now or later, there is nothing to remember.
    if channels.list.names.is_empty() && channels.list.complete {
        return done;
    }
    let folders = state_dir::folders(args);
    // The usual case: all is well and was so before. Nothing is written, not even a lock.
    let good = checked.iter().all(|c| c.judgement.state == State::Ok);
    if good && !state_dir::exists(&folders) {
        return done;
    }
    let state = match StateDir::open(folders) {
        Ok(None) => {
            done.busy = true;
            return done;
        }
        Ok(Some(state)) => {
            done.remarks.extend(state.remark().map(str::to_owned));
            Some(state)
        }
        Err(problem) => {
            done.remarks.push(without_memory(&problem));
            None
        }
    };
    let origin = Origin {
        host: config.host.clone().unwrap_or_else(host),
        reminder_ms: u64::try_from(config.reminder.as_millis()).ok().filter(|ms| *ms > 0),
    };
    let (alert_on, watches_known) = (config.alert_on, config.watches_known);
    let mut notifier = Notifier { state, origin, alert_on, watches_known, deadline };
    notifier.notify(checked, channels.open, &channels.list, &Timestamp::from(now), &mut done);
    done
}

/// Records that these channels have just accepted a test, so that what waits for them is sent in
/// the next run. Without a log, nothing waits.
pub fn clear_backoff(args: &Args, channels: &[String], remarks: &mut Vec<String>) {
    let folders = state_dir::folders(args);
    if channels.is_empty() || !state_dir::exists(&folders) {
        return;
    }
    let Ok(Some(mut state)) = StateDir::open(folders) else {
        remarks.push("another run is at work; a channel that refused is tried again later".into());
        return;
    };
    let (mut log, _) = state.load();
    let before = log.clone();
    channels.iter().for_each(|name| log.clear_backoff(name));
    if log != before {
        remarks.extend(state.save(&mut log).err());
    }
}

fn without_memory(problem: &str) -> String {
    format!("{problem}; alerts are sent all the same, but the next run will not know it")
}

/// What one run needs beside what the checks found.
pub struct Notifier {
    /// Where the log of incidents lies; `None` when nothing can be remembered.
    pub state: Option<StateDir>,
    /// Where notifications come from, and how often an incident is repeated.
    pub origin: Origin,
    /// Which findings are incidents.
    pub alert_on: AlertOn,
    /// Whether the configured watches are known. While they cannot be read, what is checked is a
    /// guess: it is printed, but neither remembered nor sent.
    pub watches_known: bool,
    /// When channels must be done.
    pub deadline: Instant,
}

impl Notifier {
    /// Takes in what was found, and sends what the channels have not accepted yet.
    pub fn notify(
        &mut self,
        checked: &[Checked],
        open: Vec<Box<dyn Channel>>,
        list: &ChannelList,
        now: &Timestamp,
        done: &mut Done,
    ) {
        let (mut log, problems) = self.state.as_mut().map(StateDir::load).unwrap_or_default();
        done.remarks.extend(problems);
        let before = log.clone();
        if self.watches_known {
            checked.iter().for_each(|one| one.enter(&mut log, self.alert_on, now));
            log.close_unwatched(now);
        }
        log.tidy(list, now);
        for (name, left_ms) in log.backing_off(now) {
            done.remarks.push(format!(
                "the channel {name} refused for a lasting reason; what waits for it is tried again \
                 in {}, or at once after --test-alert has worked",
                heartbeat::span(left_ms)
            ));
        }
        let misplaced = self.state.as_ref().is_some_and(StateDir::is_misplaced);
        let mut unsaved = log != before || misplaced;
        // In the mode "first", a channel gets what those before it did not accept.
        let groups: Vec<Vec<_>> = match list.mode {
            Mode::All => vec![open],
            Mode::First => open.into_iter().map(|channel| vec![channel]).collect(),
        };
        let count = groups.len();
        for (index, group) in groups.into_iter().enumerate() {
            let mut jobs = Vec::new();
            for channel in group {
                let pending = log.pending(channel.name(), &self.origin, now);
                pending.iter().for_each(|one| log.attempt(channel.name(), one));
                unsaved |= !pending.is_empty();
                jobs.push((channel, pending));
            }
            if std::mem::take(&mut unsaved) {
                self.save(&mut log, done, without_memory);
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(count - index).unwrap_or(u32::MAX);
            let mut record = |notification: &Notification, outcome: &Outcome| {
                match &outcome.result {
                    Ok(()) => log.accepted(&outcome.channel, notification, list.mode, now),
                    Err(failure) => log.refused(&outcome.channel, failure.permanent, now),
                }
                // After what cannot be recorded nothing more is sent, or it would come each minute.
                self.save(&mut log, done, |problem| format!("{problem}; this may be sent again"))
            };
            let outcomes = deliver(jobs, Instant::now() + share, &mut record);
            done.outcomes.extend(outcomes);
        }
        if unsaved {
            self.save(&mut log, done, without_memory);
        }
    }

    /// Saves the log and notes what went wrong, once. Whether it is saved; without a state
    /// directory that is true, because nothing better can be done.
    fn save(&mut self, log: &mut IncidentLog, done: &mut Done, say: fn(&str) -> String) -> bool {
        let Some(state) = &mut self.state else { return true };
        let saved = state.save(log);
        let remark = match &saved {
            Ok(remark) => remark.clone(),
            Err(problem) => Some(say(problem)),
        };
        done.remarks.extend(remark.filter(|remark| !done.remarks.contains(remark)));
        saved.is_ok()
    }
}
