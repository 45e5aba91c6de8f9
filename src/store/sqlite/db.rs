//! The file while it is open: its writer, its readers, its lock.
//!
//! Invariants: no call waits for a lock or opens a file on a thread of the runtime. Only the look-up of
//! single rows by their key runs there, because handing it over costs more; a page that no cache has it
//! reads from the disk.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::watch;

use super::numbers::MessageNumbers;
use super::open::{self, Opened};
use super::{copies, identity, ownership, pre_migration_backup, restore, writer};
use crate::blocking;
use crate::model::ids::BotId;
use crate::model::limits;
use crate::observe::clock::Clock;
use crate::observe::histogram::{self, Histogram};
use crate::store::failure::{StoreError, StoreErrorKind};
use crate::store::upkeep::{OlderCopy, PreMigrationBackup, Timings};

/// Readers kept open; a further one is opened when all are busy, and closed afterwards.
const READERS: usize = 4;

/// The state of one bot in a file.
pub(in crate::store) struct Sqlite {
    bot: BotId,
    clock: Clock,
    writer: Mutex<Option<writer::Writer>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// Ends the statement that the writer runs.
    interrupt: rusqlite::InterruptHandle,
    readers: Arc<Readers>,
    set_aside: Option<PathBuf>,
    pre_migration_backup: Option<PreMigrationBackup>,
    /// The next commit empties the log, which still holds what it deletes.
    pub(super) fold: Arc<AtomicBool>,
    pub(super) numbers: MessageNumbers,
    /// What the next commit stores, too.
    pub(super) riding: Arc<writer::Riding>,
    commits: Arc<Histogram>,
    pub(super) swept: Arc<Mutex<Progress>>,
    /// Grows with each change of the learned documents.
    pub(super) learned_changes: watch::Sender<u64>,
    /// There were learned documents when it was opened.
    pub(super) had_learned: bool,
    /// Held for as long as the daemon runs; `None` for a visiting command line.
    lock: Mutex<Option<File>>,
}

/// How far the search for old rows has come in each table, beyond those that are oldest by their
/// number. A clock that was wrong for a while leaves rows that are older than their number says.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) messages: i64,
    pub(super) updates: i64,
    pub(super) parts: i64,
}

/// Connections that only read.
struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    queries: Histogram,
}

impl Sqlite {
    /// As [`Store::open`](crate::store::Store::open).
    pub(in crate::store) fn open(
        path: &Path,
        bot: BotId,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        ownership::refuse_strange_link(path)?;
        let path = &open::real(path)?;
        ownership::refuse_strange_journal(path)?;
        // Before anything is written, also beside it.
        identity::check(path)?;
        let lock = open::lock(path)?;
        restore::undo_cut(path).map_err(|source| StoreError::open(path, source))?;
        // Before the first byte of a new file: a crash must leave nothing that is not known as ours.
        identity::leave_mark(&lock);
        let opened = open::open(path, clock.now_ms())?;
        pre_migration_backup::sweep(path, clock.now_ms());
        Self::start(path, bot, clock, opened, Some(lock))
    }

    /// As [`Store::visit`](crate::store::Store::visit).
    pub(in crate::store) fn visit(
        path: &Path,
        bot: BotId,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        ownership::refuse_strange_link(path)?;
        ownership::refuse_strange_journal(path)?;
        if let Err(source) = std::fs::metadata(path) {
            return Err(StoreError::open(path, source));
        }
        identity::check(path)?;
        if identity::is_log_alone(path) {
            let what = "the state file is gone, but not its log; the next start sets the log aside";
            return Err(StoreError::new(StoreErrorKind::Corrupt, what));
        }
        let conn = open::connect(path)?;
        open::refuse_strange_schema(&conn, path)?;
        let opened = Opened { conn, set_aside: None, pre_migration_backup: None };
        Self::start(path, bot, clock, opened, None)
    }

