//! Alerts by any program: the notice as JSON on its standard input, as text in its environment.
//!
//! Invariants: no shell; nothing of our own environment but `PATH`, `HOME` and `LANG`, so no secret;
//! at the end of its time the program is killed with everything that it started in its group.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use heartbeat::rfc3339;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use super::words::{quote, quote_end};
use super::{Channel, Environment, Failure, attempt_end, name, timeout};
use crate::config::Problem;
use crate::notification::Notification;

/// How much of the end of a program's output is kept, in bytes. The rest is read and dropped.
const OUTPUT_BYTES: usize = 2 * 1024;

/// How long to wait for the last output of a program that has ended: something that it left behind
/// may hold the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Longest pause between two looks at a running program.
const LOOK: Duration = Duration::from_millis(20);

/// Variables that are passed on.
const KEPT: &[&str] = &["PATH", "HOME", "LANG"];

/// Where programs are when `PATH` is not set, as under some crons.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One table with `type = "command"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    name: Option<String>,
    timeout: Option<toml::Value>,
    program: String,
    #[serde(default)]
    args: Vec<String>,
}

/// A program that tells people.
pub(super) struct Command {
    name: String,
    timeout: Duration,
    program: String,
    args: Vec<String>,
    kept: Vec<(String, String)>,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Command {
    /// Checks the table. Whether the program is there shows when it is run.
    pub fn open(settings: &Settings, env: &Environment) -> Result<Self, Problem> {
        let program = settings.program.as_str();
        let hint = "write a path such as /usr/local/bin/page-me, or a name to be found in PATH, \
                    and its arguments into args; no shell reads them";
        if program.trim().is_empty() || program.contains('\0') {
            return Err(Problem::new("program", "is not a program", hint));
        }
        if program.contains(' ') && !program.contains('/') {
            return Err(Problem::new("program", "holds arguments", hint));
        }
        if settings.args.iter().any(|arg| arg.contains('\0')) {
            return Err(Problem::new("args", "hold a NUL character", hint));
        }
        let kept = KEPT
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), env.variable(name)?.to_owned())));
        let mut kept: Vec<_> = kept.collect();
        if env.variable("PATH").is_none() {
            kept.push(("PATH".to_owned(), PATH.to_owned()));
        }
        Ok(Self {
            name: name(settings.name.as_deref(), "command")?,
            timeout: timeout(settings.timeout.as_ref())?,
            program: program.to_owned(),
            args: settings.args.clone(),
            kept,
        })
    }

    fn start(&self, notice: &Notification) -> Result<Child, Failure> {
        std::process::Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .envs(self.kept.iter().map(|(n, v)| (n, v)))
            .envs(variables(notice))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| self.not_started(&error))
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        let message = format!("cannot start {}: {}", self.shown(), super::http::io_words(error));
        match error.kind() {
            ErrorKind::NotFound => Failure::permanent(message)
                .hint("check the path; a script also needs the interpreter of its first line"),
            ErrorKind::PermissionDenied => Failure::permanent(message)
                .hint("make it executable for the user that runs check-heartbeat"),
            _ => Failure::transient(message),
        }
    }

    /// The program without its arguments, in which people do write tokens.
    fn shown(&self) -> String {
        quote(&self.program)
    }

    fn judge(&self, status: ExitStatus, output: &str) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with status {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended in an unknown way".to_owned(),
        };
        let said = if output.is_empty() { "it said nothing" } else { output };
        Err(Failure::transient(format!("{} {how}: {said}", self.shown())))
    }
}

impl Channel for Command {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&self, notice: &Notification, deadline: Instant) -> Result<(), Failure> {
        let end = attempt_end(self.timeout, deadline)?;
        let begun = Instant::now();
        let mut child = self.start(notice)?;
        let output =
            attend(&mut child, notice.to_json()).inspect_err(|_| kill(&mut child)).map_err(
                |error| Failure::transient(format!("cannot run a command: {}", error.kind())),
            )?;
        match wait(&mut child, end) {
            Ok(Some(status)) => self.judge(status, &output.collect()),
            Ok(None) => {
                kill(&mut child);
                let (time, shown) = (begun.elapsed().as_millis(), self.shown());
                let said = output.collect();
                let said = if said.is_empty() { String::new() } else { format!(": {said}") };
                Err(Failure::transient(format!("{shown} was killed after {time} ms{said}"))
                    .hint("it must end by itself; raise timeout if it needs longer"))
            }
            Err(error) => {
                kill(&mut child);
                Err(Failure::transient(format!("cannot wait for a command: {}", error.kind())))
            }
        }
    }
}

