//! What a declaration says about a key: `whole(1..=50, 50).when("…").live(Part::Client)`.
//!
//! Each rule begins with the kind, its bounds and its default; the words that follow add to it, and
//! the last one says what a reload does. The type of the field is part of the rule, so the compiler
//! refuses a rule that gives a field values of another type.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::key::{Key, Part, Reload};
use super::kind::{Kind, from_text};
use super::secret::Secret;
use super::value::{Choice, Value};
use crate::model::money::MicroUsd;

/// A key of a field of this type, without its place.
pub(super) struct Rule<T> {
    key: Key,
    field: PhantomData<T>,
}

/// A rule that is complete.
pub(super) struct Declared<T>(Rule<T>);

impl<T> Rule<T> {
    pub fn new(kind: Kind, default: Value) -> Self {
        Self { key: Key::new(kind, default), field: PhantomData }
    }

    /// Says when to change it.
    pub fn when(mut self, when: &'static str) -> Self {
        self.key.when = when;
        self
    }

    /// Says what it means, where that is not the comment of its field.
    pub fn doc(mut self, doc: String) -> Self {
        self.key.doc = Cow::Owned(doc);
        self
    }

    /// A value worth showing, for a key without a default.
    pub fn example(mut self, example: &'static str) -> Self {
        self.key.example = example;
        self
    }

    /// Well-known variables that set it too, best first.
    pub fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.key.aliases = aliases;
        self
    }

    /// Well-known variables that several keys share.
    pub fn shared(mut self, shared: &[&'static str]) -> Self {
        self.key.shared = shared.to_vec();
        self
    }

    /// A reload puts a new value into effect, by this part of the program.
    pub fn live(mut self, part: Part) -> Declared<T> {
        self.key.reload = Reload::Live(part);
        Declared(self)
    }

    /// A new value needs a restart, because of this.
    pub fn restart(mut self, why: &'static str) -> Declared<T> {
        self.key.reload = Reload::Restart(why);
        Declared(self)
    }
}

impl<T> Declared<T> {
    /// The key. `doc` is the comment of its field, as rustc hands it on.
    pub fn key(self, section: &'static str, name: &'static str, doc: &'static str) -> Key {
        let mut key = self.0.key.placed(section, name);
        if key.doc.is_empty() {
            key.doc = Cow::Borrowed(doc.trim());
        }
        key
    }
}

/// `true` or `false`.
pub(super) fn flag(default: bool) -> Rule<bool> {
    Rule::new(Kind::Flag, Value::Flag(default))
}

/// A whole number.
pub(super) fn whole(bounds: RangeInclusive<u64>, default: u64) -> Rule<u64> {
    Rule::new(Kind::Whole(*bounds.start(), *bounds.end()), Value::Whole(default))
}

/// A number of things.
pub(super) fn count(bounds: RangeInclusive<u32>, default: u32) -> Rule<u32> {
    let kind = Kind::Whole((*bounds.start()).into(), (*bounds.end()).into());
    Rule::new(kind, Value::Whole(default.into()))
}

/// A number with a fraction.
pub(super) fn number(bounds: RangeInclusive<f64>, default: f64) -> Rule<f64> {
    Rule::new(Kind::Number(*bounds.start(), *bounds.end()), Value::Number(default))
}

/// An amount of US dollars, or `word`, which stands for none; by default as many as this says.
pub(super) fn usd(word: &'static str, default: &str) -> Rule<Option<MicroUsd>> {
    of_text(Kind::Usd(word), default)
}

/// One line of text.
pub(super) fn word(default: &str) -> Rule<String> {
    of_text(Kind::Word, default)
}

/// Text of several lines.
pub(super) fn prose(default: &str) -> Rule<String> {
    of_text(Kind::Prose, default)
}

/// One word of an enum.
pub(super) fn choice<C: Choice>(default: C) -> Rule<C> {
    Rule::new(Kind::Choice(C::WORDS), Value::Text(default.word().to_owned()))
}

/// Telegram ids; those of groups are below zero. None by default.
pub(super) fn ids(groups: bool) -> Rule<Vec<i64>> {
    Rule::new(Kind::Ids { groups }, Value::Ids(Vec::new()))
}

/// Names, none by default.
pub(super) fn words() -> Rule<Vec<String>> {
    Rule::new(Kind::Words, Value::Words(Vec::new()))
}

/// A file or folder which some check finds a place for when it is not set.
pub(super) fn path() -> Rule<PathBuf> {
    Rule::new(Kind::Path, Value::Unset)
}

/// A file or folder that need not be.
pub(super) fn optional_path() -> Rule<Option<PathBuf>> {
    Rule::new(Kind::Path, Value::Unset)
}

/// The address of a server.
pub(super) fn url(default: &str) -> Rule<String> {
    of_text(Kind::Url, default)
}

/// An address to listen on.
pub(super) fn listen(default: &str) -> Rule<Option<SocketAddr>> {
    of_text(Kind::Listen, default)
}

/// A secret that need not be, and the systemd credential that holds it.
pub(super) fn optional_secret(credential: &'static str) -> Rule<Option<Secret>> {
    let mut rule = Rule::new(Kind::Secret, Value::Unset);
    rule.key.credential = Some(Cow::Borrowed(credential));
    rule
}

/// A secret which some check asks for, and the systemd credential that holds it.
pub(super) fn secret(credential: &'static str) -> Rule<Secret> {
    let Rule { key, .. } = optional_secret(credential);
    Rule { key, field: PhantomData }
}

/// A default as the environment would have it; an empty one is unset.
fn of_text<T>(kind: Kind, default: &str) -> Rule<T> {
    let value = match default {
        "" => Value::Unset,
        default => from_text(kind, default).expect("defaults are valid"),
    };
    Rule::new(kind, value)
}
