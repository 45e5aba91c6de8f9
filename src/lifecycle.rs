//! Life and end of the process: named tasks, signals, and the two steps of stopping.
//!
//! Invariants: tasks start only here; a task that panics makes the process drain and exit
//! non-zero; stopping is first *drain* (nothing new, running work goes on), then *halt* (work that
//! is still running is given up; it rests on disk).

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::observe::catalog::JournalEvent;

/// Starts tasks and knows when they have ended. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    drain: CancellationToken,
    halt: CancellationToken,
    failed: Arc<OnceLock<&'static str>>,
}

/// What the system asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: stop.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

impl Tasks {
    /// Nothing is running yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `work` under a name. If it panics, everything drains and [`Tasks::failed`] has its
    /// name.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let this = self.clone();
        // Combinators, because an async block would hold `work` twice: as given and as awaited.
        self.tracker.spawn(AssertUnwindSafe(work).catch_unwind().map(move |ended| {
            if ended.is_err() {
                tracing::error!(
                    message_id = JournalEvent::TaskPanicked.id(),
                    task = name,
                    "the task \"{name}\" panicked; draining"
                );
                let _ = this.failed.set(name);
                this.drain.cancel();
            }
        }));
    }

    /// Something that the process cannot live without is broken: everything drains, and the exit
    /// is not zero.
    pub fn fail(&self, name: &'static str) {
        let _ = self.failed.set(name);
        self.drain.cancel();
    }

    /// Cancelled when nothing new may begin.
    pub fn drain(&self) -> &CancellationToken {
        &self.drain
    }

    /// Cancelled when the grace is over.
    pub fn halt(&self) -> &CancellationToken {
        &self.halt
    }

    /// The first task that panicked.
    pub fn failed(&self) -> Option<&'static str> {
        self.failed.get().copied()
    }

    /// Waits until all tasks have ended, at most `grace`; then halts and waits once more, shortly.
    /// Answers whether everything ended within the grace.
    pub async fn end(&self, grace: Duration) -> bool {
        self.drain.cancel();
        self.tracker.close();
        let gentle = tokio::time::timeout(grace, self.tracker.wait()).await.is_ok();
        self.halt.cancel();
        // Tasks that watch `halt` end at once; this only bounds a task that does not.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.tracker.wait()).await;
        gentle
    }
}

/// Reads signals for as long as it lives.
pub struct Signals(signal_hook_tokio::SignalsInfo);

impl Signals {
    /// Takes over SIGTERM, SIGINT and SIGHUP.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self(signal_hook_tokio::Signals::new([SIGTERM, SIGINT, SIGHUP])?))
    }

    /// The next signal; never ends otherwise.
    pub async fn next(&mut self) -> Signal {
        match self.0.next().await {
            Some(SIGHUP) => Signal::Reload,
            Some(_) => Signal::Stop,
            None => std::future::pending().await,
        }
    }
}

/// From now on, a signal that ends the program lets `work` run first; it exits with 128 + its number,
/// as a shell would say. For programs without [`Signals`].
///
/// # Errors
/// When the handlers or the thread cannot be made.
#[expect(clippy::disallowed_methods, reason = "signals are waited for without a runtime")]
pub fn before_the_end(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let mut signals = iterator::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGQUIT])?;
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            work();
            std::process::exit(128 + signal);
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panicking_task_drains_everything() {
        let tasks = Tasks::new();
        tasks.spawn("careless", async { panic!("on purpose") });
        tasks.drain().cancelled().await;
        assert_eq!(tasks.failed(), Some("careless"));
    }

    #[tokio::test]
    async fn work_gets_its_grace_and_no_more() {
        let tasks = Tasks::new();
        tasks.spawn("quick", tokio::time::sleep(Duration::from_millis(20)));
        assert!(tasks.end(Duration::from_secs(5)).await);
        let tasks = Tasks::new();
        let halt = tasks.halt().clone();
        tasks.spawn("slow", async move { halt.cancelled().await });
        assert!(!tasks.end(Duration::from_millis(20)).await);
    }
}
