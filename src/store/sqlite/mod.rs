//! The state file: the only place that speaks SQL.
//!
//! Invariants: every write answers only after its commit is on disk (`synchronous=FULL`); all
//! state belongs to one bot id; one process at a time runs a bot on a file. The verbs say what
//! the bot does (`accept`, `finish`, `settle`, …), never how: another database could stand behind
//! them.

mod atomic_file;
mod backup;
mod backup_failure;
mod chats;
mod contents;
mod delivery;
mod failure;
mod history;
mod inbox;
mod inspect;
mod knowledge;
mod open;
mod outbox;
mod ownership;
mod pre_migration_backup;
mod restore;
mod retention;
mod schema;
mod users;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rusqlite::Connection;

use crate::model::ids::BotId;
use crate::observe::clock::Clock;
use crate::observe::histogram::{self, Buckets, Histogram};

pub use backup_failure::BackupError;
pub use chats::{ChatState, Settings};
pub use contents::{BotContents, Contents};
pub use delivery::{DeliveryOutcome, DeliveryRecord};
pub use failure::StoreError;
pub use history::{NewExchange, Totals};
pub use inbox::{Accepted, Queued};
pub use inspect::Inspection;
pub use knowledge::{Knowledge, KnowledgeError};
pub use outbox::{Finish, NewPart, OpenPart, PartExtra, PartState};
pub use pre_migration_backup::PreMigrationBackup;
pub use restore::Restored;
pub use retention::{Keep, Swept};
pub use schema::newest as newest_schema;
pub use users::{KnownUser, Opening};

/// Readers kept open; a further one is opened when all are busy, and closed afterwards.
const READERS: usize = 4;

/// The state of one bot. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    bot: BotId,
    clock: Clock,
    path: PathBuf,
    writer: Mutex<Option<writer::Writer>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    readers: Mutex<Vec<Connection>>,
    set_aside: Option<PathBuf>,
    pre_migration_backup: Option<PreMigrationBackup>,
    /// The next commit empties the log, which still holds what it deletes.
    fold: Arc<AtomicBool>,
    queries: Histogram,
    commits: Arc<Histogram>,
    /// Held for as long as the daemon runs; `None` for a visiting command line.
    lock: Mutex<Option<File>>,
}

/// How long reading and committing took since the file was opened, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timings {
    /// Commits, each of which may hold many writes.
    pub commit: Buckets,
    /// Queries.
    pub query: Buckets,
}

impl Store {
    /// Opens the file for the daemon: takes the lock, checks, migrates. The folder is created.
    ///
    /// # Errors
    /// When another process runs on the file, the folder cannot be written, or the file comes
    /// from a newer version. A damaged file is no error: it is set aside, see
    /// [`Store::set_aside`].
    pub fn open(path: &Path, bot: BotId, clock: Clock) -> Result<Self, StoreError> {
        let path = &open::real(path)?;
        let lock = open::lock(path)?;
        restore::undo_cut(path)
            .map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
        let opened = open::open(path, clock.now_ms())?;
        pre_migration_backup::sweep(path, clock.now_ms());
        Self::start(path, bot, clock, opened, Some(lock))
    }

    /// Opens the file beside a running daemon, for a quick command. Nothing is migrated.
    ///
    /// # Errors
    /// When there is no file yet, it cannot be opened, or root would have to trust a link or a
    /// journal of another user.
    pub fn visit(path: &Path, bot: BotId, clock: Clock) -> Result<Self, StoreError> {
        ownership::refuse_strange_link(path)?;
        ownership::refuse_strange_journal(path)?;
        if let Err(source) = std::fs::metadata(path) {
            return Err(StoreError::Open { path: path.to_owned(), source });
        }
        let conn = open::connect(path)?;
        let opened = open::Opened { conn, set_aside: None, pre_migration_backup: None };
        Self::start(path, bot, clock, opened, None)
    }

    fn start(
        path: &Path,
        bot: BotId,
        clock: Clock,
        opened: open::Opened,
        lock: Option<File>,
    ) -> Result<Self, StoreError> {
        let open::Opened { conn, set_aside, pre_migration_backup } = opened;
        conn.execute("INSERT OR IGNORE INTO bots (bot_id) VALUES (?1)", [bot.0])?;
        let fold = Arc::new(AtomicBool::new(false));
        let commits = Arc::new(Histogram::new(histogram::STORE_S));
        let (writer, thread) = writer::Writer::start(conn, Arc::clone(&fold), Arc::clone(&commits))
            .map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
        Ok(Self {
            inner: Arc::new(Inner {
                bot,
                clock,
                path: path.to_owned(),
                writer: Mutex::new(Some(writer)),
                thread: Mutex::new(Some(thread)),
                readers: Mutex::new(Vec::new()),
                set_aside,
                pre_migration_backup,
                fold,
                queries: Histogram::new(histogram::STORE_S),
                commits,
                lock: Mutex::new(lock),
            }),
        })
    }

    /// The bot whose state this is.
    pub fn bot(&self) -> BotId {
        self.inner.bot
    }

    /// Where a damaged file was put when this one was opened.
    pub fn set_aside(&self) -> Option<&Path> {
        self.inner.set_aside.as_deref()
    }

    /// The copy that was made because this file had to be migrated when it was opened.
    pub fn pre_migration_backup(&self) -> Option<&PreMigrationBackup> {
        self.inner.pre_migration_backup.as_ref()
    }

    /// Waits until every write that was begun is on disk, then closes the file. Later calls
    /// answer [`StoreError::Closed`].
    pub async fn close(&self) {
        // The readers go first: only the last connection to close folds the log into the file, and
        // one that cannot write would leave it, with what was deleted still in it.
        self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(writer);
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The thread ends after the last queued write; joining it must not block the runtime.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // Nothing is written any more, so the next process need not wait for the last clone.
        drop(self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// How long queries and commits took so far.
    pub fn timings(&self) -> Timings {
        Timings { commit: self.inner.commits.read(), query: self.inner.queries.read() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// A small write that goes the way of every other one, to see that commits work.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let bot = self.bot().0;
        self.write(move |tx| {
            // It changes something: SQLite leaves out writes that do not.
            let sql = "UPDATE bots SET probes = probes + 1 WHERE bot_id = ?1";
            tx.prepare_cached(sql)?.execute([bot])?;
            Ok(())
        })
        .await
    }

    fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    async fn write<F, T>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let result = writer.ok_or(StoreError::Closed)?.write(work).await;
        if let Err(e) = &result
            && e.is_corruption()
        {
            open::mark_suspect(&self.inner.path);
        }
        result
    }

    /// Reads on a connection of its own. Queries here are indexed and bounded, tens of
    /// microseconds long, so they run on the caller's thread.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => open::connect_reading(&self.inner.path)?,
        };
        let begun = Instant::now();
        let result = work(&conn);
        self.inner.queries.observe(begun.elapsed().as_secs_f64());
        match &result {
            Err(e) if e.is_corruption() => open::mark_suspect(&self.inner.path),
            _ => {
                let mut idle = self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < READERS {
                    idle.push(conn);
                }
            }
        }
        result
    }
}

#[cfg(test)]
mod tests;
