//! Each key with its one value, after precedence: environment, then file, then default.
//!
//! Sections read their fields from here, so a key cannot have two values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::key::{Key, keys};
use super::problem::{Problem, Problems};
use super::secret::Secret;
use super::source::{Origin, Sources};
use super::value::{Value, from_text};
use super::{credential, environment, file};

/// Every key with its value and origin, and what was wrong on the way.
pub(super) struct Settled {
    rows: BTreeMap<&'static str, (Value, Origin)>,
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
        let mut rows = BTreeMap::new();
        for key in keys() {
            let from_file = from_file.remove(key.path);
            let found = match key.credential() {
                Some(_) => credential::find(key, sources, &mut problems),
                None => environment::find(key, sources, &mut problems).or(from_file),
            };
            rows.insert(key.path, found.unwrap_or_else(|| (default(key), Origin::Default)));
        }
        environment::refuse_unknown(sources, &mut problems);
        Self { rows, problems, warnings: Vec::new() }
    }

    /// Replaces a value by one that follows from other settings.
    pub fn set(&mut self, path: &'static str, value: Value, origin: Origin) {
        self.rows.insert(path, (value, origin));
    }

    /// Adds a warning.
    pub fn warn(&mut self, key: &str, message: &str, hint: &str) {
        self.warnings.push(Problem::new(key, message, hint));
    }

    /// The values and their origins, to be shown.
    pub fn into_rows(self) -> BTreeMap<&'static str, (Value, Origin)> {
        self.rows
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

/// The default of the table; a test proves that each can be read.
pub(super) fn default(key: &Key) -> Value {
    use super::key::Kind;
    match key.kind {
        Kind::Ids { .. } => Value::Ids(Vec::new()),
        _ if key.default.is_empty() => Value::Unset,
        kind => from_text(kind, key.default).expect("the table's defaults are valid"),
    }
}
