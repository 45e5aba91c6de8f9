//! Opening the file of the index: whose it is, whether it is sound, and who keeps it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hygiene::atomic::sibling;
use rusqlite::Connection;

use crate::store::failure::{StoreError, StoreErrorKind};
use crate::store::room;
use crate::store::sqlite::{connection, identity, open, ownership};

/// "Kati", in the header of every index.
const APPLICATION_ID: i32 = 0x4b61_7469;

/// Grows with each change of `schema.sql`, and with each change of how words are prepared.
const SCHEMA: i32 = 5;

/// Files up to this size are checked whole when they are opened; it takes milliseconds. In larger ones damage
/// shows when they are read.
const CHECK_BYTES: u64 = 16 * 1024 * 1024;

/// How long another process may take to make an index, and how often it is looked for.
const MADE_WITHIN: Duration = Duration::from_secs(5);
const MADE_AGAIN: Duration = Duration::from_millis(20);

/// What the lock file says.
const MARK: &str = "The file beside this one is an index of katana-bot.\n";

/// What a file of SQLite begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// What lies under the name.
enum Found {
    /// An index of this version.
    Ours,
    /// An index of another one, or an empty file.
    Other,
}

/// A file that was opened.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) conn: Connection,
    /// Held by the keeper.
    pub(super) lock: Option<File>,
    /// Where a damaged predecessor was put.
    pub(super) set_aside: Option<PathBuf>,
}

pub(super) fn for_keeping(path: &Path) -> Result<Opened, StoreError> {
    ownership::refuse_strange_link(path)?;
    let path = open::real(path)?;
    ownership::refuse_strange_journal(&path)?;
    let Some(lock) = lock_or_wait(&path)? else { return visiting(&path) };
    let found = look(&path);
    if !found.as_ref().is_err_and(StoreError::is_foreign) {
        identity::leave(&lock, MARK);
    }
    let (conn, set_aside) = match found {
        Ok(Some((conn, Found::Ours))) => (conn, None),
        Ok(Some((conn, Found::Other))) => {
            drop(conn);
            delete(&path)?;
            (made(&path)?, None)
        }
        Ok(None) => (made(&path)?, None),
        Err(e) if e.is_corruption() => {
            let aside = set_aside(&path)?;
            (made(&path)?, Some(aside))
        }
        Err(e) => return Err(e),
    };
    Ok(Opened { path, conn, lock: Some(lock), set_aside })
}

/// The lock; `None` where another process has it and there is an index. Two first starts at once are one that makes the
/// index, and one that waits for it.
#[expect(
    clippy::disallowed_methods,
    reason = "opening takes a thread anyway, and there is no event"
)]
fn lock_or_wait(path: &Path) -> Result<Option<File>, StoreError> {
    let begun = Instant::now();
    loop {
        let lock = open::try_lock(path)?;
        let is_there = || matches!(look(path), Ok(Some((_, Found::Ours))));
        if lock.is_some() || is_there() || begun.elapsed() >= MADE_WITHIN {
            return Ok(lock);
        }
        std::thread::sleep(MADE_AGAIN);
    }
}

pub(super) fn visiting(path: &Path) -> Result<Opened, StoreError> {
    ownership::refuse_strange_link(path)?;
    ownership::refuse_strange_journal(path)?;
    std::fs::metadata(path).map_err(|source| StoreError::open(path, source))?;
    match look(path)? {
        Some((conn, Found::Ours)) => {
            Ok(Opened { path: path.to_owned(), conn, lock: None, set_aside: None })
        }
        _ => {
            let what = format!(
                "the index of the documents {} was made by another version, or is not made yet",
                path.display()
            );
            let hint = "start katana-bot, or run katana-bot knowledge sync; either makes it";
            Err(StoreError::new(StoreErrorKind::Schema, what).with_hint(hint))
        }
    }
}

/// Refuses to grow where the room is not there.
pub(super) fn refuse_growth(path: &Path, bytes: u64) -> Result<(), StoreError> {
    let Some(short) = room::short_for(path, bytes) else { return Ok(()) };
    let what = format!("the index of the documents {} cannot grow: {short}", path.display());
    let hint = "free some space on that disk, or put the index on another one with knowledge.index_path; the bot goes \
                on by itself";
    Err(StoreError::new(StoreErrorKind::Full, what).with_hint(hint))
}

