//! The ways of telling people: each takes one notice and says whether it was accepted.
//!
//! Invariants: no [`Failure`] or [`ConfigProblem`] holds a secret in any form; no delivery outlives
//! its deadline; `Ok` means that the other side said it has the notice.

mod command;
mod environment;
mod http;
mod ping;
mod scrub;
mod secret;
mod smtp;
mod telegram;
mod words;

use std::fmt;
use std::time::{Duration, Instant};

use serde::Deserialize;

pub use environment::Environment;
pub use ping::ping;
pub use telegram::telegram_from_env;

use crate::notice::Notice;

/// How long one attempt may take when the configuration does not say.
const ATTEMPT: Duration = Duration::from_secs(15);

/// The shortest attempt that may be configured: below it, even a good network fails.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(100);

/// The longest attempt that may be configured: a whole run must end within 50 s.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(45);

/// One `[[channel]]` table of the configuration.
///
/// An error of deserializing it names keys. Print its message only, never the quoted line, which
/// may hold what somebody took for a place of a secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ChannelConfig {
    /// A message from a second bot.
    Telegram(telegram::Settings),
    /// A mail.
    Smtp(smtp::Settings),
    /// A program of the operator's.
    Command(command::Settings),
}

impl ChannelConfig {
    /// Checks the table, finds its secrets and makes the channel. Connects to nothing.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn open(&self, env: &Environment) -> Result<Box<dyn Channel>, ConfigProblem> {
        match self {
            Self::Telegram(settings) => Ok(Box::new(telegram::Telegram::open(settings, env)?)),
            Self::Smtp(settings) => Ok(Box::new(smtp::Smtp::open(settings, env)?)),
            Self::Command(settings) => Ok(Box::new(command::Command::open(settings, env)?)),
        }
    }
}

/// A way of telling people.
pub trait Channel: Send {
    /// The name that logs and the state on disk use; unique by configuration.
    fn name(&self) -> &str;

    /// Hands the notice over. Returns by `deadline`, give or take a tenth of a second.
    ///
    /// # Errors
    /// Why the other side did not take it, or may not have. An attempt that ran out of time after
    /// everything was written may have arrived: a notice can come twice, but is never lost.
    fn deliver(&self, notice: &Notice, deadline: Instant) -> Result<(), Failure>;

    /// What people should know about the last delivery although it succeeded, such as one refused
    /// recipient among several. Taken: a second call returns nothing.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a notice was not accepted. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened: lower case, one line.
    pub message: String,
    /// What to do about it, when that is known.
    pub hint: Option<String>,
    /// Whether the same attempt fails again until somebody changes something.
    pub permanent: bool,
}

impl Failure {
    /// Something that may pass: the network, a busy server.
    fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, permanent: false }
    }

    /// Something that stays until somebody changes it.
    fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, permanent: true }
    }

    /// The same with what to do about it.
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What is wrong with a `[[channel]]` table. Holds no secret, and no value that could be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The key within the table, or the variable.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl ConfigProblem {
    fn new(key: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { key: key.to_owned(), message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

impl std::error::Error for ConfigProblem {}

/// The name of a channel: what the table says, else its type.
fn name(name: Option<&str>, default: &str) -> Result<String, ConfigProblem> {
    let name = name.unwrap_or(default);
    let fit = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 40 || !name.chars().all(fit) {
        let hint = "1 to 40 letters, digits, '-', '_' or '.', such as mail-night-shift";
        return Err(ConfigProblem::new("name", "is not a name that can be used", hint));
    }
    Ok(name.to_owned())
}

/// A time as the table writes it: a number of seconds, or text with `ms`, `s` or `m`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Time {
    Seconds(u64),
    Text(String),
}

impl Time {
    fn duration(&self) -> Option<Duration> {
        let text = match self {
            Self::Seconds(seconds) => return Some(Duration::from_secs(*seconds)),
            Self::Text(text) => text.trim(),
        };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim() {
            "ms" => 1,
            "s" | "" => 1_000,
            "m" => 60_000,
            _ => return None,
        };
        Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(factor)?))
    }
}

/// The time of one attempt.
fn timeout(time: Option<&Time>) -> Result<Duration, ConfigProblem> {
    let Some(time) = time else { return Ok(ATTEMPT) };
    let fits = |time: &Duration| (SHORTEST_ATTEMPT..=LONGEST_ATTEMPT).contains(time);
    time.duration().filter(fits).ok_or_else(|| {
        let hint = "write a time from 100ms to 45s, such as \"15s\"";
        ConfigProblem::new("timeout", "is not a time for one attempt", hint)
    })
}

/// When an attempt of `time` that starts now must end: never after `deadline`. Fails when nothing
/// is left.
fn attempt_end(time: Duration, deadline: Instant) -> Result<Instant, Failure> {
    let now = Instant::now();
    let end = deadline.min(now.checked_add(time).unwrap_or(deadline));
    if end <= now {
        return Err(Failure::transient("cannot start: the time of this run is used up"));
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_a_range() {
        let text = |text: &str| timeout(Some(&Time::Text(text.to_owned())));
        assert_eq!(timeout(None), Ok(ATTEMPT));
        assert_eq!(timeout(Some(&Time::Seconds(20))), Ok(Duration::from_secs(20)));
        assert_eq!(text("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(text(" 20 s"), Ok(Duration::from_secs(20)));
        assert_eq!(text("20"), Ok(Duration::from_secs(20)));
        for bad in ["", "s", "-1s", "1h", "0s", "46s", "1m", "99999999999999999999s"] {
            assert!(text(bad).is_err(), "{bad}");
        }
        assert!(timeout(Some(&Time::Seconds(u64::MAX))).is_err());
    }

    #[test]
    fn names_are_plain_words() {
        assert_eq!(name(None, "smtp").as_deref(), Ok("smtp"));
        assert_eq!(name(Some("mail-2"), "smtp").as_deref(), Ok("mail-2"));
        for bad in ["", "a b", "ü", "a/b", "a\n"] {
            assert!(name(Some(bad), "smtp").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_attempt_never_outlives_the_deadline() {
        let now = Instant::now();
        let near = now + Duration::from_secs(2);
        assert_eq!(attempt_end(Duration::from_secs(15), near), Ok(near));
        assert!(attempt_end(Duration::from_secs(1), near).is_ok_and(|end| end < near));
        assert!(attempt_end(Duration::from_secs(15), now).is_err());
    }
}
