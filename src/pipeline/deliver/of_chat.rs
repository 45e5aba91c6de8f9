//! What to do about a part that a chat does not take: because the bot is gone there, may not write, or the
//! topic is closed.
//!
//! Invariant: it is this chat's matter: its people hear of it where that is possible, it is counted, and
//! no finding opens.

use std::sync::PoisonError;

use super::{Delivery, NextAction};
use crate::model::class::ChatRefusal;
use crate::model::effect::Effect;
use crate::model::ids::ChatId;
use crate::store::{DeliveryOutcome, DeliveryReason, OpenPart};
use crate::telegram::TelegramError;

/// Chats that shut the bot out and are remembered at most.
const REMEMBERED: usize = 10_000;

impl Delivery {
    /// A chat does not take this part.
    pub(super) async fn refused_by_chat(
        &self,
        part: &OpenPart,
        e: &TelegramError,
        refusal: ChatRefusal,
    ) -> Option<NextAction> {
        let inner = &*self.0;
        let chat = part.chat;
        inner.base.vitals.increment("chat_refused", refusal.as_str());
        let (notice, reason) = match refusal {
            ChatRefusal::Gone => (None, DeliveryReason::ShutOut),
            _ => (self.notice(part, refusal).await?, DeliveryReason::OfChat(refusal)),
        };
        let told = notice.as_ref().map(|(to, _)| *to);
        let mut effects: Vec<Effect> = notice
            .map(|(to, text)| Effect::Notify { about: part.id, to, text })
            .into_iter()
            .collect();
        if refusal == ChatRefusal::Gone {
            effects.push(Effect::Presence { chat, present: false });
            self.presence(chat, false);
        }
        self.record_delivery(part, DeliveryOutcome::Dropped(reason), effects).await?;
        // A closed topic says nothing about the others.
        let rest = match refusal {
            ChatRefusal::TopicClosed => 0,
            _ => {
                let rest = || inner.base.store.drop_due(chat, reason);
                inner.base.retry_until_stored("drop parts of a chat", rest).await?
            }
        };
        inner.base.vitals.dropped.add(1 + rest as u64);
        inner.base.vitals.of_chats.add(1 + rest as u64);
        tracing::warn!(
            chat_id = chat.0,
            parts = 1 + rest,
            error = %e,
            reason = refusal.as_str(),
            "a chat does not take replies; they are dropped: {e}"
        );
        if let Some(to) = told {
            self.send_queue().fill(to);
            self.0.wake.notify_one();
        }
        Some(match refusal {
            ChatRefusal::TopicClosed => NextAction::Continue,
            _ => NextAction::ShutOut,
        })
    }

    /// The bot was let into a chat, or shut out of it. What is sent there until then may be refused several
    /// times.
    pub(in crate::pipeline) fn presence(&self, chat: ChatId, present: bool) {
        let inner = &*self.0;
        let mut known = inner.shut_out.lock().unwrap_or_else(PoisonError::into_inner);
        if present {
            known.remove(&chat);
            return;
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        if known.insert(chat) {
            inner.base.vitals.chats_shut_out.add_one();
        }
    }

    /// What the people of a chat read, and where: in the group for a topic, otherwise the person who
    /// asked, in private. `None` inside: no one can be reached, or they know.
    async fn notice(
        &self,
        part: &OpenPart,
        refusal: ChatRefusal,
    ) -> Option<Option<(ChatId, String)>> {
        let inner = &*self.0;
        let is_topic = refusal == ChatRefusal::TopicClosed;
        let (to, text) = if is_topic && part.extra.thread.is_some() {
            (
                part.chat,
                "I could not answer in a topic of this group, because the topic is closed. An administrator \
                 can open it again.",
            )
        } else {
            let asker = || inner.base.store.asker(part.id);
            let asker = inner.base.retry_until_stored("find who asked", asker).await?;
            let Some(person) = asker.filter(|person| person.0 > 0) else { return Some(None) };
            let text = if is_topic {
                "I could not answer you in a group, because its topics are closed."
            } else {
                "I could not answer you in a group, because I may not write there. Its administrators can \
                 allow it."
            };
            (ChatId(person.0), text)
        };
        let is_elsewhere = to != part.chat || part.extra.thread.is_some();
        let admitted =
            is_elsewhere && inner.notices.admit(part.chat, to, inner.base.clock.now_ms());
        Some(admitted.then(|| (to, text.to_owned())))
    }
}