/// A connection to what lies there; `None` where nothing does.
fn look(path: &Path) -> Result<Option<(Connection, Found)>, StoreError> {
    let Ok(about) = std::fs::metadata(path) else { return Ok(None) };
    if !about.is_file() {
        return Err(foreign(path, "it is not a regular file"));
    }
    if about.len() == 0 {
        return Ok(Some((open::connect_unwatched(path)?, Found::Other)));
    }
    let mut magic = Vec::new();
    let begun = File::open(path).and_then(|file| file.take(16).read_to_end(&mut magic));
    begun.map_err(|source| StoreError::open(path, source))?;
    if magic != MAGIC {
        return Err(match identity::has(path, MARK) {
            true => StoreError::new(StoreErrorKind::Corrupt, "its header is gone"),
            false => foreign(path, "it is not an index of katana-bot"),
        });
    }
    let conn = writing(path)?;
    let number = |pragma| conn.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    match number("application_id")? {
        APPLICATION_ID => {}
        _ => return Err(foreign(path, "it is not an index of katana-bot")),
    }
    if number("user_version")? != SCHEMA {
        return Ok(Some((conn, Found::Other)));
    }
    if about.len() <= CHECK_BYTES {
        let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            let what = "the index of the documents is damaged";
            return Err(StoreError::new(StoreErrorKind::Corrupt, what).because(verdict));
        }
    }
    Ok(Some((conn, Found::Ours)))
}

fn foreign(path: &Path, why: &str) -> StoreError {
    let what = format!("cannot use {} as the index of the documents: {why}", path.display());
    let hint =
        "nothing was changed; name another file with knowledge.index_path, or move this file away";
    StoreError::new(StoreErrorKind::WrongFile, what).with_hint(hint)
}

/// A connection that may write. What is lost in a power cut are the last commits, never the order of them.
fn writing(path: &Path) -> Result<Connection, StoreError> {
    let conn = open::connect_unwatched(path)?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(conn)
}

/// An index in an empty file.
pub(super) fn made(path: &Path) -> Result<Connection, StoreError> {
    let conn = writing(path)?;
    // Into the file itself, before there is a log.
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    filled(conn)
}

pub(super) fn memory() -> Result<Connection, StoreError> {
    let conn = Connection::open_in_memory()?;
    connection::configure(&conn)?;
    filled(conn)
}

/// Makes the tables. The number that says so comes in the same commit.
fn filled(mut conn: Connection) -> Result<Connection, StoreError> {
    let tx = conn.transaction()?;
    tx.execute_batch(include_str!("schema.sql"))?;
    tx.pragma_update(None, "user_version", SCHEMA)?;
    tx.commit()?;
    Ok(conn)
}

/// The file with what belongs to it.
fn parts(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|suffix| sibling(path, suffix))
}

/// Deletes a file with what belongs to it.
pub(super) fn delete(path: &Path) -> Result<(), StoreError> {
    for part in parts(path) {
        match std::fs::remove_file(&part) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::open(&part, e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Moves a damaged file away, in the place of one that was moved before.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let aside = sibling(path, ".damaged");
    rename(path, &aside)?;
    Ok(aside)
}

/// Gives a file another name, with what belongs to it, in the place of what has that name.
#[expect(clippy::disallowed_methods, reason = "an index is moved as it is; nothing is written")]
pub(super) fn rename(path: &Path, to: &Path) -> Result<(), StoreError> {
    delete(to)?;
    for (from, to) in parts(path).into_iter().zip(parts(to)) {
        if from.exists() {
            std::fs::rename(&from, to).map_err(|source| StoreError::open(&from, source))?;
        }
    }
    Ok(())
}

/// The same failure in words about the index instead of the state.
pub(super) fn worded(e: StoreError, path: Option<&Path>) -> StoreError {
    if matches!(
        e.kind(),
        StoreErrorKind::WrongFile
            | StoreErrorKind::Obstacle
            | StoreErrorKind::Schema
            | StoreErrorKind::Closed
    ) {
        return e;
    }
    let what = match path {
        Some(path) => format!("cannot use the index of the documents {}", path.display()),
        None => "cannot use the index of the documents in memory".to_owned(),
    };
    let hint = match e.kind() {
        StoreErrorKind::Open => {
            "check that the folder exists and belongs to the user katana-bot runs as, or set knowledge.index_path"
        }
        StoreErrorKind::Full => "free some space on the disk that holds the index",
        StoreErrorKind::Corrupt => {
            "it is made again from the documents at the next start of katana-bot, or by katana-bot knowledge sync"
        }
        _ => "check free space and the health of the disk that holds the index",
    };
    StoreError::new(e.kind(), what).because(e).with_hint(hint)
}
