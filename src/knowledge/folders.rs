//! Work on the folders of the sources, which a file system that does not answer must not hold up for ever.
//!
//! Invariant: such a folder, as on a mount whose server is gone, holds up no other one. It has one stuck thread at most,
//! and is left alone until that thread comes back.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::scan::{Scan, Work};
use super::source::Source;
use crate::blocking;

/// Work that does not get on for so long is given up.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

/// The folders of the sources.
#[derive(Debug)]
pub(super) struct Folders {
    silence: Duration,
    /// Those that did not answer, each with the work that is still stuck there.
    stuck: Mutex<HashMap<PathBuf, Weak<Work>>>,
}

impl Default for Folders {
    fn default() -> Self {
        Self { silence: SILENCE, stuck: Mutex::default() }
    }
}

impl Folders {
    /// Looks through the sources, through all at once.
    pub(super) async fn scan(&self, sources: &[Source]) -> Scan {
        let scans = sources.iter().map(|source| async {
            let one = source.clone();
            let scan = self.within(source.dir(), move |work| Scan::of(&one, work)).await;
            scan.unwrap_or_else(|| Scan::unreadable(source, silent(source.dir())))
        });
        Scan::joined(join_all(scans).await)
    }

    /// Does something in a folder, beside the runtime; `None` where the folder does not answer, or the runtime ends.
    pub(super) async fn within<T: Send + 'static>(
        &self,
        dir: &Path,
        work: impl FnOnce(&Work) -> T + Send + 'static,
    ) -> Option<T> {
        if self.is_stuck(dir) {
            return None;
        }
        let done = Arc::<Work>::default();
        let shown = Arc::downgrade(&done);
        let mut running = Box::pin(blocking::run(move || work(&done)));
        let mut before = 0;
        loop {
            if let Ok(result) = timeout(self.silence, &mut running).await {
                return result;
            }
            let now = shown.upgrade().map_or(before, |work| work.done());
            if now == before {
                self.stuck().insert(dir.to_owned(), shown);
                return None;
            }
            before = now;
        }
    }

    /// Whether work of before is stuck in a folder.
    pub(super) fn is_stuck(&self, dir: &Path) -> bool {
        self.stuck().get(dir).is_some_and(|work| work.strong_count() > 0)
    }

    fn stuck(&self) -> MutexGuard<'_, HashMap<PathBuf, Weak<Work>>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said of a folder that does not answer.
pub(super) fn silent(dir: &Path) -> String {
    format!("{} does not answer; it may be on a mount whose server is gone", dir.display())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[tokio::test]
    async fn work_that_goes_on_is_waited_for_and_what_is_stuck_is_not() {
        let folders = Folders { silence: Duration::from_millis(200), stuck: Mutex::default() };
        let dir = Path::new("/srv/handbook");
        let slow = folders.within(dir, |work| {
            for _ in 0..10 {
                work.goes_on();
                std::thread::park_timeout(Duration::from_millis(60));
            }
            7
        });
        assert_eq!(slow.await, Some(7));
        let (let_go, held) = sync_channel::<()>(0);
        assert_eq!(folders.within(dir, move |_| held.recv().is_ok()).await, None);
        assert!(folders.is_stuck(dir) && !folders.is_stuck(Path::new("/srv")));
        assert_eq!(folders.within(dir, |_| unreachable!("one thread is enough")).await, None::<()>);
        drop(let_go);
        while folders.is_stuck(dir) {
            tokio::task::yield_now().await;
        }
        assert_eq!(folders.within(dir, |_| 8).await, Some(8));
    }
}
