//! What is wrong with a configuration, and how its single values are read: each error says what is
//! wrong, then `; write …`.

use std::time::Duration;

use hygiene::line::one_line;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::cli::time;

/// Longest key, and longest message about it, in characters.
const KEY: usize = 100;
const MESSAGE: usize = 500;
/// Keys of the file that people paste below a table, which then takes them for its own.
const ABOVE: [&str; 5] = ["host", "reminder", "alert_on", "mode", "ping_url"];

/// A mistake in the configuration. Holds no secret, and no value that could be one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Such as `watch[1].threshold`; empty when it is about the file as a whole.
    pub key: String,
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl Problem {
    pub(crate) fn new(key: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        // Keys and messages quote the file.
        let message = one_line(&message.into(), MESSAGE);
        Self { key: one_line(key, KEY), message, hint: hint.into() }
    }

    /// From the reader's message, without the value that it may quote.
    pub(crate) fn of(key: &str, error: &toml::de::Error) -> Self {
        let message = error.message().lines().next().unwrap_or_default();
        if let Some((message, hint)) = message.split_once("; write ") {
            return Self::new(key, message, format!("write {hint}"));
        }
        let unknown =
            message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        if unknown.is_some_and(|field| !key.is_empty() && ABOVE.contains(&field)) {
            let hint = "write it above the first [[watch]] and [[channel]]";
            return Self::new(key, message.split(", expected").next().unwrap_or_default(), hint);
        }
        let message = match message.split_once(", expected ") {
            Some((what, _)) if what.starts_with("unknown field") && !key.is_empty() => message,
            Some((_, wanted)) => &format!("is not what is expected: {wanted}"),
            None => message,
        };
        Self::new(key, message, "check-heartbeat.toml(5) lists all keys")
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colon = if self.key.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{} ({})", self.key, self.message, self.hint)
    }
}

/// A number of seconds, or text such as `"2m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parsed = match Value::deserialize(from)? {
            Value::Integer(seconds) => time(&seconds.to_string()),
            Value::String(text) => time(&text),
            _ => time(""),
        };
        parsed.map(Self).map_err(|wanted| Error::custom(format!("is not a time; {wanted}")))
    }
}

/// Reads a value that also has to fit.
pub(crate) fn fitting<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
    fits: impl Fn(&T) -> bool,
    odd: &str,
) -> Result<T, D::Error> {
    let value = T::deserialize(from)?;
    if fits(&value) { Ok(value) } else { Err(Error::custom(odd)) }
}

pub(crate) fn line<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let fits = |text: &String| {
        let length = text.trim().chars().count();
        (1..=100).contains(&length) && !text.trim().contains(char::is_control)
    };
    let odd = "is not a valid name; write one line of text, at most 100 characters";
    Ok(fitting(from, fits, odd)?.trim().to_owned())
}

pub(crate) fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let fits = |url: &String| url.starts_with("https://") || url.starts_with("http://");
    let odd = "is not an address; write one that begins with https:// or http://";
    fitting(from, fits, odd).map(Some)
}

pub(crate) fn checks<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let fits = |count: &u32| (1..=1_000).contains(count);
    fitting(from, fits, "is out of range; write a number of checks from 1 to 1000")
}
