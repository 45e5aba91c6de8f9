//! A configuration that was read, with the story of its values: loaded, shown, and compared with
//! the next one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hygiene::Redactor;

use super::foreign;
use super::key::{Key, Reload};
use super::problem::{Problem, Problems};
use super::resolved::{Resolved, Row, row};
use super::secret::Secret;
use super::sections::{Config, keys};
use super::source::{Origin, Sources};
use super::value::Value;
use crate::model::dsn::Dsn;

/// A configuration with the story of its values.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Where each key's value came from, by its path such as `telegram.token`.
    pub origins: BTreeMap<String, Origin>,
    /// What is allowed but unwise.
    pub warnings: Vec<Problem>,
    rows: Vec<Row>,
}

/// A configuration as far as it can be understood, for showing and checking, never for running:
/// where there is a problem, a default stands in.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What was understood, and the warnings.
    pub loaded: Loaded,
    /// Everything that is wrong.
    pub problems: Problems,
}

impl Config {
    /// Loads and checks everything.
    ///
    /// # Errors
    ///
    /// All problems at once, none of them with a value in it that might be a secret.
    pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
        let Examined { loaded, problems } = Self::examine(sources);
        if problems.0.is_empty() { Ok(loaded) } else { Err(problems) }
    }

    /// The same for callers that want to know what is good even if something is not.
    pub fn examine(sources: &Sources) -> Examined {
        let mut resolved = Resolved::gather(keys(), sources);
        let config = Self::read(&mut resolved);
        resolved.refuse_copies_of_secrets();
        resolved.warn_of_open_secrets();
        resolved.warnings.extend(foreign::warning(sources));
        let (rows, warnings, problems) = resolved.finish();
        let origins = rows.iter().map(|row| (row.key.path().to_owned(), row.origin.clone()));
        let origins = origins.collect();
        Examined { loaded: Loaded { config, origins, warnings, rows }, problems }
    }
}

impl Loaded {
    /// A secret, by the path of its key; `None` when there is no such key, or it is unset.
    pub fn secret(&self, path: &str) -> Option<&Secret> {
        match &row(&self.rows, path)?.value {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    /// The keys of all secrets, each with its systemd credential.
    pub fn credentials(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.rows.iter().filter_map(|row| Some((&row.key, row.key.credential()?)))
    }

    /// The file and the line (from 1) that set this key.
    pub fn place(&self, path: &str) -> Option<(PathBuf, u64)> {
        match self.origins.get(path)? {
            Origin::File { path, line } => Some((path.clone(), *line as u64)),
            _ => None,
        }
    }

    /// Every secret, so that it can be kept out of logs.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.rows.iter().filter_map(|row| match &row.value {
            Value::Secret(secret) => Some(secret),
            _ => None,
        })
    }

    /// Knows every secret.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.to_strike_out())
    }

    /// What must not stand in any text: every secret, but of an address with a key in it only the key,
    /// because the server may be named in other texts as well.
    pub fn to_strike_out(&self) -> impl Iterator<Item = &str> {
        self.secrets().map(|secret| Dsn::key_in(secret.expose()).unwrap_or(secret.expose()))
    }

    /// A text, an address, a path or a choice as it was set, by the path of its key; `None` when
    /// there is no such key, or it is unset or of another kind.
    pub fn text(&self, path: &str) -> Option<&str> {
        match &row(&self.rows, path)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Keys whose values differ in a newer configuration, in the order of the keys, and what a
    /// reload does about each. Where a value came from does not count. A table that is in one of
    /// them only differs in all of its keys.
    pub fn changes(&self, newer: &Self) -> Vec<(String, Reload)> {
        let gone = self.rows.iter().filter(|old| row(&newer.rows, old.key.path()).is_none());
        let changed = newer
            .rows
            .iter()
            .filter(|new| row(&self.rows, new.key.path()).is_none_or(|old| old.value != new.value));
        changed.chain(gone).map(|row| (row.key.path().to_owned(), row.key.reload)).collect()
    }

    /// Takes the value of a key from an older configuration: what is in effect until a restart.
    pub fn keep(&mut self, path: &str, older: &Self) {
        let Some(old) = row(&older.rows, path) else { return };
        if let Some(new) = self.rows.iter_mut().find(|row| row.key.path() == path) {
            self.origins.insert(path.to_owned(), old.origin.clone());
            (new.value, new.origin) = (old.value.clone(), old.origin.clone());
            self.config.keep(path, &older.config);
        }
    }

    /// The effective configuration as TOML, each line with its origin. Loaded again, it gives the
    /// same values; secrets appear in comments only, and masked. `colour` adds ANSI colours.
    pub fn print(&self, colour: bool) -> String {
        let (bold, dim, off) =
            if colour { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let mut text = String::new();
        let mut section = "";
        for Row { key, value, origin } in &self.rows {
            if key.section() != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section = key.section();
                text.push_str(&format!("{gap}{bold}[{section}]{off}\n"));
            }
            let (setting, comment) = line(key, value, origin);
            let gap = if setting.is_empty() { "" } else { " " };
            text.push_str(&format!("{setting}{gap}{dim}# {comment}{off}\n"));
        }
        text
    }
}

