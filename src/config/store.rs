//! `[store]`: the database file, and how long things are kept in it.

use std::path::PathBuf;

use super::key::{Key, Kind};
use super::settled::Settled;
use super::source::{Origin, Sources};
use super::value::Value;

/// Name of the database within the state directory.
const FILE: &str = "katana.db";

/// The section `[store]`.
#[derive(Clone, Debug)]
pub struct Store {
    /// The database file.
    pub path: PathBuf,
    /// Days until conversations are forgotten; 0 keeps them for ever.
    pub keep_history_days: u64,
    /// Days until finished updates and sent replies are removed.
    pub keep_done_days: u64,
}

pub(super) const KEYS: &[Key] = &[
    Key::new("store.path", Kind::Path, "").example("/var/lib/katana-bot/katana.db").doc(
        "The database file. By default `katana.db` in systemd's `$STATE_DIRECTORY`, else in `$XDG_STATE_HOME/katana-bot`, else in `~/.local/state/katana-bot`.",
        "To put it on another disk, or to run several bots as one user. It must be a local disk, not a network share.",
    ),
    Key::new("store.keep_history_days", Kind::Whole(0, 36_500), "90").doc(
        "Days until a conversation is forgotten; 0 keeps it for ever.",
        "To follow your rules on personal data.",
    ),
    Key::new("store.keep_done_days", Kind::Whole(2, 3650), "7").doc(
        "Days until finished updates and sent replies are removed; at least 2, because Telegram may deliver an update again for 24 hours.",
        "Raise it to look further back when something is investigated.",
    ),
];

impl Store {
    pub(super) fn read(settled: &mut Settled, sources: &Sources) -> Self {
        if settled.path("store.path").is_none() {
            match default_path(sources) {
                Some((path, why)) => {
                    let text = Value::Text(path.to_string_lossy().into_owned());
                    settled.set("store.path", text, Origin::Derived(format!("from ${why}")));
                }
                None if !settled.problems.about("store.path") => settled.problems.push(
                    "store.path",
                    "there is no place for the database: neither STATE_DIRECTORY nor HOME is set",
                    "set store.path or KATANA_STORE_PATH to a file in a folder that the bot may \
                     write to",
                ),
                None => {}
            }
        }
        Self {
            path: settled.path("store.path").unwrap_or_default(),
            keep_history_days: settled.whole("store.keep_history_days"),
            keep_done_days: settled.whole("store.keep_done_days"),
        }
    }
}

/// The usual file, and the variable that it follows from.
fn default_path(sources: &Sources) -> Option<(PathBuf, &'static str)> {
    let absolute =
        |name| sources.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // systemd joins several state directories with colons (systemd.exec(5)); the first is ours.
    if let Some(dir) = sources.variable("STATE_DIRECTORY").and_then(|all| all.split(':').next()) {
        return Some((PathBuf::from(dir).join(FILE), "STATE_DIRECTORY"));
    }
    // A relative XDG path is invalid and to be ignored (XDG Base Directory Specification).
    if let Some(dir) = absolute("XDG_STATE_HOME") {
        return Some((dir.join("katana-bot").join(FILE), "XDG_STATE_HOME"));
    }
    let home = absolute("HOME")?;
    Some((home.join(".local/state/katana-bot").join(FILE), "HOME"))
}
