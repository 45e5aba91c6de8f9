//! From what the checks found to what the channels accepted, by way of the log of incidents.

use std::time::Instant;

use heartbeat::{Now, State};
use hygiene::{duration, quick};

use crate::channel::{Channel, ChannelConfig, Environment, telegram_from_env};
use crate::cli::Args;
use crate::config::{Config, Problem};
use crate::deliver::{Job, Outcome, deliver};
use crate::incident::{ChannelList, Mode};
use crate::incident_log::IncidentLog;
use crate::outages;
use crate::pending::Origin;
use crate::report::Done;
use crate::state_dir::{self, StateDir};
use crate::watch::Checked;

/// The channels that can be used, and the list of all.
pub type Channels = (Vec<Box<dyn Channel>>, ChannelList);

/// Opens the channels of the configuration; without any, the one that the environment describes.
/// Returns those that can be used and the list of all, and adds what is wrong to `problems`.
pub fn open_channels(config: &Config, problems: &mut Vec<Problem>) -> Channels {
    let env = Environment::of_process();
    let names = config.channels.iter().map(|entry| entry.name.clone()).collect();
    let mut list = ChannelList { mode: config.mode, complete: config.complete, names };
    let mut open = Vec::new();
    let mut add = |prefix: &str, channel| match channel {
        Ok(channel) => open.push(channel),
        Err(Problem { key, message, hint }) => {
            let problem = Problem { key: format!("{prefix}{key}"), message, hint };
            problems.push(config.layers.located(problem));
        }
    };
    let settings = settings(config, &env);
    if config.channels.is_empty() && !settings.is_empty() {
        list.names.push("telegram".to_owned());
    }
    settings.iter().for_each(|(prefix, settings)| add(prefix, settings.open(&env)));
    (open, list)
}

/// Warns of secrets in files that everyone can read.
pub fn open_secrets(config: &Config) -> Vec<Problem> {
    let env = Environment::of_process();
    let open = settings(config, &env).into_iter().filter_map(|(prefix, settings)| {
        let Problem { key, message, hint } = settings.open_secret(&env)?;
        let problem = Problem { key: format!("{prefix}{key}"), message, hint };
        Some(config.layers.located(problem))
    });
    open.collect()
}

/// The settings of each channel that can be read, after what its keys begin with in a problem.
fn settings(config: &Config, env: &Environment) -> Vec<(String, ChannelConfig)> {
    let entries = (1..).zip(&config.channels);
    let settings = entries.filter_map(|(number, entry)| {
        Some((format!("channel[{number}]."), entry.settings.clone()?))
    });
    let of_env = || Some((String::new(), telegram_from_env(env)?));
    settings.chain(config.channels.is_empty().then(of_env).flatten()).collect()
}

/// The name of this machine.
pub fn host(config: &Config) -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let names = [config.host.as_str(), kernel.trim(), "unknown-host"];
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned()
}

/// Takes what was found into the log.
pub(crate) fn take_in(log: &mut IncidentLog, checked: &[Checked], config: &Config, now: &Now) {
    checked.iter().for_each(|one| one.enter(log, &config.alert_on, now));
    log.close_unwatched(now);
    log.apply_silence(Some(now));
}

/// Sends what the channels have not accepted yet.
pub fn notify(
    args: &Args,
    config: &Config,
    checked: &[Checked],
    now: &Now,
    deadline: Instant,
    channels: Channels,
) -> Done {
    let mut done = Done::default();
    let (open, list) = channels;
    let folders = state_dir::folders(args);
    // The usual case: all is well and was so before. Nothing is written, not even a lock.
    let good = checked.iter().all(|c| c.judgement.state == State::Ok);
    if good && !state_dir::exists(&folders) {
        return done;
    }
    quick::waiting();
    // Without a channel only the availability is remembered, where a checker has a folder for it.
    if list.names.is_empty() && list.complete && !state_dir::is_made(&folders) {
        return done;
    }
    let state = StateDir::open(folders).unwrap_or_else(|problem| {
        let then = "alerts are sent all the same, but the next run will not know it";
        done.remarks.push(format!("{problem}; {then}"));
        Some(StateDir::default())
    });
    let Some(state) = state else {
        done.busy = true;
        return done;
    };
    let reminder_ms = u64::try_from(config.reminder.as_millis()).ok().filter(|ms| *ms > 0);
    let origin = Origin { host: host(config), reminder_ms, now: now.clone() };
    Notifier { config, state, origin, deadline }.notify(checked, open, &list, &mut done);
    done
}

