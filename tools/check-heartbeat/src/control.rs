//! What people do about incidents: a silence, an acknowledgement, and a look at what goes on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use heartbeat::Now;
use hygiene::line::one_line;
use hygiene::{duration, ownership};

use crate::cli::{Action, Args};
use crate::clock::{clock, typed};
use crate::config::Config;
use crate::incident::{Ack, Incident};
use crate::incident_log::IncidentLog;
use crate::notification::Level;
use crate::notify::take_in;
use crate::outages;
use crate::report;
use crate::silence::Silence;
use crate::state_dir::{self, StateDir};
use crate::watch::check_all;

/// Longest reason, in characters.
const REASON: usize = 200;
/// Longest silence: one that outlives what people remember hides outages.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);
/// How long to wait for a check that is at work.
const BUSY: Duration = Duration::from_secs(55);

/// Does it, and returns the exit status.
pub fn run(args: &Args, action: &Action) -> u8 {
    let now = Now::read();
    match done(args, action, &now) {
        Ok(lines) => {
            lines.iter().for_each(|line| report::out(line));
            0
        }
        Err((status, why)) => {
            report::err(&why);
            status
        }
    }
}

fn done(args: &Args, action: &Action, now: &Now) -> Result<Vec<String>, (u8, String)> {
    let wanted = match action {
        Action::Silence { time, until, .. } => length(*time, until.as_deref(), now)?,
        _ => Duration::ZERO,
    };
    if let Action::Status { metrics } = action {
        return look(args, *metrics, now).map_err(|why| (1, why));
    }
    let mut state = open(args).map_err(|why| (1, why))?;
    let (mut log, _) = state.load();
    let lines = match action {
        Action::Status { .. } => Vec::new(), // above
        Action::Ack { reason } => acknowledge(&mut log, reason, now),
        Action::Silence { end: true, .. } => match log.end_silence() {
            true => vec!["The silence has ended: what goes on is sent with the next check.".into()],
            false => vec!["There was no silence.".to_owned()],
        },
        Action::Silence { reason, everything, .. } => {
            log.silence(Silence {
                since: now.clone(),
                duration_ms: u64::try_from(wanted.as_millis()).unwrap_or(u64::MAX),
                by: person(),
                reason: one_line(reason, REASON),
                everything: *everything,
                taken: false,
                held: BTreeSet::new(),
            });
            status(&log, now)
        }
    };
    let saved = state.save(&mut log);
    let remarks = state.remarks();
    if !saved {
        return Err((1, remarks.join("; ")));
    }
    Ok(lines.into_iter().chain(remarks).collect())
}

/// What goes on and how much of the time all was well, with what a check finds now: there may be none that
/// remembers. Saves nothing.
fn look(args: &Args, metrics: bool, now: &Now) -> Result<Vec<String>, String> {
    let config = Config::load(args.config.as_deref());
    let mut watches = config.watches_of(args);
    watches.iter_mut().for_each(|watch| watch.failures_needed = 1);
    let checked = check_all(&watches, now);
    let mut state = open(args)?;
    let (mut log, _) = state.load();
    if config.watches_known {
        take_in(&mut log, &checked, &config, now);
    }
    let known = state.outages();
    let spans = outages::spans(watches.into_iter().map(|watch| watch.name), &known, &log, now);
    let since_ms = state.observed_since(&known, now);
    Ok(match metrics {
        true => outages::metrics(&spans, since_ms, now),
        false => [status(&log, now), outages::in_words(&spans, since_ms, now)].concat(),
    })
}

/// How long a silence shall be.
fn length(
    time: Option<Duration>,
    until: Option<&str>,
    now: &Now,
) -> Result<Duration, (u8, String)> {
    let wrong = |why: String| (report::EXIT_USAGE, why);
    let length = match (time, until) {
        (Some(time), _) => time,
        (None, Some(until)) => {
            let until =
                typed(until, now.time_ms).map_err(|why| wrong(format!("--until: {why}")))?;
            Duration::from_millis(u64::try_from(until - now.time_ms).unwrap_or(0))
        }
        (None, None) => return Ok(Duration::ZERO),
    };
    match length.is_zero() || length > LONGEST {
        true => Err(wrong("a silence ends in the future, within 30 days".to_owned())),
        false => Ok(length),
    }
}

/// The state directory, as soon as no check is at work on it.
fn open(args: &Args) -> Result<StateDir, String> {
    let begun = Instant::now();
    loop {
        if let Some(state) = StateDir::open(state_dir::folders(args))? {
            return Ok(state);
        }
        if begun.elapsed() > BUSY {
            return Err("a check has been at work for too long; try again".to_owned());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Who does this: root says as whom they logged in.
fn person() -> String {
    let names = ["SUDO_USER", "USER", "LOGNAME"].map(|name| std::env::var(name).ok());
    let named = names.into_iter().flatten().find(|name| !name.is_empty());
    let named = named.map(|name| one_line(&name, 40));
    named.unwrap_or_else(|| match ownership::own_uid() {
        0 => "root".to_owned(),
        uid => format!("user {uid}"),
    })
}

fn acknowledge(log: &mut IncidentLog, reason: &str, now: &Now) -> Vec<String> {
    let (by, reason) = (person(), one_line(reason, REASON));
    for incident in log.incidents.iter_mut().filter(|incident| incident.end.is_none()) {
        incident.ack = Some(Ack { at: now.clone(), by: by.clone(), reason: reason.clone() });
    }
    status(log, now)
}

/// What goes on, for people.
fn status(log: &IncidentLog, now: &Now) -> Vec<String> {
    let mut lines = Vec::new();
    let open = || log.incidents.iter().filter(|incident| incident.end.is_none());
    if open().next().is_none() {
        lines.push("No incident goes on.".to_owned());
    }
    open().for_each(|incident| lines.extend(shown(incident, now)));
    let silence = log.silence.as_ref().filter(|silence| silence.left_ms(now) > 0);
    lines.extend(silence.map(|silence| format!("Silence: {}", silence.words(now))));
    lines
}

fn shown(incident: &Incident, now: &Now) -> Vec<String> {
    let state = if incident.bad.level == Level::Critical { "DOWN" } else { "WARNING" };
    let finding = incident.subject.finding.as_ref().map(|f| format!(", {f}")).unwrap_or_default();
    let since = clock(incident.started.seen_from_ms(now));
    let lasts = duration::in_words(incident.started.elapsed_ms(now));
    let mut lines = vec![
        format!("{state}: {}{finding}: {}", incident.subject.watch, incident.latest),
        format!("  since {since}, for {lasts} [{}]", incident.id),
    ];
    if let Some(Ack { by, reason, .. }) = &incident.ack {
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        lines.push(format!("  acknowledged by {by}{reason}; no reminders"));
    }
    if incident.is_silenced() {
        lines.push("  held back by the silence".to_owned());
    }
    let waits = incident.progress.iter().filter(|(_, progress)| progress.last.is_none());
    let waits: Vec<&str> = waits.map(|(name, _)| name.as_str()).collect();
    if !waits.is_empty() && !incident.is_silenced() {
        lines.push(format!("  not sent yet: {}", waits.join(", ")));
    }
    lines
}
