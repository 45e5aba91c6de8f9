//! Telling people: from what was found to what the channels accepted, by way of the book.

use std::path::PathBuf;
use std::time::Instant;

use heartbeat::{Now, State};

use crate::book::Book;
use crate::channel::{self, Channel, Environment};
use crate::cli::Args;
use crate::config::{Config, Entry, Problem};
use crate::deliver::{Outcome, deliver};
use crate::dues::{Due, Telling};
use crate::incident::{Audience, Mode};
use crate::place::own_uid;
use crate::report::Told;
use crate::spool::{self, Opened, Spool};
use crate::stamp::Stamp;
use crate::watch::{AlertOn, Checked};

/// The channels that can be used now, and who else is to be told one day.
pub struct Channels {
    /// Those that can be used.
    pub open: Vec<Box<dyn Channel>>,
    /// Every channel that is configured, whether it could be opened or not.
    pub audience: Audience,
    /// What is wrong with those that cannot be opened.
    pub problems: Vec<Problem>,
}

/// Opens the channels of the configuration, else the one that the environment describes.
pub fn open_channels(config: &Config) -> Channels {
    let env = Environment::of_process();
    let mut channels = Channels {
        open: Vec::new(),
        audience: Audience { names: Vec::new(), mode: config.mode, complete: config.complete },
        problems: Vec::new(),
    };
    for (index, Entry { name, settings }) in config.channels.iter().enumerate() {
        channels.audience.names.push(name.clone());
        let Some(settings) = settings else { continue };
        match settings.open(&env) {
            Ok(channel) => channels.open.push(channel),
            Err(problem) => channels.problems.push(Problem {
                key: format!("channel[{}].{}", index + 1, problem.key),
                message: problem.message,
                hint: problem.hint,
            }),
        }
    }
    if config.channels.is_empty() {
        match channel::telegram_from_env(&env) {
            Some(Ok(channel)) => {
                channels.audience.names.push(channel.name().to_owned());
                channels.open.push(channel);
            }
            Some(Err(problem)) => {
                channels.audience.complete = false;
                channels.problems.push(Problem {
                    key: problem.key,
                    message: problem.message,
                    hint: problem.hint,
                });
            }
            None => {}
        }
    }
    channels
}

/// Where incidents are remembered.
fn state_dir(args: &Args) -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(dir) = &args.state_dir {
        return Some(dir.clone());
    }
    if let Some(dirs) = variable("STATE_DIRECTORY") {
        // systemd.exec(5): several are separated by colons.
        return dirs.to_str().and_then(|d| d.split(':').next()).map(PathBuf::from);
    }
    if own_uid() == 0 {
        return Some("/var/lib/katana-check".into());
    }
    let state = variable("XDG_STATE_HOME");
    let state = state.or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    state.map(|dir| dir.join("check-heartbeat"))
}

/// Tells people what they do not know yet.
pub fn tell(
    args: &Args,
    config: &Config,
    checked: &[Checked],
    now: &Now,
    deadline: Instant,
    problems: &mut Vec<Problem>,
) -> Told {
    let mut told = Told::default();
    let channels = open_channels(config);
    problems.extend(channels.problems.iter().cloned());
    // Nobody to tell, now or later: nothing to remember.
    if channels.audience.names.is_empty() && channels.audience.complete {
        return told;
    }
    let folder = state_dir(args).unwrap_or_else(|| "/var/lib/katana-check".into());
    let spare = spool::spare_for(&folder);
    // The usual case: all is well and was so before. Nothing is written, not even a lock.
    let good = checked.iter().all(|c| c.judgement.state == State::Ok);
    if good && !spool::exists(&folder, Some(&spare)) {
        return told;
    }
    let spool = match spool::open(&folder, Some(&spare)) {
        Ok(Opened::Ours(spool)) => {
            told.remarks.extend(spool.remark().map(str::to_owned));
            Some(spool)
        }
        Ok(Opened::Busy) => {
            told.busy = true;
            return told;
        }
        Err(problem) => {
            told.remarks.push(without_memory(&problem));
            None
        }
    };
    let telling = Telling {
        host: config.host.clone().unwrap_or_else(host),
        reminder_ms: u64::try_from(config.reminder.as_millis()).ok().filter(|ms| *ms > 0),
    };
    let known = config.watches.iter().map(|w| w.name.clone()).collect();
    let known = config.watches_known.then_some(known);
    let teller = Teller { spool, telling, alert_on: config.alert_on, known, deadline };
    teller.tell(checked, channels.open, &channels.audience, &Stamp::from(now), &mut told);
    told
}

