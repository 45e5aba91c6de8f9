//! Movement: the stages through which an update passes.
//!
//! ```text
//! Telegram ──poll──▶ ingress ──▶ inbox ──▶ dispatcher ──route──▶ think ──▶ outbox ──▶ deliver ──▶ Telegram
//!                                                                      └─ reconcile ─┘
//! ```
//!
//! Each stage takes its work from the store, does one step, and commits; where a process dies does
//! not matter, because the row is still there.

mod deliver;
mod dispatcher;
mod ingress;
mod message_ids;
mod parts;
mod pending;
mod poll;
mod preview;
mod reconcile;
mod retention;
mod route;
mod search;
mod send_queue;
mod think;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::answer::Answerer;
use crate::commands::CommandContext;
use crate::lifecycle::Tasks;
use crate::model::failure::{Classify, RetryPolicy, backoff, chain};
use crate::model::limits;
use crate::observe::clock::Clock;
use crate::observe::vitals::Vitals;
use crate::store::{Keep, Store, StoreError, StoreErrorKind};
use crate::telegram::{Client, Me};

pub use deliver::{Deliver, Delivery};
pub use dispatcher::Dispatcher;
pub use ingress::UpdateSource;
pub use pending::pending;
pub use poll::Poll;
pub use retention::Retention;

/// What all stages share.
pub struct Shared {
    /// The state.
    pub store: Store,
    /// The Bot API.
    pub client: Client,
    /// Who the bot is.
    pub me: Me,
    /// Counts.
    pub vitals: Arc<Vitals>,
    /// Time of day.
    pub clock: Clock,
    /// Starts tasks.
    pub tasks: Tasks,
    /// Commands and access.
    pub context: CommandContext,
    /// Answers to questions.
    pub answerer: Arc<Answerer>,
    settings: RwLock<Settings>,
    /// Questions wait on disk.
    pub paused: AtomicBool,
    /// Updates in the inbox that are not done.
    pub backlog: AtomicI64,
    /// How polling goes.
    pub polling: watch::Sender<Polling>,
    inbox_filled: Notify,
    inbox_drained: Notify,
    resumed: Notify,
    message_ids: Mutex<message_ids::MessageIdTracker>,
    drafts_unknown: AtomicBool,
    forget_offset: AtomicBool,
}

/// Plain settings of the stages.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Polling pauses while more updates than this wait.
    pub backlog_max: u64,
    /// Longest pause after a failed poll.
    pub poll_backoff_max: Duration,
    /// Show answers while they are written.
    pub previews: bool,
    /// A part that cannot be sent for this long is given up.
    pub give_up_after: Duration,
    /// How long after an attempt a part in doubt is looked at.
    pub reconcile_after: Duration,
    /// How long things are kept on disk.
    pub keep: Keep,
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

impl Shared {
    /// Puts together what the stages share.
    ///
    /// # Errors
    /// When the state cannot be read.
    #[expect(clippy::too_many_arguments, reason = "the composition root names each part once")]
    pub async fn new(
        store: Store,
        client: Client,
        me: Me,
        vitals: Arc<Vitals>,
        clock: Clock,
        tasks: Tasks,
        context: CommandContext,
        answerer: Arc<Answerer>,
        settings: Settings,
    ) -> Result<Self, StoreError> {
        let paused = store.settings().await?.paused;
        vitals.paused.store(paused, Ordering::Relaxed);
        let backlog = store.inbox_depth().await?.0;
        let mut message_ids = message_ids::MessageIdTracker::default();
        let mut known = store.recent_message_ids(limits::REMEMBERED_IDS).await?;
        known.extend(store.recent_sent_ids(limits::REMEMBERED_IDS).await?);
        // In the order in which Telegram allotted them: what lies between is a gap.
        known.sort_unstable_by_key(|(_, id)| *id);
        for (chat, id) in known {
            message_ids.heard(chat, id);
        }
        Ok(Self {
            store,
            client,
            me,
            vitals,
            clock,
            tasks,
            context,
            answerer,
            settings: RwLock::new(settings),
            paused: AtomicBool::new(paused),
            backlog: AtomicI64::new(i64::try_from(backlog).unwrap_or(i64::MAX)),
            polling: watch::Sender::new(Polling::default()),
            inbox_filled: Notify::new(),
            inbox_drained: Notify::new(),
            resumed: Notify::new(),
            message_ids: Mutex::new(message_ids),
            drafts_unknown: AtomicBool::new(false),
            forget_offset: AtomicBool::new(false),
        })
    }

    /// The settings in effect now.
    pub fn settings(&self) -> Settings {
        *self.settings.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other settings from now on.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        // The update source looks again whether the inbox is full.
        self.inbox_drained.notify_one();
    }

    fn message_ids(&self) -> MutexGuard<'_, message_ids::MessageIdTracker> {
        self.message_ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether more waits in the inbox than may. Never while paused: the `/resume` that ends it
    /// comes by the same way.
    fn is_full(&self) -> bool {
        if self.paused.load(Ordering::SeqCst) {
            return false;
        }
        let max = i64::try_from(self.settings().backlog_max).unwrap_or(i64::MAX);
        self.backlog.load(Ordering::Relaxed) >= max
    }

    /// A damaged file, or a writer that is gone, does not recover by itself: the next start sets
    /// the file aside.
    fn store_failed(&self, e: &StoreError) {
        self.vitals.failed(&self.vitals.store, e.class());
        let gone = e.kind() == StoreErrorKind::Closed && !self.tasks.drain().is_cancelled();
        if e.is_corruption() || gone {
            self.tasks.fail("store");
        }
    }

    /// Repeats a step on the store until it works, with pauses; `None` when the process halts
    /// first or trying again makes no sense. Nothing is lost by giving up: the row is on disk.
    async fn retry_until_stored<T, F>(
        &self,
        what: &'static str,
        mut step: impl FnMut() -> F,
    ) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut attempt = 0;
        loop {
            match step().await {
                Ok(value) => return Some(value),
                Err(e) => {
                    attempt += 1;
                    self.store_failed(&e);
                    tracing::error!(
                        error = chain(&e),
                        class = e.class(),
                        attempt,
                        "cannot {what}: {}",
                        e.hint()
                    );
                    if e.retry_policy() == RetryPolicy::Never {
                        return None;
                    }
                    let pause =
                        backoff(attempt, Duration::from_millis(200), Duration::from_secs(10));
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.tasks.halt().cancelled() => return None,
                    }
                }
            }
        }
    }
}
