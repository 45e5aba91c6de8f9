//! Pending: how many updates wait at Telegram, asked rarely.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::sleep;

use super::Shared;
use crate::model::limits;

/// Asks now and then (`getWebhookInfo` tells it while polling, too) until the process drains.
pub async fn pending(shared: Arc<Shared>) {
    let drain = shared.tasks.drain().clone();
    loop {
        let asked = tokio::select! {
            () = drain.cancelled() => return,
            asked = shared.client.pending() => asked,
        };
        match asked {
            Ok(count) => {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                shared.vitals.pending.store(count, Ordering::Relaxed);
            }
            // Polls tell how Telegram is; this figure is only left out.
            Err(e) => {
                shared.vitals.pending.store(-1, Ordering::Relaxed);
                tracing::debug!(error = %e, "cannot ask how many updates wait");
            }
        }
        tokio::select! {
            () = drain.cancelled() => return,
            () = sleep(limits::PENDING_EVERY) => {}
        }
    }
}
