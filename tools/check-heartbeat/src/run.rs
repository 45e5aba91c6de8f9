//! One run: judge, say it, then tell people what they do not know yet.
//!
//! The judgement is printed before anything is sent, and needs neither configuration nor state nor
//! network. The whole run ends within 50 s: channels get what is left until [`ALERTS`].

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use heartbeat::{Now, State};

use crate::channel::{self, Channel, Environment, Failure};
use crate::cli::Args;
use crate::config::{Config, Entry, Problem};
use crate::deliver::{Outcome, deliver};
use crate::dues::{Due, Telling};
use crate::incident::{Audience, Book, Mode};
use crate::notice::{Kind, Level, Notice};
use crate::report::{self, Told};
use crate::spool::{self, Opened, Spool};
use crate::stamp::Stamp;
use crate::watch::{AlertOn, Checked, Watch};

/// When channels must be done, after the start of the run.
const ALERTS: Duration = Duration::from_secs(44);

/// When pings must be done, after the start of the run.
const PINGS: Duration = Duration::from_secs(20);

/// The channels that can be used now, and who else is to be told one day.
struct Channels {
    open: Vec<Box<dyn Channel>>,
    /// Every channel that is configured, whether it could be opened or not.
    audience: Audience,
    problems: Vec<Problem>,
}

/// Does one run and returns its exit status.
pub fn run(args: &Args) -> u8 {
    let begun = Instant::now();
    let config = Config::load(args.config.as_deref());
    if args.test_alert {
        return test_alert(args, config, begun);
    }
    let now = Now::read();
    let checked: Vec<Checked> = watches(args, &config).iter().map(|w| w.check(&now)).collect();
    report::found(args, &checked);
    let mut problems = config.problems.clone();
    let mut told = Told::default();
    if !args.no_alert {
        let pings = ping(&checked, begun + PINGS);
        told = tell(args, &config, &checked, &now, begun, &mut problems);
        collect_pings(pings, begun + PINGS, &mut told);
    }
    let exit = report::status(args, report::worst(&checked), !problems.is_empty());
    report::problems(&problems);
    report::told(args, &told);
    if args.json {
        report::out(&report::json(&checked, &told, &problems, exit));
    }
    exit
}

/// What to check: the one file that was named, else what is configured, else the packaged file.
fn watches(args: &Args, config: &Config) -> Vec<Watch> {
    let default = |file: &Path| Watch {
        name: Watch::name_for(file),
        file: file.to_owned(),
        threshold: Duration::from_secs(heartbeat::DEFAULT_THRESHOLD_S),
        stopped_ok: false,
        ping_url: config.ping_url.clone(),
        patience: config.patience,
    };
    let mut watches = match &args.file {
        Some(file) => {
            let known = config.watches.iter().find(|w| w.file == *file).cloned();
            vec![known.unwrap_or_else(|| default(file))]
        }
        None if config.watches.is_empty() => vec![default(Path::new(heartbeat::DEFAULT_PATH))],
        None => config.watches.clone(),
    };
    if let Some(threshold) = args.threshold {
        watches.iter_mut().for_each(|watch| watch.threshold = threshold);
    }
    watches
}

/// Opens the channels of the configuration, else the one that the environment describes.
fn open_channels(config: &Config) -> Channels {
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
    if spool::own_uid() == Some(0) {
        return Some("/var/lib/katana-check".into());
    }
    let state = variable("XDG_STATE_HOME");
    let state = state.or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    state.map(|dir| dir.join("check-heartbeat"))
}

/// Tells people what they do not know yet.
fn tell(
    args: &Args,
    config: &Config,
    checked: &[Checked],
    now: &Now,
    begun: Instant,
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
    let spool = match spool::open(&folder, spool::spare_for(&folder).as_deref()) {
        Ok(Opened::Ours(spool)) => Some(spool),
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
    let teller = Teller { spool, telling, alert_on: config.alert_on, deadline: begun + ALERTS };
    teller.tell(checked, channels.open, &channels.audience, &Stamp::from(now), &mut told);
    told
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
        for one in checked {
            one.enter(&mut book, self.alert_on, now);
        }
        book.tidy(audience, now);
        let ready = open.iter().map(|c| c.name().to_owned()).collect();
        let ready = Audience { names: ready, ..audience.clone() };
        let dues = book.dues(&ready, &self.telling, now);
        for due in &dues {
            book.attempt(due);
        }
        if book != before {
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
            if let Err(problem) = &saved {
                remarks.push(format!("{problem}; this notice may come again"));
            }
            // What cannot be marked is not sent, or it would come again every minute.
            saved.is_ok()
        };
        deliver(open, dues, mode, self.deadline, &mut mark)
    }

    fn save(&self, book: &mut Book, told: &mut Told) {
        if let Some(Err(problem)) = self.spool.as_ref().map(|spool| spool.save(book)) {
            told.remarks.push(without_memory(&problem));
        }
    }
}