/// Records that these channels have just accepted a test, so that what waits for them is sent in
/// the next run. Returns remarks for people.
pub fn clear_backoff(args: &Args, channels: &[String]) -> Vec<String> {
    let folders = state_dir::folders(args);
    if channels.is_empty() || !state_dir::exists(&folders) {
        return Vec::new();
    }
    let Ok(Some(mut state)) = StateDir::open(folders) else {
        return vec!["another run is at work; a channel that refused is tried again later".into()];
    };
    let (mut log, _) = state.load();
    let before = log.clone();
    log.backoffs.retain(|name, _| !channels.contains(name));
    log.try_refused_again(channels);
    if log != before {
        state.save(&mut log);
    }
    state.remarks()
}

/// What one run needs beside what the checks found.
pub struct Notifier<'a> {
    pub config: &'a Config,
    pub state: StateDir,
    pub origin: Origin,
    /// When channels must be done.
    pub deadline: Instant,
}

impl Notifier<'_> {
    /// Takes in what was found, and sends what the channels have not accepted yet.
    pub fn notify(
        mut self,
        checked: &[Checked],
        open: Vec<Box<dyn Channel>>,
        list: &ChannelList,
        done: &mut Done,
    ) {
        let now = &self.origin.now;
        let (mut log, mut unsaved) = self.state.load();
        let before = log.clone();
        // While the watches cannot be read, what is checked is a guess: printed and no more.
        if self.config.watches_known {
            let watches: Vec<_> = checked.iter().map(|one| &one.watch).collect();
            for watch in &watches {
                let path = watch.file.display().to_string();
                if watches.iter().all(|other| other.name != path) {
                    log.rename(&path, &watch.name);
                }
            }
            take_in(&mut log, checked, self.config, now);
        }
        self.state.note_outages(&outages::ended(&log, now), now);
        done.silence = log.silence.as_ref().map(|silence| silence.words(now));
        for id in log.tidy(list, now) {
            done.remarks.push(format!("too many incidents wait; {id} was dropped"));
        }
        for name in log.backoffs.keys().filter(|name| log.backoff_left_ms(name, now) > 0) {
            let left = duration::in_words(log.backoff_left_ms(name, now));
            done.remarks.push(format!(
                "the channel {name} refused for a lasting reason; it is tried again in {left}, or at \
                 once after --test-alert has worked"
            ));
        }
        unsaved |= log != before;
        // In the mode "first", each channel gets what those before it did not accept.
        let mut groups: Vec<Vec<_>> = match list.mode {
            Mode::All => vec![open],
            Mode::First => open.into_iter().map(|channel| vec![channel]).collect(),
        };
        groups.push(Vec::new());
        for left in (0..groups.len()).rev() {
            let mut jobs: Vec<Job> = Vec::new();
            for channel in groups.remove(0) {
                let pending = log.take_up(channel.name(), &self.origin);
                unsaved |= !pending.is_empty();
                jobs.push((channel, pending));
            }
            if std::mem::take(&mut unsaved) {
                self.state.save(&mut log);
            }
            let time = self.deadline.saturating_duration_since(Instant::now());
            let until = Instant::now() + time / u32::try_from(left.max(1)).unwrap_or(u32::MAX);
            let mut record = |outcome: &Outcome| {
                done.remarks.extend(log.record(outcome, list.mode, now));
                // After what cannot be recorded nothing more is sent, or it would come each minute.
                self.state.save(&mut log)
            };
            done.outcomes.extend(deliver(jobs, until, &mut record));
        }
        done.is_known = !list.names.is_empty() && self.config.watches_known && log.is_known();
        done.remarks.extend(self.state.remarks());
    }
}
