//! SIGHUP: reloads the configuration, one reload after the other, and notifies systemd.
//!
//! Invariant: RELOADING=1 is always followed by READY=1, and neither is said before the first
//! READY=1 (sd_notify(3)).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::app::reload::{Reloaded, Reloader};
use crate::config::Sources;
use crate::{supervise, systemd};

/// Collects signals for the one task that reloads.
pub(super) struct Hangups {
    reloader: Arc<Reloader>,
    /// The file that the command line names.
    file: Option<PathBuf>,
    asked: Notify,
    told_ready: AtomicBool,
}

impl Hangups {
    /// No signal came yet.
    pub(super) fn new(reloader: Arc<Reloader>, file: Option<PathBuf>) -> Self {
        Self { reloader, file, asked: Notify::new(), told_ready: AtomicBool::new(false) }
    }

    /// A signal came. Several that come during a reload make one more.
    pub(super) fn ask(&self) {
        tracing::info!("SIGHUP: reading the configuration again");
        self.asked.notify_one();
    }

    /// systemd knows that the bot is ready.
    pub(super) fn told_ready(&self) {
        self.told_ready.store(true, Ordering::SeqCst);
    }

    /// Reloads when asked, until the process drains.
    pub(super) async fn run(self: Arc<Self>, drain: CancellationToken) {
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                () = self.asked.notified() => {}
            }
            let tell = self.told_ready.load(Ordering::SeqCst);
            if tell {
                systemd::reloading("reading the configuration again");
            }
            // The default file may exist by now.
            let sources = Sources::from_process(self.file.clone());
            let outcome = self.reloader.reload(&sources).await;
            if tell {
                let now = supervise::words(&self.reloader.report_hub().report());
                // This status line stays until the next change, so it shows the current state.
                systemd::ready(&match outcome {
                    Reloaded::Applied { .. } => now,
                    Reloaded::Rejected(why) => format!("{now}; configuration refused: {why}"),
                });
            }
        }
    }
}
