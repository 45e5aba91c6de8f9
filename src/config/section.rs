//! How a section is declared: once, with the comment of each field as the meaning of its key.
//!
//! ```text
//! section! {
//!     /// The section `[lifecycle]`: how the bot stops.
//!     pub struct Lifecycle in "lifecycle" {
//!         /// How long running answers may finish when the bot is asked to stop, in seconds.
//!         grace_s: u64 = whole(0..=600, 20).when("…").live(Part::Stop),
//!     }
//! }
//! ```
//!
//! This is the struct, its keys, and the code that reads it. `checked by f` after the path names a
//! function that compares keys with each other; `keys by f` one that replaces the keys of a table,
//! whose path has `NAME` in it, by those of its instances.

use std::collections::BTreeMap;

use super::key::{Key, NAME};
use super::resolved::Resolved;

/// What [`section!`] makes of a declaration.
pub(super) trait Section: Sized {
    /// Where it stands, such as `telegram`, or `providers.NAME` for a table that users name.
    const PATH: &'static str;
    /// Its keys.
    fn keys() -> Vec<Key>;
    /// Compares keys with each other, and finds values for some that are not set.
    fn check(_resolved: &mut Resolved<'_>) {}
    /// Reads the section that stands at `path`.
    fn read_at(resolved: &Resolved<'_>, path: &str) -> Self;
    /// Takes the field of this name from another one.
    fn keep_field(&mut self, name: &str, other: &Self);
}

/// A field of `Config`: a section, or all tables of one declaration by their names.
pub(super) trait Member: Sized {
    fn keys() -> Vec<Key>;
    fn check(resolved: &mut Resolved<'_>);
    fn read(resolved: &Resolved<'_>) -> Self;
    /// Takes the field of the key with this path, if it has it, from another one.
    fn keep(&mut self, path: &str, other: &Self);
}

impl<S: Section> Member for S {
    fn keys() -> Vec<Key> {
        S::keys()
    }

    fn check(resolved: &mut Resolved<'_>) {
        S::check(resolved);
    }

    fn read(resolved: &Resolved<'_>) -> Self {
        S::read_at(resolved, S::PATH)
    }

    fn keep(&mut self, path: &str, other: &Self) {
        if let Some(name) = path.strip_prefix(S::PATH).and_then(|rest| rest.strip_prefix('.')) {
            self.keep_field(name, other);
        }
    }
}

impl<S: Section> Member for BTreeMap<String, S> {
    fn keys() -> Vec<Key> {
        S::keys()
    }

    fn check(resolved: &mut Resolved<'_>) {
        S::check(resolved);
    }

    fn read(resolved: &Resolved<'_>) -> Self {
        let names = resolved.names(S::PATH).into_iter();
        names
            .map(|name| {
                let section = S::read_at(resolved, &S::PATH.replace(NAME, &name));
                (name, section)
            })
            .collect()
    }

    fn keep(&mut self, path: &str, other: &Self) {
        for (name, section) in self {
            let place = format!("{}.", S::PATH.replace(NAME, name));
            if let (Some(field), Some(other)) = (path.strip_prefix(&place), other.get(name)) {
                section.keep_field(field, other);
            }
        }
    }
}

/// Declares a section; see the beginning of this file.
macro_rules! section {
    (
        $(#[$about:meta])*
        pub struct $Section:ident in $path:literal $(, keys by $keys:path)? $(, checked by $check:path)? {
            $( $(#[doc = $doc:literal])+ $field:ident: $ty:ty = $rule:expr, )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        pub struct $Section { $( $(#[doc = $doc])+ pub $field: $ty, )+ }

        impl $crate::config::section::Section for $Section {
            const PATH: &'static str = $path;

            fn keys() -> Vec<$crate::config::key::Key> {
                let keys = vec![$({
                    let rule: $crate::config::rule::Declared<$ty> = $rule;
                    rule.key($path, stringify!($field), concat!($($doc),+))
                },)+];
                $( let keys = $keys(keys); )?
                keys
            }

            $( fn check(resolved: &mut $crate::config::resolved::Resolved<'_>) {
                $check(resolved);
            } )?

            fn read_at(resolved: &$crate::config::resolved::Resolved<'_>, path: &str) -> Self {
                Self { $( $field: resolved.get(&format!("{path}.{}", stringify!($field))), )+ }
            }

            fn keep_field(&mut self, name: &str, other: &Self) {
                match name {
                    $( stringify!($field) => self.$field = other.$field.clone(), )+
                    _ => {}
                }
            }
        }
    };
}
pub(super) use section;
