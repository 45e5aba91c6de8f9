//! The channels: each takes one notification and answers whether it was accepted.
//!
//! Invariants: no [`Failure`] or [`Problem`] holds a secret in any form; no delivery outlives its
//! deadline; `Ok` means that the other side has confirmed the notification.

mod command;
mod http;
mod secret;
mod smtp;
mod telegram;
mod webhook;

use std::fmt;
use std::time::{Duration, Instant};

use hygiene::Redactor;
use hygiene::line::one_line;
use hygiene::ownership::is_open_secret;
use serde::Deserialize;
use toml::Value;

pub use http::{fetch, ping};
pub use hygiene::secret::Environment;
pub use telegram::telegram_from_env;

use crate::notification::Notification;
use crate::problem::{Problem, Time};

/// How long one attempt may take when the configuration does not say.
const ATTEMPT: Duration = Duration::from_secs(15);
/// The shortest attempt that may be configured: below it, even a good network fails.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(100);
/// The longest attempt that may be configured: a whole run must end within 50 s.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(45);
/// Longest quotation of another program in a message, in characters.
const QUOTE: usize = 400;

/// One `[[channel]]` table of the configuration.
///
/// An error of deserializing it names keys. Print its message only, never the line that it quotes,
/// which may hold a secret in the wrong place.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ChannelConfig {
    /// A message from a second bot.
    Telegram(telegram::Settings),
    /// A mail.
    Smtp(smtp::Settings),
    /// A program of the operator's.
    Command(command::Settings),
    /// An HTTP request.
    Webhook(webhook::Settings),
}

impl ChannelConfig {
    /// Checks the table, finds its secrets and makes the channel, or says the first thing that is
    /// wrong. Connects to nothing.
    pub fn open(&self, env: &Environment) -> Result<Box<dyn Channel>, Problem> {
        match self {
            Self::Telegram(settings) => Ok(Box::new(telegram::Telegram::open(settings, env)?)),
            Self::Smtp(settings) => Ok(Box::new(smtp::Smtp::open(settings, env)?)),
            Self::Command(settings) => Ok(Box::new(command::Command::open(settings, env)?)),
            Self::Webhook(settings) => Ok(Box::new(webhook::Webhook::open(settings, env)?)),
        }
    }

    /// Warns of a secret in a file that everyone can read. The path stays unnamed: it may be the secret.
    pub fn open_secret(&self, env: &Environment) -> Option<Problem> {
        let sources = match self {
            Self::Telegram(settings) => settings.sources(),
            Self::Smtp(settings) => settings.sources(),
            Self::Webhook(settings) => settings.sources(),
            Self::Command(_) => return None,
        };
        let (key, path) = sources.file(env)?;
        let message = "everyone on this machine can read the file";
        let hint = "chmod 600 it, and give it to the user of the check";
        is_open_secret(&path).then(|| Problem::new(&key, message, hint))
    }
}

/// A way to reach people.
pub trait Channel: Send {
    /// The name in output and in the state on disk; unique by configuration.
    fn name(&self) -> &str;

    /// Hands the notification over. Returns by `deadline`, give or take a tenth of a second, with
    /// what was accepted, or why nothing was. An attempt that ran out of time after everything was written may
    /// have arrived: a notification can come twice, but is never lost.
    fn deliver(&self, notification: &Notification, deadline: Instant) -> Accepted;
}

/// That a notification was accepted, or why it was not.
pub type Accepted = Result<Taken, Failure>;

/// A notification that was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What people should know all the same, such as one refused recipient among several.
    pub remarks: Vec<String>,
    /// Recipients that may take it later, unlike the others; they are tried again alone.
    pub left: Vec<String>,
}

/// Why a notification was not accepted. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened: lower case, one line.
    pub message: String,
    /// What to do about it, when that is known.
    pub hint: Option<String>,
    /// Whether the same attempt fails again until someone changes something.
    pub permanent: bool,
    /// Whether it is about what this notification says: another one may be accepted.
    pub of_this_alert: bool,
}

impl Failure {
    /// Something that may pass: the network, a busy server.
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, permanent: false, of_this_alert: false }
    }

    /// Something that stays until someone changes it.
    fn permanent(message: impl Into<String>) -> Self {
        Self { permanent: true, ..Self::transient(message) }
    }

    /// The same with what to do about it; nothing when that is empty.
    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()).filter(|hint| !hint.is_empty()), ..self }
    }

    /// The same without secrets.
    fn redacted(self, redactor: &Redactor) -> Self {
        let hint = self.hint.map(|hint| redactor.clean(hint));
        Self { message: redactor.clean(self.message), hint, ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{} ({hint})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// What another program says, as one line.
fn quote(text: &str) -> String {
    one_line(text, QUOTE)
}

/// The name of a channel: what the table says, else its type.
fn name(name: Option<&str>, default: &str) -> Result<String, Problem> {
    let name = name.unwrap_or(default);
    let fit = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 40 || !name.chars().all(fit) {
        let hint = "1 to 40 letters, digits, '-', '_' or '.', such as mail-night-shift";
        return Err(Problem::new("name", "is not a valid name", hint));
    }
    Ok(name.to_owned())
}

/// The time of one attempt.
fn timeout(value: Option<&Value>) -> Result<Duration, Problem> {
    let Some(value) = value else { return Ok(ATTEMPT) };
    let fits = |time: &Duration| (SHORTEST_ATTEMPT..=LONGEST_ATTEMPT).contains(time);
    let time = value.clone().try_into::<Time>().ok().map(|time| time.0);
    time.filter(fits).ok_or_else(|| {
        let hint = "write a time from 100ms to 45s, such as \"15s\"";
        Problem::new("timeout", "is not a time for one attempt", hint)
    })
}

/// When an attempt that begins now must end: never after `deadline`.
fn attempt_end(timeout: Duration, deadline: Instant) -> Result<Instant, Failure> {
    let now = Instant::now();
    let end = deadline.min(now + timeout);
    if end <= now {
        return Err(Failure::transient("cannot start: the time of this run is used up"));
    }
    Ok(end)
}
