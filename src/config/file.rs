//! The configuration files: TOML, read key by key so that every mistake is reported at once.
//!
//! Invariant: nothing of a file's text is repeated, not even in a syntax error: the broken line
//! may hold a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hygiene::drop_ins;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::credential;
use super::key::{Key, find_in, nearest_key};
use super::kind::{expected, from_toml};
use super::name::EXPECTED;
use super::nearest::nearest;
use super::problem::{Problem, Problems};
use super::source::{Origin, Sources};
use super::syntax;
use super::table;
use super::value::Value;

/// Largest file that is read, in bytes; a full configuration has fewer than twenty thousand.
const FILE_BYTES: u64 = 1024 * 1024;

/// Most unknown keys and sections of a file that are reported one by one; looking for what was meant
/// takes time.
const UNKNOWN: usize = 20;

/// What the files set, by the path of the key.
pub(super) type Settings = BTreeMap<String, (Value, Origin)>;

/// The text of one file.
pub(super) struct Text {
    path: PathBuf,
    text: String,
}

/// One file as TOML.
pub(super) struct Parsed<'a> {
    from: &'a Text,
    table: Spanned<DeTable<'a>>,
}

/// Reads the files, in their order, and then the drop-ins, in that of their names.
pub(super) fn open(
    sources: &Sources,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> Vec<Text> {
    const HINT: &str = "name a readable file with --config or KATANA_CONFIG, or leave both out";
    let mut texts = Vec::new();
    for path in &sources.files {
        match hygiene::text::read(path, FILE_BYTES) {
            Ok(text) => texts.push(Text { path: path.clone(), text }),
            Err(why) => {
                problems.push(shown_path(path), format!("the configuration file {why}"), HINT)
            }
        }
    }
    let Some(folder) = &sources.drop_ins else { return texts };
    let found = drop_ins::list(folder).unwrap_or_else(|why| {
        let hint = "let the bot's user read it (mode 755), or remove it";
        problems.push(folder.display().to_string(), format!("the folder {why}"), hint);
        drop_ins::Found::default()
    });
    for path in found.files {
        match hygiene::text::read(&path, FILE_BYTES) {
            Ok(text) => texts.push(Text { path, text }),
            Err(why) => {
                let hint = "let the bot's user read it (mode 644), or remove it";
                problems.push(path.display().to_string(), format!("the file {why}"), hint);
            }
        }
    }
    for path in found.ignored {
        let (message, hint) = drop_ins::why_ignored(&path);
        warnings.push(Problem::new(path.display().to_string(), message, hint));
    }
    texts
}

/// A path as a problem shows it. What does not look like one may be a pasted secret.
fn shown_path(path: &Path) -> String {
    let shown = path.display().to_string();
    let is_path = shown.contains('/') || path.extension().is_some_and(|end| end == "toml");
    if is_path { shown } else { "--config".to_owned() }
}

impl Text {
    /// The file as TOML; a mistake is named by its place alone.
    pub fn parsed(&self, problems: &mut Problems) -> Option<Parsed<'_>> {
        let error = match DeTable::parse(&self.text) {
            Ok(table) => return Some(Parsed { from: self, table }),
            Err(error) => error,
        };
        let at = error.span().map_or(0, |span| span.start);
        let (line, column) = place(&self.text, at);
        let (message, hint) = syntax::explained(&self.text, line, error.message());
        problems.push(format!("{}:{line}:{column}", shown_path(&self.path)), message, hint);
        None
    }
}

impl Parsed<'_> {
    /// The names that this file gives to the tables that users name.
    pub fn names(&self, keys: &[Key]) -> BTreeSet<(&'static str, String)> {
        let mut names = BTreeSet::new();
        for table in table::tables(keys) {
            let parents = table.split('.').take_while(|part| *part != super::key::NAME);
            let mut inner = Some(self.table.get_ref());
            for part in parents {
                inner = inner.and_then(|inner| match inner.get(part)?.get_ref() {
                    DeValue::Table(inner) => Some(inner),
                    _ => None,
                });
            }
            for (name, value) in inner.into_iter().flatten() {
                let name = name.get_ref().to_string();
                if matches!(value.get_ref(), DeValue::Table(_)) && table::fits(keys, table, &name) {
                    names.insert((table, name));
                }
            }
        }
        names
    }

    /// Checks each value by itself and adds it, in place of what is there. `declared` has the tables
    /// that users name, `keys` those that they did name instead.
    pub fn read(
        &self,
        declared: &[Key],
        keys: &[Key],
        settings: &mut Settings,
        problems: &mut Problems,
    ) {
        let Text { path, text } = self.from;
        let mut walk = Walk { path, text, declared, keys, problems, settings, unknown: 0 };
        walk.sections("", self.table.get_ref());
        if let Some(more @ 1..) = walk.unknown.checked_sub(UNKNOWN) {
            let message = format!("there are {more} more unknown keys and sections");
            let hint = "check that this is a configuration of katana-bot; see katana-bot.toml(5)";
            walk.problems.push(shown_path(path), message, hint);
        }
    }
}

/// Line and column of a byte, both counted from 1, columns in characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// One walk through a parsed file.
struct Walk<'a> {
    path: &'a Path,
    text: &'a str,
    declared: &'a [Key],
    keys: &'a [Key],
    problems: &'a mut Problems,
    settings: &'a mut Settings,
    /// How many keys and sections do not exist.
    unknown: usize,
}

