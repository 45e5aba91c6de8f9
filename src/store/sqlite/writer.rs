//! The one writer: a thread that gives many small writes one commit.
//!
//! Invariant: a caller gets its answer only after the commit that holds its write is on disk.

use rusqlite::{Connection, TransactionBehavior};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::failure::kind_of;
use crate::model::limits;
use crate::observe::histogram::Histogram;
use crate::store::failure::{StoreError, StoreErrorKind};

/// Sends writes to the thread that owns the writing connection.
#[derive(Clone, Debug)]
pub(super) struct Writer(mpsc::Sender<Box<dyn Job>>);

/// Why a commit failed; each of its writes gets one.
type NotCommitted = (StoreErrorKind, String);

/// One write that shares a commit with others.
trait Job: Send {
    /// Does the work inside the running transaction; says whether it may stay.
    fn run(&mut self, tx: &Connection) -> bool;
    /// Answers the caller, once the outcome of the commit is known.
    fn answer(self: Box<Self>, commit: Result<(), NotCommitted>);
}

struct Write<F, T> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Write<F, T>
where
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, tx: &Connection) -> bool {
        self.result = self.work.take().map(|work| work(tx));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, commit: Result<(), NotCommitted>) {
        let answer = match (self.result, commit) {
            (Some(Err(e)), _) => Err(e),
            (_, Err((kind, why))) => {
                Err(StoreError::new(kind, "cannot commit to the state file").because(why))
            }
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::closed()),
        };
        // A caller that gave up waiting loses only the answer; the write stands.
        let _ = self.caller.send(answer);
    }
}

impl Writer {
    /// Starts the thread; it ends when the last `Writer` is dropped. After a commit that finds
    /// `fold` set, the write-ahead log is folded into the file and emptied.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one thread that owns the writing connection"
    )]
    pub(super) fn start(
        mut conn: Connection,
        fold: Arc<AtomicBool>,
        commits: Arc<Histogram>,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let (sender, mut jobs) = mpsc::channel::<Box<dyn Job>>(limits::WRITE_QUEUE);
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || {
            while let Some(first) = jobs.blocking_recv() {
                let mut batch = vec![first];
                while batch.len() < limits::COMMIT_BATCH {
                    let Ok(job) = jobs.try_recv() else { break };
                    batch.push(job);
                }
                let begun = Instant::now();
                let commit = commit_together(&mut conn, &mut batch)
                    .map_err(|e| (kind_of(e.sqlite_error_code()), e.to_string()));
                commits.observe(begun.elapsed().as_secs_f64());
                if fold.swap(false, Ordering::SeqCst) {
                    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
                    // Without it the log is folded later, when it has grown.
                    let _ = conn.query_row(sql, [], |_| Ok(()));
                }
                for job in batch {
                    job.answer(commit.clone());
                }
            }
        })?;
        Ok((Self(sender), thread))
    }

    /// Runs `work` in the next commit and waits until it is on disk.
    pub(super) async fn write<F, T>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = Write { work: Some(work), result: None, caller };
        self.0.send(Box::new(job)).await.map_err(|_| StoreError::closed())?;
        answer.await.map_err(|_| StoreError::closed())?
    }
}

/// Runs all jobs in one transaction, each in a savepoint so that one failing job takes nothing
/// else with it, and commits.
fn commit_together(conn: &mut Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in batch {
        tx.prepare_cached("SAVEPOINT job")?.execute([])?;
        if !job.run(&tx) {
            tx.prepare_cached("ROLLBACK TO job")?.execute([])?;
        }
        tx.prepare_cached("RELEASE job")?.execute([])?;
    }
    tx.commit()
}
