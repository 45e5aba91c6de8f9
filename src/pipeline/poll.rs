//! Poll: the update source that asks Telegram with `getUpdates`.
//!
//! Invariants: the offset that confirms updates to Telegram is used only after they are committed;
//! the loop never ends by itself, whatever Telegram or the network do.

mod conflict;
mod pending;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use self::pending::Pending;
use super::ingress::{Ingress, UpdateSource};
use super::think::AtOnce;
use super::{Pipeline, Signals, StageBase};
use crate::model::class::TelegramClass;
use crate::model::failure::{Classify, RetryPolicy, backoff, chain};
use crate::model::ids::UserId;
use crate::model::limits;
use crate::observe::catalog::JournalEvent;
use crate::observe::liveness::Loop;
use crate::observe::repeats::Repeats;
use crate::telegram::{Batch, Client, Renewals, TelegramError};

/// Updates from `getUpdates`.
pub struct Poll {
    base: StageBase,
    client: Client,
    /// The bot's own id.
    me: UserId,
    ingress: Ingress,
    signals: Arc<Signals>,
    handle: PollHandle,
    /// The next poll is to begin without an offset.
    forget_offset: Arc<AtomicBool>,
    failures: u32,
    /// Failures as they are logged.
    repeats: Repeats,
    /// When Telegram refused a poll because another program takes the updates.
    disturbed: Option<Instant>,
    /// Whether the last batch had elements without an id.
    nonsense: bool,
    /// Whether the last poll was answered. The first one, and the one after a failure, do not wait
    /// for messages: so everybody learns at once that polling works.
    answered: bool,
    renewals: Renewals,
    /// When polling began, or was restarted.
    started: Instant,
    /// Conflicts since then.
    conflicts: u32,
}

/// How a poll goes, and how it is to go on. Cheap to clone.
#[derive(Clone)]
pub struct PollHandle {
    polling: watch::Sender<Polling>,
    settings: Arc<ArcSwap<PollSettings>>,
}

/// Plain settings of the poll.
#[derive(Clone, Copy, Debug)]
pub struct PollSettings {
    /// Longest pause after a failed poll.
    pub backoff_max: Duration,
}

/// How polling goes, in one word for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Polling {
    /// No poll was answered yet.
    #[default]
    Starting,
    /// Polls are answered.
    Listening,
    /// Polls fail, and are tried again.
    Failing,
    /// Telegram does not accept the token.
    TokenRefused,
    /// Another process or a webhook takes the updates.
    Conflict,
    /// Too much waits; polling pauses.
    Full,
}

impl PollHandle {
    fn new(settings: PollSettings) -> Self {
        Self {
            polling: watch::Sender::new(Polling::default()),
            settings: Arc::new(ArcSwap::from_pointee(settings)),
        }
    }

    /// How polling goes, now and from now on.
    pub fn polling(&self) -> watch::Receiver<Polling> {
        self.polling.subscribe()
    }

    /// The settings in effect now.
    pub fn settings(&self) -> PollSettings {
        **self.settings.load()
    }

    /// Other settings from now on.
    pub fn set_settings(&self, settings: PollSettings) {
        self.settings.store(Arc::new(settings));
    }
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
    /// The client was renewed; the poll was dropped, and the next one starts fresh.
    Renewed,
    /// The process drains; the poll was dropped.
    Drained,
}

