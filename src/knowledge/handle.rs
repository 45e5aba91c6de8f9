//! Asks the indexer for a look, and hears of its end.
//!
//! Invariant: who waits hears of the end of a look that began after it asked, also where the disk had no room for all
//! of it; every other failure is tried again, and can be asked for meanwhile.

use std::sync::Arc;

use tokio::sync::watch;

/// Asks for a look at all documents, and waits for its end.
#[derive(Clone, Debug)]
pub struct IndexerHandle {
    wanted: watch::Sender<u64>,
    done: watch::Receiver<u64>,
    error: watch::Receiver<Option<Arc<str>>>,
}

impl IndexerHandle {
    /// Has the indexer look at all documents, now or right after the look that goes on.
    pub fn look(&self) {
        self.wanted.send_modify(|wanted| *wanted += 1);
    }

    /// The same, and waits until what is there now is in the index.
    pub async fn look_and_wait(&self) {
        let mut mine = 0;
        self.wanted.send_modify(|wanted| {
            *wanted += 1;
            mine = *wanted;
        });
        // It fails when the indexer has ended: then there is nothing to wait for.
        let _ = self.done.clone().wait_for(|done| *done >= mine).await;
    }

    /// Why the last look failed, if it did.
    pub fn error(&self) -> Option<Arc<str>> {
        self.error.borrow().clone()
    }

    /// Waits until the last look did not fail.
    pub async fn works_again(&self) {
        // As above.
        let _ = self.error.clone().wait_for(Option::is_none).await;
    }
}

/// The indexer's end of it.
pub(super) struct Asked {
    wanted: watch::Receiver<u64>,
    done: watch::Sender<u64>,
    error: watch::Sender<Option<Arc<str>>>,
}

impl Asked {
    /// Both ends.
    pub(super) fn new() -> (Self, IndexerHandle) {
        let (wanted, asked) = watch::channel(0);
        let (done, finished) = watch::channel(0);
        let (error, failed) = watch::channel(None);
        (
            Self { wanted: asked, done, error },
            IndexerHandle { wanted, done: finished, error: failed },
        )
    }

    /// The number of the last one who asked.
    pub(super) fn newest(&mut self) -> u64 {
        *self.wanted.borrow_and_update()
    }

    /// Waits until someone asks. `false`: no one is left who could.
    pub(super) async fn again(&mut self) -> bool {
        self.wanted.changed().await.is_ok()
    }

    /// A look has ended that began after this one asked.
    pub(super) fn answer(&self, newest: u64) {
        self.done.send_replace(newest);
    }

    /// The last look failed, or did not.
    pub(super) fn fails(&self, error: Option<&str>) {
        self.error.send_replace(error.map(Arc::from));
    }
}
