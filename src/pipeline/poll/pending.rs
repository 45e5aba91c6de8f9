//! Pending: how many updates wait at Telegram, asked rarely, and whether polls bring them.
//!
//! A poll that is answered with nothing while updates wait is deafness that no failed call shows: a
//! poisoned offset, or a server that lost its way. A poll that waits for messages says nothing for a
//! while, so it is also asked here whether everything that people wrote has been received.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::{Instant, sleep_until};

use crate::model::limits;
use crate::pipeline::StageBase;
use crate::pipeline::ingress::Ingress;
use crate::telegram::Client;

/// The task that asks.
pub(super) struct Pending {
    pub(super) base: StageBase,
    pub(super) client: Client,
    pub(super) ingress: Ingress,
    /// The next poll is to begin without an offset.
    pub(super) forget_offset: Arc<AtomicBool>,
}

impl Pending {
    /// Asks now and then (`getWebhookInfo` works while polling, too), and when the pipeline waits
    /// for it, until the process drains.
    pub(super) async fn run(self) {
        let drain = self.base.tasks.drain().clone();
        let (mut waited, mut taken) = (false, 0);
        loop {
            let asked = tokio::select! {
                () = drain.cancelled() => return,
                asked = self.client.pending() => asked,
            };
            match asked {
                Ok(count) => {
                    let count = i64::try_from(count).unwrap_or(i64::MAX);
                    self.base.vitals.pending.store(count, Ordering::Relaxed);
                    let so_far = self.base.vitals.updates.get();
                    let stuck =
                        count > 0 && waited && so_far == taken && !self.ingress.seems_full();
                    self.note(stuck, count);
                    (waited, taken) = (count > 0, so_far);
                }
                // Polls tell how Telegram is; this figure is only left out.
                Err(e) => {
                    self.base.vitals.pending.store(-1, Ordering::Relaxed);
                    tracing::debug!(error = %e, "cannot ask how many updates wait");
                }
            }
            let next = if waited { limits::PENDING_SOON } else { limits::PENDING_EVERY };
            tokio::select! {
                () = drain.cancelled() => return,
                () = self.catch_up_until(Instant::now() + next) => {}
            }
        }
    }

    /// Finds out whether everything has been received, each time the pipeline asks, until `end`.
    async fn catch_up_until(&self, end: Instant) {
        loop {
            tokio::select! {
                () = sleep_until(end) => return,
                () = self.ingress.is_behind() => {}
            }
            let asked = Instant::now();
            if matches!(self.client.pending().await, Ok(0)) {
                self.ingress.caught_up(asked);
            }
        }
    }

    fn note(&self, stuck: bool, count: i64) {
        let before = self.base.vitals.updates_stuck.swap(stuck, Ordering::Relaxed);
        if stuck && !before {
            tracing::error!(
                pending = count,
                "Telegram holds updates that polls do not return; polling once without an offset"
            );
            // What was taken before is known and not stored again.
            self.forget_offset.store(true, Ordering::Relaxed);
        }
    }
}
