//! Each key with its one value, after precedence: environment, then files, then default.
//!
//! Sections read their fields from here, so a key cannot have two values.

use std::collections::BTreeSet;
use std::path::Path;

use hygiene::ownership::is_open_secret;

use super::key::Key;
use super::problem::{Problem, Problems};
use super::source::{Origin, Sources};
use super::value::{FromValue, Value};
use super::{credential, environment, file, table};

/// Fewest characters of a secret that is looked for in other settings.
const SECRET_CHARS: usize = 12;

/// Begins the message about a secret in a file of such a mode.
pub const OPEN_SECRET: &str = "everyone on this machine can read";

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub key: Key,
    pub value: Value,
    pub origin: Origin,
}

/// The row of this path.
pub(super) fn row<'a>(rows: &'a [Row], path: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.key.path() == path)
}

/// The key with the value that counts.
fn found(
    key: Key,
    sources: &Sources,
    from_files: &mut file::Settings,
    problems: &mut Problems,
) -> Row {
    let found = match key.is_secret() {
        true => credential::find(&key, sources, problems),
        false => {
            environment::find(&key, sources, problems).or_else(|| from_files.remove(key.path()))
        }
    };
    let (value, origin) = found.unwrap_or_else(|| (key.default.clone(), Origin::Default));
    Row { key, value, origin }
}

/// Every key with its value and origin, and what was wrong on the way.
pub(super) struct Resolved<'a> {
    /// Where the values came from.
    pub sources: &'a Sources,
    /// All keys, with the tables that users name as they are declared.
    declared: &'a [Key],
    rows: Vec<Row>,
    pub problems: Problems,
    pub warnings: Vec<Problem>,
}

