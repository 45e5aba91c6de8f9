//! A key: everything that there is to say about one setting.
//!
//! Reading, printing, reloading, the reference and the suggestions all derive from it, so they
//! cannot tell different stories.

use std::borrow::Cow;

use super::kind::Kind;
use super::nearest::nearest;
use super::value::Value;

/// Stands in the path of a key for the name that users give to a table, as in
/// `providers.NAME.model`.
pub(super) const NAME: &str = "NAME";

/// What happens when the value of a key is another one after a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// This part of the program takes it over at once.
    Live(Part),
    /// The old value stays in effect until a restart, for this reason.
    Restart(&'static str),
}

/// A part of the program that takes new values while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Who may what, and the menus of the owners.
    Access,
    /// The Telegram client: both connections are opened again, and the poll with them.
    Client,
    /// The stages read it each time.
    Stages,
    /// Provider, knowledge and bounds of the answers that begin from now on.
    Answers,
    /// The pace of sending.
    Pace,
    /// The supervisor, from its next look on.
    Watch,
    /// The log.
    Log,
    /// Read when the process stops.
    Stop,
}

/// One setting.
#[derive(Clone, Debug)]
pub struct Key {
    section: Cow<'static, str>,
    name: &'static str,
    path: String,
    /// For a key of a named table: the table's section with [`NAME`] in it, and the name.
    pub(super) instance: Option<(&'static str, String)>,
    /// What it holds.
    pub kind: Kind,
    pub(super) default: Value,
    pub(super) credential: Option<Cow<'static, str>>,
    /// A value worth showing where there is no default, as the environment would have it.
    pub example: &'static str,
    /// What it means, in whole sentences.
    pub doc: Cow<'static, str>,
    /// When to change it; may be empty.
    pub when: &'static str,
    /// Well-known environment variables that set it too, best first.
    pub aliases: &'static [&'static str],
    /// Well-known variables which several keys share: they reach this key only when its provider
    /// is the chosen one.
    pub shared: Vec<&'static str>,
    /// What happens to a new value at a reload.
    pub reload: Reload,
}

impl Key {
    /// A key that holds this, yet without its place and its meaning.
    pub(super) fn new(kind: Kind, default: Value) -> Self {
        Self {
            section: Cow::Borrowed(""),
            name: "",
            path: String::new(),
            instance: None,
            kind,
            default,
            credential: None,
            example: "",
            doc: Cow::Borrowed(""),
            when: "",
            aliases: &[],
            shared: Vec::new(),
            reload: Reload::Restart("it is read at the start only"),
        }
    }

    /// Puts the key into its section.
    pub(super) fn placed(mut self, section: &'static str, name: &'static str) -> Self {
        self.path = format!("{section}.{name}");
        self.section = Cow::Borrowed(section);
        self.name = name;
        self
    }

    /// The key of the table with this name, for a key whose path has [`NAME`] in it.
    pub(super) fn named(&self, name: &str) -> Self {
        let mut key = self.clone();
        if let Cow::Borrowed(table) = self.section {
            key.instance = Some((table, name.to_owned()));
        }
        key.section = Cow::Owned(self.section.replace(NAME, name));
        key.path = format!("{}.{}", key.section, key.name);
        key.credential = key.credential.map(|id| Cow::Owned(id.replace(NAME, name)));
        key
    }

    /// The section of a table that users name, such as `providers.NAME`, when this is a key of it.
    pub(super) fn table(&self) -> Option<&'static str> {
        match self.section {
            Cow::Borrowed(section) if section.split('.').any(|part| part == NAME) => Some(section),
            _ => None,
        }
    }

    /// Section and name, such as `telegram.poll_timeout_s`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The section, such as `telegram`.
    pub fn section(&self) -> &str {
        &self.section
    }

    /// The name within its section, such as `poll_timeout_s`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its own environment variable, such as `KATANA_TELEGRAM_POLL_TIMEOUT_S`.
    pub fn variable(&self) -> String {
        format!("KATANA_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    /// Its own variable, then its aliases (not the shared ones), in order of precedence.
    pub fn variables(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.variable()).chain(self.aliases.iter().map(|s| (*s).to_owned()))
    }

    /// The default as TOML writes it; empty when there is none, or when it depends on other
    /// settings.
    pub fn default_toml(&self) -> String {
        self.default.to_toml()
    }

    /// Whether it is a secret, which is never read from the file.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// The systemd credential that holds it, when it is a secret.
    pub fn credential(&self) -> Option<&str> {
        self.credential.as_deref()
    }
}

/// The key with this path.
pub(super) fn find_in<'a>(keys: &'a [Key], path: &str) -> Option<&'a Key> {
    keys.iter().find(|key| key.path() == path)
}

/// The key that is most like `written`: by the whole path, else by the name alone, because a key in
/// the wrong section is a common slip.
pub(super) fn nearest_key<'a>(keys: &'a [Key], written: &str) -> Option<&'a Key> {
    if let Some(near) = nearest(written, keys.iter().map(Key::path)) {
        return find_in(keys, near);
    }
    let name = written.rsplit('.').next().unwrap_or(written);
    let near = nearest(name, keys.iter().map(Key::name))?;
    keys.iter().find(|key| key.name() == near)
}