impl UpdateSource for Poll {
    async fn run(mut self) {
        self.base.tasks.spawn("pending", self.pending().run());
        let (drain, halt) = (self.base.tasks.drain().clone(), self.base.tasks.halt().clone());
        while !drain.is_cancelled() {
            let step = tokio::select! {
                // A commit that was begun is waited for: what it stores as *sending* must be sent.
                () = halt.cancelled() => return,
                step = self.step() => step,
            };
            match step {
                Step::Drained => return,
                Step::Took(_) | Step::Renewed => {}
                Step::Failed(pause) => {
                    self.base.vitals.tick(Loop::Intake, pause);
                    tokio::select! {
                        () = drain.cancelled() => return,
                        () = sleep(pause) => {}
                        () = self.renewals.next() => self.start_over(),
                    }
                }
                Step::Full => {
                    let drained = self.signals.inbox_drained.notified();
                    // Looked at again after registering, so that no wake-up is missed.
                    if self.ingress.seems_full() {
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
}

impl Poll {
    /// A source that continues at the stored offset.
    pub fn new(pipeline: &Pipeline, at_once: AtOnce, settings: PollSettings) -> Self {
        Self {
            base: pipeline.base.clone(),
            client: pipeline.client.clone(),
            me: pipeline.me.id,
            ingress: Ingress::new(pipeline, at_once),
            signals: Arc::clone(&pipeline.signals),
            handle: PollHandle::new(settings),
            forget_offset: Arc::default(),
            failures: 0,
            repeats: Repeats::default(),
            disturbed: None,
            nonsense: false,
            answered: false,
            renewals: pipeline.client.renewals(),
            started: Instant::now(),
            conflicts: 0,
        }
    }

    /// Says how this poll goes while it runs.
    pub fn handle(&self) -> PollHandle {
        self.handle.clone()
    }

    fn pending(&self) -> Pending {
        Pending {
            base: self.base.clone(),
            client: self.client.clone(),
            ingress: self.ingress.clone(),
            forget_offset: Arc::clone(&self.forget_offset),
        }
    }

    /// One poll and its commit. Dropping the future in between loses nothing: Telegram gives the
    /// same updates again.
    pub async fn step(&mut self) -> Step {
        let within = self.client.poll_deadline();
        self.base.vitals.tick(Loop::Intake, within);
        if self.ingress.is_full().await {
            self.note_polling(Polling::Full);
            return Step::Full;
        }
        let offset = match self.base.store.next_offset().await {
            Ok(_) if self.forget_offset.swap(false, Ordering::Relaxed) => 0,
            Ok(offset) => offset,
            Err(e) => return self.store_failed(&e),
        };
        let (patient, asked) = (self.answered, Instant::now());
        let drain = self.base.tasks.drain().clone();
        let polled = tokio::select! {
            polled = self.client.poll(offset, patient, self.me) => polled,
            // What the old connection would have brought comes again by the new one.
            () = self.renewals.next() => {
                self.start_over();
                return Step::Renewed;
            }
            () = drain.cancelled() => return Step::Drained,
        };
        match polled {
            Ok(batch) => match self.accept(batch, Instant::now()).await {
                // A server that does not wait is not asked in a circle.
                Step::Took(0) if patient && asked.elapsed() < limits::POLL_BACKOFF => {
                    Step::Failed(limits::POLL_BACKOFF)
                }
                step => step,
            },
            Err(e) => self.poll_failed(&e).await,
        }
    }

    /// The client has fresh connections: the next poll does not wait for messages, and cuts off
    /// the one that may still be open at Telegram.
    fn start_over(&mut self) {
        tracing::info!("polling afresh on new connections");
        self.answered = false;
        self.started = Instant::now();
        self.conflicts = 0;
    }

    /// `answered_at`: what was written later is not in the batch, even when the batch is complete.
    async fn accept(&mut self, batch: Batch, answered_at: Instant) -> Step {
        self.base.vitals.tick(Loop::Intake, Duration::ZERO);
        self.base.vitals.polls.add_one();
        if batch.nonsense > 0 {
            self.base.vitals.increment("skipped", "no_update_id");
            if !self.nonsense {
                let count = batch.nonsense;
                tracing::warn!(
                    count,
                    "Telegram sent {count} elements without a usable update_id; skipped"
                );
            }
        }
        self.nonsense = batch.nonsense > 0;
        let all = batch.updates.len() + batch.nonsense < limits::POLL_BATCH as usize;
        let Some(next) = batch.next_offset else {
            // What has no id cannot be confirmed either, and comes again at once.
            if batch.nonsense > 0 {
                self.failures += 1;
                self.base.vitals.failed(&self.base.vitals.polling, TelegramClass::Undecodable);
                self.note_polling(Polling::Failing);
                return Step::Failed(limits::POLL_BACKOFF_MAX);
            }
            self.ingress.caught_up(answered_at);
            self.succeeded();
            return Step::Took(0);
        };
        match self.ingress.accept(batch.updates, Some(next)).await {
            Ok(new) => {
                if all {
                    self.ingress.caught_up(answered_at);
                }
                self.succeeded();
                Step::Took(new)
            }
            Err(e) => self.store_failed(&e),
        }
    }

    fn succeeded(&mut self) {
        // Two programs that poll take turns: polls that work lie between those that are refused.
        let is_disturbed = self.disturbed.is_some_and(|at| at.elapsed() < limits::UNDISTURBED);
        if !is_disturbed && let Some(over) = self.repeats.over() {
            let (count, lasted) =
                (over.count, hygiene::duration::in_words(over.lasted.as_millis() as u64));
            tracing::info!(
                failures = count,
                "polling works again, after {count} failures within {lasted}"
            );
            self.base.vitals.webhook.store(None);
        }
        // Only now: a poll whose updates could not be stored brought nothing.
        self.base.vitals.worked(&self.base.vitals.polling);
        self.base.vitals.accept_failing.store(false, Ordering::Relaxed);
        self.failures = 0;
        self.answered = true;
        self.note_polling(Polling::Listening);
    }

    fn store_failed(&mut self, e: &crate::store::StoreError) -> Step {
        self.failures += 1;
        self.base.store_failed(e);
        self.base.vitals.accept_failing.store(true, Ordering::Relaxed);
        self.base.vitals.failed(&self.base.vitals.polling, e.class());
        if self.repeats.is_news(e.class().as_str()) {
            let error = chain(e);
            tracing::error!(
                error,
                class = e.class().as_str(),
                "cannot store updates: {}; {error}",
                e.hint()
            );
        }
        // Nothing is confirmed to Telegram, so nothing is lost by waiting.
        self.note_polling(Polling::Failing);
        Step::Failed(backoff(self.failures, limits::POLL_BACKOFF, limits::POLL_BACKOFF_MAX))
    }

    async fn poll_failed(&mut self, e: &TelegramError) -> Step {
        self.failures += 1;
        self.base.vitals.polls_failed.add_one();
        self.base.vitals.failed(&self.base.vitals.polling, e.class());
        self.base.vitals.increment("poll_failed", e.class().as_str());
        if let Some(cause) = e.conflict() {
            return self.conflict(cause).await;
        }
        self.answered = false;
        if e.token_refused() {
            self.note_polling(Polling::TokenRefused);
            if self.repeats.is_news(e.class().as_str()) {
                tracing::error!(
                    message_id = JournalEvent::TokenNotAccepted.id(),
                    class = e.class().as_str(),
                    "Telegram refuses the token; get a new one from @BotFather, and give it to \
                     `katana-bot setup`"
                );
            }
            return Step::Failed(limits::TOKEN_REFUSED_PAUSE);
        }
        self.note_polling(Polling::Failing);
        let longest = self.handle.settings().backoff_max;
        let pause = match e.retry_policy() {
            RetryPolicy::After(wait) => wait.min(limits::POLL_PAUSE_MAX),
            _ => backoff(self.failures, limits::POLL_BACKOFF.min(longest), longest),
        };
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let (error, class, failures) = (chain(e), e.class().as_str(), self.failures);
        if self.repeats.is_news(class) {
            tracing::warn!(error, class, failures, pause_ms, "poll failed: {error}; trying again");
        } else {
            tracing::debug!(error, class, failures, pause_ms, "poll failed again");
        }
        Step::Failed(pause)
    }

    fn note_polling(&self, now: Polling) {
        self.base.vitals.backlog_full.store(now == Polling::Full, Ordering::Relaxed);
        self.handle.polling.send_if_modified(|was| std::mem::replace(was, now) != now);
    }
}

#[cfg(test)]
mod tests;