/// Notes that these channels have just accepted something, so that nothing waits for them longer
/// than it must. Where there is no book, nothing waits.
pub fn lift(args: &Args, channels: &[String], remarks: &mut Vec<String>) {
    let folder = state_dir(args).unwrap_or_else(|| "/var/lib/katana-check".into());
    let spare = spool::spare_for(&folder);
    if channels.is_empty() || !spool::exists(&folder, Some(&spare)) {
        return;
    }
    let Ok(Opened::Ours(spool)) = spool::open(&folder, Some(&spare)) else {
        remarks.push("another run is at work; a channel that refused is tried again later".into());
        return;
    };
    let (mut book, _) = spool.load();
    let before = book.clone();
    channels.iter().for_each(|name| book.lift(name));
    if book != before
        && let Err(problem) = spool.save(&mut book)
    {
        remarks.push(problem);
    }
}

fn without_memory(problem: &str) -> String {
    format!("{problem}; people are told all the same, but the next run will not know it")
}

/// All that telling needs beside what was found.
pub struct Teller {
    /// Where the book lies; `None` when nothing can be remembered.
    pub spool: Option<Spool>,
    /// How often, and from where, people are told.
    pub telling: Telling,
    /// What people are told of.
    pub alert_on: AlertOn,
    /// The names of the configured watches; `None` while they cannot be read. What is checked
    /// then is a guess: it is printed, but is nothing to remember and nothing to tell.
    pub known: Option<Vec<String>>,
    /// When channels must be done.
    pub deadline: Instant,
}

impl Teller {
    /// Takes in what was found, and tells people what they do not know yet.
    pub fn tell(
        &self,
        checked: &[Checked],
        open: Vec<Box<dyn Channel>>,
        audience: &Audience,
        now: &Stamp,
        told: &mut Told,
    ) {
        let (mut book, problems) = self.spool.as_ref().map(Spool::load).unwrap_or_default();
        told.remarks.extend(problems);
        let before = book.clone();
        if let Some(known) = &self.known {
            for one in checked {
                one.enter(&mut book, self.alert_on, now);
            }
            let checked = checked.iter().map(|c| c.watch.name.as_str());
            let known = known.iter().map(String::as_str).chain(checked).collect();
            book.close_unwatched(&known, audience, now);
        }
        book.tidy(audience, now);
        let ready = open.iter().map(|c| c.name().to_owned()).collect();
        let ready = Audience { names: ready, ..audience.clone() };
        let dues = book.dues(&ready, &self.telling, now);
        for (name, left_ms) in book.held(now) {
            told.remarks.push(format!(
                "the channel {name} refused a notice for good; what waits for it is tried again in \
                 {}, or at once after --test-alert has worked",
                heartbeat::span(left_ms)
            ));
        }
        for due in &dues {
            book.attempt(due);
        }
        if book != before || self.spool.as_ref().is_some_and(Spool::is_misplaced) {
            self.save(&mut book, told);
        }
        if dues.is_empty() {
            return;
        }
        told.outcomes = self.offer(open, &dues, audience.mode, &mut book, now, &mut told.remarks);
    }

    fn offer(
        &self,
        open: Vec<Box<dyn Channel>>,
        dues: &[Due],
        mode: Mode,
        book: &mut Book,
        now: &Stamp,
        remarks: &mut Vec<String>,
    ) -> Vec<Outcome> {
        let mut mark = |due: &Due, outcome: &Outcome| {
            match &outcome.result {
                Ok(()) => book.accepted(due, &outcome.channel, mode, now),
                Err(failure) => book.refused(&outcome.channel, failure.permanent, now),
            }
            let Some(spool) = &self.spool else { return true };
            let saved = spool.save(book);
            let remark = match &saved {
                Ok(remark) => remark.clone(),
                Err(problem) => Some(format!("{problem}; this notice may come again")),
            };
            remarks.extend(remark.filter(|remark| !remarks.contains(remark)));
            // What cannot be marked is not sent, or it would come again every minute.
            saved.is_ok()
        };
        deliver(open, dues, mode, self.deadline, &mut mark)
    }

    fn save(&self, book: &mut Book, told: &mut Told) {
        match self.spool.as_ref().map(|spool| spool.save(book)) {
            None => {}
            Some(Ok(remark)) => told.remarks.extend(remark),
            Some(Err(problem)) => told.remarks.push(without_memory(&problem)),
        }
    }
}

/// The name of this machine.
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "unknown-host".to_owned(),
        name => name.to_owned(),
    }
}