/// The name of this machine.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "unknown-host".to_owned(),
        name => name.to_owned(),
    }
}

/// Starts the pings of all watches that are not critical.
fn ping(checked: &[Checked], deadline: Instant) -> Vec<(String, JoinHandle<Result<(), Failure>>)> {
    let good = checked.iter().filter(|c| c.judgement.state != State::Critical);
    let mut started: Vec<(String, JoinHandle<_>)> = Vec::new();
    let mut urls: Vec<String> = Vec::new();
    for url in good.filter_map(|c| c.watch.ping_url.clone()) {
        // One address for several watches means all of them: it stays silent while one is bad.
        let shared = |c: &&Checked| c.watch.ping_url.as_ref() == Some(&url);
        let bad = checked.iter().filter(shared).any(|c| c.judgement.state == State::Critical);
        if bad || urls.contains(&url) {
            continue;
        }
        urls.push(url.clone());
        let name = checked.iter().find(shared).map(|c| c.watch.name.clone()).unwrap_or_default();
        started.push((name, thread::spawn(move || channel::ping(&url, deadline))));
    }
    started
}

fn collect_pings(
    pings: Vec<(String, JoinHandle<Result<(), Failure>>)>,
    deadline: Instant,
    told: &mut Told,
) {
    for (watch, ping) in pings {
        // A ping ends by its deadline; the margin is for what the network stack may add.
        while !ping.is_finished() && Instant::now() < deadline + Duration::from_secs(1) {
            thread::park_timeout(Duration::from_millis(5));
        }
        let failure = match ping.is_finished().then(|| ping.join()) {
            Some(Ok(Ok(()))) => continue,
            Some(Ok(Err(failure))) => failure.message,
            Some(Err(_)) | None => "cannot ping: there was no answer in time".to_owned(),
        };
        told.remarks.push(format!("ping_url of {watch}: {failure}"));
    }
}

/// Sends a test through every channel, whatever the mode, and says what came of each.
fn test_alert(args: &Args, config: Config, begun: Instant) -> u8 {
    let channels = open_channels(&config);
    let mut problems = config.problems.clone();
    problems.extend(channels.problems);
    let now = Now::read();
    let watch = watches(args, &config).into_iter().next().map(|w| w.name).unwrap_or_default();
    let incident = format!("test-{:x}", now.time_ms.max(0));
    let notice = Notice {
        incident: incident.clone(),
        number: 1,
        kind: Kind::Test,
        level: Level::Warning,
        watch,
        finding: None,
        host: config.host.clone().unwrap_or_else(host),
        environment: None,
        summary: "This is a test; nothing is wrong.".to_owned(),
        details: vec!["Somebody ran check-heartbeat --test-alert.".to_owned()],
        started_ms: now.time_ms,
        ended_ms: None,
        duration_s: None,
        at_ms: now.time_ms,
    };
    let due = |channel: &Box<dyn Channel>| Due {
        kind: Kind::Test,
        incidents: vec![incident.clone()],
        offers: vec![(channel.name().to_owned(), notice.clone())],
    };
    let dues: Vec<Due> = channels.open.iter().map(due).collect();
    let count = dues.len();
    let outcomes = deliver(channels.open, &dues, Mode::All, begun + ALERTS, &mut |_, _| true);
    report::tested(args, &outcomes);
    report::problems(&problems);
    if count == 0 && problems.is_empty() {
        report::err(
            "no channel is configured (write a [[channel]] table, or set TELEGRAM_ALERT_BOT_TOKEN \
             and TELEGRAM_ALERT_CHAT_ID)",
        );
    }
    let accepted = outcomes.iter().filter(|o| o.result.is_ok()).count();
    let exit = match accepted == count && count > 0 {
        _ if !problems.is_empty() || count == 0 => report::EXIT_CONFIG,
        true => 0,
        false => 1,
    };
    if args.json {
        let told = Told { outcomes, ..Told::default() };
        report::out(&report::json(&[], &told, &problems, exit));
    }
    exit
}
