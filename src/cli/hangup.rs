//! SIGHUP: reads the configuration again, one reload after the other, and tells systemd.
//!
//! Invariant: RELOADING=1 is always followed by READY=1, and neither is said before the first
//! READY=1 (sd_notify(3)).

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::app::reload::{Reloaded, Reloader};
use crate::config::Sources;
use crate::model::swap::Swap;
use crate::systemd;

/// Collects signals for the one task that reloads.
#[derive(Default)]
pub(super) struct Hangups {
    asked: Notify,
    /// What systemd was told last; `None` before it was told that the bot is ready.
    standing: Swap<Option<String>>,
}

impl Hangups {
    /// A signal came. Several that come during a reload make one more.
    pub(super) fn ask(&self) {
        tracing::info!("SIGHUP: reading the configuration again");
        self.asked.notify_one();
    }

    /// The bot is ready, and this is how it goes; said again after each reload.
    pub(super) fn stands(&self, status: &str) {
        self.standing.set(Some(status.to_owned()));
    }

    /// Reloads when asked, until the process drains.
    pub(super) async fn run(
        self: Arc<Self>,
        reloader: Arc<Reloader>,
        sources: Sources,
        drain: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                () = self.asked.notified() => {}
            }
            let ready = self.standing.get().is_some();
            if ready {
                systemd::reloading("reading the configuration again");
            }
            let refused = match reloader.reload(&sources).await {
                Reloaded::Taken { .. } => String::new(),
                Reloaded::Rejected(why) => format!("; the new configuration was refused: {why}"),
            };
            match self.standing.get().as_deref() {
                Some(status) if ready => systemd::ready(&format!("{status}{refused}")),
                Some(status) => systemd::status(&format!("{status}{refused}")),
                None => systemd::status(&format!("connecting to Telegram{refused}")),
            }
        }
    }
}
