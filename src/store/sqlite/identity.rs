//! Whether a file is the state of a bot, asked before it is touched.
//!
//! Invariants: an intact database is ours by the application id in its header or by the tables that
//! 0.2 made; a damaged file also by what Katana wrote into the lock file beside it, because damage may
//! hit the others. Any other file is neither written to nor renamed, and nothing is left beside it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use hygiene::atomic::sibling;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::atomic_file::uri;
use super::connection::configure;
use super::{ownership, schema};
use crate::store::failure::{StoreError, StoreErrorKind};

/// Where the header has it (sqlite.org/fileformat2.html, 1.3).
const APPLICATION_ID_AT: usize = 68;

/// Where the header says by which versions the file can be written and read: 2 with a write-ahead log.
const VERSIONS_AT: usize = 18;

/// What the lock file says.
const MARK: &str = "The file beside this one is the state of a katana-bot.\n";

/// Tables that every state file has.
const TABLES: i64 = 4;

/// What SQLite finds in a file without our application id.
enum Content {
    /// The tables that 0.2 made.
    Tables,
    /// Something else, or what cannot be read without writing.
    Other,
    /// Nothing that it can read.
    Damaged,
}

/// Whether there is a state file at `path`, or what is left of one; `false` when there is none yet, or
/// an empty file.
///
/// # Errors
/// When there is something else.
pub(super) fn check(path: &Path) -> Result<bool, StoreError> {
    let about = match std::fs::metadata(path) {
        Ok(about) if about.is_file() => about,
        Ok(_) => return Err(wrong(path, "it is not a regular file")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return is_rest_ours(path),
        Err(e) => return Err(StoreError::open(path, e)),
    };
    if about.len() == 0 {
        return is_rest_ours(path);
    }
    let header = header(path).map_err(|e| StoreError::open(path, e))?;
    let is_ours = has_id(&header)
        || match content(path, &header)? {
            Content::Tables => true,
            Content::Other => false,
            Content::Damaged => has_mark(path),
        };
    if is_ours { Ok(true) } else { Err(wrong(path, "it is not the state file of a katana-bot")) }
}

/// The same, where there is no file or an empty one: its log may still hold what was in it.
fn is_rest_ours(path: &Path) -> Result<bool, StoreError> {
    match is_log_alone(path) {
        true if !has_mark(path) => Err(wrong(path, "it is empty, and a log lies beside it")),
        is_alone => Ok(is_alone),
    }
}

/// Whether a log lies beside a file that is empty or gone.
pub(super) fn is_log_alone(path: &Path) -> bool {
    let holds = |path: &Path| std::fs::metadata(path).is_ok_and(|about| about.len() > 0);
    let logs = ["-wal", "-journal"].map(|suffix| sibling(path, suffix));
    !holds(path) && logs.iter().any(|log| holds(log))
}

/// Leaves the mark in the lock file, which this process holds. It is a precaution: without it the bot
/// runs as well, but a file whose header is lost would not be recognised.
pub(super) fn leave_mark(lock: &File) {
    leave(lock, MARK);
}

/// Leaves `text` in the lock file beside a file, unless something else is in it.
pub(super) fn leave(lock: &File, text: &str) {
    let why = match mark(lock, text) {
        Ok(true) => return,
        Ok(false) => "it holds something else, and stays as it is".to_owned(),
        Err(e) => e.to_string(),
    };
    tracing::warn!("cannot leave a mark in a lock file: {why}");
}

/// Answers whether the mark is there now. What someone else wrote is not overwritten; a mark that was
/// cut is.
fn mark(mut lock: &File, text: &str) -> io::Result<bool> {
    let found = words(lock)?;
    if found == text.as_bytes() {
        return Ok(true);
    }
    if !text.as_bytes().starts_with(&found) {
        return Ok(false);
    }
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(text.as_bytes())?;
    lock.sync_all()?;
    Ok(true)
}

fn words(lock: &File) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    lock.take(1024).read_to_end(&mut found)?;
    Ok(found)
}

fn header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    File::open(path)?.take(100).read_to_end(&mut header)?;
    Ok(header)
}

fn has_id(header: &[u8]) -> bool {
    let id = header.get(APPLICATION_ID_AT..APPLICATION_ID_AT + 4);
    let ours = schema::APPLICATION_ID.to_be_bytes();
    header.starts_with(b"SQLite format 3\0") && id == Some(ours.as_slice())
}

fn has_mark(path: &Path) -> bool {
    has(path, MARK)
}

/// Whether the lock file beside `path` says `text`.
pub(super) fn has(path: &Path, text: &str) -> bool {
    let name = sibling(path, ".lock");
    let usable = |about: &Metadata| ownership::check(&name, about, Some(path)).is_ok();
    let Ok(file) = hygiene::ownership::open(&name, OpenOptions::new().read(true)) else {
        return false;
    };
    file.metadata().is_ok_and(|about| usable(&about))
        && words(&file).is_ok_and(|found| found == text.as_bytes())
}

fn content(path: &Path, header: &[u8]) -> Result<Content, StoreError> {
    let count = |conn: Connection| {
        let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table'
                   AND name IN ('bots', 'inbox', 'outbox', 'refinery_schema_history')";
        conn.query_row(sql, [], |r| r.get::<_, i64>(0))
    };
    match connect(path, header).and_then(count) {
        Ok(TABLES) => Ok(Content::Tables),
        Ok(_) => Ok(Content::Other),
        Err(e) => match e.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Ok(Content::Damaged),
            // A rollback journal of a program that was killed: to read on, it would have to be undone.
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => Ok(Content::Other),
            _ => Err(e.into()),
        },
    }
}

/// A connection that leaves nothing beside the file. SQLite makes a log and an index of it for reading,
/// too, where they are missing: without them the file is read as one that no process writes to.
fn connect(path: &Path, header: &[u8]) -> rusqlite::Result<Connection> {
    let has = |suffix| sibling(path, suffix).exists();
    let how = match header.get(VERSIONS_AT..VERSIONS_AT + 2) {
        Some([2, 2]) if has("-wal") && has("-shm") => "readonly_shm=1",
        Some([2, 2]) => "immutable=1",
        _ => "mode=ro",
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags(uri(path, how), flags)?;
    configure(&conn)?;
    Ok(conn)
}

fn wrong(path: &Path, why: &str) -> StoreError {
    let what = format!("cannot use {} as the state file: {why}", path.display());
    StoreError::new(StoreErrorKind::WrongFile, what)
}
