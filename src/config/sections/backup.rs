//! `[backup]`: the nightly backups, and when a missing one is a finding.

use std::path::PathBuf;

use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{flag, path, whole};
use crate::config::section::section;
use crate::config::source::Origin;
use crate::config::value::Value;

/// Name of the folder beside the database.
const FOLDER: &str = "backups";

section! {
    /// The section `[backup]`: the nightly backups, and when a missing one is a finding.
    pub struct Backup in "backup", checked by check {
        /// The folder that `katana-bot backup --rotate` writes to, which `katana-bot-backup.timer` runs
        /// each night. By default `backups` beside the database.
        dir: PathBuf = path()
            .example("/srv/katana-backups")
            .when("To put backups on another disk; the unit then needs `backup-elsewhere.conf` of the examples.")
            .restart("the supervisor looks into one folder"),

        /// How many backups `katana-bot backup --rotate` keeps.
        keep: u64 = whole(1..=1000, 14)
            .when("Lower it to keep what people have forgotten for a shorter time.").live(Part::Watch),

        /// Finding `backup_missing`: days without a new backup; 0 turns the finding off. It is evaluated from
        /// the first backup, or the first attempt, in `backup.dir` on.
        max_age_days: u64 = whole(0..=3650, 2)
            .when("Set it to 0 if you no longer back up with `--rotate`.").live(Part::Watch),

        /// Whether the finding `backup_missing` also opens if there has never been a backup.
        required: bool = flag(false)
            .when("Where there must be backups, so that a timer that was never enabled is noticed.")
            .live(Part::Watch),
    }
}

/// Comes after `[store]`.
fn check(resolved: &mut Resolved<'_>) {
    const DIR: &str = "backup.dir";
    let database: PathBuf = resolved.get("store.path");
    if resolved.get::<Option<PathBuf>>(DIR).is_none() {
        let text = Value::Text(database.with_file_name(FOLDER).to_string_lossy().into_owned());
        resolved.set(DIR, text, Origin::Derived("beside store.path".to_owned()));
    }
}
