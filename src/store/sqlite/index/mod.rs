//! The index of the documents in a file of its own, beside the state.
//!
//! Invariants: all of it can be made again, so a damaged file is set aside and one of another schema is
//! deleted, and both are made again; a file of something else is refused and stays as it is. Only the
//! process that has the lock changes documents, passages and vectors; the others read, and leave requests.
//! No call waits for a lock or a disk on a thread of the runtime.

mod copy;
mod documents;
mod generations;
mod looks;
mod open;
mod requests;
mod vectors;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, TransactionBehavior};

use crate::blocking;
use crate::store::failure::{StoreError, StoreErrorKind};

/// Readers kept open; a further one is opened when all are busy, and closed afterwards.
const READERS: usize = 4;

/// The documents, cut into passages that can be searched. Cheap to clone.
#[derive(Clone)]
pub struct Index(Arc<Inner>);

struct Inner {
    /// `None`: it is in memory, and gone with the process.
    path: Option<PathBuf>,
    /// They go before the writer: only a last connection that may write folds the log into the file.
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Connection>,
    /// Grows with each new file under the name, so that no connection to an older one is used again.
    made: AtomicU64,
    /// Held by the one process that changes the index.
    lock: Mutex<Option<File>>,
    set_aside: Mutex<Option<PathBuf>>,
    /// How far a new beginning was when it failed.
    unmade: Mutex<Option<Unmade>>,
    /// Someone met damage in the file with the number before this one.
    damaged: AtomicU64,
}

/// What is still to be done for a new beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unmade {
    /// The damaged file has its name yet.
    SetAside,
    /// There is no new file, or half of one.
    Made,
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Index").field(&self.0.path).finish()
    }
}

