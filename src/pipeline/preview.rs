//! Previews: an answer is shown while it is written, where Telegram can do that.
//!
//! Nothing here is kept or repeated; the answer itself is one durable reply. Previews are paced with
//! everything else, and are the first to give way.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::deliver::Delivery;
use super::{Pipeline, StageSettings};
use crate::answer::Progress;
use crate::model::failure::{Classify, RetryPolicy};
use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;
use crate::model::message::{Incoming, Place, Press};
use crate::telegram::{Client, Outgoing, render};

/// Shows answers while they are written.
pub(super) struct Previews {
    client: Client,
    settings: Arc<ArcSwap<StageSettings>>,
    /// The server knows no drafts.
    drafts_unknown: AtomicBool,
}

/// Where an answer is shown.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    chat: ChatId,
    place: Place,
    thread: Option<i64>,
    /// The question, or the answer that goes on.
    message: MessageId,
    /// Knows how much may be sent.
    delivery: &'a Delivery,
}

impl<'a> Spot<'a> {
    pub(super) fn of(question: &Incoming, delivery: &'a Delivery) -> Self {
        let Incoming { chat, place, thread, message_id, .. } = *question;
        Self { chat, place, thread, message: message_id, delivery }
    }

    /// Of an answer that goes on.
    pub(super) fn of_press(press: &Press, delivery: &'a Delivery) -> Self {
        let Press { chat, place, thread, message_id, .. } = *press;
        Self { chat, place, thread, message: message_id, delivery }
    }
}

impl Previews {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        Self {
            client: pipeline.client.clone(),
            settings: Arc::clone(&pipeline.settings),
            drafts_unknown: AtomicBool::new(false),
        }
    }

    /// Shows how far the answer is, the latest state winning, until the future is
    /// dropped.
    pub(super) async fn show(
        &self,
        spot: Spot<'_>,
        mut progress: watch::Receiver<Progress>,
    ) -> Infallible {
        sleep(limits::PREVIEW_AFTER).await;
        loop {
            let drafts = self.settings.load().previews
                && spot.place == Place::Private
                && !self.drafts_unknown.load(Ordering::Relaxed);
            if !spot.delivery.has_spare_room() {
                // Messages come first; then the latest state is shown.
                sleep(limits::PREVIEW_EVERY / 4).await;
                continue;
            }
            let shown = progress.borrow_and_update().shown();
            let Some(text) = shown.filter(|_| drafts) else {
                // Nothing to show yet, or no way to show it: a typing sign shows that work goes on.
                self.typing(spot).await;
                tokio::select! {
                    () = sleep(limits::ACTION_EVERY) => {}
                    changed = progress.changed(), if drafts => if changed.is_err() {
                        std::future::pending::<()>().await;
                    },
                }
                continue;
            };
            self.draft(spot, &text).await;
            sleep(limits::PREVIEW_EVERY).await;
            // A draft fades, so one that stays the same is shown again.
            if let Ok(Err(_)) = timeout(limits::DRAFT_LIFE, progress.changed()).await {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn typing(&self, spot: Spot<'_>) {
        if let Err(e) = self.client.typing(spot.chat, spot.thread).await {
            tracing::debug!(error = %e, "cannot send a chat action");
        }
    }

    async fn draft(&self, spot: Spot<'_>, text: &str) {
        // All of it, so that a key that is still being written is seen as one.
        let rich = render::preview(&self.client.redactor().redact(text));
        if rich.text.is_empty() {
            return;
        }
        let draft = Outgoing {
            chat: spot.chat,
            thread: spot.thread,
            text: &rich.text,
            entities: &rich.entities,
            buttons: &[],
            reply_to: None,
        };
        // One draft per question; the id only has to differ from 0 and from other drafts.
        match self.client.draft(spot.message.0.max(1), draft).await {
            Ok(()) => {}
            Err(e) if e.method_unknown() => {
                tracing::info!("the server knows no drafts; answers are shown when complete");
                self.drafts_unknown.store(true, Ordering::Relaxed);
            }
            Err(e) => {
                tracing::debug!(error = %e, "cannot show a draft");
                if let RetryPolicy::After(wait) = e.retry_policy() {
                    sleep(wait).await;
                }
            }
        }
    }
}
