//! Alerts by any program: the notification as JSON on its standard input, as text in its environment.
//!
//! Invariants: no shell; nothing of our own environment but `PATH`, `HOME` and `LANG`, so no secret;
//! at the end of its time the program is killed with everything that it started in its group.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use hygiene::line::one_line_end;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Accepted, Channel, Environment, Failure, QUOTE, Taken, attempt_end, name, quote, timeout,
};
use crate::notification::Notification;
use crate::problem::Problem;
use hygiene::time_limit::{by, start};

/// How much of the end of a program's output is kept, in bytes. The rest is read and dropped.
const OUTPUT_BYTES: usize = 2 * 1024;
/// How long to wait for the last output of a program that has ended: something that it left behind
/// may hold the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);
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
        let (until, begun) = (attempt_end(self.timeout, deadline)?, Instant::now());
        let child = self.spawn(notification)?;
        let group = Pid::from_child(&child);
        let events = follow(child, notification.json().to_string());
        let mut said = [Vec::new(), Vec::new()];
        let status = listen(&events, until, &mut said);
        if status.is_some_and(|status| status.success()) {
            return Ok(Taken::default());
        }
        if status.is_none() {
            // Fails when the whole group has ended meanwhile, which is what was wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
        // The last output may come after the end.
        let until = Instant::now() + LAST_WORDS;
        while listen(&events, until, &mut said).is_some() {}
        let said = said.map(|bytes| one_line_end(&String::from_utf8_lossy(&bytes), QUOTE));
        let said = said.iter().find(|said| !said.is_empty());
        let said = said.map_or("it said nothing", String::as_str);
        let ms = begun.elapsed().as_millis();
        let hint = "it must end by itself; raise timeout if it needs longer";
        let (end, hint) = match status.map(|status| (status.code(), status.signal())) {
            None => (format!("was killed after {ms} ms"), hint),
            Some((None, Some(signal))) => (format!("was ended by signal {signal}"), ""),
            Some((code, _)) => (format!("ended with status {}", code.unwrap_or_default()), ""),
        };
        let shown = quote(&self.settings.program);
        Err(Failure::transient(format!("{shown} {end}: {said}")).hint(hint))
    }
}

/// What a running program does.
enum Event {
    /// It wrote this to standard error (0) or standard output (1).
    Wrote(usize, Vec<u8>),
    Ended(ExitStatus),
}

/// Gives a program its input and reports what it does, each on a thread: it may write before it
/// reads, or never read at all, and the standard library cannot wait for it with a limit.
fn follow(mut child: Child, input: String) -> Receiver<Event> {
    let (events, inbox) = sync_channel(4);
    if let Some(mut stdin) = child.stdin.take() {
        drop(start(move || stdin.write_all(input.as_bytes())));
    }
    let err = child.stderr.take().map(|err| Box::new(err) as Box<dyn Read + Send>);
    let out = child.stdout.take().map(|out| Box::new(out) as Box<dyn Read + Send>);
    for (stream, mut source) in [err, out].into_iter().flatten().enumerate() {
        let (events, mut buffer) = (events.clone(), [0; 8 * 1024]);
        drop(start(move || {
            while let Ok(count @ 1..) = source.read(&mut buffer)
                && events.send(Event::Wrote(stream, buffer[..count].to_vec())).is_ok()
            {}
        }));
    }
    drop(start(move || child.wait().map(|status| events.send(Event::Ended(status)))));
    inbox
}

/// Takes in what the program writes, of which only the end is kept, until the program ends; `None`
/// when it has not by `until`.
fn listen(inbox: &Receiver<Event>, until: Instant, said: &mut [Vec<u8>; 2]) -> Option<ExitStatus> {
    // One that writes without a pause must not outlive its time.
    while Instant::now() < until {
        match by(until, inbox)? {
            Event::Ended(status) => return Some(status),
            Event::Wrote(stream, bytes) => {
                said[stream].extend_from_slice(&bytes);
                let excess = said[stream].len().saturating_sub(OUTPUT_BYTES);
                said[stream].drain(..excess);
            }
        }
    }
    None
}
