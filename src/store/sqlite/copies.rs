//! Older copies of the state that lie beside it, by their names.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::upkeep::OlderCopy;

/// Days that a copy from before a migration stays. Whether an upgrade was good shows within a month.
pub(super) const DAYS: i64 = 30;

/// Between the state file's name and the schema of the version that migrated it.
pub(super) const BEFORE_MIGRATION: &str = ".before-v";

/// Between the state file's name and the time at which a restore replaced it.
pub(super) const BEFORE_RESTORE: &str = ".before-restore-";

/// Between the state file's name and the time at which it was found damaged.
pub(super) const CORRUPT: &str = ".corrupt-";

/// Copies of the state that lie beside it: those from before a migration, with the time at which they
/// go (Unix ms), then those that a restore or damage left, which stay until someone removes them.
pub fn beside(path: &Path) -> Vec<OlderCopy> {
    let until = |copy: &Path| {
        let changed_s = std::fs::metadata(copy).ok()?.mtime();
        Some(changed_s.saturating_add(DAYS * 24 * 3600).saturating_mul(1000))
    };
    let kept =
        named(path, BEFORE_MIGRATION).into_iter().filter(|(rest, _)| rest.parse::<u32>().is_ok());
    let kept = kept.map(|(_, path)| OlderCopy { until_ms: until(&path), path });
    let is_log = |rest: &str| rest.ends_with("-wal") || rest.ends_with("-shm");
    let left = [BEFORE_RESTORE, CORRUPT].into_iter().flat_map(|mark| named(path, mark));
    let left = left.filter(|(rest, _)| !is_log(rest));
    let left = left.map(|(_, path)| OlderCopy { until_ms: None, path });
    let mut all: Vec<_> = kept.chain(left).collect();
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all
}

/// Files beside `path` that have its name and `mark`, with the rest of their names.
pub(super) fn named(path: &Path, mark: &str) -> Vec<(String, PathBuf)> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let start = format!("{}{mark}", name.to_string_lossy());
    let rest = |entry: &std::fs::DirEntry| {
        Some(entry.file_name().to_str()?.strip_prefix(&start)?.to_owned())
    };
    entries.flatten().filter_map(|entry| Some((rest(&entry)?, entry.path()))).collect()
}

#[cfg(test)]
mod tests {
    use hygiene::atomic::sibling;

    use super::*;

    #[test]
    fn copies_beside_the_file_are_known_with_the_day_they_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("katana.db");
        for name in [
            "",
            "-wal",
            ".before-v3",
            ".before-v4.partial",
            ".lock",
            ".corrupt-17-wal",
            ".corrupt-17",
            ".before-restore-20261129T000000Z",
        ] {
            std::fs::write(sibling(&path, name), "").unwrap();
        }
        let changed = std::fs::metadata(sibling(&path, ".before-v3")).unwrap().mtime();
        let found = beside(&path).into_iter().map(|copy| (copy.path, copy.until_ms));
        assert_eq!(
            found.collect::<Vec<_>>(),
            [
                (sibling(&path, ".before-restore-20261129T000000Z"), None),
                (sibling(&path, ".before-v3"), Some((changed + 30 * 24 * 3600) * 1000)),
                (sibling(&path, ".corrupt-17"), None),
            ]
        );
    }
}
