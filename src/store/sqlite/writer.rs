//! The one writer: a thread that gives many small writes one commit.
//!
//! Invariants: a caller gets its answer only after the commit that holds its write is on disk; a
//! write that fails takes no other with it. For that, a write can be run again after a rollback.

use rusqlite::{Connection, TransactionBehavior};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::arrivals::Arrivals;
use super::erase;
use super::ledger::Settlements;
use crate::model::failure::chain;
use crate::model::limits;
use crate::observe::histogram::Histogram;
use crate::store::failure::{StoreError, StoreErrorKind};

/// Sends writes to the thread that owns the writing connection.
#[derive(Clone, Debug)]
pub(super) struct Writer(mpsc::Sender<Box<dyn Job>>);

/// What the writing thread shares with the file's other parts.
pub(super) struct Shared {
    /// Set by a write that deletes what people asked for: after the commit, the write-ahead log is
    /// folded into the file and emptied, and unused space is overwritten.
    pub(super) fold: Arc<AtomicBool>,
    /// What the next commit stores, too.
    pub(super) riding: Arc<Riding>,
    /// How long commits take.
    pub(super) commits: Arc<Histogram>,
    /// Whether this process may do more to the file than was asked for: the daemon may, a visiting
    /// command line may not.
    pub(super) is_keeper: bool,
}

/// What the next commit of any kind stores, too.
pub(super) struct Riding {
    pub(super) arrivals: Arrivals,
    pub(super) settlements: Settlements,
    bot: i64,
}

impl Riding {
    pub(super) fn new(bot: i64) -> Self {
        Self { arrivals: Arrivals::default(), settlements: Settlements::default(), bot }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.arrivals.is_empty() && self.settlements.is_empty()
    }

    /// Before the jobs of a commit: a reservation among them finds what was given back.
    fn store_first(&self, tx: &Connection) -> Result<(), StoreError> {
        self.settlements.store(tx, self.bot)
    }

    /// After them.
    fn store_last(&self, tx: &Connection) -> Result<(), StoreError> {
        self.arrivals.store(tx)
    }

    fn committed(&self) {
        self.arrivals.committed();
        self.settlements.committed();
    }
}

/// What the thread owns.
struct Thread {
    conn: Connection,
    shared: Shared,
    /// The page at which unused space is overwritten next.
    erasing: Option<u32>,
    /// A reader hindered the last fold.
    fold_again: bool,
}

/// Why a commit failed; each of its writes gets one.
type NotCommitted = (StoreErrorKind, String);

/// One write that shares a commit with others.
trait Job: Send {
    /// Does the work inside the running transaction; says whether it may stay. Run again after a
    /// rollback.
    fn run(&mut self, tx: &Connection) -> bool;
    /// Answers the caller, once the outcome of the commit is known.
    fn answer(self: Box<Self>, commit: Result<(), NotCommitted>);
}

struct Write<F, T> {
    work: F,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Write<F, T>
where
    F: Fn(&Connection) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, tx: &Connection) -> bool {
        self.result.insert((self.work)(tx)).is_ok()
    }

    fn answer(self: Box<Self>, commit: Result<(), NotCommitted>) {
        let Self { work, result, caller } = *self;
        // The caller may want back, alone, what it shares with the work.
        drop(work);
        let answer = match (result, commit) {
            (Some(Err(e)), _) => Err(e),
            (_, Err((kind, why))) => {
                Err(StoreError::new(kind, "cannot commit to the state file").because(why))
            }
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::closed()),
        };
        // A caller that gave up waiting loses only the answer; the write stands.
        let _ = caller.send(answer);
    }
}

impl Writer {
    /// Starts the thread; it ends when the last `Writer` is dropped.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one thread that owns the writing connection"
    )]
    pub(super) fn start(
        conn: Connection,
        shared: Shared,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let (sender, jobs) = mpsc::channel::<Box<dyn Job>>(limits::WRITE_QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || Thread { conn, shared, erasing: None, fold_again: false }.run(jobs))?;
        Ok((Self(sender), thread))
    }

    /// Runs `work` in the next commit and waits until it is on disk. It may run more than once; only
    /// the last time counts.
    pub(super) async fn write<F, T>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = Write { work, result: None, caller };
        self.0.send(Box::new(job)).await.map_err(|_| StoreError::closed())?;
        answer.await.map_err(|_| StoreError::closed())?
    }
}

