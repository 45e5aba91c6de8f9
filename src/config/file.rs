//! The configuration file: TOML, read key by key so that every mistake is told at once.
//!
//! Invariant: nothing of the file's text is repeated, not even in a syntax error: the broken line
//! may hold a secret.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Kind, find, keys, nearest, nearest_path};
use super::problem::Problems;
use super::source::Origin;
use super::value::{Value, expected, from_toml};
use super::{credential, disk};

/// Largest file that is read, in bytes; a full configuration has fewer than twenty thousand.
const FILE_BYTES: u64 = 1024 * 1024;

/// What the file sets, by key.
pub(super) type Settings = BTreeMap<&'static str, (Value, Origin)>;

/// Reads the file and checks each value by itself.
pub(super) fn read(path: &Path, problems: &mut Problems) -> Settings {
    let shown = path.display().to_string();
    let text = match disk::read(path, FILE_BYTES) {
        Ok(text) => text,
        Err(why) => {
            problems.push(
                shown,
                format!("the configuration file {why}"),
                "name a readable file with --config or KATANA_CONFIG, or leave both out",
            );
            return Settings::new();
        }
    };
    match DeTable::parse(&text) {
        Ok(table) => {
            let mut walk = Walk { path, text: &text, problems, settings: Settings::new() };
            walk.top(table.get_ref());
            walk.settings
        }
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let (line, column) = place(&text, at);
            problems.push(
                format!("{shown}:{line}:{column}"),
                "cannot read this line as TOML",
                "look there for a missing quote, bracket or equals sign, or a key set twice; \
                 texts stand in \"quotes\"",
            );
            Settings::new()
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
    problems: &'a mut Problems,
    settings: Settings,
}

impl Walk<'_> {
    fn top(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let section = name.get_ref().as_ref();
            let known = keys().iter().any(|key| key.section() == section);
            match value.get_ref() {
                DeValue::Table(inner) if known => {
                    for (name, value) in inner {
                        self.key(
                            &format!("{section}.{}", name.get_ref()),
                            name.span().start,
                            value,
                        );
                    }
                }
                DeValue::Table(_) => self.unknown_section(section, name.span().start),
                _ => self.unknown(section, name.span().start),
            }
        }
    }

    fn key(&mut self, path: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        let Some(key) = find(path) else { return self.unknown(path, at) };
        let origin = self.origin(value.span().start);
        if matches!(key.kind, Kind::Secret(_)) {
            let message = format!("a secret in the configuration file ({origin})");
            self.problems.push(key.path, message, remove_and(&credential::places(key)));
            return;
        }
        match from_toml(key.kind, value.get_ref()) {
            Ok(value) => {
                self.settings.insert(key.path, (value, origin));
            }
            Err(why) => {
                let hint = format!("write {}", expected(key.kind));
                self.problems.push(key.path, format!("the value {why} ({origin})"), hint);
            }
        }
    }

    fn origin(&self, at: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line: place(self.text, at).0 }
    }

    fn unknown_section(&mut self, section: &str, at: usize) {
        let origin = self.origin(at);
        let hint = match nearest(section, keys().iter().map(|key| key.section())) {
            Some(near) => format!("did you mean [{near}]?"),
            None => {
                let mut all: Vec<&str> = keys().iter().map(|key| key.section()).collect();
                all.dedup();
                format!("the sections are {}", all.join(", "))
            }
        };
        self.problems.push(show(section), format!("no such section ({origin})"), hint);
    }

    fn unknown(&mut self, path: &str, at: usize) {
        let origin = self.origin(at);
        let near = nearest_path(path).and_then(find);
        let (message, hint) = match near {
            Some(key) if key.credential().is_some() => {
                (format!("no such key ({origin})"), remove_and(&credential::places(key)))
            }
            Some(key) => (
                format!("no such key ({origin})"),
                format!("did you mean {} in section [{}]?", key.name(), key.section()),
            ),
            None if looks_secret(path) => (
                format!("no such key, and it looks like a secret ({origin})"),
                remove_and("use a systemd credential, a *_FILE variable or the environment"),
            ),
            None => (
                format!("no such key ({origin})"),
                "see katana-bot.toml(5) for all keys, or remove the line".to_owned(),
            ),
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

/// The key as a problem may show it. Ours have small letters only; whatever else stands there
/// might be a pasted secret, and its line is named anyway.
fn show(path: &str) -> String {
    let plain = path.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
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
        assert_eq!(show("123:abc"), "a key");
        assert_eq!(show("bot.0f3a"), "a key");
    }
}
