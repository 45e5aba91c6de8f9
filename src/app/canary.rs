//! The canary: after a start, the bot puts a question with a known answer to itself, the way of every question.
//!
//! Invariants: it is asked once in the life of a process, and by no one else, so that no stranger can spend
//! money with it; nothing of it is sent, kept or logged but its outcome.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::answer::{Answered, Answerer, AskedBy, Progress, Purpose, Question};
use crate::config;
use crate::model::conversation::ConversationId;
use crate::model::ids::{ChatId, InboxSeq, UserId};
use crate::observe::canary::CanaryState;
use crate::observe::vitals::Vitals;
use crate::pipeline::{Pipeline, PollHandle, Polling};
use crate::store::StoreError;

/// What the canary works with.
struct Canary {
    answerer: Arc<Answerer>,
    vitals: Arc<Vitals>,
    polling: watch::Receiver<Polling>,
}

/// Asks when polls are answered, if there is a question.
pub(super) fn start(
    canary: &config::Canary,
    answerer: Arc<Answerer>,
    pipeline: &Pipeline,
    poll: &PollHandle,
) {
    if canary.question.trim().is_empty() {
        return;
    }
    let (tasks, vitals) = (&pipeline.base.tasks, Arc::clone(&pipeline.base.vitals));
    let asking = Canary { answerer, vitals, polling: poll.polling() };
    tasks.spawn("canary", asking.run(canary.clone(), tasks.drain().clone()));
}

impl Canary {
    /// Asks once when polls are answered.
    async fn run(mut self, canary: config::Canary, drain: CancellationToken) {
        self.vitals.canary.store(Arc::new(CanaryState::Asked));
        let works = |polling: &Polling| matches!(polling, Polling::Listening | Polling::Full);
        tokio::select! {
            polls = self.polling.wait_for(works) => if polls.is_err() { return },
            () = drain.cancelled() => return,
        }
        let begun = Instant::now();
        let Some(state) = outcome(self.ask(&canary.question, &drain).await, &canary.expect) else {
            return;
        };
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match state {
            CanaryState::Unanswered(class) => {
                tracing::error!(class, duration_ms, "the canary question got no answer");
            }
            CanaryState::Wrong => tracing::error!(
                duration_ms,
                "the answer to the canary question does not contain canary.expect"
            ),
            _ => tracing::info!(duration_ms, "the canary question was answered as expected"),
        }
        self.vitals.canary.store(Arc::new(state));
    }

    async fn ask(&self, text: &str, drain: &CancellationToken) -> Result<Answered, StoreError> {
        // No chat has this number, so there is no history, and none begins.
        let conversation = ConversationId { chat: ChatId(0), topic: 0 };
        let (user, nothing) = (UserId(0), None);
        let question =
            Question { conversation, user, speaker: None, text, context: None, media: nothing };
        let asked_by =
            AskedBy { update: InboxSeq(0), order: InboxSeq(0), purpose: Purpose::Canary };
        let (progress, _) = watch::channel(Progress::default());
        self.answerer.answer(question, asked_by, &progress, drain).await
    }
}

/// `None` when the process drained before there was an answer.
fn outcome(answered: Result<Answered, StoreError>, expect: &str) -> Option<CanaryState> {
    Some(match answered {
        Ok(Answered::Answer { reply, .. } | Answered::Continued { reply, .. }) => {
            match reply.text().to_lowercase().contains(&expect.trim().to_lowercase()) {
                true => CanaryState::Passed,
                false => CanaryState::Wrong,
            }
        }
        Ok(Answered::Failed { class, .. }) => CanaryState::Unanswered(class.as_str()),
        Ok(Answered::Cancelled) => return None,
        Err(_) => CanaryState::Unanswered("store"),
    })
}
