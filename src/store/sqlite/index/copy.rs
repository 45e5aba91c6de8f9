//! The index in another file, and back: for those who do not want to embed everything again.
//!
//! Invariant: a file has its name only when it is whole; what fails leaves nothing behind.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use hygiene::atomic::{New, sibling};
use rusqlite::Connection;

use super::{Index, open};
use crate::store::failure::{StoreError, StoreErrorKind};
use crate::store::sqlite::open::{connect_reading_unwatched, try_lock};

impl Index {
    /// Copies the index into a new file, also while it is in use; answers how large that is.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub async fn copy_to(&self, to: PathBuf) -> Result<u64, StoreError> {
        // A copy cannot be made within a transaction.
        let from = self.clone();
        super::on_a_thread(move || {
            let path = from.path().unwrap_or(Path::new(":memory:"));
            let source =
                connect_reading_unwatched(path).map_err(|e| open::worded(e, Some(path)))?;
            copied(&source, &to)?.into_place(&to)
        })
        .await
    }

    /// Puts a copy in the place of the index at `to`, which no process may keep.
    ///
    /// # Errors
    /// When another process keeps the index, the copy is not one that this version can read, or there is no room for
    /// it.
    pub fn restore(from: &Path, to: &Path) -> Result<u64, StoreError> {
        let Some(_lock) = try_lock(to).map_err(|e| open::worded(e, Some(to)))? else {
            let what = format!("the index of the documents {} is in use", to.display());
            let hint = "stop the bot first";
            return Err(StoreError::new(StoreErrorKind::InUse, what).with_hint(hint));
        };
        let copy = sound(from)?;
        let size = std::fs::metadata(from).map_or(0, |about| about.len());
        open::refuse_growth(to, size)?;
        let fresh = copied(&copy, to)?;
        drop(copy);
        // Its log must not be taken for that of the new one.
        let old = sibling(to, OLD);
        open::rename(to, &old)?;
        let done = fresh.into_place(to);
        match &done {
            // What stays of it goes with the next one.
            Ok(_) => drop(open::delete(&old)),
            Err(_) => open::rename(&old, to)?,
        }
        done
    }
}

/// A copy that is whole.
fn sound(from: &Path) -> Result<Connection, StoreError> {
    let shown = from.display();
    let unusable = |kind, why: &str, hint| {
        StoreError::new(kind, format!("cannot restore {shown}: {why}")).with_hint(hint)
    };
    let another = "use another copy; without one, the index is made again from the documents";
    let damaged =
        |why: String| unusable(StoreErrorKind::Corrupt, "it is damaged", another).because(why);
    if let Err(e) = std::fs::metadata(from) {
        let hint = "check the name, and who may read it";
        return Err(unusable(StoreErrorKind::Open, "it cannot be read", hint).because(e));
    }
    let opened = open::visiting(from).map_err(|e| match e.kind() {
        StoreErrorKind::WrongFile => {
            let hint = "name a file that `katana-bot knowledge backup` wrote";
            unusable(StoreErrorKind::WrongFile, "it is not a copy of an index", hint)
        }
        StoreErrorKind::Schema => {
            let why = "it was made by another version of katana-bot";
            unusable(StoreErrorKind::Schema, why, another)
        }
        StoreErrorKind::Corrupt => damaged(cause(&e)),
        kind => unusable(kind, "it cannot be read", another).because(e),
    })?;
    let check = opened.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match check {
        Ok(verdict) if verdict == "ok" => Ok(opened.conn),
        Ok(verdict) => Err(damaged(verdict)),
        Err(e) => Err(damaged(e.to_string())),
    }
}

/// What SQLite said, without the words about the state around it.
fn cause(e: &StoreError) -> String {
    let mut last: &dyn Error = e;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// What the name of a copy has at its end until it is whole: no file of anyone else is called so.
const NEW: &str = ".katana-new";

/// The same for the index that a copy takes the place of.
const OLD: &str = ".katana-old";

/// A copy under a name of its own.
struct Copied(New);

/// Writes a copy beside the name that it will have.
fn copied(conn: &Connection, to: &Path) -> Result<Copied, StoreError> {
    // SQLite fills an empty file, which is the bot's alone from the beginning.
    let fresh = New::begin(&sibling(to, NEW)).map_err(|e| unwritten(to, e))?;
    let done = conn.execute("VACUUM INTO ?1", [fresh.path().to_string_lossy()]);
    done.map_err(|e| {
        let e = StoreError::from(e);
        match e.kind() {
            StoreErrorKind::Corrupt => open::worded(e, conn.path().map(Path::new)),
            StoreErrorKind::Full => unwritten(to, io::ErrorKind::StorageFull.into()),
            kind => StoreError::new(kind, format!("cannot write {}", to.display())).because(e),
        }
    })?;
    Ok(Copied(fresh))
}

impl Copied {
    fn into_place(self, to: &Path) -> Result<u64, StoreError> {
        let size = self.0.file().metadata().map_err(|e| unwritten(to, e))?.len();
        self.0.publish(to, true).map_err(|e| unwritten(to, e))?;
        Ok(size)
    }
}

fn unwritten(to: &Path, e: io::Error) -> StoreError {
    let (kind, hint) = match e.kind() {
        io::ErrorKind::StorageFull => {
            let hint = "free some space on that disk; a copy of the whole index has to fit";
            (StoreErrorKind::Full, hint)
        }
        io::ErrorKind::WouldBlock => (StoreErrorKind::InUse, "another copy is being written; wait"),
        _ => (StoreErrorKind::Open, "check that the folder exists, and who may write there"),
    };
    StoreError::new(kind, format!("cannot write {}", to.display())).because(e).with_hint(hint)
}
