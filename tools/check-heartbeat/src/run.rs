//! One run: judge, say it, then tell people what they do not know yet.
//!
//! The judgement is printed before anything is sent, and needs neither configuration nor state nor
//! network. The whole run ends within 50 s: channels get what is left until `ALERTS`, each call
//! into a disk has a limit of its own, and what hangs all the same is ended at `LATE` with the exit
//! status that is known by then.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use heartbeat::{Now, State};

use crate::bound::{alarm, within};
use crate::channel::{self, Failure};
use crate::cli::Args;
use crate::config::Config;
use crate::deliver::deliver;
use crate::dues::Due;
use crate::incident::Mode;
use crate::notice::{Kind, Level, Notice};
use crate::report::{self, Told};
use crate::tell::{host, lift, open_channels, tell};
use crate::watch::{Checked, Watch, check_all};

/// When channels must be done, after the start of the run.
///
/// A second of patience with them and one last call into a disk fit in before `LATE`.
const ALERTS: Duration = Duration::from_secs(43);

/// When pings must be done, after the start of the run.
const PINGS: Duration = Duration::from_secs(20);

/// When the run is ended whatever it waits for, after its start.
const LATE: Duration = Duration::from_secs(49);

/// How long a terminal or a pipe may take to accept the last line.
const LAST_LINE: Duration = Duration::from_millis(500);

/// Does one run and returns its exit status.
pub fn run(args: &Args) -> u8 {
    let begun = Instant::now();
    let known = Arc::new(AtomicU8::new(report::status_of_nothing(args)));
    let (nagios, status) = (args.nagios, known.clone());
    alarm(LATE, move || {
        let status = status.load(Ordering::Relaxed);
        // Standard error may be what hangs.
        within(LAST_LINE, move || report::late(nagios && status == report::EXIT_UNKNOWN));
        std::process::exit(i32::from(status));
    });
    by(args, begun, &known)
}

/// One run. `known` is the exit status as far as it is known, in case it has to be ended.
fn by(args: &Args, begun: Instant, known: &AtomicU8) -> u8 {
    let config = Config::load(args.config.as_deref());
    if args.test_alert {
        return test_alert(args, config, begun);
    }
    let now = Now::read();
    let checked = check_all(&watches(args, &config), &now);
    let mut problems = config.problems.clone();
    let exit = report::status(args, report::worst(&checked), !problems.is_empty());
    known.store(exit, Ordering::Relaxed);
    report::found(args, &checked);
    let mut told = Told::default();
    if !args.no_alert {
        let pings = ping(&checked, begun + PINGS);
        told = tell(args, &config, &checked, &now, begun + ALERTS, &mut problems);
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

/// Pings on their way: the watches that wait for them, and where the answers arrive.
struct Pings {
    waiting: Vec<String>,
    answers: Receiver<(String, Result<(), Failure>)>,
}

/// Starts the pings of all watches that are good. A warning is not good: whoever counts on the ping
/// hears of a bot that stays degraded, too.
fn ping(checked: &[Checked], deadline: Instant) -> Pings {
    let (sender, answers) = mpsc::channel();
    let mut waiting = Vec::new();
    let mut urls: Vec<&String> = Vec::new();
    for one in checked {
        let Some(url) = &one.watch.ping_url else { continue };
        // One address for several watches means all of them: it stays silent while one is not good.
        let mut shared = checked.iter().filter(|c| c.watch.ping_url.as_ref() == Some(url));
        let bad = shared.any(|c| c.judgement.state != State::Ok);
        if bad || urls.contains(&url) {
            continue;
        }
        urls.push(url);
        let (name, url, sender) = (one.watch.name.clone(), url.clone(), sender.clone());
        waiting.push(name.clone());
        thread::spawn(move || {
            // Nobody listens any more once the run has ended.
            let _ = sender.send((name, channel::ping(&url, deadline)));
        });
    }
    Pings { waiting, answers }
}

/// Waits for the answers, and notes what failed.
fn collect_pings(mut pings: Pings, deadline: Instant, told: &mut Told) {
    // A ping ends by its deadline; the margin is for what the network stack may add.
    let until = deadline + Duration::from_secs(1);
    while !pings.waiting.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        let Ok((watch, answer)) = pings.answers.recv_timeout(left) else { break };
        pings.waiting.retain(|name| *name != watch);
        if let Err(failure) = answer {
            let hint = failure.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            told.remarks.push(format!("ping_url of {watch}: {}{hint}", failure.message));
        }
    }
    for watch in pings.waiting {
        told.remarks.push(format!("ping_url of {watch}: there was no answer in time"));
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
    let due = |name: &str| Due {
        kind: Kind::Test,
        incidents: vec![incident.clone()],
        offers: vec![(name.to_owned(), notice.clone())],
    };
    let dues: Vec<Due> = channels.open.iter().map(|channel| due(channel.name())).collect();
    let count = dues.len();
    let outcomes = deliver(channels.open, &dues, Mode::All, begun + ALERTS, &mut |_, _| true);
    report::tested(args, &outcomes);
    let works = outcomes.iter().filter(|o| o.result.is_ok()).map(|o| o.channel.clone());
    let mut remarks = Vec::new();
    lift(args, &works.collect::<Vec<_>>(), &mut remarks);
    remarks.iter().for_each(|remark| report::err(remark));
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
