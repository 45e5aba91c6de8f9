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
mod handover;
mod ingress;
mod known_ids;
mod message_ids;
mod parts;
mod poll;
mod preview;
mod reconcile;
mod retention;
mod route;
mod search;
mod send_queue;
#[cfg(test)]
mod test_pipeline;
mod think;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use self::handover::Handover;
use self::message_ids::MessageIds;
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
pub use poll::{Poll, PollHandle, PollSettings, Polling};
pub use retention::Retention;
pub use think::AtOnce;

/// What every stage works with. Cheap to clone.
#[derive(Clone)]
pub struct StageBase {
    /// The state.
    pub store: Store,
    /// Counts.
    pub vitals: Arc<Vitals>,
    /// Time of day.
    pub clock: Clock,
    /// Starts tasks.
    pub tasks: Tasks,
}

/// The parts that stages are made of. Each stage takes the ones it needs, by name, and sees no
/// others.
pub struct Pipeline {
    /// What every stage works with.
    pub base: StageBase,
    /// The Bot API.
    pub client: Client,
    /// Who the bot is.
    pub me: Me,
    /// Commands and access.
    pub context: Arc<CommandContext>,
    /// What stages tell each other.
    pub signals: Arc<Signals>,
    answerer: Arc<Answerer>,
    settings: Arc<ArcSwap<StageSettings>>,
    message_ids: MessageIds,
}

/// What stages tell each other.
#[derive(Debug)]
pub struct Signals {
    /// Questions wait on disk.
    pub paused: AtomicBool,
    /// Updates in the inbox that are not done.
    pub backlog: AtomicI64,
    /// Updates were done without a worker that could count them down, so they are to be counted.
    recount: AtomicBool,
    inbox_filled: Notify,
    inbox_drained: Notify,
    handover: Handover,
    resumed: Notify,
    /// Someone may no longer chat.
    removed: Notify,
    /// Parts in doubt wait until everything that people wrote has been received; the update source
    /// finds out whether that is so.
    behind: Notify,
    /// It has been, for all parts that waited.
    caught_up: Notify,
}

/// Plain settings of the stages.
#[derive(Clone, Copy, Debug)]
pub struct StageSettings {
    /// Nothing more is taken in while more updates than this wait.
    pub backlog_max: u64,
    /// Show answers while they are written.
    pub previews: bool,
    /// A part that cannot be sent for this long is given up.
    pub give_up_after: Duration,
    /// How long after an attempt a part in doubt is looked at.
    pub reconcile_after: Duration,
    /// How long things are kept on disk.
    pub keep: Keep,
    /// How many questions people and chats may ask.
    pub questions: QuestionLimits,
}

/// How many questions may be asked; 0 means as many as they like. Owners are never limited.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuestionLimits {
    /// Of one person, in all chats, in a minute.
    pub user_per_minute: u32,
    /// In one chat, of all people, in a minute.
    pub chat_per_minute: u32,
    /// Of one person, answered at the same time.
    pub user_parallel: u32,
}

impl Pipeline {
    /// Puts the parts together and reads what they need from the state.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn new(
        base: StageBase,
        (client, me): (Client, Me),
        context: CommandContext,
        answerer: Arc<Answerer>,
        settings: StageSettings,
    ) -> Result<Self, StoreError> {
        let paused = base.store.settings().await?.paused;
        base.vitals.paused.store(paused, Ordering::Relaxed);
        let backlog = base.store.inbox_depth().await?.0;
        let mut known = base.store.recent_message_ids(limits::REMEMBERED_IDS).await?;
        known.extend(base.store.recent_sent_ids(limits::REMEMBERED_IDS).await?);
        Ok(Self {
            base,
            client,
            me,
            context: Arc::new(context),
            signals: Arc::new(Signals::new(paused, backlog)),
            answerer,
            settings: Arc::new(ArcSwap::from_pointee(settings)),
            message_ids: MessageIds::knowing(known),
        })
    }

    /// The settings in effect now.
    pub fn settings(&self) -> StageSettings {
        **self.settings.load()
    }

    /// Other settings from now on.
    pub fn set_settings(&self, settings: StageSettings) {
        self.settings.store(Arc::new(settings));
        // The update source looks again whether the inbox is full.
        self.signals.inbox_drained.notify_one();
    }
}

impl Signals {
    fn new(paused: bool, backlog: u64) -> Self {
        Self {
            paused: AtomicBool::new(paused),
            backlog: AtomicI64::new(i64::try_from(backlog).unwrap_or(i64::MAX)),
            recount: AtomicBool::new(false),
            inbox_filled: Notify::new(),
            inbox_drained: Notify::new(),
            handover: Handover::default(),
            resumed: Notify::new(),
            removed: Notify::new(),
            behind: Notify::new(),
            caught_up: Notify::new(),
        }
    }

    /// Whether `max` or more updates wait in the inbox. Never while paused: the `/resume` that
    /// ends it comes by the same way.
    fn is_full(&self, max: u64) -> bool {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        !self.paused.load(Ordering::SeqCst) && self.backlog.load(Ordering::Relaxed) >= max
    }
}

impl StageBase {
    /// A damaged file, or a writer that is gone, does not recover by itself: the next start sets the file
    /// aside.
    fn store_failed(&self, e: &StoreError) {
        self.vitals.failed(&self.vitals.store, e.class());
        let gone = e.kind() == StoreErrorKind::Closed && !self.tasks.drain().is_cancelled();
        if e.is_corruption() || gone {
            self.tasks.fail("store");
        }
    }

    /// A read failed, and is repeated; said once while the store fails.
    fn cannot_read(&self, what: &str, e: &StoreError) {
        let is_news = self.vitals.store.read().failures == 0;
        self.store_failed(e);
        if is_news {
            let error = chain(e);
            tracing::error!(error, "cannot read {what}: {error}; trying again");
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
                    let is_final = e.retry_policy() == RetryPolicy::Never;
                    let is_news = self.vitals.store.read().failures == 0;
                    self.store_failed(&e);
                    let (error, class) = (chain(&e), e.class().as_str());
                    // While the disk is full, every chat comes here again and again.
                    if is_news || is_final {
                        tracing::error!(
                            error,
                            class,
                            attempt,
                            "cannot {what}: {}; {error}",
                            e.hint()
                        );
                    }
                    if is_final {
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
