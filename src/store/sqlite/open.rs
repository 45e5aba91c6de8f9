//! Opening the state file: the lock, the settings, and what happens to a damaged file.
//!
//! Invariant: a damaged file is set aside under another name, never deleted or overwritten.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hygiene::atomic::sibling;
use hygiene::ownership::{at, folder};
use rusqlite::{Connection, OpenFlags};

use super::connection::configure;
use super::copies::CORRUPT;
use super::{compatible, ownership, pre_migration_backup, schema, schema_objects};
use crate::store::failure::{StoreError, StoreErrorKind};
use crate::store::upkeep::PreMigrationBackup;

/// Files up to this size are checked whole at each start; it takes milliseconds. Larger ones are
/// checked when a fault was noticed while running.
const CHECK_BYTES: u64 = 64 * 1024 * 1024;

/// Most links that are followed to a file that is not there yet; path_resolution(7) has the same.
const MAX_LINKS: usize = 40;

/// How long a call waits until another process gives its lock back.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// A file that was opened for writing.
pub(super) struct Opened {
    pub(super) conn: Connection,
    /// Where a damaged predecessor was put.
    pub(super) set_aside: Option<PathBuf>,
    /// The copy that was made before the file was migrated.
    pub(super) pre_migration_backup: Option<PreMigrationBackup>,
}

/// The file itself, whatever links lead to it, so that two ways to it meet at one lock. The folder
/// is created.
pub(super) fn real(path: &Path) -> Result<PathBuf, StoreError> {
    let fail = |source| StoreError::open(path, source);
    let folder = folder(path);
    // Conversations, and the claim code of a bot without an owner: readable only for the bot's
    // user.
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
    if let Ok(file) = path.canonicalize() {
        return Ok(file);
    }
    // There is no file yet. SQLite makes it where the links lead, so the lock belongs there, too.
    let mut file = path.to_owned();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&file) {
            Ok(target) => file = hygiene::ownership::folder(&file).join(target),
            Err(_) => {
                let invalid = || fail(std::io::ErrorKind::InvalidInput.into());
                let name = file.file_name().ok_or_else(invalid)?;
                let folder = hygiene::ownership::folder(&file);
                return Ok(folder.canonicalize().map_err(fail)?.join(name));
            }
        }
    }
    Err(fail(std::io::Error::other("too many links")))
}

/// Takes the lock that makes a process the only one to work on `path`.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let what = || format!("the state file {} is in use by another katana-bot", path.display());
    try_lock(path)?.ok_or_else(|| StoreError::new(StoreErrorKind::InUse, what()))
}

