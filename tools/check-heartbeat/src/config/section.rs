//! A table of the file whose keys are taken one by one, with a problem for each that cannot be read.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Problem;
use crate::cli::time;
use crate::incident::Debounce;
use crate::watch::AlertOn;

/// Most watches, and most channels.
const MAX_ENTRIES: usize = 50;

/// Most equal checks that can be asked for.
const MAX_CHECKS: u32 = 1_000;

/// A message of the TOML reader without the value that it may quote.
pub(super) fn plain(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    match first.split_once(", expected ") {
        Some((what, wanted)) if what.starts_with("invalid ") || what.contains("variant") => {
            format!("is not what is expected: {wanted}")
        }
        _ => first.to_owned(),
    }
}

/// A time in the file: a number of seconds, or text such as `"2m"`.
pub(crate) fn time_of(value: &Value) -> Option<Duration> {
    match value {
        Value::Integer(seconds) => time(&seconds.to_string()).ok(),
        Value::String(text) => time(text).ok(),
        _ => None,
    }
}

/// A table whose keys are taken one by one; what is left is unknown.
pub(super) struct Section {
    table: Table,
    prefix: String,
    problems: Vec<Problem>,
}

impl Section {
    /// `prefix` stands before the keys in problems.
    pub(super) fn new(table: Table, prefix: String) -> Self {
        Self { table, prefix, problems: Vec::new() }
    }

    pub(super) fn problem(&mut self, key: &str, message: &str, hint: &str) {
        self.problems.push(Problem::new(format!("{}{key}", self.prefix), message, hint));
    }

    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &str, hint: &str) -> Option<T> {
        let value = self.table.remove(key)?.try_into::<T>();
        value.map_err(|error| self.problem(key, &plain(error.message()), hint)).ok()
    }

    /// As `take`, for a value that must also fit.
    fn take_if<T: DeserializeOwned>(
        &mut self,
        key: &str,
        fits: impl Fn(&T) -> bool,
        otherwise: &str,
        hint: &str,
    ) -> Option<T> {
        let value = self.take(key, hint)?;
        if !fits(&value) {
            self.problem(key, otherwise, hint);
            return None;
        }
        Some(value)
    }

    /// One line of text, not empty.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let fits = |text: &String| {
            let length = text.trim().chars().count();
            (1..=100).contains(&length) && !text.trim().contains(char::is_control)
        };
        let hint = "write one line of text, at most 100 characters";
        let text = self.take_if(key, fits, "is not a valid name", hint)?;
        Some(text.trim().to_owned())
    }

    pub(super) fn url(&mut self, key: &str) -> Option<String> {
        let fits = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        let hint = "write an address that begins with https:// or http://";
        self.take_if(key, fits, "is not an address", hint)
    }

    pub(super) fn time(&mut self, key: &str) -> Option<Duration> {
        let fits = |value: &Value| time_of(value).is_some();
        let hint = "write seconds such as 120, or a time such as \"90s\", \"2m\", \"4h\" or \"1d\"";
        time_of(&self.take_if(key, fits, "is not a time", hint)?)
    }

    pub(super) fn debounce(&mut self, default: Debounce) -> Debounce {
        let fits = |count: &u32| (1..=MAX_CHECKS).contains(count);
        let hint = "write a number of checks from 1 to 1000";
        let mut checks = |key| self.take_if(key, fits, "is out of range", hint);
        let failures = checks("failures_needed").unwrap_or(default.failures);
        let goods = checks("good_checks_needed").unwrap_or(default.goods);
        Debounce { failures, goods }
    }

    pub(super) fn alert_on(&mut self) -> Option<AlertOn> {
        #[derive(Deserialize, PartialEq)]
        #[serde(rename_all = "lowercase")]
        enum Word {
            Failing,
            Degraded,
        }
        let hint = "write a list of \"failing\" and \"degraded\"";
        let words: Vec<Word> = self.take("alert_on", hint)?;
        let has = |word| words.contains(&word);
        Some(AlertOn { failing: has(Word::Failing), degraded: has(Word::Degraded) })
    }

    /// The tables below a key; `None` when they cannot be read.
    pub(super) fn tables(&mut self, key: &str) -> Option<Vec<Table>> {
        if !self.table.contains_key(key) {
            return Some(Vec::new());
        }
        let mut tables: Vec<Table> = self.take(key, &format!("write [[{key}]] above its keys"))?;
        if tables.len() > MAX_ENTRIES {
            self.problem(key, "are too many", "at most 50 count; run a second check for the rest");
            tables.truncate(MAX_ENTRIES);
        }
        Some(tables)
    }

    /// All problems, with those of the keys that are left.
    pub(super) fn finish(mut self, known: &[&str]) -> Vec<Problem> {
        let hint = format!("known are {}", known.join(", "));
        for key in std::mem::take(&mut self.table).keys() {
            self.problem(key, "is not a key", &hint);
        }
        self.problems
    }
}
