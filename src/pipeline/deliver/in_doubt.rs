//! What to do about a part in doubt: look for it, then settle it or send it again.
//!
//! Invariant: a part that may be doubled by sending it again is counted, as a finding.

use super::{Delivery, NextAction};
use crate::model::ids::MessageId;
use crate::observe::finding::Kind;
use crate::pipeline::reconcile::{Found, ask};
use crate::pipeline::search::Verdict;
use crate::store::{DeliveryReason, OpenPart};
use crate::telegram::TelegramError;

impl Delivery {
    /// Asks whether a part in doubt has one of these ids.
    pub(super) async fn look_for(&self, part: Box<OpenPart>, ids: Vec<MessageId>) {
        let inner = &*self.0;
        let chat = part.chat;
        let last = || inner.base.store.last_sent(chat);
        let Some(last) = inner.base.retry_until_stored("look for a part", last).await else {
            return;
        };
        // An edit changes the message that it meets, and these are other messages of this very chat. The
        // tracker does not know all of them: it remembers only the latest of an earlier process.
        let (others, ids): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| Some(*id) <= last);
        inner.message_ids.lock().not_at(chat, &others);
        let answer = tokio::select! {
            answer = ask(&inner.client, &part, &ids) => answer,
            () = inner.base.tasks.halt().cancelled() => return,
        };
        inner.base.vitals.probes.add(answer.asked);
        inner.message_ids.lock().not_at(chat, &answer.not_at);
        let after = match answer.found {
            Found::Nothing => Some(NextAction::Search(part)),
            Found::Part(id) => {
                self.log_outcome(&part, "arrived");
                inner.message_ids.lock().found(chat, id);
                inner.base.vitals.reconciled_arrived.add_one();
                self.arrived(&part, id).await
            }
            Found::Unclear => self.conclude(part, Verdict::Unclear).await,
            Found::NoAnswer => self.conclude(part, Verdict::TooEarly).await,
            Found::Refusal(e) => {
                self.log_outcome(&part, "refused");
                self.refused(part, &e).await
            }
        };
        if let Some(after) = after {
            self.done(chat, after);
        }
    }

    /// A part in doubt was not found.
    pub(super) async fn conclude(
        &self,
        part: Box<OpenPart>,
        verdict: Verdict,
    ) -> Option<NextAction> {
        let inner = &*self.0;
        self.log_outcome(&part, verdict.word());
        if self.is_expired(&part) {
            let e = TelegramError::Unknown("no usable answer for too long".into());
            return self.dropped(&part, &e, DeliveryReason::Expired).await;
        }
        Some(match verdict {
            Verdict::Lost => {
                inner.base.vitals.reconciled_lost.add_one();
                resend(part)
            }
            Verdict::Unclear => {
                inner.base.vitals.possible_duplicates.add_one();
                inner.base.vitals.happened(Kind::PossibleDuplicate);
                tracing::warn!(
                    finding = "possible_duplicate",
                    chat_id = part.chat.0,
                    "cannot find out whether a message arrived; sending it again"
                );
                resend(part)
            }
            Verdict::TooEarly => NextAction::SearchLater(part),
        })
    }

    fn log_outcome(&self, part: &OpenPart, found: &'static str) {
        let probes = self.0.message_ids.lock().probes(part.chat);
        let (chat_id, part) = (part.chat.0, part.id.0);
        tracing::info!(chat_id, part, found, probes, "message looked for");
    }
}

/// To be sent once more, after one more try that came to nothing.
fn resend(mut part: Box<OpenPart>) -> NextAction {
    part.attempts += 1;
    NextAction::Resend(part)
}
