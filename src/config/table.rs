//! Named tables: sections that users name, such as `[providers.NAME]`, each with the same keys.
//!
//! A name has small letters, digits and single underscores, and begins with a letter. The variable
//! of a key is `KATANA_PROVIDERS_NAME_KEY`, with the name in capitals. Since names may hold
//! underscores, a variable is read by its end: the longest key that fits is meant, and the rest is
//! the name. A name whose variables would be read as another name and key is refused, so there are
//! never two readings.
//!
//! Invariant: a name that is not valid is never repeated; it may be a misplaced secret.

use std::collections::BTreeSet;

use super::key::{Key, NAME};
use super::name::is_name;
use super::source::Sources;

/// The tables that are declared, such as `providers.NAME`.
pub(super) fn tables(keys: &[Key]) -> BTreeSet<&'static str> {
    keys.iter().filter_map(Key::table).collect()
}

/// Whether `name` may be the name of one of these tables.
pub(super) fn fits(keys: &[Key], table: &str, name: &str) -> bool {
    is_name(name)
        && of(keys, table).all(|key| {
            let meant = Some((name.to_owned(), key.name()));
            reading(keys, table, &key.named(name).variable()) == meant
        })
}

/// The keys with each table replaced by those that these names make of it, in their order.
pub(super) fn expanded(keys: &[Key], names: &BTreeSet<(&'static str, String)>) -> Vec<Key> {
    let mut all: Vec<Key> = Vec::with_capacity(keys.len());
    let mut done = BTreeSet::new();
    for key in keys {
        match key.table() {
            None => all.push(key.clone()),
            Some(table) if done.insert(table) => {
                for (_, name) in names.iter().filter(|(of, _)| *of == table) {
                    all.extend(of(keys, table).map(|key| key.named(name)));
                }
            }
            Some(_) => {}
        }
    }
    all
}

/// The tables that variables name.
pub(super) fn in_environment(keys: &[Key], sources: &Sources) -> BTreeSet<(&'static str, String)> {
    let fixed: BTreeSet<String> =
        keys.iter().filter(|key| key.table().is_none()).map(Key::variable).collect();
    let mut names = BTreeSet::new();
    for table in tables(keys) {
        for variable in sources.env.keys().filter(|name| !fixed.contains(*name)) {
            let set = sources.env.variable(variable).is_some();
            if let Some((name, _)) = reading(keys, table, variable).filter(|_| set)
                && fits(keys, table, &name)
            {
                names.insert((table, name));
            }
        }
    }
    names
}

/// Name and key that a variable means, if it is one of this table.
fn reading(keys: &[Key], table: &str, variable: &str) -> Option<(String, &'static str)> {
    let (before, after) = affixes(table);
    let rest = variable.strip_prefix(&before)?;
    let mut found: Option<(&str, &Key)> = None;
    for key in of(keys, table) {
        let end = format!("{after}_{}", key.name().to_ascii_uppercase());
        let plain = rest.strip_suffix(&end);
        let file = rest.strip_suffix("_FILE").filter(|_| key.is_secret());
        for name in [plain, file.and_then(|rest| rest.strip_suffix(&end))].into_iter().flatten() {
            if found.is_none_or(|(shortest, _)| name.len() < shortest.len()) {
                found = Some((name, key));
            }
        }
    }
    let (name, key) = found?;
    let is_upper = !name.bytes().any(|b| b.is_ascii_lowercase());
    is_upper.then(|| (name.to_ascii_lowercase(), key.name()))
}

/// The variable that was probably meant by one that begins like those of a table: the same name
/// with a key that exists.
pub(super) fn variables_like(keys: &[Key], variable: &str) -> Vec<String> {
    let mut like = Vec::new();
    for table in tables(keys) {
        let (before, _) = affixes(table);
        let Some(rest) = variable.strip_prefix(&before) else { continue };
        for (at, _) in rest.match_indices('_') {
            let name = rest[..at].to_ascii_lowercase();
            if fits(keys, table, &name) {
                like.extend(of(keys, table).map(|key| key.named(&name).variable()));
            }
        }
    }
    like
}

/// What stands before the name in the variables of a table, and after it.
fn affixes(table: &str) -> (String, String) {
    let (before, after) = table.split_once(NAME).unwrap_or((table, ""));
    let variable = |path: &str| path.replace('.', "_").to_ascii_uppercase();
    (format!("KATANA_{}", variable(before)), variable(after))
}

fn of<'a>(keys: &'a [Key], table: &'a str) -> impl Iterator<Item = &'a Key> {
    keys.iter().filter(move |key| key.table() == Some(table))
}
