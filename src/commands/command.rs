//! What a command is, and how one is found by a typed word.

use futures_util::future::BoxFuture;

use super::context::{CommandContext, CommandRequest, Outcome};
use crate::model::access::Role;
use crate::model::message::Place;
use crate::store::StoreError;

/// How alike two words must be for "did you mean" (Jaro-Winkler, 1 is equal).
const ALIKE: f64 = 0.8;

/// What a command does. It reads the store, hence the future.
pub type Run = for<'a> fn(
    &'a CommandContext,
    &'a CommandRequest<'a>,
) -> BoxFuture<'a, Result<Outcome, StoreError>>;

/// One command.
#[derive(Debug)]
pub struct Command {
    /// The word after the slash.
    pub name: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// More about it, for `/help name`.
    pub details: &'static str,
    /// Who may use it.
    pub who: Who,
    /// Where it works.
    pub places: Places,
    /// What it does.
    pub run: Run,
}

/// Who may use a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Also strangers.
    Anyone,
    /// Who may chat.
    Member,
    /// Owners.
    Owner,
}

/// Where a command works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// Everywhere.
    Both,
    /// In private chats only, because it shows or takes what a group should not read.
    Private,
}

impl Who {
    /// Whether a person with this role may use it.
    pub fn lets(self, role: Role) -> bool {
        match self {
            Self::Anyone => true,
            Self::Member => role >= Role::Member,
            Self::Owner => role >= Role::Owner,
        }
    }
}

impl Places {
    /// Whether it works there.
    pub fn include(self, place: Place) -> bool {
        self == Self::Both || place == Place::Private
    }
}

/// The command called `word`, in any case.
pub(super) fn find(commands: &'static [Command], word: &str) -> Option<&'static Command> {
    commands.iter().find(|c| c.name.eq_ignore_ascii_case(word))
}

/// The command that the word most resembles, of those the person may use there.
pub(super) fn nearest(
    commands: &'static [Command],
    word: &str,
    role: Role,
    place: Place,
) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let letters = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    // One slip is forgiven even in a short word, where it changes the likeness much. Of several, two letters
    // that changed places are likelier than a word that ends too early or too late, and this than the others.
    let rank = |name: &str| {
        let likeness = strsim::jaro_winkler(&word, name);
        if word.len() <= 2 || strsim::osa_distance(&word, name) > 1 {
            return (0, likeness);
        }
        let is_swap = letters(&word) == letters(name);
        let is_end = word.starts_with(name) || name.starts_with(&word);
        (1 + 2 * u8::from(is_swap) + u8::from(is_end), likeness)
    };
    commands
        .iter()
        .filter(|c| c.who.lets(role) && c.places.include(place))
        .map(|c| (c.name, rank(c.name)))
        .filter(|(_, (slip, likeness))| *slip > 0 || *likeness >= ALIKE)
        .max_by(|(_, a), (_, b)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table;

    #[test]
    fn slips_of_the_finger_are_recognised() {
        let near = |word| nearest(table(), word, Role::Owner, Place::Private);
        for (typed, meant) in [
            ("hlep", "help"),
            ("helpp", "help"),
            ("STAT", "stats"),
            ("stauts", "status"),
            ("statsu", "status"),
            ("satus", "status"),
            ("statu", "status"),
            ("statuss", "status"),
            ("statss", "stats"),
            ("satts", "stats"),
            ("pasue", "pause"),
            ("usesr", "users"),
            ("modle", "model"),
            ("cancle", "cancel"),
            ("aprove", "approve"),
            ("forgot", "forget"),
            ("who", "whoami"),
        ] {
            assert_eq!(near(typed), Some(meant), "{typed}");
        }
        for other in ["weather", "x", "settings", "balance"] {
            assert_eq!(near(other), None, "{other}");
        }
        assert_eq!(nearest(table(), "remvoe", Role::Member, Place::Private), None);
        assert_eq!(nearest(table(), "unlaern", Role::Owner, Place::Group), None);
    }
}
