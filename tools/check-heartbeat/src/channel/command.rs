//! Alerts by any program: the notification as JSON on its standard input, as text in its environment.
//!
//! Invariants: no shell; nothing of our own environment but `PATH`, `HOME` and `LANG`, so no secret;
//! at the end of its time the program is killed with everything that it started in its group.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hygiene::line::one_line_end;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use serde_json::Value;

use super::{Accepted, Channel, Environment, Failure, QUOTE, attempt_end, name, quote, timeout};
use crate::config::Problem;
use crate::notification::Notification;
use crate::time_limit::start;

/// How much of the end of a program's output is kept, in bytes. The rest is read and dropped.
const OUTPUT_BYTES: usize = 2 * 1024;
/// How long to wait for the last output of a program that has ended: something that it left behind
/// may hold the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Longest pause between two looks at a running program.
const LOOK: Duration = Duration::from_millis(20);
/// Where programs are when `PATH` is not set, as under some crons.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What of the notification's JSON is passed as `KATANA_ALERT_…` as well; empty for null.
const VARIABLES: &str =
    "kind level watch subject incident number started ended duration_s finding host environment";

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

/// A program that reaches people.
pub(super) struct Command {
    name: String,
    timeout: Duration,
    settings: Settings,
    env: Vec<(&'static str, String)>,
}

impl Command {
    /// Checks the table. Whether the program is there shows when it is run.
    pub fn open(settings: &Settings, env: &Environment) -> Result<Self, Problem> {
        let program = settings.program.as_str();
        let hint = "write a path such as /usr/local/bin/page-me, or a name to be found in PATH, \
                    and its arguments into args; no shell reads them";
        let arguments = program.contains(' ') && !program.contains('/');
        if program.trim().is_empty() || program.contains('\0') || arguments {
            return Err(Problem::new("program", "is not a program alone", hint));
        }
        if settings.args.iter().any(|arg| arg.contains('\0')) {
            return Err(Problem::new("args", "hold a NUL character", hint));
        }
        let variable = |name| Some((name, env.variable(name)?.to_owned()));
        let mut kept = vec![("PATH", env.variable("PATH").unwrap_or(PATH).to_owned())];
        kept.extend(["HOME", "LANG"].into_iter().filter_map(variable));
        Ok(Self {
            name: name(settings.name.as_deref(), "command")?,
            timeout: timeout(settings.timeout.as_ref())?,
            settings: settings.clone(),
            env: kept,
        })
    }

    fn spawn(&self, notification: &Notification) -> Result<Child, Failure> {
        let mut command = std::process::Command::new(&self.settings.program);
        command.args(&self.settings.args).env_clear().envs(self.env.iter().map(|(n, v)| (n, v)));
        let json = notification.json();
        let values = VARIABLES.split(' ').map(|key| match &json[key] {
            Value::Null => (key, String::new()),
            Value::String(text) => (key, text.clone()),
            value => (key, value.to_string()),
        });
        for (key, value) in values.chain([("text", notification.text())]) {
            // A NUL would keep the program from starting at all.
            let name = format!("KATANA_ALERT_{}", key.to_ascii_uppercase());
            command.env(name, value.replace('\0', ""));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).spawn().map_err(|error| {
            let why = super::http::io_words(&error);
            let message = format!("cannot start {}: {why}", quote(&self.settings.program));
            match error.kind() {
                ErrorKind::NotFound => Failure::permanent(message)
                    .hint("check the path; a script also needs the interpreter of its first line"),
                ErrorKind::PermissionDenied => Failure::permanent(message)
                    .hint("make it executable for the user that runs check-heartbeat"),
                _ => Failure::transient(message),
            }
        })
    }
}

impl Channel for Command {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&self, notification: &Notification, deadline: Instant) -> Accepted {
        let end = attempt_end(self.timeout, deadline)?;
        let begun = Instant::now();
        let mut child = self.spawn(notification)?;
        // Each on a thread: a program may write before it reads, or never read at all.
        if let Some(mut stdin) = child.stdin.take() {
            let input = notification.json().to_string();
            drop(start(move || stdin.write_all(input.as_bytes())));
        }
        let out = child.stdout.take().map(Tail::of);
        let err = child.stderr.take().map(Tail::of);
        let status = wait(&mut child, end).unwrap_or(None);
        if status.is_none() {
            // Fails when the whole group has ended meanwhile, which is what was wanted.
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            // One that hangs in the kernel cannot be waited for; init collects it later.
            let _ = wait(&mut child, Instant::now() + LAST_WORDS);
        }
        if status.is_some_and(|status| status.success()) {
            return Ok(Vec::new());
        }
        let said = [err, out].into_iter().flatten().map(Tail::text).find(|said| !said.is_empty());
        let said = said.unwrap_or_else(|| "it said nothing".to_owned());
        let shown = quote(&self.settings.program);
        Err(match status.map(|status| (status.code(), status.signal().unwrap_or_default())) {
            Some((Some(code), _)) => {
                Failure::transient(format!("{shown} ended with status {code}: {said}"))
            }
            Some((None, signal)) => {
                Failure::transient(format!("{shown} was ended by signal {signal}: {said}"))
            }
            None => {
                let ms = begun.elapsed().as_millis();
                Failure::transient(format!("{shown} was killed after {ms} ms: {said}"))
                    .hint("it must end by itself; raise timeout if it needs longer")
            }
        })
    }
}

/// The end of one stream, read on a thread of its own.
struct Tail {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Tail {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
        let shared = Arc::clone(&bytes);
        let ended = start(move || {
            let mut buffer = [0; 8 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let mut bytes = shared.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&buffer[..count]);
                let over = bytes.len().saturating_sub(OUTPUT_BYTES);
                bytes.drain(..over);
            }
        });
        Self { bytes, ended }
    }

    /// It as one line.
    fn text(self) -> String {
        let _ = self.ended.recv_timeout(LAST_WORDS);
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        one_line_end(&String::from_utf8_lossy(&bytes), QUOTE)
    }
}

/// Waits for the program to end; `None` when it still runs at `end`. The standard library has no
/// wait with a limit, so this looks again and again, first quickly.
fn wait(child: &mut Child, end: Instant) -> std::io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match child.try_wait()? {
            None if !left.is_zero() => thread::sleep(pause.min(left)),
            status => return Ok(status),
        }
        pause = LOOK.min(pause * 2);
    }
}
