//! A fresh intake and fresh connections to Telegram, on request (`POST /bot/restart`).
//!
//! Invariant: nothing is lost. Only the poll is given up, and Telegram gives the same updates
//! again; sends finish on the old connections.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::reload::Reloader;
use crate::model::failure::chain;
use crate::supervise::ReportHub;

/// Renews the client on each request, until the process drains.
pub(super) async fn restarts(
    report_hub: ReportHub,
    reloader: Arc<Reloader>,
    drain: CancellationToken,
) {
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = report_hub.restart_asked() => {}
        }
        match reloader.renew_client() {
            Ok(()) => tracing::info!(
                "intake and connections to Telegram are restarted, as \
            requested"
            ),
            Err(e) => {
                let error = chain(&e);
                tracing::error!(error, "cannot renew the Telegram client: {error}");
            }
        }
    }
}
