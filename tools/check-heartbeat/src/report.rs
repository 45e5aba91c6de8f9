//! What is printed, and the exit status.

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};

use heartbeat::State;
use hygiene::duration;
use hygiene::line::{harmless, harmless_json, one_line};
use hygiene::redact::without_tokens;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

use crate::cli::Args;
use crate::deliver::Outcome;
use crate::notification::Kind;
use crate::problem::Problem;
use crate::watch::{Checked, Watch};

/// Exit status for wrong arguments (sysexits(3), `EX_USAGE`).
pub const EXIT_USAGE: u8 = 64;
/// Exit status for mistakes in the configuration (sysexits(3), `EX_CONFIG`).
pub const EXIT_CONFIG: u8 = 78;
/// Exit status for what only root and the checker's user may do (sysexits(3), `EX_NOPERM`).
pub const EXIT_NOPERM: u8 = 77;
/// Exit status of a Nagios plugin that could not do all of its work.
pub const EXIT_UNKNOWN: u8 = 3;

/// What a plugin has answered so far.
static ANSWER: AtomicU8 = AtomicU8::new(EXIT_UNKNOWN);

/// What was done about what was found.
#[derive(Debug, Default)]
pub struct Done {
    pub outcomes: Vec<Outcome>,
    /// What else went wrong: lock, state, pings.
    pub remarks: Vec<String>,
    /// The silence that is in effect, in words.
    pub silence: Option<String>,
    /// Whether a channel has accepted what is wrong, or a silence holds it back.
    pub is_known: bool,
    /// Whether another run was at work, so that nothing was sent.
    pub busy: bool,
}

/// Whether both outputs take a few lines at once. A pipe that no one empties would hold the run up.
pub fn is_ready() -> bool {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let mut both = [PollFd::new(&out, PollFlags::OUT), PollFd::new(&err, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut both, Some(&at_once)).is_ok_and(|ready| ready == both.len())
}

/// Writes a line to standard output. A reader that went away is not a reason to fail. Who reads it on a
/// terminal is safe from the names and texts in it, and sees no token that someone gave as an argument.
pub fn out(line: &str) {
    let _ = writeln!(std::io::stdout(), "{}", without_tokens(&harmless(line)));
}

/// Writes a line to standard error, likewise.
pub fn err(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", without_tokens(&harmless(line)));
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

/// Says that the run was ended; to Nagios, when it has no line yet.
pub fn late(nagios: bool) {
    let line = "the check was ended after 49 s: a file or a disk gives no answer (look for processes \
                in state D, and for errors of a disk or a network file system in the kernel's log)";
    if nagios { unknown(line) } else { err(line) }
}

/// Prints what was found, for people or for Nagios; for programs it comes later.
pub fn found(args: &Args, checked: &[Checked], problems: &[Problem]) {
    if args.nagios {
        out(&nagios(checked, problems));
        return ANSWER.store(status(args, worst(checked), !problems.is_empty()), Ordering::Relaxed);
    }
    for one in checked {
        let state = one.judgement.state;
        let line = format!("{}: {}", state.word().to_uppercase(), one.line());
        match state {
            State::Critical => err(&line),
            _ if args.quiet || args.json => {}
            _ => out(&line),
        }
    }
}

/// What a plugin prints when it cannot do its work: the reason, and never OK.
pub fn unknown(why: &str) {
    out(&format!("HEARTBEAT UNKNOWN - {}", plain(why)));
}

/// From now on a bug ends a plugin with a line and a status as well, whichever thread meets it.
pub fn answer_when_broken() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        let answer = ANSWER.load(Ordering::Relaxed);
        if answer == EXIT_UNKNOWN {
            // Its message may quote a value, and this line goes to the monitoring system.
            let place = panic.location().map(|place| format!(", at {place}")).unwrap_or_default();
            let more = "standard error says more; please report it";
            unknown(&format!("the check itself has failed{place}: {more}"));
        }
        std::process::exit(i32::from(answer))
    }));
}

/// Says why there is no check, and returns the exit status: `status`, or that of a plugin.
pub fn gives_up(nagios: bool, why: &str, status: u8) -> u8 {
    if nagios {
        unknown(why);
        return EXIT_UNKNOWN;
    }
    err(why);
    status
}

/// One line; the bar begins the performance data.
fn plain(text: &str) -> String {
    one_line(text, 1_000).replace('|', "/")
}

