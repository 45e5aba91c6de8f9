//! How single values of the file are read. Each error says what is wrong, then `; write …`.

use std::time::Duration;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use toml::Value;

use crate::cli::time;
use crate::watch::AlertOn;

/// Least time between reminders: an alarm that comes more often is not read.
const LEAST_REMINDER: Duration = Duration::from_secs(60);

/// Most equal checks that can be asked for.
const MAX_CHECKS: u32 = 1_000;

/// A number of seconds, or text such as `"2m"`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub Duration);

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
fn fitting<'de, D: Deserializer<'de>, T: DeserializeOwned>(
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
    let fits = |count: &u32| (1..=MAX_CHECKS).contains(count);
    fitting(from, fits, "is out of range; write a number of checks from 1 to 1000")
}

pub(crate) fn threshold<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    Time::deserialize(from).map(|time| time.0)
}

pub(super) fn reminder<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let fits = |time: &Time| time.0.is_zero() || time.0 >= LEAST_REMINDER;
    fitting(from, fits, "is too short; write 1m or more, or 0 for never").map(|time| time.0)
}

pub(super) fn alert_on<'de, D: Deserializer<'de>>(from: D) -> Result<AlertOn, D::Error> {
    let known = |words: &Vec<String>| words.iter().all(|w| w == "failing" || w == "degraded");
    let odd = "is not what is expected; write a list of \"failing\" and \"degraded\"";
    let words = fitting(from, known, odd)?;
    let has = |word: &str| words.iter().any(|w| w == word);
    Ok(AlertOn { failing: has("failing"), degraded: has("degraded") })
}