impl<'a> Resolved<'a> {
    /// Gathers the values of all keys. A value that is wrong becomes a problem, and its default
    /// stands in for it, so that the search for further problems can go on.
    pub fn gather(declared: &'a [Key], sources: &'a Sources) -> Self {
        let mut problems = Problems::default();
        let mut warnings = Vec::new();
        let texts = file::open(sources, &mut problems, &mut warnings);
        let files: Vec<_> = texts.iter().filter_map(|text| text.parsed(&mut problems)).collect();
        let mut names: BTreeSet<_> = table::in_environment(declared, sources);
        names.extend(files.iter().flat_map(|file| file.names(declared)));
        let keys = table::expanded(declared, &names);
        let mut from_files = file::Settings::new();
        for file in &files {
            file.read(declared, &keys, &mut from_files, &mut problems);
        }
        environment::refuse_unknown(declared, &keys, sources, &mut problems);
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            rows.push(found(key, sources, &mut from_files, &mut problems));
        }
        Self { sources, declared, rows, problems, warnings }
    }

    /// Whether a secret of this table has its credential, named or not.
    pub fn has_credential(&self, table: &'static str, name: &str) -> bool {
        let keys = self.declared.iter().filter(|key| key.table() == Some(table) && key.is_secret());
        let mut ignored = Problems::default();
        let mut found = |key: Key| {
            let found = credential::find(&key, self.sources, &mut ignored);
            matches!(found, Some((_, Origin::Credential(_))))
        };
        keys.map(|key| key.named(name)).any(&mut found)
    }

    /// Adds a table that neither a file nor a variable names: its keys have their defaults, and its secrets
    /// their credentials. One that is there stays as it is.
    pub fn add_table(&mut self, table: &'static str, name: &str) {
        if self.names(table).contains(name) {
            return;
        }
        let after = self.declared.iter().rposition(|key| key.table() == Some(table));
        let later = self.declared.iter().skip(after.map_or(0, |at| at + 1));
        let at =
            later.filter_map(|key| self.rows.iter().position(|row| row.key.path() == key.path()));
        let at = at.min().unwrap_or(self.rows.len());
        let keys = self.declared.iter().filter(|key| key.table() == Some(table));
        let keys: Vec<Key> = keys.map(|key| key.named(name)).collect();
        let mut none = file::Settings::new();
        let rows =
            keys.into_iter().map(|key| found(key, self.sources, &mut none, &mut self.problems));
        let rows: Vec<Row> = rows.collect();
        self.rows.splice(at..at, rows);
    }

    /// Replaces a value by one that follows from other settings.
    pub fn set(&mut self, path: &str, value: Value, origin: Origin) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.key.path() == path) {
            (row.value, row.origin) = (value, origin);
        }
    }

    /// Refuses settings that contain a secret: they are printed and logged, secrets are not.
    pub fn refuse_copies_of_secrets(&mut self) {
        for secret in &self.rows {
            let Value::Secret(text) = &secret.value else { continue };
            // A shorter one is a stand-in such as `ollama`, and may well be part of an address.
            if text.expose().len() < SECRET_CHARS {
                continue;
            }
            for Row { key, value, origin } in &self.rows {
                if value.holds(text.expose()) {
                    let message =
                        format!("the value contains the secret {} ({origin})", secret.key.path());
                    self.problems.push(key.path(), message, "remove the secret from it");
                }
            }
        }
    }

    /// Warns of secrets in files that everyone can read. The path stays unnamed: it may be the secret.
    pub fn warn_of_open_secrets(&mut self) {
        let Self { rows, sources, warnings, .. } = self;
        for row in rows.iter() {
            let Origin::SecretFile(variable) = &row.origin else { continue };
            if sources.env.get(variable).is_some_and(|path| is_open_secret(Path::new(path))) {
                let message = format!("{OPEN_SECRET} the {}", row.origin);
                let hint = "chmod 600 it, and give it to the user that the bot runs as";
                warnings.push(Problem::new(row.key.path(), message, hint));
            }
        }
    }

    /// Adds a warning.
    pub fn warn(&mut self, key: &str, message: &str, hint: &str) {
        self.warnings.push(Problem::new(key, message, hint));
    }

    /// The values with their origins, to be shown, the warnings, and all problems, in the order of
    /// the keys.
    pub fn finish(mut self) -> (Vec<Row>, Vec<Problem>, Problems) {
        // What is not a key (the file itself, unknown keys) comes first: it may explain the rest.
        let place =
            |problem: &Problem| self.rows.iter().position(|row| row.key.path() == problem.key);
        self.problems.0.sort_by_key(place);
        (self.rows, self.warnings, self.problems)
    }

    fn row(&self, path: &str) -> &Row {
        row(&self.rows, path).expect("sections read only declared keys")
    }

    /// The key of this path.
    pub fn key(&self, path: &str) -> &Key {
        &self.row(path).key
    }

    /// The names of the tables that are declared as this section, such as `providers.NAME`.
    pub fn names(&self, section: &str) -> BTreeSet<String> {
        let instances = self.rows.iter().filter_map(|row| row.key.instance.as_ref());
        instances.filter(|(of, _)| *of == section).map(|(_, name)| name.clone()).collect()
    }

    /// The value as it is.
    pub fn value(&self, path: &str) -> &Value {
        &self.row(path).value
    }

    /// Where the value came from.
    pub fn origin(&self, path: &str) -> &Origin {
        &self.row(path).origin
    }

    /// Whether the key is not set.
    pub fn is_default(&self, path: &str) -> bool {
        *self.origin(path) == Origin::Default
    }

    /// The value as its field has it.
    pub fn get<T: FromValue>(&self, path: &str) -> T {
        T::from_value(&self.row(path).value)
    }

    /// Whether the key is set, or meant to be: a wrong value is a problem of its own.
    pub fn is_meant(&self, path: &str) -> bool {
        self.row(path).value != Value::Unset || self.problems.about(path)
    }

    /// Two numbers that depend on each other, unless one of them is wrong already.
    pub fn both<T: FromValue>(&self, first: &str, second: &str) -> Option<(T, T)> {
        let sound = !self.problems.about(first) && !self.problems.about(second);
        sound.then(|| (self.get(first), self.get(second)))
    }
}
