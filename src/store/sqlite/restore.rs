//! Putting a backup in the place of the state file.
//!
//! Invariants: the backup is verified before anything is touched; at each moment the state file is
//! the whole old one or the whole new one, or the old one whose log the next start puts back
//! ([`undo_cut`]); the old one is kept under another name.

use std::fs::hard_link;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hygiene::atomic::{remove, sibling, sync_folder};
use hygiene::ownership::{at, folder, give};

use super::atomic_file::{AtomicFile, reading, refuse_special};
use super::contents::{CheckLevel, examine};
use super::copies::BEFORE_RESTORE;
use super::{identity, open, ownership};
use crate::model::ids::BotId;
use crate::observe::clock::Clock;
use crate::store::backup_failure::BackupError;
use crate::store::failure::StoreError;
use crate::store::upkeep::Restored;

/// Makes a copy of the backup `from` the state file `path`. With `bot`, the backup has to hold
/// state of that bot. A file of an older schema is migrated by the next start.
///
/// # Errors
/// When a daemon holds the file, or the backup is not good: then nothing was changed.
pub fn restore(
    path: &Path,
    from: &Path,
    bot: Option<BotId>,
    clock: &Clock,
) -> Result<Restored, BackupError> {
    refuse_special(from)?;
    ownership::refuse_strange_link(path)?;
    let path = open::real(path)?;
    let owner = owner(&path)?;
    let lock = open::lock(&path)?;
    let fail = |source| BackupError::Write { path: path.clone(), source };
    give(&lock, owner).map_err(fail)?;
    let backup = reading(from)?;
    let atomic_file = AtomicFile::take(sibling(&path, ".restoring"), &path, Some(&path))?;
    atomic_file.fill(&backup, from, &path)?;
    drop(backup);
    let contents = examine(&atomic_file.read()?, from, CheckLevel::Whole)?;
    if let Some(bot) = bot.filter(|bot| contents.bots.iter().all(|b| b.bot != *bot)) {
        let found = contents.bots.iter().map(|b| b.bot).collect();
        return Err(BackupError::OtherBot { path: from.to_owned(), bot, found });
    }
    atomic_file.file().sync_all().map_err(fail)?;
    give(atomic_file.file(), owner).map_err(fail)?;
    let kept = keep_old(&path, clock.now_ms()).map_err(fail)?;
    atomic_file.publish(&path)?;
    let _ = std::fs::remove_file(sibling(&path, ".suspect"));
    Ok(Restored { contents, path, kept })
}

/// Whom the state file belongs to: root restores, but another user runs the bot.
fn owner(path: &Path) -> Result<Option<(u32, u32)>, StoreError> {
    let about = match std::fs::symlink_metadata(path) {
        Ok(about) if !about.is_file() => {
            let why = "it is not a regular file";
            return Err(StoreError::obstacle(path, why));
        }
        Ok(about) => Some(about),
        Err(_) => std::fs::metadata(folder(path)).ok(),
    };
    Ok(about.map(|about| (about.uid(), about.gid())))
}

/// Gives the old file a second name, and sees to it that nothing of it touches the new one.
fn keep_old(path: &Path, now_ms: i64) -> io::Result<Option<PathBuf>> {
    if identity::is_log_alone(path) || !path.exists() {
        // A log whose file is gone may hold what was never folded into the file.
        let mut kept = None;
        remove(&sibling(path, "-shm"))?;
        for log in ["-wal", "-journal"].map(|suffix| sibling(path, suffix)) {
            if kept.is_none() && log.metadata().is_ok_and(|about| about.len() > 0) {
                kept = Some(second_name(&log, now_ms)?);
            }
            remove(&log)?;
        }
        return Ok(kept);
    }
    // Folded into the file, the log cannot be parted from it. A damaged file keeps its log, and so
    // does another user's: a journal beside it can name any file, which SQLite removes as root.
    if !ownership::is_foreign(path)
        && let Ok(conn) = open::connect(path)
    {
        let _ = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
    let kept = second_name(path, now_ms)?;
    for suffix in ["-wal", "-shm"] {
        let log = sibling(path, suffix);
        if log.exists() {
            hard_link(&log, sibling(&kept, suffix))?;
        }
    }
    sync_folder(path)?;
    // The new file must not meet this log. If the power goes now, the old file stands without it,
    // until `undo_cut`.
    remove(&sibling(path, "-wal"))?;
    remove(&sibling(path, "-shm"))?;
    Ok(Some(kept))
}

/// Undoes a restore that was cut between the removal of the old log and the new file: the state is
/// still the old file, and its log has only the kept name. For the daemon, which holds the lock.
pub(super) fn undo_cut(path: &Path) -> io::Result<()> {
    let Some(state) = at(path)? else { return Ok(()) };
    let start =
        format!("{}{BEFORE_RESTORE}", path.file_name().unwrap_or_default().to_string_lossy());
    let mut found = false;
    for entry in std::fs::read_dir(folder(path))? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(&start) {
            continue;
        }
        // Links are not followed; a file that went away meanwhile is none of ours.
        let Some(about) = at(&entry.path())? else { continue };
        if (about.dev(), about.ino()) != (state.dev(), state.ino()) {
            continue;
        }
        let (kept, log) = (entry.path(), sibling(path, "-wal"));
        let kept_log = sibling(&kept, "-wal");
        if !log.exists() && kept_log.exists() {
            hard_link(&kept_log, &log)?;
        }
        // Names of the file that is in use again: a log under one of them would be taken for its own.
        remove(&kept_log)?;
        remove(&sibling(&kept, "-shm"))?;
        remove(&kept)?;
        found = true;
    }
    if found { sync_folder(path) } else { Ok(()) }
}

/// A dated name for the file, one that nothing has.
fn second_name(path: &Path, now_ms: i64) -> io::Result<PathBuf> {
    let at = jiff::Timestamp::from_millisecond(now_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let dated = format!("{BEFORE_RESTORE}{}", at.strftime("%Y%m%dT%H%M%SZ"));
    for n in 1..100 {
        let more = if n == 1 { String::new() } else { format!("-{n}") };
        let name = sibling(path, &format!("{dated}{more}"));
        match hard_link(path, &name) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| name),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
