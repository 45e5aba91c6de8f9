//! A file that is written beside its final name and gets that name when it is whole and on disk.
//!
//! Invariants: nothing half written ever has the final name; one process at a time writes; what a
//! killed one left behind is removed by the next one; nothing of another user is written to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hygiene::atomic::{New, sibling};
use hygiene::ownership::{at, in_real_folder};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::connection::configure;
use super::{erase, ownership};
use crate::store::backup_failure::BackupError;
use crate::store::failure::StoreError;

/// An empty file of mode 0600, locked; removed when dropped before it was published.
pub(super) struct AtomicFile {
    new: New,
    logs: Logs,
}

/// What SQLite may leave beside a file.
struct Logs(PathBuf);

impl AtomicFile {
    /// Takes the name `path` for a file that is to become `to`. `state` is the state file, if its
    /// owner may have left a file of that name.
    pub(super) fn take(
        path: PathBuf,
        to: &Path,
        state: Option<&Path>,
    ) -> Result<Self, BackupError> {
        let fail = |source| failed(to, source);
        let path = in_real_folder(&path).map_err(fail)?;
        if let Some(about) = at(&path).map_err(fail)? {
            ownership::check(&path, &about, state)?;
        }
        let new = New::begin(&path).map_err(fail)?;
        let logs = Logs(path);
        logs.remove();
        Ok(Self { new, logs })
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
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut into = Connection::open_with_flags(self.new.path(), flags).map_err(fail)?;
        configure(&into).map_err(fail)?;
        self.still_there(to)?;
        // What is half written after a crash is thrown away; `publish` waits for the disk.
        into.pragma_update(None, "synchronous", "OFF").map_err(fail)?;
        into.pragma_update(None, "journal_mode", "MEMORY").map_err(fail)?;
        // All in one step: it reads one snapshot, which hinders no writer. In several steps, each
        // write of another process would make it start over.
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
        // What was forgotten a moment ago may still be in unused space.
        let cleared = erase::wholly(&mut into);
        cleared.map_err(|e| BackupError::from(e).about(source))?;
        drop(into);
        self.without_log().map_err(|source| BackupError::Write { path: to.to_owned(), source })
    }

    /// The copy says of itself that it has a write-ahead log. It has none, and must be readable
    /// where none can be made (sqlite.org/fileformat2.html, 1.3.3). Not SQLite's own pragma: that
    /// needs another connection, which would obey a journal that someone put there.
    fn without_log(&self) -> io::Result<()> {
        let mut versions = [0; 2];
        match self.file().read_exact_at(&mut versions, 18) {
            Ok(()) if versions == [2, 2] => self.file().write_all_at(&[1, 1], 18),
            Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => Err(e),
            _ => Ok(()),
        }
    }

    /// Who may write to the folder may have exchanged the file.
    fn still_there(&self, to: &Path) -> Result<(), BackupError> {
        match self.new.is_in_place() {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::obstacle(
                self.new.path(),
                "another process replaced it in the \
                meantime",
            )
            .into()),
            Err(source) => Err(failed(to, source)),
        }
    }

    /// A connection that reads what was filled in.
    pub(super) fn read(&self) -> Result<Connection, BackupError> {
        reading(self.new.path())
    }

    /// Gives it its name, replacing what has it; returns when that is on disk.
    pub(super) fn publish(self, to: &Path) -> Result<(), BackupError> {
        self.still_there(to)?;
        let Self { new, logs } = self;
        drop(logs);
        new.publish(to, true).map_err(|source| failed(to, source))
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        self.new.file()
    }
}

impl Logs {
    fn remove(&self) {
        for suffix in ["-journal", "-wal", "-shm"] {
            let _ = std::fs::remove_file(sibling(&self.0, suffix));
        }
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.remove();
    }
}

fn failed(to: &Path, source: io::Error) -> BackupError {
    match source.kind() {
        io::ErrorKind::WouldBlock => BackupError::Busy { path: to.to_owned() },
        _ => BackupError::Write { path: to.to_owned(), source },
    }
}

/// A connection to a backup that leaves nothing beside it, also where it could not.
pub(super) fn reading(path: &Path) -> Result<Connection, BackupError> {
    let unreadable = |source| BackupError::Read { path: path.to_owned(), source };
    refuse_special(path)?;
    let real = path.canonicalize().map_err(unreadable)?;
    let file = File::open(&real).map_err(unreadable)?;
    let has_log = std::fs::metadata(sibling(&real, "-wal")).is_ok_and(|log| log.len() > 0);
    if !has_log {
        refuse_cut(&file, path)?;
    }
    let mut flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = if has_log {
        // A plain copy of a running bot's files: the log belongs to it.
        Connection::open_with_flags(&real, flags)
    } else {
        flags |= OpenFlags::SQLITE_OPEN_URI;
        // No process writes to it.
        Connection::open_with_flags(uri(&real, "immutable=1"), flags)
    };
    let conn = opened.and_then(|conn| configure(&conn).map(|()| conn));
    conn.map_err(|e| BackupError::of_sqlite(path, e))
}

/// Opening a pipe would wait for a writer.
pub(super) fn refuse_special(path: &Path) -> Result<(), BackupError> {
    let unreadable = |source| BackupError::Read { path: path.to_owned(), source };
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if about.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    let hint = "write the output of the pipe to a file first, and name that file";
    match about.is_file() {
        true => Ok(()),
        false => Err(BackupError::Special { path: path.to_owned(), hint }),
    }
}

/// SQLite reads a file with a short last page as if nothing were amiss. Its header says how long it
/// has to be (sqlite.org/fileformat2.html, 1.3). SQLite itself rejects a file that is not a
/// database.
fn refuse_cut(file: &File, path: &Path) -> Result<(), BackupError> {
    let mut header = [0; 100];
    match file.read_exact_at(&mut header, 0) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        read => read.map_err(|source| BackupError::Read { path: path.to_owned(), source })?,
    }
    let long = |at: usize| header[at..at + 4].iter().fold(0, |n: u64, b| n << 8 | u64::from(*b));
    let (pages, changes, pages_valid_for) = (long(28), long(24), long(92));
    // A program from before 2010 leaves the number of pages alone.
    if !header.starts_with(b"SQLite format 3\0") || pages == 0 || changes != pages_valid_for {
        return Ok(());
    }
    let page = match u64::from(header[16]) << 8 | u64::from(header[17]) {
        1 => 65_536,
        size => size,
    };
    let size =
        file.metadata().map_err(|e| BackupError::Read { path: path.to_owned(), source: e })?;
    let (size, wanted) = (size.len(), pages * page);
    match size == wanted {
        true => Ok(()),
        false => {
            let why = format!("it has {size} bytes, but its header says {wanted}");
            Err(BackupError::damaged(path, why))
        }
    }
}

/// The URI of a file, with parameters (sqlite.org/uri.html).
pub(super) fn uri(path: &Path, parameters: &str) -> PathBuf {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut uri = b"file:".to_vec();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").bytes()),
            _ => uri.push(byte),
        }
    }
    uri.push(b'?');
    uri.extend(parameters.bytes());
    PathBuf::from(std::ffi::OsString::from_vec(uri))
}