impl Walk<'_> {
    /// The tables in the one at `outer`, which is empty or ends with a dot.
    fn sections(&mut self, outer: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let (path, at) = (format!("{outer}{}", name.get_ref()), name.span().start);
            let inside = format!("{path}.");
            let DeValue::Table(inner) = value.get_ref() else {
                self.unknown(&path, at);
                continue;
            };
            if self.keys.iter().any(|key| key.section() == path) {
                for (name, value) in inner {
                    let (path, at) = (format!("{inside}{}", name.get_ref()), name.span().start);
                    match value.get_ref() {
                        DeValue::Table(tables) if self.has_tables(&path) => {
                            self.sections(&format!("{path}."), tables);
                        }
                        _ => self.key(&path, at, value),
                    }
                }
            } else if self.has_tables(&path) {
                self.sections(&inside, inner);
            } else {
                self.unknown_section(outer, &path, at);
            }
        }
    }

    /// Whether tables that users name stand in this one.
    fn has_tables(&self, path: &str) -> bool {
        let inside = format!("{path}.");
        self.declared.iter().any(|key| key.section().starts_with(&inside))
    }

    fn key(&mut self, path: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        let Some(key) = find_in(self.keys, path) else { return self.unknown(path, at) };
        let origin = self.origin(value.span().start);
        if key.is_secret() {
            let message = format!("a secret in the configuration file ({origin})");
            self.problems.push(path, message, remove_and(&credential::places(key)));
            return;
        }
        match from_toml(key.kind, value.get_ref()) {
            Ok(value) => {
                self.settings.insert(path.to_owned(), (value, origin));
            }
            Err(why) => {
                let hint = format!("write {}", expected(key.kind));
                self.problems.push(path, format!("the value {why} ({origin})"), hint);
            }
        }
    }

    fn origin(&self, at: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line: place(self.text, at).0 }
    }

    /// Counts an unknown key or section; whether it is one too many to be reported.
    fn is_too_many(&mut self) -> bool {
        self.unknown += 1;
        self.unknown > UNKNOWN
    }

    fn unknown_section(&mut self, outer: &str, path: &str, at: usize) {
        if self.is_too_many() {
            return;
        }
        let origin = self.origin(at);
        if !outer.is_empty() {
            let parent = outer.trim_end_matches('.');
            let message = format!("the name of a table is not valid ({origin})");
            self.problems.push(parent, message, format!("write {EXPECTED}"));
            return;
        }
        let mut all: Vec<&str> = self.declared.iter().map(|key| key.section()).collect();
        all.dedup();
        // Of a table with a name, the part before the name.
        let start = |section: &'_ str| section.find(".NAME").unwrap_or(section.len());
        let near = nearest(path, all.iter().map(|section| &section[..start(section)]));
        let near =
            near.and_then(|near| all.iter().find(|section| section[..start(section)] == *near));
        let hint = match near {
            Some(near) => format!("did you mean [{near}]?"),
            None => format!("the sections are {}", all.join(", ")),
        };
        self.problems.push(show(path), format!("there is no such section ({origin})"), hint);
    }

    fn unknown(&mut self, path: &str, at: usize) {
        if self.is_too_many() {
            return;
        }
        let origin = self.origin(at);
        if self.declared.iter().any(|key| key.section() == path) {
            let message = format!("this is a section, not a key ({origin})");
            let hint = format!("write [{path}] on a line of its own, and its keys below it");
            return self.problems.push(path, message, hint);
        }
        let message = format!("there is no such key ({origin})");
        let (message, hint) = match nearest_key(self.keys, path) {
            Some(key) if key.is_secret() => (message, remove_and(&credential::places(key))),
            Some(key) => {
                (message, format!("did you mean {} in section [{}]?", key.name(), key.section()))
            }
            None if looks_secret(path) => (
                format!("there is no such key, and it looks like a secret ({origin})"),
                remove_and("use a systemd credential, a *_FILE variable or the environment"),
            ),
            None => (message, "see katana-bot.toml(5) for all keys, or remove the line".to_owned()),
        };
        self.problems.push(show(path), message, hint);
    }
}

fn remove_and(places: &str) -> String {
    format!("secrets are never read from the file: remove the line and {places}")
}

fn looks_secret(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["token", "key", "secret", "password", "passwd"].iter().any(|word| lower.contains(word))
}

/// Longest key that a problem shows; ours are shorter.
const SHOWN: usize = 80;

/// The key as a problem may show it. Ours have small letters only and are short; anything else
/// might be a pasted secret or a mistake of a program, and its line is named anyway.
fn show(path: &str) -> String {
    let plain = path.len() <= SHOWN
        && path.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
    if plain && !path.is_empty() { path.to_owned() } else { "a key".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one() {
        assert_eq!(place("", 0), (1, 1));
        assert_eq!(place("a\nbé c", 5), (2, 3));
        assert_eq!(place("a\n", 99), (2, 1));
    }

    #[test]
    fn odd_keys_are_not_repeated() {
        assert_eq!(show("telegram.tokn"), "telegram.tokn");
        assert_eq!(show("sk-proj-abc"), "a key");
        assert_eq!(show(&"an".repeat(100)), "a key");
        assert_eq!(show("123:abc"), "a key");
        assert_eq!(show("bot.0f3a"), "a key");
    }
}