/// The same; `None` when another process has it.
pub(super) fn try_lock(path: &Path) -> Result<Option<File>, StoreError> {
    let name = sibling(path, ".lock");
    let fail = |source| StoreError::open(&name, source);
    if let Some(about) = at(&name).map_err(fail)? {
        ownership::check(&name, &about, Some(path))?;
    }
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(false).read(true).write(true);
    let file = hygiene::ownership::open(&name, options).map_err(fail)?;
    // It may have been replaced meanwhile.
    ownership::check(&name, &file.metadata().map_err(fail)?, Some(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(StoreError::open(path, source)),
    }
}

/// Opens the file for writing and brings it to this version; sets a damaged one aside first.
/// The caller holds the lock.
pub(super) fn open(path: &Path, stamp_ms: i64) -> Result<Opened, StoreError> {
    let opened = if super::identity::is_log_alone(path) {
        // SQLite would delete it, and with it what was not folded into the file before that was lost.
        Err(StoreError::new(StoreErrorKind::Corrupt, "the state file is gone, but not its log"))
    } else {
        open_checked(path)
    };
    match opened {
        Ok((conn, pre_migration_backup)) => {
            Ok(Opened { conn, set_aside: None, pre_migration_backup })
        }
        Err(e) if e.is_corruption() => {
            let aside = set_aside(path, stamp_ms)?;
            let (conn, pre_migration_backup) = open_checked(path)?;
            Ok(Opened { conn, set_aside: Some(aside), pre_migration_backup })
        }
        Err(e) => Err(e),
    }
}

fn open_checked(path: &Path) -> Result<(Connection, Option<PreMigrationBackup>), StoreError> {
    let fresh = std::fs::metadata(path).map_or(true, |about| about.len() == 0);
    let mut conn = connect(path)?;
    refuse_strange_schema(&conn, path)?;
    let suspect = sibling(path, ".suspect");
    let small = std::fs::metadata(path).is_ok_and(|m| m.len() <= CHECK_BYTES);
    if !fresh && (small || suspect.exists()) {
        let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
        if verdict != "ok" {
            let what = "the state file is damaged";
            return Err(StoreError::new(StoreErrorKind::Corrupt, what).because(verdict));
        }
        let _ = std::fs::remove_file(suspect);
    }
    if fresh {
        // Into the file itself, before there is a log.
        conn.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
    }
    conn.pragma_update(None, "journal_mode", "WAL")?;
    let pre_migration_backup = if fresh { None } else { pre_migration_backup::keep(&conn, path)? };
    schema::migrate(&mut conn, path)?;
    compatible::record(&conn)?;
    Ok((conn, pre_migration_backup))
}

/// Refuses a file whose schema is not what our migrations made: what is in it would be run. One with other
/// migrations is refused where the migrations are applied. One of a newer version must name this one.
pub(super) fn refuse_strange_schema(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let version = schema::version(conn)?;
    if version == 0 || !schema::is_ours(conn)? {
        return Ok(());
    }
    if version > schema::newest() {
        return match compatible::obstacle(conn, version)? {
            None => Ok(()),
            Some(why) => {
                let shown = path.display();
                let what = format!("the state file {shown} was written by a newer version: {why}");
                Err(StoreError::new(StoreErrorKind::Schema, what))
            }
        };
    }
    match schema_objects::oddity(conn, version)? {
        None => Ok(()),
        Some(why) => {
            let what = format!("cannot use the state file {}: {why}", path.display());
            Err(StoreError::new(StoreErrorKind::WrongFile, what))
        }
    }
}

/// A writing connection with Katana's settings, without any check.
pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let conn = connect_unwatched(path)?;
    #[cfg(test)]
    let conn = super::plans::watched(conn);
    Ok(conn)
}

/// The same for a file whose statements have no plans to keep to.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite opens the same name afterwards; callers have judged it"
)]
pub(super) fn connect_unwatched(path: &Path) -> Result<Connection, StoreError> {
    // SQLite gives its other files the mode of this one.
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| StoreError::open(path, source))?;
    let conn = Connection::open(path).map_err(|e| match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly) => {
            StoreError::open(path, std::io::Error::other(e.to_string()))
        }
        _ => e.into(),
    })?;
    conn.busy_timeout(BUSY)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "secure_delete", "ON")?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    configure(&conn)?;
    Ok(conn)
}

/// A connection that cannot write.
pub(super) fn connect_reading(path: &Path) -> Result<Connection, StoreError> {
    let conn = connect_reading_unwatched(path)?;
    #[cfg(test)]
    let conn = super::plans::watched(conn);
    Ok(conn)
}

/// The same for a file whose statements have no plans to keep to.
pub(super) fn connect_reading_unwatched(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    configure(&conn)?;
    Ok(conn)
}

/// Remembers for the next start that the file must be checked whole.
pub(super) fn mark_suspect(path: &Path) {
    let mut options = OpenOptions::new();
    let _ =
        hygiene::ownership::open(&sibling(path, ".suspect"), options.create_new(true).write(true));
}

#[expect(
    clippy::disallowed_methods,
    reason = "a damaged file is moved as it is; nothing is written"
)]
fn set_aside(path: &Path, stamp_ms: i64) -> Result<PathBuf, StoreError> {
    let aside = sibling(path, &format!("{CORRUPT}{stamp_ms}"));
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let from = sibling(path, suffix);
        if from.exists() {
            std::fs::rename(&from, sibling(&aside, suffix))
                .map_err(|source| StoreError::open(&from, source))?;
        }
    }
    let _ = std::fs::remove_file(sibling(path, ".suspect"));
    Ok(aside)
}
