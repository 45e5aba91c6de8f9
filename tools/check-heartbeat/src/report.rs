//! What is printed, and the exit status.

use std::io::Write;

use heartbeat::{State, span};
use serde_json::{Value, json};

use crate::cli::Args;
use crate::config::Problem;
use crate::deliver::Outcome;
use crate::notification::Kind;
use crate::watch::Checked;

/// Exit status for wrong arguments (sysexits(3), `EX_USAGE`).
pub const EXIT_USAGE: u8 = 64;

/// Exit status for mistakes in the configuration (sysexits(3), `EX_CONFIG`).
pub const EXIT_CONFIG: u8 = 78;

/// Exit status of a Nagios plugin that could not do all of its work.
pub const EXIT_UNKNOWN: u8 = 3;

/// What was done about what was found.
#[derive(Debug, Default)]
pub struct Done {
    /// What came of each notice that was offered.
    pub outcomes: Vec<Outcome>,
    /// What else went wrong: lock, state, pings.
    pub remarks: Vec<String>,
    /// Whether another run was at work, so that nobody was told.
    pub busy: bool,
}

/// Writes a line to standard output. A reader that went away is no reason to fail.
pub fn out(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes a line to standard error, likewise.
pub fn err(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The worst of all states.
pub fn worst(checked: &[Checked]) -> State {
    checked.iter().map(|c| c.judgement.state).max().unwrap_or(State::Ok)
}

/// The exit status.
pub fn status(args: &Args, state: State, problems: bool) -> u8 {
    match (state, args.nagios) {
        (State::Critical, true) => 2,
        (State::Critical, false) => 1,
        (_, true) if problems => EXIT_UNKNOWN,
        (_, false) if problems => EXIT_CONFIG,
        (State::Warning, true) => 1,
        (State::Warning, false) => u8::from(args.warn_exit),
        (State::Ok, _) => 0,
    }
}

/// The exit status of a run that found out nothing: nobody knows whether all is well.
pub fn status_of_nothing(args: &Args) -> u8 {
    if args.nagios { EXIT_UNKNOWN } else { 1 }
}

/// Says that the run had to be ended; to Nagios, when it was told nothing before.
pub fn late(nagios: bool) {
    let line = "the check was ended after 49 s: a file or a disk gives no answer (look for processes \
                in state D, and for errors of a disk or a network file system in the kernel's log)";
    if nagios { out(&format!("HEARTBEAT UNKNOWN - {line}")) } else { err(line) }
}

/// Prints what was found, for people or for Nagios; for programs it comes later.
pub fn found(args: &Args, checked: &[Checked]) {
    if args.nagios {
        return out(&nagios(checked));
    }
    for one in checked {
        match one.judgement.state {
            State::Critical => err(&format!("CRITICAL: {}", one.line())),
            State::Warning if !args.quiet && !args.json => out(&format!("WARNING: {}", one.line())),
            State::Ok if !args.quiet && !args.json => out(&format!("OK: {}", one.line())),
            _ => {}
        }
    }
}

/// One line with performance data, as the Nagios plugin guidelines want it.
fn nagios(checked: &[Checked]) -> String {
    let state = worst(checked);
    let word = state.word().to_uppercase();
    // The bar begins the performance data.
    let line = |c: &Checked| c.line().replace('|', "/");
    let text = match checked {
        [one] => line(one),
        _ if state == State::Ok => format!("{} heartbeats are good", checked.len()),
        _ => {
            let bad = checked.iter().filter(|c| c.judgement.state > State::Ok);
            bad.map(line).collect::<Vec<_>>().join("; ")
        }
    };
    let data = checked.iter().filter_map(|c| {
        let age = c.judgement.age_ms? / 1000;
        let limit = c.watch.threshold.as_secs();
        let label = match checked {
            [_] => "age".to_owned(),
            _ => format!("'age {}'", c.watch.name.replace(['\'', '=', '|'], "_")),
        };
        Some(format!("{label}={age}s;{limit};{limit};0"))
    });
    let data = data.collect::<Vec<_>>().join(" ");
    format!("HEARTBEAT {word} - {text} | {data}").trim_end_matches([' ', '|']).to_owned()
}

/// Says what was done about it. What failed goes to standard error in any case.
pub fn done(args: &Args, done: &Done) {
    // A Nagios plugin has said its line; what follows would become a part of it.
    let fine = args.verbose && !args.json && !args.nagios;
    for remark in &done.remarks {
        err(remark);
    }
    if done.busy && fine {
        out("another check is at work on the same state directory: this one tells nobody");
    }
    for outcome in &done.outcomes {
        let (channel, kind) = (&outcome.channel, outcome.kind.word());
        match &outcome.result {
            Ok(()) if fine => out(&format!("told by {channel}: {kind} [{}]", outcome.incident)),
            Ok(()) => {}
            Err(failure) => err(&format!("channel {channel}: {}", words(failure))),
        }
        for remark in &outcome.remarks {
            err(&format!("channel {channel}: {remark}"));
        }
    }
}

fn words(failure: &crate::channel::Failure) -> String {
    match &failure.hint {
        Some(hint) => format!("{} ({hint})", failure.message),
        None => failure.message.clone(),
    }
}

/// Says for each channel what came of the test.
pub fn tested(args: &Args, outcomes: &[Outcome]) {
    for outcome in outcomes {
        let channel = &outcome.channel;
        match &outcome.result {
            Ok(()) if args.json => {}
            Ok(()) => out(&format!("channel {channel}: accepted")),
            Err(failure) => err(&format!("channel {channel}: {}", words(failure))),
        }
        for remark in &outcome.remarks {
            err(&format!("channel {channel}: {remark}"));
        }
    }
}

/// Says what is wrong with the configuration.
pub fn problems(problems: &[Problem]) {
    for problem in problems {
        err(&format!("configuration: {problem}"));
    }
}

/// All of it for programs, in one line.
pub fn json(checked: &[Checked], done: &Done, problems: &[Problem], exit: u8) -> String {
    json!({
        "state": worst(checked).word(),
        "exit": exit,
        "watches": checked.iter().map(watch).collect::<Vec<_>>(),
        "told": outcomes(&done.outcomes),
        "busy": done.busy,
        "remarks": done.remarks,
        "problems": problems
            .iter()
            .map(|p| json!({ "key": p.key, "message": p.message, "hint": p.hint }))
            .collect::<Vec<_>>(),
    })
    .to_string()
}

/// What came of each notice, for programs.
fn outcomes(outcomes: &[Outcome]) -> Vec<Value> {
    let one = |o: &Outcome| {
        json!({
            "channel": o.channel,
            "kind": o.kind.word(),
            "incident": if o.kind == Kind::Test { Value::Null } else { json!(o.incident) },
            "accepted": o.result.is_ok(),
            "message": o.result.as_ref().err().map(|f| f.message.clone()),
            "hint": o.result.as_ref().err().and_then(|f| f.hint.clone()),
            "remarks": o.remarks,
        })
    };
    outcomes.iter().map(one).collect()
}

fn watch(checked: &Checked) -> Value {
    let (watch, judgement) = (&checked.watch, &checked.judgement);
    let heartbeat = judgement.heartbeat.as_ref().map(|beat| {
        let finding = |f: &heartbeat::Finding| {
            json!({ "name": f.name, "severity": f.severity.word(), "text": f.text })
        };
        json!({
            "time": heartbeat::rfc3339::format(beat.time_ms),
            "verdict": beat.verdict.word(),
            "version": beat.version,
            "environment": beat.environment,
            "pid": beat.pid,
            "sequence": beat.sequence,
            "findings": beat.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    });
    json!({
        "name": watch.name,
        "file": watch.file.display().to_string(),
        "threshold_s": watch.threshold.as_secs(),
        "state": judgement.state.word(),
        "reason": judgement.reason.word(),
        "text": judgement.text,
        "age_ms": judgement.age_ms,
        "age": judgement.age_ms.map(span),
        "heartbeat": heartbeat,
    })
}