    fn start(
        path: &Path,
        bot: BotId,
        clock: Clock,
        opened: Opened,
        lock: Option<File>,
    ) -> Result<Self, StoreError> {
        let Opened { conn, set_aside, pre_migration_backup } = opened;
        conn.execute("INSERT OR IGNORE INTO bots (bot_id) VALUES (?1)", [bot.0])?;
        // Who only visits the file stores no messages, and may meet one that is not migrated.
        let numbers = match &lock {
            Some(_) => MessageNumbers::after(&conn)?,
            None => MessageNumbers::default(),
        };
        // Who only visits the file may meet one that has no such table yet.
        let learned = "SELECT EXISTS (SELECT 1 FROM learned WHERE bot_id = ?1)";
        let had_learned =
            lock.is_some() && conn.query_row(learned, [bot.0], |row| row.get::<_, bool>(0))?;
        let fold = Arc::new(AtomicBool::new(false));
        let commits = Arc::new(Histogram::new(histogram::STORE_S));
        let riding = Arc::new(writer::Riding::new(bot.0));
        let shared = writer::Shared {
            fold: Arc::clone(&fold),
            riding: Arc::clone(&riding),
            commits: Arc::clone(&commits),
            is_keeper: lock.is_some(),
        };
        let interrupt = conn.get_interrupt_handle();
        let (writer, thread) =
            writer::Writer::start(conn, shared).map_err(|source| StoreError::open(path, source))?;
        let readers = Readers {
            path: path.to_owned(),
            idle: Mutex::default(),
            queries: Histogram::new(histogram::STORE_S),
        };
        Ok(Self {
            bot,
            clock,
            writer: Mutex::new(Some(writer)),
            thread: Mutex::new(Some(thread)),
            interrupt,
            readers: Arc::new(readers),
            set_aside,
            pre_migration_backup,
            fold,
            learned_changes: watch::Sender::default(),
            had_learned,
            numbers,
            riding,
            commits,
            swept: Arc::default(),
            lock: Mutex::new(lock),
        })
    }

    pub(in crate::store) fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    pub(in crate::store) fn pre_migration_backup(&self) -> Option<&PreMigrationBackup> {
        self.pre_migration_backup.as_ref()
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.readers.path
    }

    pub(in crate::store) fn timings(&self) -> Timings {
        Timings { commit: self.commits.read(), query: self.readers.queries.read() }
    }

    /// As [`Store::close`](crate::store::Store::close).
    pub(in crate::store) async fn close(&self) {
        // The readers go first: only the last connection to close folds the log into the file, and
        // one that cannot write would leave it, with what was deleted still in it.
        self.readers.clear();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(writer);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The thread ends after the last queued write; joining it must not block the runtime. A
            // statement that does not end must not keep the process alive: it is as if the power went.
            let ended = blocking::run(move || thread.join());
            tokio::pin!(ended);
            let mut patience = limits::CLOSE_STORE;
            while tokio::time::timeout(patience, &mut ended).await.is_err() {
                tracing::warn!("a statement on the state file takes too long, and is interrupted");
                self.interrupt.interrupt();
                patience = Duration::from_secs(1);
            }
        }
        self.readers.clear();
        // Nothing is written any more, so the next process need not wait for the last clone.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    pub(in crate::store) async fn older_copies(&self) -> Result<Vec<OlderCopy>, StoreError> {
        let path = self.path().to_owned();
        self.read(move |_| Ok(copies::beside(&path))).await
    }

    pub(in crate::store) async fn probe(&self) -> Result<(), StoreError> {
        let bot = self.bot();
        self.write(move |tx| {
            // It changes something: SQLite leaves out writes that do not.
            let sql = "UPDATE bots SET probes = probes + 1 WHERE bot_id = ?1";
            tx.prepare_cached(sql)?.execute([bot])?;
            Ok(())
        })
        .await
    }

    pub(super) fn bot(&self) -> i64 {
        self.bot.0
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Runs `work` in the next commit, perhaps more than once: only the last time counts.
    pub(super) async fn write<F, T>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let result = writer.ok_or_else(StoreError::closed)?.write(work).await;
        if let Err(e) = &result
            && e.is_corruption()
        {
            open::mark_suspect(self.path());
        }
        result
    }

    /// Looks up single rows by their key. That takes microseconds, so it runs on the caller's thread,
    /// unless the file would have to be opened for it, or another process has locked the file.
    pub(super) async fn look_up<F, T>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        match self.readers.run_at_once(&work) {
            Some(result) => result,
            None => self.read(work).await,
        }
    }

    /// Reads what may be long, beside the runtime.
    pub(super) async fn read<F, T>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        // Without it, the runtime ends.
        blocking::run(move || readers.run(work)).await.unwrap_or_else(|| Err(StoreError::closed()))
    }
}

impl Readers {
    fn run<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let conn = match self.idle() {
            Some(conn) => conn,
            None => open::connect_reading(&self.path)?,
        };
        self.run_on(conn, open::BUSY, work)
    }

    /// `None` where the work would have had to wait.
    fn run_at_once<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Option<Result<T, StoreError>> {
        match self.run_on(self.idle()?, Duration::ZERO, work) {
            Err(e) if e.kind() == StoreErrorKind::Busy => None,
            result => Some(result),
        }
    }

    fn idle(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Runs `work`, which waits at most for `busy` until a lock is free.
    fn run_on<T>(
        &self,
        conn: Connection,
        busy: Duration,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let result = conn.busy_timeout(busy).map_err(StoreError::from).and_then(|()| work(&conn));
        self.queries.observe(begun.elapsed().as_secs_f64());
        match &result {
            Err(e) if e.is_corruption() => open::mark_suspect(&self.path),
            _ => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < READERS {
                    idle.push(conn);
                }
            }
        }
        result
    }

    fn clear(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
