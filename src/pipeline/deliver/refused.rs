//! What to do about a part that surely did not arrive: move it, put it off, or drop it. What a chat does
//! not want is in [`super::of_chat`].
//!
//! Invariant: what is dropped by the bot's own fault is said, as a finding; nothing is dropped that could still
//! arrive within the time it is given.

use tokio::time::Instant;

use super::{Delivery, NextAction};
use crate::model::effect::Effect;
use crate::model::failure::{Classify, RetryPolicy, backoff};
use crate::model::limits;
use crate::observe::finding::Kind;
use crate::store::{DeliveryOutcome, DeliveryReason, OpenPart};
use crate::telegram::TelegramError;

impl Delivery {
    /// It surely did not arrive.
    pub(super) async fn refused(
        &self,
        part: Box<OpenPart>,
        e: &TelegramError,
    ) -> Option<NextAction> {
        let inner = &*self.0;
        let chat = part.chat;
        inner.base.vitals.increment("send_refused", e.class().as_str());
        if let Some(to) = e.moved_to().filter(|to| *to != chat) {
            let (due_ms, reason) = (inner.base.clock.now_ms(), DeliveryReason::Moved);
            let again = DeliveryOutcome::Retry { due_ms, reason };
            self.record_delivery(&part, again, vec![Effect::MoveChat { from: chat, to }]).await?;
            tracing::info!(chat_id = chat.0, new_chat_id = to.0, "group has a new id");
            self.moved(chat, to);
            return Some(NextAction::Continue);
        }
        if let Some(refusal) = e.of_chat() {
            return self.refused_by_chat(&part, e, refusal).await;
        }
        if e.thread_gone() && part.extra.thread.is_some() {
            return self.outside_topic(part, e).await;
        }
        let expired = self.is_expired(&part);
        let wait = match e.retry_policy() {
            RetryPolicy::Never => {
                let reason = DeliveryReason::Failed(e.telegram_class());
                return self.dropped(&part, e, reason).await;
            }
            _ if expired => return self.dropped(&part, e, DeliveryReason::Expired).await,
            RetryPolicy::After(wait) => wait,
            RetryPolicy::Backoff => {
                backoff(part.attempts + 1, limits::SEND_BACKOFF, limits::SEND_BACKOFF_MAX)
            }
        };
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let pause = hygiene::duration::in_words(wait_ms.unsigned_abs());
        inner.warn_of(chat, e, format_args!("a message is put off for {pause}: {e}"));
        let due_ms = inner.base.clock.now_ms().saturating_add(wait_ms);
        let reason = DeliveryReason::Failed(e.telegram_class());
        self.record_delivery(&part, DeliveryOutcome::Retry { due_ms, reason }, Vec::new()).await?;
        let part = Box::new(OpenPart { attempts: part.attempts + 1, ..*part });
        Some(NextAction::Retry(part, Instant::now() + wait))
    }

    /// The topic is gone; what was for it is sent to the chat instead. After a restart the part has its
    /// topic again, and is refused once more before it is sent.
    async fn outside_topic(
        &self,
        mut part: Box<OpenPart>,
        e: &TelegramError,
    ) -> Option<NextAction> {
        let (due_ms, reason) =
            (self.0.base.clock.now_ms(), DeliveryReason::Failed(e.telegram_class()));
        self.record_delivery(&part, DeliveryOutcome::Retry { due_ms, reason }, Vec::new()).await?;
        tracing::info!(chat_id = part.chat.0, "the topic is gone; sending outside of it");
        part.extra.thread = None;
        part.attempts += 1;
        Some(NextAction::Retry(part, Instant::now()))
    }

    /// Whether a part has waited for longer than it may.
    pub(super) fn is_expired(&self, part: &OpenPart) -> bool {
        let inner = &*self.0;
        let age_ms = inner.base.clock.now_ms().saturating_sub(part.created_ms);
        u128::try_from(age_ms).unwrap_or(0) > inner.settings.load().give_up_after.as_millis()
    }

    pub(super) async fn dropped(
        &self,
        part: &OpenPart,
        e: &TelegramError,
        reason: DeliveryReason,
    ) -> Option<NextAction> {
        self.0.base.vitals.dropped.add_one();
        self.0.base.vitals.happened(Kind::DeliveryRefused);
        // As bad as the finding: one reply is lost, and people are served.
        tracing::warn!(
            finding = "delivery_refused",
            chat_id = part.chat.0,
            error = %e,
            reason = reason.as_str(),
            "a reply cannot be delivered and is dropped: {e}"
        );
        self.record_delivery(part, DeliveryOutcome::Dropped(reason), Vec::new()).await?;
        Some(NextAction::Continue)
    }
}
