//! Conflict: Telegram refuses a poll, because another program takes the updates.

use std::sync::Arc;

use hygiene::url::Origin;
use tokio::time::Instant;

use super::{Poll, Polling, Step};
use crate::model::limits;
use crate::telegram::Conflict;

impl Poll {
    /// Says who takes the updates, once, and waits.
    pub(super) async fn conflict(&mut self, cause: Conflict) -> Step {
        self.base.vitals.conflicts.add_one();
        self.conflicts += 1;
        match cause {
            Conflict::Webhook => {
                self.answered = false;
                self.note_polling(Polling::Conflict);
                if self.repeats.is_news("webhook") {
                    let host = self.webhook_host().await;
                    let by = host.as_ref().map(|host| format!(" ({host})")).unwrap_or_default();
                    self.base.vitals.webhook.store(host.map(Arc::new));
                    tracing::error!(
                        "a webhook is set for this bot{by}, so Telegram refuses polls; stop the \
                         program that set it, then call deleteWebhook"
                    );
                }
            }
            // Our own poll from before a start or a renewal is cut off by the new one, and where a platform
            // starts the new instance before it stops the old one, both poll for a while.
            Conflict::OtherPoller if self.started.elapsed() < limits::CONFLICT_QUIET => {
                if self.conflicts == 1 {
                    tracing::info!("an earlier poll is still open at Telegram; trying again");
                } else {
                    self.note_polling(Polling::Conflict);
                    tracing::debug!(conflicts = self.conflicts, "refused again; trying again");
                }
            }
            Conflict::OtherPoller => {
                self.disturbed = Some(Instant::now());
                self.note_polling(Polling::Conflict);
                self.base.vitals.webhook.store(None);
                if self.repeats.is_news("poller") {
                    tracing::error!(
                        "another process polls with the same token, and Telegram does not say where; \
                         stop it, or give one of them a token of its own"
                    );
                }
            }
        }
        Step::Failed(limits::CONFLICT_PAUSE)
    }

    /// The host of the webhook that is set; the rest of its address may hold a secret.
    async fn webhook_host(&self) -> Option<String> {
        let asked = tokio::time::timeout(limits::CONFLICT_PAUSE, self.client.webhook()).await;
        Some(Origin::of(&asked.ok()?.ok()?.url).ok()?.host)
    }
}
