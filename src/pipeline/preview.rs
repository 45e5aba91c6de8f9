//! Previews: an answer is shown while it is written, where Telegram can do that.
//!
//! Nothing here is kept or repeated; the answer itself is one durable reply.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{Pipeline, StageSettings};
use crate::model::failure::{Classify, RetryPolicy};
use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;
use crate::model::message::Place;
use crate::telegram::{Client, Outgoing, render};

/// Shows answers while they are written.
pub(super) struct Previews {
    client: Client,
    settings: Arc<ArcSwap<StageSettings>>,
    /// The server knows no drafts.
    drafts_unknown: AtomicBool,
}

impl Previews {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        Self {
            client: pipeline.client.clone(),
            settings: Arc::clone(&pipeline.settings),
            drafts_unknown: AtomicBool::new(false),
        }
    }

    /// Shows what is written so far, the latest text winning, until the future is dropped.
    pub(super) async fn show(
        &self,
        chat: ChatId,
        place: Place,
        thread: Option<i64>,
        message: MessageId,
        mut written: watch::Receiver<String>,
    ) -> Infallible {
        sleep(limits::PREVIEW_AFTER).await;
        loop {
            let drafts = self.settings.load().previews
                && place == Place::Private
                && !self.drafts_unknown.load(Ordering::Relaxed);
            let text = written.borrow_and_update().clone();
            if !drafts || text.is_empty() {
                // Nothing to show yet, or no way to show it: a typing sign shows that work goes on.
                if let Err(e) = self.client.typing(chat, thread).await {
                    tracing::debug!(error = %e, "cannot send a chat action");
                }
                tokio::select! {
                    () = sleep(limits::ACTION_EVERY) => {}
                    changed = written.changed(), if drafts => if changed.is_err() {
                        std::future::pending::<()>().await;
                    },
                }
                continue;
            }
            // All of it, so that a key that is still being written is seen as one.
            let rich = render::preview(&self.client.redactor().redact(&text));
            if !rich.text.is_empty() {
                let draft = Outgoing {
                    chat,
                    thread,
                    text: &rich.text,
                    entities: &rich.entities,
                    buttons: &[],
                    reply_to: None,
                };
                // One draft per question; the id only has to differ from 0 and from other drafts.
                match self.client.draft(message.0.max(1), draft).await {
                    Ok(()) => {}
                    Err(e) if e.method_unknown() => {
                        tracing::info!(
                            "the server knows no drafts; answers are shown when complete"
                        );
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
            sleep(limits::PREVIEW_EVERY).await;
            if written.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
