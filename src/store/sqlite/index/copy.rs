//! The index in another file, and back: for those who do not want to embed everything again.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use hygiene::atomic::sibling;
use rusqlite::Connection;

use super::{Index, open};
use crate::store::failure::{StoreError, StoreErrorKind};

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
            copied(&crate::store::sqlite::open::connect_reading_unwatched(path)?, &to)
        })
        .await
    }

    /// Puts a copy in the place of the index at `to`, which no process may keep.
    ///
    /// # Errors
    /// When another process keeps the index, or the copy is not one that this version can read.
    pub fn restore(from: &Path, to: &Path) -> Result<u64, StoreError> {
        let lock = crate::store::sqlite::open::try_lock(to)?;
        if lock.is_none() {
            let what = format!("the index of the documents {} is in use", to.display());
            let hint = "stop the bot first";
            return Err(StoreError::new(StoreErrorKind::InUse, what).with_hint(hint));
        }
        let copy = open::visiting(from)?;
        let fresh = sibling(to, ".restored");
        open::delete(&fresh)?;
        let size = copied(&copy.conn, &fresh)?;
        drop(copy);
        open::replace(&fresh, to)?;
        Ok(size)
    }
}

fn copied(conn: &Connection, to: &Path) -> Result<u64, StoreError> {
    let fail = |source| StoreError::open(to, source);
    let mut options = OpenOptions::new();
    // SQLite fills an empty file, which is the bot's alone from the beginning.
    let file = hygiene::ownership::open(to, options.create_new(true).write(true)).map_err(fail)?;
    conn.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    file.sync_all().map_err(fail)?;
    Ok(file.metadata().map_err(fail)?.len())
}
