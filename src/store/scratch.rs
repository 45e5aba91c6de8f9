//! A file that is written beside its final name and gets that name when it is whole and on disk.
//!
//! Invariants: nothing half written ever has the final name; one process at a time writes; what a
//! killed one left behind is used again, so that it does not pile up.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::backup_failure::BackupError;
use super::open::sibling;

/// An empty file of mode 0600, locked; removed when dropped before it was published.
pub(super) struct Scratch {
    path: PathBuf,
    file: File,
    is_published: bool,
}

impl Scratch {
    /// Takes the name `path` for a file that is to become `to`.
    pub(super) fn take(path: PathBuf, to: &Path) -> Result<Self, BackupError> {
        let fail = |source| BackupError::Write { path: to.to_owned(), source };
        loop {
            let mut options = OpenOptions::new();
            options.create(true).truncate(false).write(true).mode(0o600);
            let file = options.open(&path).map_err(fail)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(BackupError::Busy { path: to.to_owned() });
                }
                Err(TryLockError::Error(e)) => return Err(fail(e)),
            }
            // Whoever held the lock may have renamed the file meanwhile: it is theirs then.
            let same = std::fs::metadata(&path).is_ok_and(|there| {
                file.metadata()
                    .is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
            });
            if same {
                remove_logs(&path);
                file.set_len(0).map_err(fail)?;
                file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
                    .map_err(fail)?;
                return Ok(Self { path, file, is_published: false });
            }
        }
    }

    /// Where it is written.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fills it with the database behind `from`, as it is at one moment, also while others write
    /// to that. `source` and `to` are for complaints.
    pub(super) fn fill(
        &self,
        from: &Connection,
        source: &Path,
        to: &Path,
    ) -> Result<(), BackupError> {
        let fail = |e| BackupError::of_sqlite(to, e);
        let mut into = Connection::open(&self.path).map_err(fail)?;
        // What is half written after a crash is thrown away; `publish` waits for the disk.
        into.pragma_update(None, "synchronous", "OFF").map_err(fail)?;
        into.pragma_update(None, "journal_mode", "MEMORY").map_err(fail)?;
        // All in one step: it reads one snapshot, which hinders no writer. In several steps, each
        // write of another process would make it begin anew.
        let step = Backup::new(from, &mut into).and_then(|copy| copy.step(-1));
        match step {
            Ok(StepResult::Done) => {}
            Ok(_) => return Err(BackupError::Busy { path: to.to_owned() }),
            Err(e) => {
                let of = BackupError::of_sqlite(to, e);
                let mine = matches!(of, BackupError::Write { .. });
                return Err(if mine { of } else { of.about(source) });
            }
        }
        drop(into);
        // The copy says of itself that it has a write-ahead log. It has none, and must be readable
        // where none can be made.
        let into = Connection::open(&self.path).map_err(fail)?;
        into.pragma_update(None, "synchronous", "OFF").map_err(fail)?;
        into.pragma_update(None, "journal_mode", "DELETE").map_err(fail)?;
        into.close().map_err(|(_, e)| fail(e))
    }

    /// A connection that reads what was filled in.
    pub(super) fn read(&self) -> Result<Connection, BackupError> {
        reading(&self.path)
    }

    /// Gives it its name, replacing what has it; returns when that is on disk.
    pub(super) fn publish(mut self, to: &Path) -> Result<(), BackupError> {
        let fail = |source| BackupError::Write { path: to.to_owned(), source };
        self.file.sync_all().map_err(fail)?;
        std::fs::rename(&self.path, to).map_err(fail)?;
        self.is_published = true;
        sync_folder(to).map_err(fail)
    }

    /// Another handle of the same file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_published {
            let _ = std::fs::remove_file(&self.path);
            remove_logs(&self.path);
        }
    }
}

fn remove_logs(path: &Path) {
    for suffix in ["-journal", "-wal", "-shm"] {
        let _ = std::fs::remove_file(sibling(path, suffix));
    }
}

/// Makes the names in the folder of `path` survive a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder)?.sync_all() {
        // Some network and FAT file systems know no such thing.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done,
    }
}

/// A connection to a backup that leaves nothing beside it, also where it could not.
pub(super) fn reading(path: &Path) -> Result<Connection, BackupError> {
    let unreadable = |source| BackupError::Read { path: path.to_owned(), source };
    let real = path.canonicalize().map_err(unreadable)?;
    if real.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    File::open(&real).map_err(unreadable)?;
    let has_log = std::fs::metadata(sibling(&real, "-wal")).is_ok_and(|log| log.len() > 0);
    let mut flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = if has_log {
        // A plain copy of a running bot's files: the log belongs to it.
        Connection::open_with_flags(&real, flags)
    } else {
        flags |= OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(immutable(&real), flags)
    };
    opened.map_err(|e| BackupError::of_sqlite(path, e))
}

/// The URI of a file that nobody writes to (sqlite.org/uri.html).
fn immutable(path: &Path) -> PathBuf {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut uri = b"file:".to_vec();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").bytes()),
            _ => uri.push(byte),
        }
    }
    uri.extend(b"?immutable=1");
    PathBuf::from(std::ffi::OsString::from_vec(uri))
}
