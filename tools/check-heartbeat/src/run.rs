//! One run: check, print, then send what the channels have not accepted yet.
//!
//! The result is printed before anything is sent, and needs neither configuration nor state nor
//! network. The whole run ends within 50 s: channels get what is left until `CHANNELS`, each call
//! into a disk has a limit of its own, and what hangs all the same is ended at `LATE` with the exit
//! status that is known by then. As long as all is well and in memory, there is one thread only.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use heartbeat::{Now, State};
use hygiene::quick;

use crate::as_user;
use crate::channel::{self, Failure};
use crate::cli::Args;
use crate::config::{Config, Problem};
use crate::control;
use crate::deliver::{Job, Outcome, deliver};
use crate::notification::Notification;
use crate::notify::{clear_backoff, host, notify, open_channels, open_secrets};
use crate::repeat;
use crate::report::{self, Done};
use crate::watch::{Checked, Watch, check_all};
use hygiene::time_limit::{by, start, within};

/// When channels must be done, after the start of the run. A second of grace for them and one last
/// call into a disk fit in before [`LATE`].
const CHANNELS: Duration = Duration::from_secs(43);
/// When pings must be done, after the start of the run.
const PINGS: Duration = Duration::from_secs(20);
/// When the run is ended whatever it waits for, after its start.
const LATE: Duration = Duration::from_secs(49);
/// How long a terminal or a pipe may take to accept the last line.
const LAST_LINE: Duration = Duration::from_millis(500);

/// Does one run and returns its exit status.
pub fn run(args: &Args) -> u8 {
    let begun = Instant::now();
    if let Some(status) = as_user::run(args) {
        return status;
    }
    if let Some(every) = args.every {
        return repeat::run(every, args.nagios);
    }
    if let Some(action) = &args.action {
        return control::run(args, action);
    }
    let known = Arc::new(AtomicU8::new(if args.nagios { report::EXIT_UNKNOWN } else { 1 }));
    end_in_time(args.nagios, begun, &known);
    let config = Config::load(args.config.as_deref());
    if args.test_alert {
        return test_alert(args, config, begun);
    }
    let now = Now::read();
    let checked = check_all(&config.watches_of(args), &now);
    let mut problems = config.problems.clone();
    let exit = report::status(args, report::worst(&checked), !problems.is_empty());
    known.store(exit, Ordering::Relaxed);
    if !report::is_ready() {
        quick::waiting();
    }
    // A plugin has one line for everything, so it looks at the channels first.
    let early = (args.nagios && !args.no_alert).then(|| open_channels(&config, &mut problems));
    // For cron, which mails what is printed: what people have not heard in another way, and so after that.
    let is_late = args.quiet && !args.nagios && !args.json && !args.no_alert;
    if !is_late {
        report::found(args, &checked, &problems);
    }
    let mut done = Done::default();
    if !args.no_alert {
        let channels = early.unwrap_or_else(|| open_channels(&config, &mut problems));
        let pings = start_pings(&checked, begun + PINGS);
        done = notify(args, &config, &checked, &now, begun + CHANNELS, channels);
        collect_pings(pings, begun + PINGS, &mut done);
    }
    if is_late && !done.is_known {
        report::found(args, &checked, &problems);
    }
    let exit = report::status(args, report::worst(&checked), !problems.is_empty());
    report::problems(args, &problems);
    report::done(args, &done);
    if args.json {
        report::out(&report::json(&checked, &done, &problems, exit));
    }
    exit
}

/// Ends the run at [`LATE`] with the exit status that is known by then. The thread for that is started
/// before the first thing that may wait: a run in which all is well needs none.
fn end_in_time(nagios: bool, begun: Instant, known: &Arc<AtomicU8>) {
    let (known, started) = (Arc::clone(known), Once::new());
    quick::before_waiting(move || {
        let known = Arc::clone(&known);
        started.call_once(|| {
            drop(start(move || {
                thread::sleep(LATE.saturating_sub(begun.elapsed()));
                let status = known.load(Ordering::Relaxed);
                // Standard error may be what hangs.
                within(LAST_LINE, move || report::late(nagios && status == report::EXIT_UNKNOWN));
                std::process::exit(i32::from(status))
            }));
        });
    });
}

