//! What effects change beside the store: what goes before their commit, and what follows it in memory.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Worker;
use crate::model::effect::Effect;
use crate::model::ids::{ChatId, UserId};
use crate::observe::catalog::JournalEvent;

/// Longest pause between two commits of one deletion.
const PAUSE: Duration = Duration::from_secs(1);

impl Worker {
    /// Deletes most of what is to be deleted, in small commits, so that others' writes go on in
    /// between. `false`: the process halts.
    pub(super) async fn forget_most(&self, effects: &[Effect]) -> bool {
        for effect in effects {
            if let Effect::Forget(user) = effect
                && !self.forget_most_of(*user).await
            {
                return false;
            }
        }
        true
    }

    async fn forget_most_of(&self, user: UserId) -> bool {
        let base = &self.parts.base;
        let forget = || base.store.forget_some(user);
        loop {
            let begun = Instant::now();
            match base.retry_until_stored("forget", forget).await {
                Some(true) => {}
                Some(false) => return true,
                None => return false,
            }
            // At most half of the writer's time, so that others do not notice.
            tokio::select! {
                () = sleep(begun.elapsed().min(PAUSE)) => {}
                () = base.tasks.halt().cancelled() => return false,
            }
        }
    }

    /// What has to change in memory once the effects are on disk.
    pub(super) fn take_effect(&self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Pause(paused) => {
                    self.parts.signals.paused.store(*paused, Ordering::SeqCst);
                    self.parts.base.vitals.paused.store(*paused, Ordering::Relaxed);
                    tracing::info!(paused, "an owner paused or resumed answering");
                    if !paused {
                        self.parts.signals.resumed.notify_one();
                    }
                }
                Effect::MoveChat { from, to } => {
                    self.delivery.moved(*from, *to);
                    if self.parts.context.access().allow_chats.contains(from) {
                        tracing::warn!(
                            chat_id = from.0,
                            new_chat_id = to.0,
                            "a group that bot.allow_chats names has a new id; it stays allowed, but name the \
                             new id there"
                        );
                    }
                }
                Effect::Claim(person) => {
                    tracing::info!(
                        message_id = JournalEvent::OwnerChanged.id(),
                        user_id = person.id.0,
                        "the bot has an owner"
                    );
                    self.parts.publish_for(ChatId(person.id.0));
                }
                Effect::Approve(user) => tracing::info!(user_id = user.0, "person approved"),
                Effect::Remove(user) => {
                    tracing::info!(user_id = user.0, "person removed");
                    self.parts.signals.removed.notify_waiters();
                }
                Effect::AllowChat { allowed: false, .. } => {
                    self.parts.signals.removed.notify_waiters();
                }
                Effect::Forget(user) => {
                    self.parts.answerer.forget(*user);
                    self.parts.signals.recount.store(true, Ordering::Relaxed);
                }
                Effect::Learn(_) | Effect::Unlearn(_) => {
                    self.parts.base.store.learned_changed();
                }
                Effect::Presence { chat, present } => self.delivery.presence(*chat, *present),
                // Read from disk each time.
                Effect::OfferCode { .. }
                | Effect::AllowChat { .. }
                | Effect::SetModel { .. }
                | Effect::StartAfresh(_)
                | Effect::Continue(_)
                | Effect::Used(_)
                | Effect::Told { .. }
                | Effect::Notify { .. } => {}
            }
        }
    }
}
