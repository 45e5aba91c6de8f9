//! Intake: from Telegram into the inbox.
//!
//! Invariants: the offset that confirms updates to Telegram is used only after they are committed;
//! the loop never ends by itself, whatever Telegram or the network do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Polling, Shared};
use crate::model::failure::{Classify, RetryPolicy, backoff, chain};
use crate::model::limits;
use crate::model::message::{Update, UpdateEvent};
use crate::observe::catalog::JournalEvent;
use crate::observe::liveness::Loop;
use crate::observe::vitals::Timing;
use crate::telegram::{Batch, Conflict, Renewals, TelegramError};

/// The polling stage.
pub struct Intake {
    shared: Arc<Shared>,
    failures: u32,
    /// Whether the last poll was answered. The first one, and the one after a failure, do not wait
    /// for messages: so everybody learns at once that polling works.
    answered: bool,
    renewals: Renewals,
    /// When polling began, or began anew.
    started: Instant,
    /// Conflicts since then.
    conflicts: u32,
}

/// What one step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Telegram answered; so many updates are new.
    Took(u64),
    /// Something failed; wait this long.
    Failed(Duration),
    /// The inbox is full.
    Full,
    /// The client was renewed; the poll was dropped, and the next one begins anew.
    Renewed,
}

impl Intake {
    /// A stage that continues at the stored offset.
    pub fn new(shared: Arc<Shared>) -> Self {
        let renewals = shared.client.renewals();
        let started = Instant::now();
        Self { shared, failures: 0, answered: false, renewals, started, conflicts: 0 }
    }

    /// Polls until the process drains.
    pub async fn run(mut self) {
        let drain = self.shared.tasks.drain().clone();
        loop {
            let step = tokio::select! {
                () = drain.cancelled() => return,
                step = self.step() => step,
            };
            match step {
                Step::Took(_) | Step::Renewed => {}
                Step::Failed(pause) => {
                    self.shared.vitals.tick(Loop::Intake, pause);
                    tokio::select! {
                        () = drain.cancelled() => return,
                        () = sleep(pause) => {}
                        () = self.renewals.next() => self.begin_anew(),
                    }
                }
                Step::Full => {
                    let drained = self.shared.inbox_drained.notified();
                    // Looked at again after registering, so that no wake-up is missed.
                    if self.shared.is_full() {
                        tokio::select! {
                            () = drain.cancelled() => return,
                            () = drained => {}
                            () = sleep(limits::IDLE_TURN) => {}
                        }
                    }
                }
            }
        }
    }

    /// One poll and its commit. Dropping the future in between loses nothing: Telegram gives the
    /// same updates again.
    pub async fn step(&mut self) -> Step {
        let within = self.shared.client.poll_deadline();
        self.shared.vitals.tick(Loop::Intake, within);
        if self.shared.is_full() && self.is_really_full().await {
            self.tell(Polling::Full);
            return Step::Full;
        }
        let offset = match self.shared.store.next_offset().await {
            Ok(_) if self.shared.forget_offset.swap(false, Ordering::Relaxed) => 0,
            Ok(offset) => offset,
            Err(e) => return self.store_failed(&e),
        };
        let (patient, asked) = (self.answered, Instant::now());
        let polled = tokio::select! {
            polled = self.shared.client.poll(offset, patient, self.shared.me.id) => polled,
            // What the old connection would have brought comes again by the new one.
            () = self.renewals.next() => {
                self.begin_anew();
                return Step::Renewed;
            }
        };
        match polled {
            Ok(batch) => match self.accept(batch).await {
                // A server that does not wait is not asked in a circle.
                Step::Took(0) if patient && asked.elapsed() < limits::POLL_BACKOFF => {
                    Step::Failed(limits::POLL_BACKOFF)
                }
                step => step,
            },
            Err(e) => self.poll_failed(&e).await,
        }
    }

    /// Counts again: what /forget removed was done without a worker that could count it down.
    async fn is_really_full(&self) -> bool {
        if let Ok((waiting, _)) = self.shared.store.inbox_depth().await {
            self.shared
                .backlog
                .store(i64::try_from(waiting).unwrap_or(i64::MAX), Ordering::Relaxed);
        }
        self.shared.is_full()
    }

    /// The client has fresh connections: the next poll does not wait for messages, and cuts off
    /// the one that may still be open at Telegram.
    fn begin_anew(&mut self) {
        tracing::info!("polling afresh on new connections");
        self.answered = false;
        self.started = Instant::now();
        self.conflicts = 0;
    }

