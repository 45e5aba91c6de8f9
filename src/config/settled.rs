//! Each key with its one value, after precedence: environment, then file, then default.
//!
//! Sections read their fields from here, so a key cannot have two values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::key::keys;
use super::problem::{Problem, Problems};
use super::secret::Secret;
use super::source::{Origin, Sources};
use super::value::Value;
use super::{credential, environment, file};

/// Values and their origins by the path of their key.
pub(super) type Rows = BTreeMap<&'static str, (Value, Origin)>;

/// Fewest characters of a secret that is looked for in other settings.
const SECRET_CHARS: usize = 12;

/// Every key with its value and origin, and what was wrong on the way.
pub(super) struct Settled {
    rows: Rows,
    pub problems: Problems,
    pub warnings: Vec<Problem>,
}

impl Settled {
    /// Gathers the values of all keys. A value that is wrong becomes a problem, and its default
    /// stands in for it, so that the search for further problems can go on.
    pub fn gather(sources: &Sources) -> Self {
        let mut problems = Problems::default();
        let mut from_file = match &sources.file {
            Some(path) => file::read(path, &mut problems),
            None => file::Settings::new(),
        };
        let mut rows = Rows::new();
        for key in keys() {
            let from_file = from_file.remove(key.path);
            let found = match key.credential() {
                Some(_) => credential::find(key, sources, &mut problems),
                None => environment::find(key, sources, &mut problems).or(from_file),
            };
            rows.insert(key.path, found.unwrap_or_else(|| (key.default_value(), Origin::Default)));
        }
        environment::refuse_unknown(sources, &mut problems);
        Self { rows, problems, warnings: Vec::new() }
    }

    /// Replaces a value by one that follows from other settings.
    pub fn set(&mut self, path: &'static str, value: Value, origin: Origin) {
        self.rows.insert(path, (value, origin));
    }

    /// Refuses settings that contain a secret: they are printed and logged, secrets are not.
    pub fn refuse_copies_of_secrets(&mut self) {
        let secrets = self.rows.iter().filter_map(|(path, (value, _))| match value {
            // A shorter one is a stand-in such as `ollama`, and may well be part of an address.
            Value::Secret(secret) if secret.expose().len() >= SECRET_CHARS => Some((path, secret)),
            _ => None,
        });
        for (secret_path, secret) in secrets {
            for (path, (value, origin)) in &self.rows {
                if matches!(value, Value::Text(text) if text.contains(secret.expose())) {
                    let message = format!("the value contains the secret {secret_path} ({origin})");
                    self.problems.push(*path, message, "take the secret out of it");
                }
            }
        }
    }

    /// Adds a warning.
    pub fn warn(&mut self, key: &str, message: &str, hint: &str) {
        self.warnings.push(Problem::new(key, message, hint));
    }

    /// The values with their origins, to be shown, the warnings, and all problems, in the order of
    /// the table.
    pub fn finish(mut self) -> (Rows, Vec<Problem>, Problems) {
        // What is no key (the file itself, unknown keys) comes first: it may explain the rest.
        let place = |problem: &Problem| keys().iter().position(|key| key.path == problem.key);
        self.problems.0.sort_by_key(place);
        (self.rows, self.warnings, self.problems)
    }

    fn value(&self, path: &str) -> &Value {
        &self.rows.get(path).expect("sections read only keys of the table").0
    }

    /// Where the value came from.
    pub fn origin(&self, path: &str) -> &Origin {
        &self.rows.get(path).expect("sections read only keys of the table").1
    }

    /// Whether nobody set the key.
    pub fn is_default(&self, path: &str) -> bool {
        *self.origin(path) == Origin::Default
    }

    /// A text, an address or a choice; empty when unset.
    pub fn text(&self, path: &str) -> String {
        match self.value(path) {
            Value::Text(text) => text.clone(),
            Value::Unset => String::new(),
            _ => unreachable!("the table says that {path} is a text"),
        }
    }

    /// A path, unless unset.
    pub fn path(&self, path: &str) -> Option<PathBuf> {
        let text = self.text(path);
        (!text.is_empty()).then(|| PathBuf::from(text))
    }

    /// A whole number.
    pub fn whole(&self, path: &str) -> u64 {
        match self.value(path) {
            Value::Whole(n) => *n,
            _ => unreachable!("the table says that {path} is a whole number"),
        }
    }

    /// A whole number of things, which the table bounds to 32 bits.
    pub fn count(&self, path: &str) -> u32 {
        u32::try_from(self.whole(path)).expect("the table bounds every count")
    }

    /// A number with a fraction.
    pub fn number(&self, path: &str) -> f64 {
        match self.value(path) {
            Value::Number(n) => *n,
            _ => unreachable!("the table says that {path} is a number"),
        }
    }

    /// True or false.
    pub fn flag(&self, path: &str) -> bool {
        match self.value(path) {
            Value::Flag(flag) => *flag,
            _ => unreachable!("the table says that {path} is true or false"),
        }
    }

    /// Telegram ids.
    pub fn ids(&self, path: &str) -> Vec<i64> {
        match self.value(path) {
            Value::Ids(ids) => ids.clone(),
            _ => unreachable!("the table says that {path} holds ids"),
        }
    }

    /// A secret, unless unset.
    pub fn secret(&self, path: &str) -> Option<Secret> {
        match self.value(path) {
            Value::Secret(secret) => Some(secret.clone()),
            _ => None,
        }
    }
}
