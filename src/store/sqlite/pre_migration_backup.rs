//! Copies that are kept beside the state file before a migration changes it.
//!
//! Invariants: no migration without a copy; at most [`KEPT`] copies, none for longer than
//! [`DAYS`]: they hold what people may since have asked to be forgotten.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hygiene::atomic::sibling;
use rusqlite::Connection;

use super::atomic_file::AtomicFile;
use super::contents::{CheckLevel, examine};
use super::copies::{BEFORE_MIGRATION, DAYS, named};
use super::{failure, schema};
use crate::store::failure::StoreError;
use crate::store::upkeep::PreMigrationBackup;

/// Copies that stay. Who goes back further than three schemas has a backup of their own.
const KEPT: usize = 3;

/// Keeps a copy if the file is about to be migrated.
pub(super) fn keep(
    conn: &Connection,
    path: &Path,
) -> Result<Option<PreMigrationBackup>, StoreError> {
    let (schema, newest) = (schema::version(conn)?, schema::newest());
    if schema == 0 || schema >= newest {
        return Ok(None);
    }
    let copy = sibling(path, &format!("{BEFORE_MIGRATION}{newest}"));
    let write = || {
        let atomic_file = AtomicFile::take(sibling(&copy, ".partial"), &copy, None)?;
        atomic_file.fill(conn, path, &copy)?;
        examine(&atomic_file.read()?, path, CheckLevel::Quick)?;
        atomic_file.publish(&copy)
    };
    write().map_err(|e| failure::copy(path, e))?;
    Ok(Some(PreMigrationBackup { path: copy, schema }))
}

/// Removes copies that are too many or too old.
pub(super) fn sweep(path: &Path, now_ms: i64) {
    let mut copies = copies(path);
    copies.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let horizon_s = now_ms / 1000 - DAYS * 24 * 3600;
    for (at, (_, copy)) in copies.into_iter().enumerate() {
        let is_old = std::fs::metadata(&copy).is_ok_and(|about| about.mtime() < horizon_s);
        if at >= KEPT || is_old {
            let _ = std::fs::remove_file(copy);
        }
    }
}

fn copies(path: &Path) -> Vec<(u32, PathBuf)> {
    let copies = named(path, BEFORE_MIGRATION).into_iter();
    copies.filter_map(|(version, path)| Some((version.parse().ok()?, path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_bounded_in_number_and_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("katana.db");
        let names = ["v2", "v3", "v9", "v10", "v11", "vx", "v12.partial"];
        let copy = |name: &str| sibling(&path, &format!(".before-{name}"));
        for name in names {
            std::fs::write(copy(name), "").unwrap();
        }
        std::fs::write(dir.path().join("other.db.before-v1"), "").unwrap();
        let now_ms = std::fs::metadata(copy("v2")).unwrap().mtime() * 1000;
        sweep(&path, now_ms);
        let left =
            |names: &[&str]| -> Vec<bool> { names.iter().map(|n| copy(n).exists()).collect() };
        assert_eq!(left(&names), [false, false, true, true, true, true, true], "the newest three");
        sweep(&path, now_ms + 31 * 24 * 3_600_000);
        assert_eq!(left(&names[2..]), [false, false, false, true, true]);
        assert!(dir.path().join("other.db.before-v1").exists());
    }
}