    async fn accept(&mut self, batch: Batch) -> Step {
        self.shared.vitals.tick(Loop::Intake, Duration::ZERO);
        self.shared.vitals.polls.add_one();
        self.note_lag(&batch.updates);
        if batch.nonsense > 0 {
            self.shared.vitals.increment("skipped", "no_update_id");
            tracing::warn!(count = batch.nonsense, "elements without update_id skipped");
        }
        let all = batch.updates.len() + batch.nonsense < limits::POLL_BATCH as usize;
        let Some(next) = batch.next_offset else {
            // What has no id cannot be confirmed either, and comes again at once.
            if batch.nonsense > 0 {
                self.failures += 1;
                self.shared.vitals.failed(&self.shared.vitals.polling, "undecodable");
                self.tell(Polling::Failing);
                return Step::Failed(limits::POLL_BACKOFF_MAX);
            }
            self.shared.message_ids().caught_up(Instant::now());
            self.succeeded();
            return Step::Took(0);
        };
        let heard: Vec<_> =
            batch.updates.iter().filter_map(|u| Some((u.chat()?, u.message_id()?))).collect();
        match self.shared.store.accept(batch.updates, next).await {
            Ok(accepted) => {
                let mut message_ids = self.shared.message_ids();
                for (chat, id) in heard {
                    message_ids.heard(chat, id);
                }
                if all {
                    message_ids.caught_up(Instant::now());
                }
                drop(message_ids);
                self.shared.vitals.updates.add(accepted.stored);
                self.shared.vitals.updates_repeated.add(accepted.repeated);
                let stored = i64::try_from(accepted.stored).unwrap_or(i64::MAX);
                self.shared.backlog.fetch_add(stored, Ordering::Relaxed);
                self.shared.inbox_filled.notify_one();
                self.succeeded();
                Step::Took(accepted.stored)
            }
            Err(e) => self.store_failed(&e),
        }
    }

    fn note_lag(&self, updates: &[Update]) {
        let now_s = self.shared.clock.now_ms() as f64 / 1e3;
        for update in updates {
            if let UpdateEvent::Message(message) = &update.event
                && message.date_s > 0
            {
                // Two clocks are compared here; ours may be a little behind.
                let lag_s = (now_s - message.date_s as f64).max(0.0);
                self.shared.vitals.observe(Timing::InboundLag, "", "", lag_s);
            }
        }
    }

    fn succeeded(&mut self) {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "polling works again");
        }
        // Only now: a poll whose updates could not be stored brought nothing.
        self.shared.vitals.worked(&self.shared.vitals.polling);
        self.shared.vitals.accept_failing.store(false, Ordering::Relaxed);
        self.failures = 0;
        self.answered = true;
        self.tell(Polling::Listening);
    }

    fn store_failed(&mut self, e: &crate::store::StoreError) -> Step {
        self.failures += 1;
        self.shared.store_failed(e);
        self.shared.vitals.accept_failing.store(true, Ordering::Relaxed);
        self.shared.vitals.failed(&self.shared.vitals.polling, e.class());
        tracing::error!(error = chain(e), class = e.class(), "cannot store updates: {}", e.hint());
        // Nothing is confirmed to Telegram, so nothing is lost by waiting.
        self.tell(Polling::Failing);
        Step::Failed(backoff(self.failures, limits::POLL_BACKOFF, limits::POLL_BACKOFF_MAX))
    }

    async fn poll_failed(&mut self, e: &TelegramError) -> Step {
        self.failures += 1;
        self.shared.vitals.polls_failed.add_one();
        self.shared.vitals.failed(&self.shared.vitals.polling, e.class());
        self.shared.vitals.increment("poll_failed", e.class());
        if let Some(cause) = e.conflict() {
            return self.conflict(cause).await;
        }
        self.answered = false;
        if e.token_refused() {
            self.tell(Polling::TokenRefused);
            tracing::error!(
                message_id = JournalEvent::TokenNotAccepted.id(),
                class = e.class(),
                "Telegram refuses the token; get a new one from @BotFather, store it, restart"
            );
            return Step::Failed(limits::TOKEN_REFUSED_PAUSE);
        }
        self.tell(Polling::Failing);
        let longest = self.shared.settings().poll_backoff_max;
        let pause = match e.retry_policy() {
            RetryPolicy::After(wait) => wait.min(limits::POLL_PAUSE_MAX),
            _ => backoff(self.failures, limits::POLL_BACKOFF.min(longest), longest),
        };
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            error = chain(e),
            class = e.class(),
            failures = self.failures,
            pause_ms,
            "poll failed; trying again"
        );
        Step::Failed(pause)
    }

    async fn conflict(&mut self, cause: Conflict) -> Step {
        self.shared.vitals.conflicts.add_one();
        self.conflicts += 1;
        match cause {
            Conflict::Webhook => {
                self.answered = false;
                self.tell(Polling::Conflict);
                tracing::error!(
                    "a webhook is set for this bot, so Telegram refuses polls; call deleteWebhook, \
                     or stop the program that set it"
                );
            }
            // Our own poll from before a start or a renewal is cut off by the new one: normal, once.
            Conflict::OtherPoller
                if self.started.elapsed() < Duration::from_secs(60) && self.conflicts == 1 =>
            {
                tracing::info!("an earlier poll is still open at Telegram; trying again");
            }
            Conflict::OtherPoller => {
                self.tell(Polling::Conflict);
                tracing::error!(
                    "another process polls with the same token; stop it, or give one of them a \
                     token of its own"
                );
            }
        }
        Step::Failed(limits::CONFLICT_PAUSE)
    }

    fn tell(&self, now: Polling) {
        self.shared.vitals.backlog_full.store(now == Polling::Full, Ordering::Relaxed);
        self.shared.polling.send_if_modified(|was| std::mem::replace(was, now) != now);
    }
}
