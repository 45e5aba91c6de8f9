//! Backups of the state file, made while the daemon runs or while it does not.
//!
//! Invariant: a file has the name of a backup only when it was verified and is on disk.

use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use hygiene::atomic::sibling;
use hygiene::ownership::give;
use rusqlite::Connection;

use super::atomic_file::{AtomicFile, reading};
use super::contents::{self, CheckLevel};
use super::{open, ownership};
use crate::store::backup_failure::BackupError;
use crate::store::failure::StoreError;
use crate::store::upkeep::Contents;

/// Writes everything that is committed in the state file `state` at this moment to the new
/// file `to` (mode 0600, without a log beside it), verifies it and says what is in it.
/// `overwrite` allows to replace a file; of a link, the file that it leads to.
///
/// # Errors
/// When it cannot be read or written, or is damaged; then `to` is as it was.
pub fn backup(state: &Path, to: &Path, overwrite: bool) -> Result<Contents, BackupError> {
    let to = &target(to)?;
    backup_by(&sibling(to, ".partial"), state, to, overwrite, None)
}

/// The same with the name that the file has until it is whole, in the folder of `to`, and for this user and
/// group, where root may give it away.
pub(super) fn backup_by(
    partial: &Path,
    state: &Path,
    to: &Path,
    overwrite: bool,
    owner: Option<(u32, u32)>,
) -> Result<Contents, BackupError> {
    refuse(state, to, overwrite)?;
    let conn = of_state(state)?;
    let atomic_file = AtomicFile::take(partial.to_owned(), to, None)?;
    atomic_file.fill(&conn, state, to)?;
    let contents = contents::examine(&atomic_file.read()?, state, CheckLevel::Whole)?;
    // Another process may have taken the name meanwhile.
    refuse(state, to, overwrite)?;
    target(to)?;
    give(atomic_file.file(), owner)
        .map_err(|source| BackupError::Write { path: to.to_owned(), source })?;
    atomic_file.publish(to)?;
    Ok(contents)
}

/// The same, written to a stream. The copy lies beside the state file meanwhile: the stream
/// begins when it was verified.
///
/// # Errors
/// As [`backup`]; what was written to the stream then is useless.
pub fn backup_to(state: &Path, to: &mut impl Write) -> Result<Contents, BackupError> {
    let conn = of_state(state)?;
    let name = sibling(state, ".outgoing");
    let atomic_file = AtomicFile::take(name.clone(), &name, None)?;
    atomic_file.fill(&conn, state, &name)?;
    let contents = contents::examine(&atomic_file.read()?, state, CheckLevel::Whole)?;
    let mut file = atomic_file.file();
    file.rewind().map_err(|source| BackupError::Read { path: name, source })?;
    let piped = io::copy(&mut file, to).and_then(|_| to.flush());
    let fail = |source| BackupError::Write { path: "standard output".into(), source };
    piped.map(|()| contents).map_err(fail)
}

/// Verifies a backup and says what is in it.
///
/// # Errors
/// When it cannot be read, is damaged, of a newer version, or something else.
pub fn examine(file: &Path) -> Result<Contents, BackupError> {
    contents::examine(&reading(file)?, file, CheckLevel::Whole)
}

fn of_state(state: &Path) -> Result<Connection, BackupError> {
    ownership::refuse_strange_link(state)?;
    if std::fs::metadata(state).is_ok_and(|about| !about.is_file()) {
        return Err(StoreError::obstacle(state, "it is not a regular file").into());
    }
    std::fs::File::open(state).map_err(|source| StoreError::open(state, source))?;
    Ok(open::connect_reading(state)?)
}

/// The file that is to be replaced or made: a rename would put a file in the place of a link, of a
/// pipe or of `/dev/null`.
fn target(to: &Path) -> Result<PathBuf, BackupError> {
    ownership::refuse_strange_link(to)?;
    let path = to.to_owned();
    let hint = "name a file of its own; what goes to a pipe goes to standard output: \
                katana-bot backup - > PIPE";
    match std::fs::metadata(to) {
        Ok(about) if !about.is_file() && !about.is_dir() => {
            Err(BackupError::Special { path, hint })
        }
        Ok(about) if about.is_file() && to.is_symlink() => {
            to.canonicalize().map_err(|source| BackupError::Write { path, source })
        }
        Err(_) if to.is_symlink() => Err(BackupError::Place { path, why: "it is a dangling link" }),
        _ => Ok(path),
    }
}

/// Names that must not be written to.
fn refuse(state: &Path, to: &Path, overwrite: bool) -> Result<(), BackupError> {
    let path = to.to_owned();
    if to.is_dir() {
        return Err(BackupError::Place { path, why: "it is a folder" });
    }
    let real = |path: &Path| path.canonicalize().ok();
    for suffix in ["", "-wal", "-shm", ".lock", ".suspect"] {
        let ours = sibling(state, suffix);
        if ours.exists() && real(&ours) == real(to) {
            return Err(BackupError::Place { path, why: "the running bot uses this file" });
        }
    }
    // A log beside it would be taken for a part of the backup.
    if sibling(to, "-wal").exists() {
        return Err(BackupError::Place { path, why: "it is a database in use, with a log" });
    }
    if !overwrite && to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists { path });
    }
    Ok(())
}
