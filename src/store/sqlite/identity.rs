//! Whether a file is the state of a bot, asked before it is touched.
//!
//! Invariant: a file is ours by any of three marks, because damage may hit the others: the
//! application id in its header, the tables that 0.2 made, or what Katana wrote into the lock file
//! beside it. A file with none of them is neither written to nor renamed.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use hygiene::atomic::sibling;
use rusqlite::Connection;

use super::{open, ownership, schema};
use crate::store::failure::{StoreError, StoreErrorKind};

/// Where the header has it (sqlite.org/fileformat2.html, 1.3).
const APPLICATION_ID_AT: usize = 68;

/// What the lock file says.
const MARK: &str = "The file beside this one is the state of a katana-bot.\n";

/// Tables that every state file has.
const TABLES: i64 = 4;

/// Whether there is a state file at `path`; `false` when there is none yet, or an empty file.
///
/// # Errors
/// When there is something else.
pub(super) fn check(path: &Path) -> Result<bool, StoreError> {
    let about = match std::fs::metadata(path) {
        Ok(about) if about.is_file() => about,
        Ok(_) => return Err(wrong(path, "it is not a regular file")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(StoreError::open(path, e)),
    };
    if about.len() == 0 {
        return Ok(false);
    }
    let is_ours =
        has_id(path).map_err(|e| StoreError::open(path, e))? || has_mark(path) || has_tables(path);
    if is_ours { Ok(true) } else { Err(wrong(path, "it is not the state file of a katana-bot")) }
}

/// Leaves the mark in the lock file, which this process holds.
pub(super) fn leave_mark(mut lock: &File) -> io::Result<()> {
    let mut found = String::new();
    lock.read_to_string(&mut found)?;
    if found == MARK {
        return Ok(());
    }
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(MARK.as_bytes())?;
    lock.sync_all()
}

fn has_id(path: &Path) -> io::Result<bool> {
    let mut header = Vec::new();
    File::open(path)?.take(100).read_to_end(&mut header)?;
    let id = header.get(APPLICATION_ID_AT..APPLICATION_ID_AT + 4);
    let ours = schema::APPLICATION_ID.to_be_bytes();
    Ok(header.starts_with(b"SQLite format 3\0") && id == Some(ours.as_slice()))
}

fn has_mark(path: &Path) -> bool {
    let name = sibling(path, ".lock");
    let usable = |about: &Metadata| ownership::check(&name, about, Some(path)).is_ok();
    let Ok(file) = hygiene::ownership::open(&name, OpenOptions::new().read(true)) else {
        return false;
    };
    let mut found = String::new();
    file.metadata().is_ok_and(|about| usable(&about))
        && file.take(1024).read_to_string(&mut found).is_ok()
        && found == MARK
}

fn has_tables(path: &Path) -> bool {
    let count = |conn: Connection| {
        let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table'
                   AND name IN ('bots', 'inbox', 'outbox', 'refinery_schema_history')";
        conn.query_row(sql, [], |r| r.get::<_, i64>(0)).ok()
    };
    open::connect_reading(path).ok().and_then(count) == Some(TABLES)
}

fn wrong(path: &Path, why: &str) -> StoreError {
    let what = format!("cannot use {} as the state file: {why}", path.display());
    StoreError::new(StoreErrorKind::WrongFile, what)
}
