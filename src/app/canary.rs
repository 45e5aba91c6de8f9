//! The canary: the bot puts a question with a known answer to itself, the way of every question.
//!
//! Invariants: it is asked after the start, and again only when no one else has had an answer for a while, so that
//! it costs little; no one can ask for it, so that no stranger can spend money with it; nothing of it is sent, kept
//! or logged but its outcome.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::reload::Reloader;
use crate::answer::{Answered, Answerer, AskedBy, Progress, Purpose, Question};
use crate::config::{self, Loaded};
use crate::model::conversation::ConversationId;
use crate::model::ids::{ChatId, InboxSeq, UserId};
use crate::model::limits;
use crate::observe::canary::{self, CanaryState};
use crate::observe::vitals::Vitals;
use crate::pipeline::{Pipeline, PollHandle, Polling};
use crate::store::StoreError;

/// What the canary works with.
struct Canary {
    answerer: Arc<Answerer>,
    vitals: Arc<Vitals>,
    polling: watch::Receiver<Polling>,
    configured: watch::Receiver<Arc<Loaded>>,
}

/// Asks from the first answered poll on, whenever it is due.
pub(super) fn start(
    reloader: &Reloader,
    answerer: Arc<Answerer>,
    pipeline: &Pipeline,
    poll: &PollHandle,
) {
    let (tasks, vitals) = (&pipeline.base.tasks, Arc::clone(&pipeline.base.vitals));
    let (polling, configured) = (poll.polling(), reloader.watch());
    let asking = Canary { answerer, vitals, polling, configured };
    let drain = tasks.drain().clone();
    tasks.spawn("canary", async move {
        tokio::select! {
            () = asking.run(&drain) => {}
            () = drain.cancelled() => {}
        }
    });
}

