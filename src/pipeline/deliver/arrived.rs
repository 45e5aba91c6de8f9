//! What follows when a part arrived.
//!
//! Invariant: it is on disk with the next commit, at the latest a moment later.

use std::sync::atomic::Ordering;

use tokio::time::sleep;

use super::{Delivery, NextAction};
use crate::model::ids::MessageId;
use crate::model::limits;
use crate::model::work::WorkKind;
use crate::observe::label::Label;
use crate::observe::vitals::Timing;
use crate::store::OpenPart;

impl Delivery {
    pub(super) async fn arrived(&self, part: &OpenPart, id: MessageId) -> Option<NextAction> {
        self.note_arrival(part);
        let store = &self.0.base.store;
        let waiting = store.record_arrival(part.id, part.chat, id).await.unwrap_or(usize::MAX);
        if waiting >= limits::ARRIVALS {
            Box::pin(self.flush()).await?;
        } else if !self.0.flushing.swap(true, Ordering::SeqCst) {
            let this = self.clone();
            self.0.base.tasks.spawn("flush", async move { this.flush_soon().await });
        }
        Some(NextAction::Continue)
    }

    /// Stores what arrived, should no other commit do so.
    async fn flush_soon(&self) {
        let tasks = &self.0.base.tasks;
        tokio::select! {
            () = sleep(limits::ARRIVAL_STORED) => {}
            () = tasks.drain().cancelled() => {}
        }
        self.0.flushing.store(false, Ordering::SeqCst);
        self.flush().await;
    }

    /// `None`: the process halts; the reconciler will look.
    async fn flush(&self) -> Option<()> {
        let flush = || self.0.base.store.flush();
        self.0.base.retry_until_stored("record deliveries", flush).await
    }

    fn note_arrival(&self, part: &OpenPart) {
        let inner = &*self.0;
        inner.base.vitals.sent.add_one();
        let waited_ms = inner.base.clock.now_ms().saturating_sub(part.created_ms);
        let kind = if part.extra.answer { WorkKind::Question } else { WorkKind::Command };
        inner.base.vitals.observe(Timing::Delivery, kind, Label::None, waited_ms as f64 / 1e3);
    }
}