/// As the Nagios plugin guidelines want it: one line with performance data, and for several watches one
/// more line each.
fn nagios(checked: &[Checked], problems: &[Problem]) -> String {
    let state = worst(checked);
    let shown = checked.iter().filter(|c| checked.len() == 1 || c.judgement.state > State::Ok);
    let mut lines: Vec<String> = shown.map(|c| plain(&c.line())).collect();
    if lines.is_empty() {
        lines.push(format!("{} heartbeats are good", checked.len()));
    }
    let mut word = state.word().to_uppercase();
    if !problems.is_empty() {
        let mistakes = problems.iter().map(|p| plain(&format!("configuration: {p}")));
        if state == State::Critical {
            lines.extend(mistakes);
        } else {
            // What it found may be about the wrong files, by the wrong thresholds.
            lines = mistakes.collect();
            word = "UNKNOWN".to_owned();
        }
    }
    let data = checked.iter().filter_map(|c| {
        let age = c.judgement.age_ms? / 1000;
        let limit = c.watch.threshold.0.as_secs();
        let warning = c.watch.warning.map_or(limit, |warning| warning.0.as_secs());
        let label = match checked {
            [_] => "age".to_owned(),
            _ => format!("'age {}'", c.watch.name.replace(['\'', '=', '|'], "_")),
        };
        Some(format!("{label}={age}s;{warning};{limit};0"))
    });
    let data = data.collect::<Vec<_>>().join(" ");
    let line = format!("HEARTBEAT {word} - {} | {data}", lines.join("; "));
    let mut text = line.trim_end_matches([' ', '|']).to_owned();
    for one in checked.iter().filter(|_| checked.len() > 1) {
        let state = one.judgement.state.word().to_uppercase();
        text.push_str(&format!("\n{state}: {}", plain(&one.line())));
    }
    text
}

/// Prints what was done about it. What failed goes to standard error in any case.
pub fn done(args: &Args, done: &Done) {
    // A Nagios plugin has printed its line; what follows would become a part of it.
    let verbose = args.verbose && !args.json && !args.nagios;
    done.remarks.iter().for_each(|remark| err(remark));
    let shown = done.silence.iter().filter(|_| !args.quiet && !args.json && !args.nagios);
    shown.for_each(|silence| out(&format!("Silence: {silence}")));
    if done.busy && verbose {
        out("another check is at work on the same state directory: this one sends nothing");
    }
    answers(&done.outcomes, |Outcome { channel, notification, .. }| {
        let kind = json!(notification.kind).to_string().replace('"', "");
        verbose.then(|| format!("sent through {channel}: {kind} [{}]", notification.incident))
    });
}

/// Prints what each channel answered. `good`: the line for what was accepted, if any.
pub fn answers(outcomes: &[Outcome], good: impl Fn(&Outcome) -> Option<String>) {
    for outcome in outcomes {
        let failure = outcome.result.as_ref().err().map(ToString::to_string);
        if failure.is_none() {
            good(outcome).iter().for_each(|line| out(line));
        }
        for line in failure.iter().chain(outcome.result.iter().flat_map(|taken| &taken.remarks)) {
            err(&format!("channel {}: {line}", outcome.channel));
        }
    }
}

/// Prints what is wrong with the configuration; a plugin has said it in its line.
pub fn problems(args: &Args, problems: &[Problem]) {
    let problems = if args.nagios { &[] } else { problems };
    problems.iter().for_each(|problem| err(&format!("configuration: {problem}")));
}

/// All of it for programs, in one line.
pub fn json(checked: &[Checked], done: &Done, problems: &[Problem], exit: u8) -> String {
    let found = json!({
        "state": worst(checked).word(),
        "exit": exit,
        "watches": checked.iter().map(watch).collect::<Vec<_>>(),
        "told": done.outcomes.iter().map(outcome).collect::<Vec<_>>(),
        "silence": done.silence,
        "busy": done.busy,
        "remarks": done.remarks,
        "problems": problems,
    });
    harmless_json(&found.to_string()).into_owned()
}

fn outcome(outcome: &Outcome) -> Value {
    let (sent, failure) = (&outcome.notification, outcome.result.as_ref().err());
    json!({
        "channel": outcome.channel,
        "kind": sent.kind,
        "incident": (sent.kind != Kind::Test).then_some(&sent.incident),
        "accepted": failure.is_none(),
        "message": failure.map(|f| &f.message),
        "hint": failure.and_then(|f| f.hint.as_ref()),
        "remarks": outcome.result.as_ref().map_or(&[][..], |taken| &taken.remarks),
    })
}

fn watch(checked: &Checked) -> Value {
    let (watch, judgement) = (&checked.watch, &checked.judgement);
    json!({
        "name": watch.name,
        "file": watch.file.display().to_string(),
        "url": watch.url.as_deref().map(Watch::name_for_url), // its path may hold a secret
        "threshold_s": watch.threshold.0.as_secs(),
        "state": judgement.state.word(),
        "reason": judgement.reason.word(),
        "text": judgement.text,
        "age_ms": judgement.age_ms,
        "age": judgement.age_ms.map(duration::in_words),
        "heartbeat": judgement.heartbeat,
    })
}
