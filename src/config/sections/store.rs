//! `[store]`: the database file, and how long things are kept in it.

use std::path::PathBuf;

use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{path, whole};
use crate::config::section::section;
use crate::config::source::{Origin, Sources};
use crate::config::value::Value;

/// Name of the database within the state directory.
const FILE: &str = "katana.db";

section! {
    /// The section `[store]`: the database file, and how long things are kept in it.
    pub struct Store in "store", checked by check {
        /// The database file. By default `katana.db` in systemd's `$STATE_DIRECTORY`, else in
        /// `$XDG_STATE_HOME/katana-bot`, else in `~/.local/state/katana-bot`.
        path: PathBuf = path()
            .example("/var/lib/katana-bot/katana.db")
            .when("To put it on another disk, or to run several bots as one user. It must be a local disk, not a network share.")
            .restart("the state file is open"),

        /// How long a start waits for a state file that another katana-bot still works on, in seconds.
        /// Meanwhile `/health` answers 200 with the phase `starting`, and `/ready` 503. With 0 such a
        /// start is refused at once.
        lock_wait_s: u64 = whole(0..=3600, 0)
            .when("Where a platform starts the new instance before it stops the old one on the same volume.")
            .restart("it is read at the start only"),

        /// Days until a conversation is forgotten; 0 keeps it forever.
        keep_history_days: u64 = whole(0..=36_500, 90)
            .when("To comply with your rules on personal data.").live(Part::Stages),

        /// Days until finished updates and sent replies are removed; at least 2, because Telegram
        /// may deliver an update again for 24 hours.
        keep_done_days: u64 = whole(2..=3650, 7)
            .when("Raise it to look further back when you investigate a problem.")
            .live(Part::Stages),
    }
}

fn check(resolved: &mut Resolved<'_>) {
    const PATH: &str = "store.path";
    if resolved.get::<Option<PathBuf>>(PATH).is_some() || resolved.problems.about(PATH) {
        return;
    }
    match default_path(resolved.sources) {
        Some((path, why)) => {
            let text = Value::Text(path.to_string_lossy().into_owned());
            resolved.set(PATH, text, Origin::Derived(format!("from ${why}")));
        }
        None => resolved.problems.push(
            PATH,
            "there is no place for the database: neither STATE_DIRECTORY nor HOME is set",
            "set store.path or KATANA_STORE_PATH to a file in a folder that the bot may write to",
        ),
    }
}

/// The usual file, and the variable that it follows from.
fn default_path(sources: &Sources) -> Option<(PathBuf, &'static str)> {
    let absolute =
        |name| sources.env.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // systemd joins several state directories with colons (systemd.exec(5)); the first is ours.
    if let Some(dir) = sources.env.variable("STATE_DIRECTORY").and_then(|all| all.split(':').next())
    {
        return Some((PathBuf::from(dir).join(FILE), "STATE_DIRECTORY"));
    }
    // A relative XDG path is invalid and to be ignored (XDG Base Directory Specification).
    if let Some(dir) = absolute("XDG_STATE_HOME") {
        return Some((dir.join("katana-bot").join(FILE), "XDG_STATE_HOME"));
    }
    let home = absolute("HOME")?;
    Some((home.join(".local/state/katana-bot").join(FILE), "HOME"))
}