/// The notice as `KATANA_ALERT_…`. Times are RFC 3339 in UTC; what does not apply is empty.
fn variables(notice: &Notification) -> BTreeMap<String, String> {
    let all = [
        ("KIND", notice.kind.word().to_owned()),
        ("LEVEL", notice.level.word().to_owned()),
        ("WATCH", notice.watch.clone()),
        ("SUBJECT", notice.subject()),
        ("TEXT", notice.text()),
        ("INCIDENT", notice.incident.clone()),
        ("NUMBER", notice.number.to_string()),
        ("STARTED", rfc3339::format(notice.started_ms)),
        ("ENDED", notice.ended_ms.map(rfc3339::format).unwrap_or_default()),
        ("DURATION_S", notice.duration_s.map(|s| s.to_string()).unwrap_or_default()),
        ("FINDING", notice.finding.clone().unwrap_or_default()),
        ("HOST", notice.host.clone()),
        ("ENVIRONMENT", notice.environment.clone().unwrap_or_default()),
    ];
    // A NUL would keep the program from starting at all.
    let variable =
        |(name, value): (&str, String)| (format!("KATANA_ALERT_{name}"), value.replace('\0', ""));
    all.into_iter().map(variable).collect()
}

/// The last bytes of one stream, shared with the thread that reads it.
type End = Arc<Mutex<Vec<u8>>>;

/// What a program says, gathered by threads of their own.
struct Output {
    out: End,
    err: End,
    /// Closes when both streams have ended.
    ended: Receiver<()>,
}

impl Output {
    /// The end of standard error, or of standard output when that is empty, as one line.
    fn collect(&self) -> String {
        // Nothing is ever sent: only the closing is waited for.
        let _ = self.ended.recv_timeout(LAST_WORDS);
        let words = |end: &End| {
            let end = end.lock().unwrap_or_else(PoisonError::into_inner);
            quote_end(&String::from_utf8_lossy(&end))
        };
        let err = words(&self.err);
        if err.is_empty() { words(&self.out) } else { err }
    }
}

/// Feeds the program and listens to it, each on a thread: it may write before it reads, or never
/// read at all.
fn attend(child: &mut Child, input: String) -> std::io::Result<Output> {
    let (open, ended) = mpsc::channel();
    let output = Output { out: End::default(), err: End::default(), ended };
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input is none the worse for it.
        thread::Builder::new().spawn(move || stdin.write_all(input.as_bytes()))?;
    }
    if let Some(stdout) = child.stdout.take() {
        let (end, open) = (Arc::clone(&output.out), open.clone());
        thread::Builder::new().spawn(move || listen(stdout, &end, open))?;
    }
    if let Some(stderr) = child.stderr.take() {
        let end = Arc::clone(&output.err);
        thread::Builder::new().spawn(move || listen(stderr, &end, open))?;
    }
    Ok(output)
}

/// Reads until the stream ends, keeping the last bytes.
fn listen(mut from: impl Read, end: &End, open: Sender<()>) {
    let mut buffer = [0; 8 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
        end.extend_from_slice(&buffer[..count]);
        let over = end.len().saturating_sub(OUTPUT_BYTES);
        end.drain(..over);
    }
    drop(open);
}

/// Waits for the program to end; `None` when it still runs at `end`. The standard library knows no
/// wait with a limit, so this looks again and again, first quickly. Nobody else collects the
/// status, so the id stays the program's own until then.
fn wait(child: &mut Child, end: Instant) -> std::io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        thread::sleep(pause.min(left));
        pause = LOOK.min(pause * 2);
    }
}

/// Kills the program and everything in its group, and collects its status.
fn kill(child: &mut Child) {
    // Fails when the whole group has ended meanwhile, which is what was wanted.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    // One that hangs in the kernel cannot be waited for; init collects it later.
    let _ = wait(child, Instant::now() + LAST_WORDS);
}
