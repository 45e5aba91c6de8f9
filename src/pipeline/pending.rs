//! Pending: how many updates wait at Telegram, asked rarely, and whether polls bring them.
//!
//! A poll that is answered with nothing while updates wait is deafness that no failed call shows: a
//! poisoned offset, or a server that lost its way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::sleep;

use super::Shared;
use crate::model::limits;

/// Asks now and then (`getWebhookInfo` works while polling, too) until the process drains.
pub async fn pending(shared: Arc<Shared>) {
    let drain = shared.tasks.drain().clone();
    let (mut waited, mut taken) = (false, 0);
    loop {
        let asked = tokio::select! {
            () = drain.cancelled() => return,
            asked = shared.client.pending() => asked,
        };
        match asked {
            Ok(count) => {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                shared.vitals.pending.store(count, Ordering::Relaxed);
                let so_far = shared.vitals.updates.get();
                let stuck = count > 0 && waited && so_far == taken && !shared.is_full();
                note(&shared, stuck, count);
                (waited, taken) = (count > 0, so_far);
            }
            // Polls tell how Telegram is; this figure is only left out.
            Err(e) => {
                shared.vitals.pending.store(-1, Ordering::Relaxed);
                tracing::debug!(error = %e, "cannot ask how many updates wait");
            }
        }
        tokio::select! {
            () = drain.cancelled() => return,
            () = sleep(if waited { limits::PENDING_SOON } else { limits::PENDING_EVERY }) => {}
        }
    }
}

fn note(shared: &Shared, stuck: bool, count: i64) {
    let before = shared.vitals.updates_stuck.swap(stuck, Ordering::Relaxed);
    if stuck && !before {
        tracing::error!(
            pending = count,
            "Telegram holds updates that polls do not bring; polling once without an offset"
        );
        // What was taken before is known and not stored again.
        shared.forget_offset.store(true, Ordering::Relaxed);
    }
}
