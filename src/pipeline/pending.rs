//! Pending: how many updates wait at Telegram, asked rarely, and whether polls bring them.
//!
//! A poll that is answered with nothing while updates wait is deafness that no failed call shows: a
//! poisoned offset, or a server that lost its way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use tokio::time::sleep;

use super::{Pipeline, Signals, StageBase, StageSettings};
use crate::model::limits;
use crate::telegram::Client;

/// The stage that asks.
pub struct Pending {
    base: StageBase,
    client: Client,
    signals: Arc<Signals>,
    settings: Arc<ArcSwap<StageSettings>>,
}

impl Pending {
    /// A stage that has asked nothing yet.
    pub fn new(pipeline: &Pipeline) -> Self {
        Self {
            base: pipeline.base.clone(),
            client: pipeline.client.clone(),
            signals: Arc::clone(&pipeline.signals),
            settings: Arc::clone(&pipeline.settings),
        }
    }

    /// Asks now and then (`getWebhookInfo` works while polling, too) until the process drains.
    pub async fn run(self) {
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
                    let stuck = count > 0
                        && waited
                        && so_far == taken
                        && !self.signals.is_full(self.settings.load().backlog_max);
                    self.note(stuck, count);
                    (waited, taken) = (count > 0, so_far);
                }
                // Polls tell how Telegram is; this figure is only left out.
                Err(e) => {
                    self.base.vitals.pending.store(-1, Ordering::Relaxed);
                    tracing::debug!(error = %e, "cannot ask how many updates wait");
                }
            }
            tokio::select! {
                () = drain.cancelled() => return,
                () = sleep(if waited { limits::PENDING_SOON } else { limits::PENDING_EVERY }) => {}
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
            self.signals.forget_offset.store(true, Ordering::Relaxed);
        }
    }
}
