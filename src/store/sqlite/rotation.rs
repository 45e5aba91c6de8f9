//! Backups that rotate: dated files in one folder, of which the oldest go.
//!
//! Invariants: a file is deleted only after a newer one was verified and is on disk; only files that are named
//! like ours are counted or deleted; why an attempt failed stays beside the state file until one works.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};

use hygiene::atomic::{self, Kind, sibling};
use hygiene::line::one_line;
use hygiene::ownership::{self, folder};
use hygiene::redact::without_tokens;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::backup::backup_by;
use super::ownership::refuse_strange_link;
use crate::model::failure::chain;
use crate::observe::clock::Clock;
use crate::store::backup_failure::BackupError;
use crate::store::upkeep::{Backups, FailedBackup, Rotated};

/// Around the time in the name of a backup.
const NAME: (&str, &str) = ("katana-", ".db");

/// How the time is written there, in UTC: in order, and without a colon.
const TIME: &str = "%Y%m%dT%H%M%S%3fZ";

/// The name of a backup that is being written: one, so that a second process notices the first, and the next
/// one removes what a killed one left.
const PARTIAL: &str = "katana.partial";

/// After the state file's name: why the last attempt failed.
const FAILED: &str = ".backup-failed";

/// Longest reason that is kept, in characters.
const WHY_CHARS: usize = 300;

/// Largest record of a failure that is read, in bytes.
const WHY_BYTES: u64 = 4096;

/// A backup that claims to be from further in the future was made with a wrong clock, in milliseconds.
const AHEAD_MS: i64 = 3_600_000;

/// Backs up the state file `state` to a new file in `dir`, then deletes the oldest so that `keep` stay. The
/// folder is created if it is beside the state file. A failure is noted there for [`backups`].
///
/// # Errors
/// As [`backup`](super::backup::backup); then no old file was deleted. When one cannot be deleted.
pub fn rotate(
    state: &Path,
    dir: &Path,
    keep: usize,
    clock: &Clock,
) -> Result<Rotated, BackupError> {
    let done = attempt(state, dir, keep, clock);
    let record = sibling(state, FAILED);
    match &done {
        Ok(_) => drop(atomic::remove(&record)),
        Err(e) => note(&record, &one_line(&without_tokens(&chain(e)), WHY_CHARS)),
    }
    done
}

/// The backups in `dir`, and how the last attempt for this state file went; `None` where the folder cannot be
/// read. `now_ms`: Unix milliseconds.
pub fn backups(state: &Path, dir: &Path, now_ms: i64) -> Option<Backups> {
    let found = match files(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        found => found.ok()?,
    };
    let made = found.iter().map(|(at_ms, _)| *at_ms).filter(|at_ms| *at_ms < now_ms + AHEAD_MS);
    let record = sibling(state, FAILED);
    let failed = std::fs::metadata(&record).ok().map(|about| FailedBackup {
        at_ms: about.mtime() * 1000,
        why: one_line(&hygiene::text::read(&record, WHY_BYTES).unwrap_or_default(), WHY_CHARS),
    });
    let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
    Some(Backups { newest_ms: made.max(), count, failed })
}

fn attempt(state: &Path, dir: &Path, keep: usize, clock: &Clock) -> Result<Rotated, BackupError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        |source| BackupError::Write { path, source }
    };
    refuse_strange_link(dir)?;
    create(state, dir).map_err(at(dir))?;
    let owner = std::fs::metadata(dir).map(|about| (about.uid(), about.gid())).map_err(at(dir))?;
    let path = dir.join(named(clock.now_ms()));
    let contents = backup_by(&dir.join(PARTIAL), state, &path, false, Some(owner))?;
    let mut old = files(dir).map_err(at(dir))?;
    old.retain(|(_, file)| *file != path);
    old.sort();
    let spare = (old.len() + 1).saturating_sub(keep.max(1));
    let deleted: Vec<PathBuf> = old.into_iter().take(spare).map(|(_, file)| file).collect();
    for file in &deleted {
        let fail = |source| BackupError::Delete { path: file.clone(), source };
        atomic::remove(file).map_err(fail)?;
    }
    Ok(Rotated { path, contents, deleted })
}

/// Makes the folder for the owner of the state, if it is missing beside it. Elsewhere a missing folder may be
/// a disk that is not mounted.
fn create(state: &Path, dir: &Path) -> io::Result<()> {
    let beside = folder(state);
    if dir.exists() || folder(dir) != beside {
        return Ok(());
    }
    std::fs::DirBuilder::new().mode(0o700).create(dir)?;
    let about = std::fs::metadata(beside)?;
    if about.uid() == ownership::own_uid() {
        return Ok(());
    }
    lchown(dir, Some(about.uid()), Some(about.gid()))
}

/// Writes down why it failed. On a full disk only the name may fit, which says that it did.
fn note(record: &Path, why: &str) {
    let about = std::fs::metadata(folder(record)).ok();
    let owner = about.map(|about| (about.uid(), about.gid()));
    let kind = Kind { mode: 0o600, owner, is_durable: false };
    if atomic::replace(record, why.as_bytes(), kind).is_err() {
        let _ = ownership::open(record, std::fs::OpenOptions::new().write(true).create(true));
    }
}