impl Thread {
    fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        if self.shared.is_keeper && erase::is_due(&self.conn).unwrap_or(false) {
            self.erasing = Some(1);
        }
        let mut batch = Vec::with_capacity(limits::COMMIT_BATCH);
        while let Some(first) = self.next(&mut jobs) {
            batch.push(first);
            while batch.len() < limits::COMMIT_BATCH {
                let Ok(job) = jobs.try_recv() else { break };
                batch.push(job);
            }
            while !batch.is_empty() {
                let begun = Instant::now();
                let (count, commit) = commit_some(&mut self.conn, &mut batch, &self.shared.riding);
                self.shared.commits.observe(begun.elapsed().as_secs_f64());
                if self.shared.fold.swap(false, Ordering::SeqCst) {
                    self.fold();
                    self.erasing = self.shared.is_keeper.then_some(1);
                } else if self.fold_again {
                    self.fold();
                }
                for job in batch.drain(..count) {
                    job.answer(commit.clone());
                }
            }
        }
        if !self.shared.riding.is_empty() {
            // If it fails, the next process looks for them.
            let _ = commit_together(&mut self.conn, &mut [], &self.shared.riding);
        }
        let deadline = Instant::now() + limits::ERASE_AT_END;
        while self.erasing.is_some() && Instant::now() < deadline {
            self.erase();
        }
    }

    /// The next job. While there is none, unused space is overwritten.
    fn next(&mut self, jobs: &mut mpsc::Receiver<Box<dyn Job>>) -> Option<Box<dyn Job>> {
        while self.erasing.is_some() {
            match jobs.try_recv() {
                Ok(job) => return Some(job),
                Err(mpsc::error::TryRecvError::Empty) => self.erase(),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
            }
        }
        jobs.blocking_recv()
    }

    fn erase(&mut self) {
        let Some(page) = self.erasing else { return };
        self.erasing = erase::step(&mut self.conn, page).unwrap_or_else(|e| {
            let error = chain(&e);
            tracing::warn!(
                error,
                "cannot overwrite what was deleted: {error}; trying again at the next start"
            );
            None
        });
        if self.erasing.is_none() {
            self.fold();
        }
    }

    fn fold(&mut self) {
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.fold_again = self.conn.query_row(sql, [], |r| r.get(0)).unwrap_or(true);
    }
}

/// Runs the jobs of `batch` in one transaction and commits: all of them, or those before one that
/// fails, or that one alone. Answers how many that were, and the outcome of the commit.
fn commit_some(
    conn: &mut Connection,
    batch: &mut [Box<dyn Job>],
    riding: &Riding,
) -> (usize, Result<(), NotCommitted>) {
    let mut count = batch.len();
    let commit = loop {
        match commit_together(conn, &mut batch[..count], riding) {
            // It has failed by itself: nothing was to be committed, and its answer says why.
            Ok(Some(0)) => {
                count = 1;
                break Ok(());
            }
            Ok(Some(failed)) => count = failed,
            Ok(None) => break Ok(()),
            Err(e) => break Err((e.kind(), chain(&e))),
        }
    };
    (count, commit)
}

/// Runs all jobs in one transaction, stores what rides along, and commits; or answers which job
/// failed first: then everything is rolled back.
fn commit_together(
    conn: &mut Connection,
    jobs: &mut [Box<dyn Job>],
    riding: &Riding,
) -> Result<Option<usize>, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    riding.store_first(&tx)?;
    let failed = jobs.iter_mut().position(|job| !job.run(&tx));
    match failed {
        // A full disk has rolled back already.
        Some(_) if tx.is_autocommit() => {}
        Some(_) => tx.rollback()?,
        None => {
            riding.store_last(&tx)?;
            tx.commit()?;
            riding.committed();
        }
    }
    Ok(failed)
}
