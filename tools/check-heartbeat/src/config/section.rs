//! A table of the file whose keys are taken one by one, with a problem for each that cannot be read.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Problem;
use crate::cli::time;
use crate::incident::Patience;
use crate::watch::AlertOn;

/// Most watches, and most channels.
const MAX_ENTRIES: usize = 50;

/// Most consecutive checks that can be asked for.
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

/// A table whose keys are taken one by one; what is left is unknown.
pub(super) struct Section {
    pub(super) table: Table,
    pub(super) prefix: String,
    pub(super) problems: Vec<Problem>,
}

impl Section {
    pub(super) fn problem(&mut self, key: &str, message: &str, hint: &str) {
        let key = format!("{}{key}", self.prefix);
        self.problems.push(Problem { key, message: message.to_owned(), hint: hint.to_owned() });
    }

    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &str, hint: &str) -> Option<T> {
        match self.table.remove(key)?.try_into() {
            Ok(value) => Some(value),
            Err(error) => {
                let error: toml::de::Error = error;
                let message = plain(error.message());
                self.problem(key, &message, hint);
                None
            }
        }
    }

    /// One line of text, not empty.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let hint = "write one line of text, at most 100 characters";
        let text: String = self.take(key, hint)?;
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= 100;
        if !fits || text.contains(char::is_control) {
            self.problem(key, "is not a name that can be used", hint);
            return None;
        }
        Some(text.to_owned())
    }

    pub(super) fn url(&mut self, key: &str) -> Option<String> {
        let hint = "write an address that begins with https:// or http://";
        let url: String = self.take(key, hint)?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            self.problem(key, "is not an address", hint);
            return None;
        }
        Some(url)
    }

    pub(super) fn time(&mut self, key: &str) -> Option<Duration> {
        let hint = "write seconds such as 120, or a time such as \"90s\", \"2m\", \"4h\" or \"1d\"";
        let value: Value = self.take(key, hint)?;
        let text = match &value {
            Value::Integer(seconds) => seconds.to_string(),
            Value::String(text) => text.clone(),
            _ => String::new(),
        };
        let time = time(&text).ok();
        if time.is_none() {
            self.problem(key, "is not a time", hint);
        }
        time
    }

    pub(super) fn patience(&mut self, default: Patience) -> Patience {
        let mut checks = |key| {
            let hint = "write a number of checks from 1 to 1000";
            let count: u32 = self.take(key, hint)?;
            if !(1..=MAX_CHECKS).contains(&count) {
                self.problem(key, "is out of range", hint);
                return None;
            }
            Some(count)
        };
        let failures = checks("failures_needed").unwrap_or(default.failures);
        let goods = checks("good_checks_needed").unwrap_or(default.goods);
        Patience { failures, goods }
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

    /// The tables below a key, and whether they could be read.
    pub(super) fn tables(&mut self, key: &str) -> (Vec<Table>, bool) {
        let hint = format!("write [[{key}]] above its keys");
        let there = self.table.contains_key(key);
        let Some(mut tables) = self.take::<Vec<Table>>(key, &hint) else {
            return (Vec::new(), !there);
        };
        if tables.len() > MAX_ENTRIES {
            self.problem(key, "are too many", "at most 50 count; run a second check for the rest");
            tables.truncate(MAX_ENTRIES);
        }
        (tables, true)
    }

    pub(super) fn finish(&mut self, known: &[&str]) {
        let hint = format!("known are {}", known.join(", "));
        for key in std::mem::take(&mut self.table).keys() {
            self.problem(key, "is not a key", &hint);
        }
    }
}