impl Index {
    /// Opens the file, makes it if there is none, and becomes its keeper, unless another process is that.
    /// A damaged file is set aside, see [`Index::set_aside`].
    ///
    /// # Errors
    /// When the file cannot be written or belongs to something else; when another process keeps it and it
    /// was not made by this version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        open::for_keeping(path).map(Self::with).map_err(|e| open::worded(e, Some(path)))
    }

    /// Opens the file beside the process that keeps it. Nothing is made.
    ///
    /// # Errors
    /// When there is no file, or this version cannot read it.
    pub fn visit(path: &Path) -> Result<Self, StoreError> {
        open::visiting(path).map(Self::with).map_err(|e| open::worded(e, Some(path)))
    }

    /// An empty index that is gone with the process.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        let conn = open::memory().map_err(|e| open::worded(e, None))?;
        Ok(Self::of(None, conn, None, None))
    }

    fn with(opened: open::Opened) -> Self {
        let open::Opened { path, conn, lock, set_aside } = opened;
        Self::of(Some(path), conn, lock, set_aside)
    }

    fn of(
        path: Option<PathBuf>,
        conn: Connection,
        lock: Option<File>,
        set_aside: Option<PathBuf>,
    ) -> Self {
        Self(Arc::new(Inner {
            path,
            writer: Mutex::new(conn),
            readers: Mutex::default(),
            made: AtomicU64::new(0),
            lock: Mutex::new(lock),
            set_aside: Mutex::new(set_aside),
            unmade: Mutex::default(),
            damaged: AtomicU64::new(0),
        }))
    }

    /// Where it lies; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Whether this process keeps the index.
    pub fn is_keeper(&self) -> bool {
        self.0.path.is_none() || locked(&self.0.lock).is_some()
    }

    /// Becomes the keeper, unless another process still is; answers whether it is now.
    ///
    /// # Errors
    /// When the lock file cannot be used.
    pub fn keep(&self) -> Result<bool, StoreError> {
        let Some(path) = self.path() else { return Ok(true) };
        let mut lock = locked(&self.0.lock);
        if lock.is_none() {
            *lock = super::open::try_lock(path).map_err(|e| open::worded(e, Some(path)))?;
            if lock.is_some() {
                // Damage that was met before was for the keeper of then to repair.
                self.forget_readers();
            }
        }
        Ok(lock.is_some())
    }

    /// Where a damaged file was put.
    pub fn set_aside(&self) -> Option<PathBuf> {
        locked(&self.0.set_aside).clone()
    }

    /// Sets the file aside and begins with an empty one. For the keeper, when the file turns out to be
    /// damaged.
    ///
    /// # Errors
    /// When the new file cannot be made; nothing is read or written until [`Index::go_on_starting_over`] has made it.
    pub async fn start_over(&self) -> Result<(), StoreError> {
        // What another process keeps is its own to repair.
        if self.path().is_some() && self.is_keeper() {
            locked(&self.0.unmade).get_or_insert(Unmade::SetAside);
        }
        self.go_on_starting_over().await
    }

    /// Ends a new beginning that failed, such as on a full disk; without one there is nothing to do.
    ///
    /// # Errors
    /// As [`Index::start_over`].
    pub async fn go_on_starting_over(&self) -> Result<(), StoreError> {
        if locked(&self.0.unmade).is_none() {
            return Ok(());
        }
        let (this, made) = (self.clone(), self.made());
        on_a_thread(move || this.begin_again()).await.map_err(|e| self.worded(made, e))
    }

    fn begin_again(&self) -> Result<(), StoreError> {
        let mut writer = locked(&self.0.writer);
        let (Some(path), Some(unmade)) = (self.path(), *locked(&self.0.unmade)) else {
            return Ok(());
        };
        self.forget_readers();
        // The old file is closed before it is moved.
        *writer = open::memory()?;
        if unmade == Unmade::SetAside {
            let aside = open::set_aside(path)?;
            *locked(&self.0.set_aside) = Some(aside);
            *locked(&self.0.unmade) = Some(Unmade::Made);
        }
        open::delete(path)?;
        *writer = open::made(path)?;
        *locked(&self.0.unmade) = None;
        // Who read meanwhile may have had the old file.
        self.forget_readers();
        Ok(())
    }

    /// Connections of before are used no more, and what they met does not count.
    fn forget_readers(&self) {
        self.0.made.fetch_add(1, Ordering::SeqCst);
        locked(&self.0.readers).clear();
    }

    fn refuse_unmade(&self) -> Result<(), StoreError> {
        match *locked(&self.0.unmade) {
            None => Ok(()),
            Some(_) => {
                let what = "it was damaged and is not made again yet";
                Err(StoreError::new(StoreErrorKind::Io, what))
            }
        }
    }

    /// Whether someone met damage, such as a search: the keeper has to start over then.
    pub fn is_damaged(&self) -> bool {
        self.0.damaged.load(Ordering::SeqCst) > self.made()
    }

    /// The same as a failure.
    ///
    /// # Errors
    /// When someone met damage.
    pub fn refuse_damaged(&self) -> Result<(), StoreError> {
        match self.is_damaged() {
            false => Ok(()),
            true => {
                let e = StoreError::new(StoreErrorKind::Corrupt, "what was read makes no sense");
                Err(open::worded(e, self.path()))
            }
        }
    }

    /// Whether there is room for so much more, beside what stays free for messages and answers.
    ///
    /// # Errors
    /// When there is not.
    pub async fn room(&self, bytes: u64) -> Result<(), StoreError> {
        let Some(path) = self.path().map(Path::to_owned) else { return Ok(()) };
        on_a_thread(move || open::refuse_growth(&path, bytes)).await
    }

    /// The number of the file.
    fn made(&self) -> u64 {
        self.0.made.load(Ordering::SeqCst)
    }

    /// A failure, in words. Damage is noted, unless it was met in a file that has had its successor since: `made` is the
    /// number from before it was read.
    fn worded(&self, made: u64, e: StoreError) -> StoreError {
        if e.is_corruption() {
            self.0.damaged.fetch_max(made + 1, Ordering::SeqCst);
        }
        open::worded(e, self.path())
    }

    /// Runs `work` in one commit.
    async fn write<F, T>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (this, made) = (self.clone(), self.made());
        on_a_thread(move || this.write_now(work)).await.map_err(|e| self.worded(made, e))
    }

    fn write_now<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = locked(&self.0.writer);
        self.refuse_unmade()?;
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }

    /// Reads, beside the runtime and beside the writer.
    async fn read<F, T>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (this, made) = (self.clone(), self.made());
        on_a_thread(move || this.read_now(work)).await.map_err(|e| self.worded(made, e))
    }

    fn read_now<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Some(path) = self.path() else { return work(&locked(&self.0.writer)) };
        self.refuse_unmade()?;
        let made = self.made();
        let idle = locked(&self.0.readers).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => super::open::connect_reading_unwatched(path)?,
        };
        // One state of the index, however many statements it takes.
        let tx = conn.unchecked_transaction()?;
        let result = work(&tx);
        drop(tx);
        let mut readers = locked(&self.0.readers);
        let is_sound = !result.as_ref().is_err_and(StoreError::is_corruption);
        if is_sound && readers.len() < READERS && made == self.made() {
            readers.push(conn);
        }
        result
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    // Without it, the runtime ends.
    blocking::run(work).await.unwrap_or_else(|| Err(StoreError::closed()))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A row that does not hold what it should.
fn odd_row(table: &str) -> StoreError {
    let what = format!("a row of {table} in the index of the documents cannot be read");
    StoreError::new(StoreErrorKind::Corrupt, what)
}
