//! The table of keys: parsing, printing, the reference and the suggestions all read it, so they
//! cannot tell different stories.
//!
//! Each section declares its own rows next to its fields; [`keys`] strings them together.

use std::sync::LazyLock;

use super::value::{Value, from_text};
use super::{answer, anthropic, bot, delivery, knowledge, lifecycle, log, openai};
use super::{pipeline, store, telegram, watch, web};

/// What a key holds, and within which bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// One line of visible text, such as a name; not empty.
    Word,
    /// Text of several lines; may be empty.
    Prose,
    /// One word of a list, in any case.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number from the first bound to the second.
    Whole(u64, u64),
    /// A number with a fraction, from the first bound to the second.
    Number(f64, f64),
    /// Telegram ids: an array in the file, a list with commas in the environment.
    Ids {
        /// Whether ids of groups, which are below zero, make sense too.
        groups: bool,
    },
    /// A file or a folder.
    Path,
    /// An `http` or `https` address without user, password, query or fragment.
    Url,
    /// An address with a port to listen on, or `off`.
    Listen,
    /// A secret, which is never read from the file; the name of its systemd credential.
    Secret(&'static str),
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Section and name, such as `telegram.poll_timeout_s`.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The default as it would be written in the environment; empty when there is none, or when
    /// it depends on other settings.
    pub default: &'static str,
    /// A value worth showing where there is no default, as in `default`.
    pub example: &'static str,
    /// What it means, in whole sentences.
    pub doc: &'static str,
    /// When somebody would change it; may be empty.
    pub when: &'static str,
    /// Well-known environment variables that set it too, best first.
    pub aliases: &'static [&'static str],
    /// Well-known variables which several keys share: they reach this key only when its provider
    /// is the chosen one.
    pub shared: &'static [&'static str],
}

impl Key {
    /// A row without aliases.
    pub(super) const fn new(path: &'static str, kind: Kind, default: &'static str) -> Self {
        Self { path, kind, default, example: "", doc: "", when: "", aliases: &[], shared: &[] }
    }

    /// Says what the key means, and when to change it.
    pub(super) const fn doc(mut self, doc: &'static str, when: &'static str) -> Self {
        self.doc = doc;
        self.when = when;
        self
    }

    /// Adds an example, for a key without a default.
    pub(super) const fn example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }

    /// Adds well-known variables.
    pub(super) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Adds well-known variables which several keys share.
    pub(super) const fn shared(mut self, shared: &'static [&'static str]) -> Self {
        self.shared = shared;
        self
    }

    /// The section, such as `telegram`.
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    /// The name within its section, such as `poll_timeout_s`.
    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(_, name)| name)
    }

    /// Its own environment variable, such as `KATANA_TELEGRAM_POLL_TIMEOUT_S`.
    pub fn variable(&self) -> String {
        format!("KATANA_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    /// Its own variable, then its aliases (not the shared ones), in order of precedence.
    pub fn variables(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.variable()).chain(self.aliases.iter().map(|s| (*s).to_owned()))
    }

    /// The default as TOML writes it; empty when there is none.
    pub fn default_toml(&self) -> String {
        self.default_value().to_toml()
    }

    /// The default; a test proves that each can be read.
    pub(super) fn default_value(&self) -> Value {
        match self.kind {
            Kind::Ids { .. } => Value::Ids(Vec::new()),
            _ if self.default.is_empty() => Value::Unset,
            kind => from_text(kind, self.default).expect("the table's defaults are valid"),
        }
    }

    /// The systemd credential that holds it, when it is a secret.
    pub fn credential(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Secret(name) => Some(name),
            _ => None,
        }
    }
}

/// Every key, section by section, in the order in which people read them.
pub fn keys() -> &'static [Key] {
    static ALL: LazyLock<Vec<Key>> = LazyLock::new(|| {
        [
            bot::KEYS,
            telegram::KEYS,
            store::KEYS,
            pipeline::KEYS,
            answer::KEYS,
            openai::KEYS,
            anthropic::KEYS,
            knowledge::KEYS,
            delivery::KEYS,
            lifecycle::KEYS,
            watch::KEYS,
            log::KEYS,
            web::KEYS,
        ]
        .concat()
    });
    &ALL
}

/// The row with this path.
pub fn find(path: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.path == path)
}

/// The candidate that is most like `written`, when one is like it at all.
pub(super) fn nearest<'a>(
    written: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Below this likeness (1 is the same word) a suggestion would only puzzle.
    const LIKE: f64 = 0.7;
    candidates
        .map(|candidate| (strsim::normalized_damerau_levenshtein(written, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The path of the key that is most like `written`: by the whole path, else by the name alone,
/// because a key in the wrong section is a common slip.
pub(super) fn nearest_path(written: &str) -> Option<&'static str> {
    nearest(written, keys().iter().map(|key| key.path)).or_else(|| {
        let name = written.rsplit('.').next().unwrap_or(written);
        let near = nearest(name, keys().iter().map(Key::name))?;
        keys().iter().find(|key| key.name() == near).map(|key| key.path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_the_path() {
        let key = find("telegram.poll_timeout_s").expect("in the table");
        assert_eq!((key.section(), key.name()), ("telegram", "poll_timeout_s"));
        assert_eq!(key.variable(), "KATANA_TELEGRAM_POLL_TIMEOUT_S");
    }

    #[test]
    fn every_row_is_complete_and_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for key in keys() {
            assert!(!key.doc.is_empty() && key.doc.ends_with('.'), "{}", key.path);
            assert!(key.when.is_empty() || key.when.ends_with('.'), "{}", key.path);
            for variable in key.variables() {
                assert!(seen.insert(variable.clone()), "{variable} would set two keys");
            }
        }
    }

    #[test]
    fn slips_find_their_key() {
        for (written, meant) in [
            ("telegram.pol_timeout_s", Some("telegram.poll_timeout_s")),
            ("telegram.poll_timeout", Some("telegram.poll_timeout_s")),
            ("answer.keep_history_days", Some("store.keep_history_days")),
            ("bot.acess", Some("bot.access")),
            ("nothing.like_it_at_all", None),
        ] {
            assert_eq!(nearest_path(written), meant, "{written}");
        }
    }
}