/// A setting and its comment.
fn line(key: &Key, value: &Value, origin: &Origin) -> (String, String) {
    let name = key.name();
    match value {
        Value::Unset => (String::new(), format!("{name} is not set")),
        Value::Secret(secret) => {
            let token = key.path() == "telegram.token";
            let mask = if token { secret.masked_token() } else { secret.to_string() };
            (String::new(), format!("{name} = {mask} (from {origin})"))
        }
        value => (format!("{name} = {}", value.to_toml()), origin.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENV: &[(&str, &str)] = &[
        ("TELEGRAM_TOKEN", "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ"),
        ("HOME", "/home/k"),
        ("AI_PROVIDER", "echo"),
    ];

    fn with(more: &[(&str, &str)]) -> Loaded {
        Config::load(&Sources::from_env(ENV.iter().chain(more).copied())).unwrap()
    }

    fn changed(old: &Loaded, new: &Loaded) -> Vec<String> {
        old.changes(new).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn values_count_and_origins_do_not() {
        let old = with(&[]);
        assert!(old.changes(&with(&[("KATANA_LOG_LEVEL", "info")])).is_empty());
        let new = with(&[("BOT_OWNERS", "x"), ("KATANA_BOT_OWNERS", "7"), ("LOG_LEVEL", "debug")]);
        assert_eq!(changed(&old, &new), ["bot.owners", "log.level"]);
    }

    #[test]
    fn a_changed_secret_is_named_and_not_shown() {
        let old = with(&[]);
        let token = "123456789:ZZbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ";
        let mut new = with(&[("TELEGRAM_TOKEN", token)]);
        assert_eq!(changed(&old, &new), ["telegram.token"]);
        assert!(!format!("{new:?}").contains("ZZbbCC"));
        new.keep("telegram.token", &old);
        assert!(old.changes(&new).is_empty());
        assert_eq!(new.config.telegram.token, old.config.telegram.token);
    }

    #[test]
    fn every_key_can_be_kept() {
        let old = with(&[]);
        let other = Config::load(&Sources::from_env([
            ("TELEGRAM_TOKEN", "42:abcdefghijkl"),
            ("HOME", "/other"),
            ("AI_PROVIDER", "anthropic"),
            ("ANTHROPIC_API_KEY", "k"),
            ("KATANA_OPENAI_MODEL", "m"),
            ("KATANA_LOG_FORMAT", "text"),
            ("KATANA_WEB_LISTEN", "off"),
            ("KATANA_WATCH_EVERY_S", "9"),
        ]));
        let mut new = other.unwrap();
        let differ = changed(&old, &new);
        assert!(differ.len() > 8, "{differ:?}");
        for key in differ {
            new.keep(&key, &old);
        }
        assert_eq!(format!("{:?}", new.config), format!("{:?}", old.config));
        assert_eq!(new.print(false), old.print(false));
    }
}