/// The name of a watch, and where the answer to its ping arrives.
type Ping = (String, Receiver<Result<(), Failure>>);

/// Starts the pings of all watches that are OK. A warning is not OK: the service that counts on the
/// ping also alarms for a daemon that stays degraded.
fn start_pings(checked: &[Checked], deadline: Instant) -> Vec<Ping> {
    // One address for several watches stands for all of them: silent while one is not OK.
    let bad = checked.iter().filter(|one| one.judgement.state != State::Ok);
    let mut settled: BTreeSet<_> = bad.filter_map(|one| one.watch.ping_url.as_ref()).collect();
    let mut pings = Vec::new();
    for Watch { name, ping_url, .. } in checked.iter().map(|one| &one.watch) {
        if let Some(url) = ping_url.as_ref().filter(|url| settled.insert(url)) {
            let url = url.clone();
            quick::waiting();
            pings.push((name.clone(), start(move || channel::ping(&url, deadline))));
        }
    }
    pings
}

/// Waits for the answers, and notes what failed.
fn collect_pings(pings: Vec<Ping>, deadline: Instant, done: &mut Done) {
    // A ping ends by its deadline; the margin is for what the network stack may add.
    let until = deadline + Duration::from_secs(1);
    for (watch, answer) in pings {
        let late = || Err(Failure::transient("there was no answer in time"));
        if let Err(failure) = by(until, &answer).unwrap_or_else(late) {
            done.remarks.push(format!("ping_url of {watch}: {failure}"));
        }
    }
}

/// Sends a test through every channel, whatever the mode, and prints each answer.
fn test_alert(args: &Args, config: Config, begun: Instant) -> u8 {
    quick::waiting();
    let mut problems = config.problems.clone();
    let (channels, _) = open_channels(&config, &mut problems);
    // Here rather than at each check, which would repeat it every minute.
    open_secrets(&config).iter().for_each(|open| report::err(&format!("warning: {open}")));
    let now = Now::read();
    let test = Notification {
        incident: format!("test-{:x}", now.time_ms.max(0)),
        number: 1,
        watch: config.watches_of(args).swap_remove(0).name,
        host: host(&config),
        summary: "This is a test; nothing is wrong.".to_owned(),
        details: vec!["Someone ran check-heartbeat --test-alert.".to_owned()],
        at_ms: now.time_ms,
        started_ms: now.time_ms,
        ..Notification::default()
    };
    if channels.is_empty() && problems.is_empty() {
        let hint = "write a [[channel]] table, for which alert-channels.md has examples, or set TELEGRAM_ALERT_BOT_TOKEN and \
                    TELEGRAM_ALERT_CHAT_ID";
        problems.push(Problem::new("", "no channel is configured", hint));
    }
    let jobs: Vec<Job> = channels.into_iter().map(|c| (c, vec![test.clone()])).collect();
    let outcomes = deliver(jobs, begun + CHANNELS, &mut |_| true);
    let accepted = |o: &Outcome| format!("channel {}: accepted", o.channel);
    report::answers(&outcomes, |o| (!args.json).then(|| accepted(o)));
    let works = outcomes.iter().filter(|o| o.result.is_ok()).map(|o| o.channel.clone());
    let works: Vec<String> = works.collect();
    clear_backoff(args, &works).iter().for_each(|remark| report::err(remark));
    report::problems(args, &problems);
    let exit = match problems.is_empty() {
        true => u8::from(works.len() < outcomes.len()),
        false => report::EXIT_CONFIG,
    };
    if args.json {
        let done = Done { outcomes, ..Done::default() };
        report::out(&report::json(&[], &done, &problems, exit));
    }
    exit
}