/// Our backups in the folder, with the times in their names.
fn files(dir: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let ours = |entry: std::fs::DirEntry| Some((time(entry.file_name().to_str()?)?, entry.path()));
    std::fs::read_dir(dir)?.filter_map(|entry| entry.map(ours).transpose()).collect()
}

fn named(now_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(now_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{}{}{}", NAME.0, at.strftime(TIME), NAME.1)
}

/// The time in the name of a backup, Unix milliseconds.
fn time(name: &str) -> Option<i64> {
    let text = name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?;
    let at = DateTime::strptime(TIME, text).ok()?.to_zoned(TimeZone::UTC).ok()?;
    let at_ms = at.timestamp().as_millisecond();
    (named(at_ms) == name).then_some(at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::BotId;
    use crate::store::Store;

    const NOW_MS: i64 = 1_795_000_000_123;
    const DAY_MS: i64 = 86_400_000;

    struct Folder {
        dir: tempfile::TempDir,
        clock: Clock,
    }

    impl Folder {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let this = Self { dir, clock: Clock::manual(NOW_MS) };
            drop(Store::open(&this.state(), BotId(42), this.clock.clone()).unwrap());
            this
        }

        fn state(&self) -> PathBuf {
            self.dir.path().join("katana.db")
        }

        fn backups(&self) -> PathBuf {
            self.dir.path().join("backups")
        }

        fn rotate(&self, keep: usize) -> Result<Rotated, BackupError> {
            self.clock.advance(DAY_MS);
            rotate(&self.state(), &self.backups(), keep, &self.clock)
        }

        fn look(&self) -> Option<Backups> {
            backups(&self.state(), &self.backups(), self.clock.now_ms())
        }
    }

    #[test]
    fn the_oldest_go_and_only_ours() {
        let folder = Folder::new();
        assert_eq!(folder.look(), Some(Backups::default()), "none is in use yet");
        for n in 1..=5_u64 {
            let made = folder.rotate(3).unwrap();
            assert!(super::super::backup::examine(&made.path).is_ok());
            assert_eq!(made.deleted.len(), usize::from(n > 3));
            let found = folder.look().unwrap();
            assert_eq!((found.count, found.newest_ms), (n.min(3), Some(folder.clock.now_ms())));
            // Of someone else, whatever the name looks like.
            for other in ["katana-2026.db", "katana.db", "katana-20260101T000000000Z.db.gz", "x"] {
                std::fs::write(folder.backups().join(other), "").unwrap();
            }
        }
        let about = std::fs::metadata(folder.backups()).unwrap();
        assert_eq!(about.mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(folder.backups()).unwrap().count(), 3 + 4);
        assert_eq!(folder.rotate(1).unwrap().deleted.len(), 3);
    }

    #[test]
    fn what_fails_is_noted_until_one_works_and_costs_no_old_backup() {
        let folder = Folder::new();
        folder.rotate(1).unwrap();
        let away = folder.dir.path().join("away.db");
        std::fs::rename(folder.state(), &away).unwrap();
        assert!(folder.rotate(1).is_err());
        let found = folder.look().unwrap();
        assert_eq!((found.count, found.newest_ms), (1, Some(NOW_MS + DAY_MS)));
        assert!(found.failed.unwrap().why.contains("katana.db"));
        std::fs::rename(&away, folder.state()).unwrap();
        folder.rotate(1).unwrap();
        assert_eq!(folder.look().unwrap().failed, None);
    }

    #[test]
    fn a_missing_folder_elsewhere_is_not_made() {
        let folder = Folder::new();
        let away = folder.dir.path().join("disk/backups");
        let refused = rotate(&folder.state(), &away, 3, &folder.clock);
        assert!(matches!(refused, Err(BackupError::Write { .. })), "{refused:?}");
        assert!(!away.exists());
        let found = backups(&folder.state(), &away, NOW_MS).unwrap();
        assert!(found.failed.is_some_and(|failed| failed.why.contains("disk/backups")));
    }

    #[test]
    fn a_backup_from_the_future_is_not_the_newest_and_never_costs_the_new_one() {
        let folder = Folder::new();
        let ahead = folder.backups().join(named(NOW_MS + 400 * DAY_MS));
        let made = folder.rotate(2).unwrap();
        std::fs::copy(&made.path, &ahead).unwrap();
        assert_eq!(folder.look().unwrap().newest_ms, Some(folder.clock.now_ms()));
        let next = folder.rotate(1).unwrap();
        assert!(next.path.exists() && !made.path.exists() && !ahead.exists());
    }

    #[test]
    fn names_and_times_are_each_others_inverse() {
        assert_eq!(named(NOW_MS), "katana-20261118T110640123Z.db");
        assert_eq!(time(&named(NOW_MS)), Some(NOW_MS));
        for other in ["katana-20261118T110640Z.db", "katana-99999999T999999999Z.db", "katana-.db"] {
            assert_eq!(time(other), None, "{other}");
        }
    }
}