impl Canary {
    async fn run(mut self, drain: &CancellationToken) {
        self.begin();
        let works = |polling: &Polling| matches!(polling, Polling::Listening | Polling::Full);
        if self.polling.wait_for(works).await.is_err() {
            return;
        }
        let mut asked = None;
        loop {
            let canary = self.configured.borrow_and_update().config.canary.clone();
            let question = (canary.question.clone(), canary.expect.clone());
            if asked.as_ref() != Some(&question) {
                self.begin();
            }
            let wait = match canary.question.trim() {
                "" => None,
                _ if asked.as_ref() != Some(&question) => Some(Duration::ZERO),
                _ => self.due(Duration::from_secs(canary.every_s)),
            };
            if wait == Some(Duration::ZERO) {
                asked = Some(question);
                self.ask(&canary, drain).await;
                continue;
            }
            let due = async {
                match wait {
                    Some(wait) => sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                changed = self.configured.changed() => if changed.is_err() { return },
            }
        }
    }

    /// A question that has not been answered yet, if there is one.
    fn begin(&self) {
        let is_there = !self.configured.borrow().config.canary.question.trim().is_empty();
        let state = if is_there { CanaryState::Asked } else { CanaryState::None };
        self.vitals.canary.store(Arc::new(canary::Canary { state, ..canary::Canary::default() }));
    }

    /// How long until it is asked again; `None`: not again.
    fn due(&self, every: Duration) -> Option<Duration> {
        let wait =
            due(self.vitals.canary(), self.vitals.answered_ms(), every, self.vitals.now_ms())?;
        // An owner who paused the bot does not want it to ask.
        Some(if self.vitals.paused.load(Ordering::Relaxed) {
            wait.max(limits::IDLE_TURN)
        } else {
            wait
        })
    }

    async fn ask(&self, canary: &config::Canary, drain: &CancellationToken) {
        let begun = Instant::now();
        let answered = self.answer(&canary.question, drain).await;
        if matches!(answered, Ok(Answered::OverBudget(_))) {
            return self.put_off();
        }
        let Some(state) = outcome(answered, &canary.expect) else { return };
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
        self.vitals.increment("canary", state.name());
        let now = self.vitals.canary().then(state, self.vitals.now_ms());
        self.vitals.canary.store(Arc::new(now));
    }

    /// Its budget is used up, which is not an outage: budgets have findings of their own.
    fn put_off(&self) {
        tracing::info!("the canary question was not asked: its budget is used up");
        self.vitals.increment("canary", CanaryState::OVER_BUDGET);
        let (now, tried_ms) = (self.vitals.canary(), self.vitals.now_ms());
        // What the last answer showed stays, with its age.
        let (state, at_ms) = match now.state {
            CanaryState::Asked => (CanaryState::Unanswered(CanaryState::OVER_BUDGET), tried_ms),
            state => (state, now.at_ms),
        };
        self.vitals.canary.store(Arc::new(canary::Canary { state, at_ms, tried_ms, ..now }));
    }

    async fn answer(&self, text: &str, drain: &CancellationToken) -> Result<Answered, StoreError> {
        // No chat has this number, so there is no history, and none begins.
        let conversation = ConversationId { chat: ChatId(0), topic: 0 };
        let question =
            Question { is_fresh: true, ..Question::plain(conversation, UserId(0), text) };
        let (update, order) = (InboxSeq(0), InboxSeq(0));
        let asked_by = AskedBy { update, order, purpose: Purpose::Canary };
        let (progress, _) = watch::channel(Progress::default());
        self.answerer.answer(question, asked_by, &progress, drain).await
    }
}

/// How long until it is asked again, where a provider answered last at `answered_ms`; `None`: not again.
fn due(
    canary: canary::Canary,
    answered_ms: Option<u64>,
    every: Duration,
    now_ms: u64,
) -> Option<Duration> {
    if every.is_zero() {
        return None;
    }
    let again =
        limits::CANARY_AGAIN * 2u32.saturating_pow(canary.failures.saturating_sub(1).min(16));
    let pause = if canary.failures > 0 { every.min(again) } else { every };
    // An answer to a person shows as much, except that it is right.
    let since_ms = match canary.state {
        CanaryState::Wrong => canary.tried_ms,
        _ => canary.tried_ms.max(answered_ms.unwrap_or(0)),
    };
    let since = Duration::from_millis(now_ms.saturating_sub(since_ms));
    Some(pause.saturating_sub(since))
}

/// `None` when there is none: the process drained, or nothing may be spent.
fn outcome(answered: Result<Answered, StoreError>, expect: &str) -> Option<CanaryState> {
    Some(match answered {
        Ok(Answered::Answer { reply, .. } | Answered::Continued { reply, .. }) => {
            match reply.text().to_lowercase().contains(&expect.trim().to_lowercase()) {
                true => CanaryState::Passed,
                false => CanaryState::Wrong,
            }
        }
        Ok(Answered::Failed { class, .. }) => CanaryState::Unanswered(class.as_str()),
        Ok(Answered::OverBudget(_) | Answered::Cancelled) => return None,
        Err(_) => CanaryState::Unanswered("store"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(3600);

    fn wait_s(canary: canary::Canary, answered_s: Option<u64>, now_s: u64) -> u64 {
        due(canary, answered_s.map(|s| s * 1000), EVERY, now_s * 1000).expect("again").as_secs()
    }

    #[test]
    fn it_waits_while_people_have_answers_and_asks_sooner_while_it_fails() {
        let never = canary::Canary::default();
        let passed = never.then(CanaryState::Passed, 100_000);
        assert_eq!((wait_s(passed, None, 200), wait_s(passed, Some(1000), 1100)), (3500, 3500));
        assert_eq!(wait_s(passed, Some(1000), 9000), 0);
        assert_eq!(due(passed, None, Duration::ZERO, 9_000_000), None, "after a start only");

        let mut failed = never;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            failed = failed.then(CanaryState::Unanswered("server"), 0);
            pauses.push(wait_s(failed, None, 0));
        }
        assert_eq!(pauses, [300, 600, 1200, 2400, 3600, 3600]);
        let seen = failed.seen_with(Some(10_000));
        assert_eq!((seen.state, seen.failures), (CanaryState::Superseded, 0));
        assert_eq!(wait_s(seen, Some(10), 20), 3590);

        let wrong = never.then(CanaryState::Wrong, 0);
        assert_eq!(wrong.seen_with(Some(10_000)), wrong, "an answer need not be right");
        assert_eq!(wait_s(wrong, Some(290), 300), 0);
    }
}
