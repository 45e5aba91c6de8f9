//! Updates whose handling panicked: each is finished, with an apology where a person waits for an answer.
//!
//! Invariant: nothing that may have panicked keeps the update from being finished.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;

use super::{Thought, Worked, Worker};
use crate::commands::OutgoingReply;
use crate::model::ids::{ChatId, MessageId};
use crate::model::message::{Incoming, Place, Press, UpdateEvent};
use crate::model::reply::Reply;
use crate::observe::finding::Kind;
use crate::pipeline::route::{Route, route};
use crate::store::{Queued, UpdateOutcome};

const SORRY: &str = "Something went wrong on my side with this message, and I had to leave it. \
                     The operator of this bot can see it in my log.";
const SORRY_PRESS: &str = "Something went wrong on my side, and I had to leave this. \
                           The operator of this bot can see it in my log.";

impl Worker {
    /// Finishes an update whose handling panicked, with an apology where a person waits for one.
    pub(in crate::pipeline) async fn give_up(&self, queued: &Queued) -> Worked {
        let thought = self.apology(queued).await;
        self.parts.base.vitals.happened(Kind::UpdateGivenUp);
        tracing::error!(
            finding = "update_given_up",
            update_id = queued.update.id.0,
            "handling an update panicked; it is finished, so that it cannot stop the next start"
        );
        self.finish(queued, thought).await
    }

    async fn apology(&self, queued: &Queued) -> Thought {
        let mut thought = Thought::nothing(UpdateOutcome::Panicked);
        thought.thread = queued.update.thread();
        match &queued.update.event {
            UpdateEvent::Message(m) if self.is_awaited(queued, m).await => {
                say(&mut thought, m.chat, m.attached_to(), SORRY);
            }
            UpdateEvent::Press(press) => {
                thought.press = Some((press.callback_id.clone(), Some(SORRY_PRESS.to_owned())));
                // These are closed before the answer begins, and a press is closed only once.
                let is_question = ["retry:", "continue:"].iter().any(|v| press.data.starts_with(v));
                if is_question && self.may_press(press).await {
                    let is_group = press.place == Place::Group;
                    say(
                        &mut thought,
                        press.chat,
                        is_group.then_some(press.message_id),
                        SORRY_PRESS,
                    );
                }
            }
            _ => {}
        }
        thought
    }

    /// Whether the sender waits for an answer. What is looked at may be what panicked.
    async fn is_awaited(&self, queued: &Queued, message: &Incoming) -> bool {
        if message.place == Place::Private {
            return true;
        }
        let is_addressed = || {
            matches!(
                route(&queued.update, &self.parts.me.username),
                Route::Command { .. }
                    | Route::Question { .. }
                    | Route::Hint { .. }
                    | Route::Unsupported { .. }
            )
        };
        catch_unwind(AssertUnwindSafe(is_addressed)).unwrap_or(false)
            && matches!(AssertUnwindSafe(self.may_chat(message)).catch_unwind().await, Ok(Ok(true)))
    }

    async fn may_press(&self, press: &Press) -> bool {
        let context = &self.parts.context;
        let may = async {
            let role = context.role(&press.from.id).await?;
            context.may_chat(press.place, press.chat, role).await
        };
        matches!(AssertUnwindSafe(may).catch_unwind().await, Ok(Ok(true)))
    }
}

fn say(thought: &mut Thought, to: ChatId, reply_to: Option<MessageId>, words: &str) {
    let reply = Reply { reply_to, ..Reply::plain(words) };
    thought.replies.push(OutgoingReply { to, reply });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::commands::Rules;
    use crate::model::ids::{BotId, InboxSeq, UpdateId, UserId};
    use crate::model::message::{Body, Person, Update};
    use crate::observe::clock::Clock;
    use crate::pipeline::deliver::Delivery;
    use crate::pipeline::test_pipeline::pipeline;
    use crate::pipeline::think::{DispatchInfo, ThinkParts};
    use crate::store::Store;

    const GROUP: ChatId = ChatId(-7);

    fn queued(event: UpdateEvent) -> Queued {
        let update = Update { id: UpdateId(1), event };
        Queued { seq: InboxSeq(1), update, received_ms: 1, others: Vec::new() }
    }

    fn said(chat: ChatId, text: &str) -> Queued {
        let place = if chat.0 < 0 { Place::Group } else { Place::Private };
        queued(UpdateEvent::Message(Incoming {
            chat,
            place,
            from: Person { id: UserId(5), name: "Ann".into(), username: None },
            message_id: MessageId(3),
            thread: Some(9),
            body: Body::Text(text.into()),
            ..Incoming::default()
        }))
    }

    fn pressed(data: &str) -> Queued {
        queued(UpdateEvent::Press(Press {
            callback_id: "c".into(),
            chat: GROUP,
            place: Place::Group,
            from: Person { id: UserId(5), name: "Ann".into(), username: None },
            message_id: MessageId(4),
            data: data.into(),
            thread: Some(9),
        }))
    }

    #[tokio::test]
    async fn who_waits_for_an_answer_hears_that_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("katana.db"), BotId(42), Clock::system()).unwrap();
        let pipeline = pipeline(store).await;
        let worker = Worker {
            parts: Arc::new(ThinkParts::new(&pipeline)),
            delivery: Delivery::new(&pipeline, None),
            cancel: CancellationToken::new(),
            info: DispatchInfo::default(),
        };
        let to_bot = "@KatanaBot why?";
        let not_allowed = worker.apology(&said(GROUP, to_bot)).await;
        assert!(not_allowed.replies.is_empty(), "the group is not allowed");
        pipeline.context.set_access(Rules { allow_chats: vec![GROUP], ..Rules::default() });
        for (update, reply_to) in [
            (said(ChatId(5), "why?"), Some(None)),
            (said(GROUP, to_bot), Some(Some(MessageId(3)))),
            (said(GROUP, "/help@KatanaBot"), Some(Some(MessageId(3)))),
            (said(GROUP, "why?"), None),
            (pressed("model:x"), None),
            (pressed("retry:1"), Some(Some(MessageId(4)))),
        ] {
            let thought = worker.apology(&update).await;
            let found = thought.replies.first().map(|say| say.reply.reply_to);
            assert_eq!(found, reply_to, "{update:?}");
            assert_eq!(thought.thread, update.update.thread());
            let notice = thought.press.and_then(|(id, notice)| (id == "c").then_some(notice?));
            let is_press = matches!(update.update.event, UpdateEvent::Press(_));
            assert_eq!(notice.is_some(), is_press, "{update:?}");
        }
        assert!(SORRY_PRESS.len() <= 200, "a notice has at most 200 characters");
    }
}
