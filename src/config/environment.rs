//! The environment: `KATANA_<SECTION>_<KEY>` for every key, and well-known names.

use super::key::Key;
use super::kind::{Kind, expected, from_text};
use super::nearest::nearest;
use super::problem::Problems;
use super::source::{FILE_VARIABLE, Origin, Sources};
use super::table;
use super::value::Value;

/// Variables that begin with `KATANA_` and are not keys: for the command line, tests and benchmarks.
const OTHERS: &[&str] = &[FILE_VARIABLE, "KATANA_CRASH_KILLS"];

/// Beginnings of such variables.
const OTHER_PREFIXES: &[&str] = &["KATANA_TEST_", "KATANA_BENCH_"];

/// What the environment sets this key to: its own variable first, then its aliases.
pub(super) fn find(
    key: &Key,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<(Value, Origin)> {
    let own = key.variable();
    // No text is a text: it is how the environment says that there shall be none.
    if key.kind == Kind::Prose && sources.env.get(&own).is_some_and(|text| text.trim().is_empty()) {
        return Some((Value::Text(String::new()), Origin::Env(own)));
    }
    let variables: Vec<String> = key.variables().collect();
    find_in(key, &variables, sources, problems)
}

/// What the first of these variables that is set says.
pub(super) fn find_in(
    key: &Key,
    variables: &[impl AsRef<str>],
    sources: &Sources,
    problems: &mut Problems,
) -> Option<(Value, Origin)> {
    let (name, text) = variables
        .iter()
        .map(AsRef::as_ref)
        .find_map(|name| sources.env.variable(name).map(|text| (name, text)))?;
    let origin = Origin::Env(name.to_owned());
    match from_text(key.kind, text) {
        Ok(value) => Some((value, origin)),
        Err(why) => {
            let hint = format!("write {}", expected(key.kind));
            problems.push(key.path(), format!("the value {why} ({origin})"), hint);
            None
        }
    }
}

/// The name of a variable, unless it may be a pasted secret.
fn shown(name: &str) -> &str {
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    if name.bytes().all(plain) { name } else { "a variable that begins with KATANA_" }
}

/// Refuses `KATANA_` variables that mean nothing: a slip there would otherwise go unseen. `declared`
/// has the tables that users name, `keys` those that they did name instead.
pub(super) fn refuse_unknown(
    declared: &[Key],
    keys: &[Key],
    sources: &Sources,
    problems: &mut Problems,
) {
    let mut known: Vec<String> = keys.iter().map(Key::variable).collect();
    let secrets = keys.iter().filter(|key| key.is_secret());
    known.extend(secrets.map(|key| format!("{}_FILE", key.variable())));
    for name in sources.env.keys().filter(|name| name.starts_with("KATANA_")) {
        let other = OTHERS.contains(&name.as_str())
            || OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if other || known.contains(name) || sources.env.variable(name).is_none() {
            continue;
        }
        let like = table::variables_like(declared, name);
        let hint = match nearest(name, known.iter().chain(&like).map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None => "unset it; katana-bot.toml(5) names all variables".to_owned(),
        };
        problems.push(shown(name), "there is no such environment variable", hint);
    }
}
