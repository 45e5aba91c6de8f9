//! SIGHUP: reads the configuration again, one reload after the other, and tells systemd.
//!
//! Invariant: RELOADING=1 is always followed by READY=1, and neither is said before the first
//! READY=1 (sd_notify(3)).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::app::reload::{Reloaded, Reloader};
use crate::config::Sources;
use crate::supervise::{self, Board};
use crate::systemd;

/// Collects signals for the one task that reloads.
#[derive(Default)]
pub(super) struct Hangups {
    asked: Notify,
    ready: AtomicBool,
}

impl Hangups {
    /// A signal came. Several that come during a reload make one more.
    pub(super) fn ask(&self) {
        tracing::info!("SIGHUP: reading the configuration again");
        self.asked.notify_one();
    }

    /// systemd was told that the bot is ready.
    pub(super) fn ready(&self) {
        self.ready.store(true, Ordering::SeqCst);
    }

    /// Reloads when asked, until the process drains.
    pub(super) async fn run(
        self: Arc<Self>,
        reloader: Arc<Reloader>,
        sources: Sources,
        board: Board,
        drain: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                () = self.asked.notified() => {}
            }
            let ready = self.ready.load(Ordering::SeqCst);
            if ready {
                systemd::reloading("reading the configuration again");
            }
            board.set_config_rejected(match reloader.reload(&sources).await {
                Reloaded::Taken { .. } => None,
                Reloaded::Rejected(why) => Some(why),
            });
            let words = supervise::words(&board.report());
            let words = match board.config_rejected() {
                Some(why) => format!("{words}; the new configuration was refused: {why}"),
                None => words,
            };
            if ready {
                systemd::ready(&words);
            } else {
                systemd::status(&words);
            }
        }
    }
}
