//! Ingress: from an update source into the inbox. Nothing behind it can know where an update came
//! from.
//!
//! Invariant: what was accepted is on disk, and so is the offset that goes with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::message_ids::MessageIds;
use super::think::AtOnce;
use super::{Pipeline, Signals, StageBase, StageSettings};
use crate::model::message::{Update, UpdateEvent};
use crate::observe::label::Label;
use crate::observe::vitals::Timing;
use crate::store::{Accepted, StoreError};

/// Where updates come from: it gives them to an `Ingress`, and confirms to Telegram only what was
/// accepted there. It says when there is no more (`Ingress::caught_up`), and finds out whether that is so
/// when it is asked to (`Ingress::is_behind`).
pub trait UpdateSource: Send {
    /// Brings updates until the process drains.
    fn run(self) -> impl Future<Output = ()> + Send;
}

/// Takes updates in. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ingress {
    pub(super) base: StageBase,
    pub(super) signals: Arc<Signals>,
    pub(super) settings: Arc<ArcSwap<StageSettings>>,
    pub(super) message_ids: MessageIds,
    pub(super) at_once: Arc<AtOnce>,
}

impl Ingress {
    pub(super) fn new(pipeline: &Pipeline, at_once: AtOnce) -> Self {
        Self {
            at_once: Arc::new(at_once),
            base: pipeline.base.clone(),
            signals: Arc::clone(&pipeline.signals),
            settings: Arc::clone(&pipeline.settings),
            message_ids: pipeline.message_ids.clone(),
        }
    }

    /// Stores updates, each decoded alone at the edge, and the offset after them if the source has
    /// one, in one commit. Updates that are known are left as they are. Answers how many are new.
    ///
    /// # Errors
    /// When the commit fails: then nothing is stored, and nothing may be confirmed to Telegram.
    pub(super) async fn accept(
        &self,
        updates: Vec<Update>,
        next_offset: Option<i64>,
    ) -> Result<u64, StoreError> {
        let vitals = &self.base.vitals;
        self.note_lag(&updates);
        self.note_ids(&updates);
        let turn = self.signals.handover.turn.lock().await;
        let idle = self.signals.handover.idle(updates.iter().filter_map(Update::chat));
        let ready = self.at_once.think(&updates, idle);
        let finished = ready.iter().map(|r| (r.place, Arc::clone(&r.finish))).collect();
        let accepted = self.base.store.accept_and_finish(updates, next_offset, finished).await;
        let Accepted { stored, finished, repeated } = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                ready.into_iter().for_each(|ready| self.at_once.unstored(ready));
                return Err(e);
            }
        };
        let (waiting, new) = (stored.len(), stored.len() + finished.len());
        let now_ms = self.base.clock.now_ms();
        let mut finished = finished.into_iter().peekable();
        for ready in ready {
            match finished.next_if(|(place, _)| *place == ready.place) {
                Some((_, parts)) => self.at_once.finished(ready, parts, now_ms),
                None => self.at_once.unstored(ready),
            }
        }
        if waiting > 0 {
            self.signals.handover.offer(stored);
            let count = i64::try_from(waiting).unwrap_or(i64::MAX);
            self.signals.backlog.fetch_add(count, Ordering::Relaxed);
            self.signals.inbox_filled.notify_one();
        }
        drop(turn);
        vitals.updates.add(new as u64);
        vitals.updates_repeated.add(repeated);
        Ok(new as u64)
    }

    /// Before anything is sent because of them: whatever is sent has a higher id.
    fn note_ids(&self, updates: &[Update]) {
        let mut message_ids = self.message_ids.lock();
        for update in updates {
            if let (Some(chat), Some(id)) = (update.chat(), update.message_id()) {
                message_ids.heard(chat, id);
            }
        }
    }

    /// Telegram had no more updates than were accepted.
    pub(super) fn caught_up(&self, at: Instant) {
        if self.message_ids.lock().caught_up(at) {
            self.signals.caught_up.notify_one();
        }
    }

    /// Waits until something waits for everything to have been received.
    pub(super) async fn is_behind(&self) {
        self.signals.behind.notified().await;
    }

    /// Whether so much waits that no more should be taken in.
    pub(super) async fn is_full(&self) -> bool {
        if !self.seems_full() {
            return false;
        }
        if self.signals.recount.swap(false, Ordering::Relaxed) {
            match self.base.store.inbox_depth().await {
                Ok((waiting, _)) => {
                    let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
                    self.signals.backlog.store(waiting, Ordering::Relaxed);
                }
                Err(_) => self.signals.recount.store(true, Ordering::Relaxed),
            }
        }
        self.seems_full()
    }

    /// The same by the last count.
    pub(super) fn seems_full(&self) -> bool {
        self.signals.is_full(self.settings.load().backlog_max)
    }

    fn note_lag(&self, updates: &[Update]) {
        let now_s = self.base.clock.now_ms() as f64 / 1e3;
        for update in updates {
            if let UpdateEvent::Message(message) = &update.event
                && message.date_s > 0
                && message.edited_s.is_none()
            {
                // Two clocks are compared here; ours may be a little behind.
                let lag_s = (now_s - message.date_s as f64).max(0.0);
                self.base.vitals.observe(Timing::InboundLag, Label::None, Label::None, lag_s);
            }
        }
    }
}
