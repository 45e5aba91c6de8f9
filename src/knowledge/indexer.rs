//! Keeps the index up to date while the bot runs: the first look, changes as they happen, requests of the
//! command line, vectors.
//!
//! Invariants: one process does this for an index, the one that holds its lock; whatever fails here leaves
//! what can be searched as it is, and is tried again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Interval, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Knowledge;
use super::folders::SILENCE;
use super::handle::{Asked, IndexerHandle};
use super::sync::{Pass, is_full};
use super::watch::{Watch, above};
use crate::blocking;
use crate::model::failure::chain;
use crate::observe::clock::Clock;
use crate::observe::documents::DocumentsState;
use crate::observe::index::IndexState;
use crate::observe::repeats::Repeats;
use crate::observe::vitals::Vitals;
use crate::store::{Request, StoreError, Wanted};

/// How often changes are asked for. They come in bursts: one is looked at after a tick without any.
const TICK: Duration = Duration::from_millis(250);

/// The longest wait for the end of a burst.
const BURST: Duration = Duration::from_secs(2);

/// How often requests of the command line, and damage that others met, are looked for, in ticks.
const REQUESTS: u32 = 2;

/// How long after a failure, and how often another process's lock is tried.
const AGAIN: Duration = Duration::from_secs(5);

/// How often all is looked at while a folder does not answer: its changes may not be reported.
const LATE: Duration = Duration::from_secs(30);

/// How often room is looked for, in ticks, while the disk has none.
const ROOM: u32 = 20;

/// How long after the disk had no room for a document: it is read again for nothing if there is no more.
const FOR_ROOM: Duration = Duration::from_secs(60);

/// Keeps the index up to date.
pub struct Indexer {
    knowledge: Arc<Knowledge>,
    vitals: Arc<Vitals>,
    clock: Clock,
    rescan: Duration,
    asked: Asked,
    watch: Option<Watch>,
    /// Hears of changes in the index.
    changed: Option<Arc<Notify>>,
    /// Documents that owners sent have changed.
    learned: Option<watch::Receiver<u64>>,
    /// What could not be watched was said already.
    is_blind: bool,
    /// A folder does not answer, so it is looked at more often.
    is_late: bool,
    /// The last request to read all again whose work was begun.
    doubted: Option<i64>,
    /// The disk has no room for anything: a look can do more as soon as it has some.
    lacks_room: bool,
    failing: Repeats,
}

/// How a look ended.
enum Looked {
    /// What is there is in the index.
    All,
    /// The disk had no room for some of it.
    Short(StoreError),
    /// Another process keeps the index.
    NotOurs,
}

impl Indexer {
    /// An indexer of these documents, which looks at all of them at least so often.
    pub fn new(
        knowledge: Arc<Knowledge>,
        vitals: Arc<Vitals>,
        clock: Clock,
        rescan: Duration,
    ) -> (Self, IndexerHandle) {
        let (asked, handle) = Asked::new();
        let watch = Watch::new()
            .inspect_err(|e| tracing::warn!("changes of documents are seen late: inotify: {e}"));
        let learned = knowledge.learned_changes();
        let this = Self {
            knowledge,
            learned,
            vitals,
            clock,
            rescan,
            asked,
            watch: watch.ok(),
            changed: None,
            is_blind: false,
            is_late: false,
            doubted: None,
            lacks_room: false,
            failing: Repeats::default(),
        };
        (this, handle)
    }

    /// Who waits on this hears of changes in the index.
    #[must_use]
    pub fn waking(mut self, changed: Option<Arc<Notify>>) -> Self {
        self.changed = changed;
        self
    }

    /// Works until the process drains.
    pub async fn run(mut self, drain: CancellationToken) {
        loop {
            let asked = self.asked.newest();
            let step = tokio::select! {
                step = self.step() => step,
                () = drain.cancelled() => return,
            };
            self.lacks_room = false;
            let again = match step {
                Ok(Looked::All) => {
                    self.show(Some(self.clock.now_ms()));
                    self.asked.fails(None);
                    if let Some(over) = self.failing.over() {
                        let count = over.count;
                        tracing::info!(count, "the index of the documents is up to date again");
                    }
                    self.asked.answer(asked);
                    if self.is_late { self.rescan.min(LATE) } else { self.rescan }
                }
                Ok(Looked::Short(e)) => {
                    self.show(None);
                    self.failed(&e).await;
                    self.asked.answer(asked);
                    self.lacks_room = self.knowledge.index().room(0).await.is_err();
                    FOR_ROOM
                }
                Ok(Looked::NotOurs) => AGAIN,
                Err(e) => {
                    self.failed(&e).await;
                    AGAIN
                }
            };
            if !self.wait(again, &drain).await {
                return;
            }
        }
    }

    /// One look at all documents.
    async fn step(&mut self) -> Result<Looked, StoreError> {
        let index = self.knowledge.index().clone();
        let (of_it, was_keeper) = (index.clone(), index.is_keeper());
        if !blocking::run(move || of_it.keep()).await.unwrap_or(Ok(false))? {
            self.knowledge.refresh().await?;
            return Ok(Looked::NotOurs);
        }
        self.tell(!was_keeper);
        index.go_on_starting_over().await?;
        index.refuse_damaged()?;
        let requests = self.put_to_use(index.asked().await?).await?;
        let reindex = requests.iter().filter(|request| request.wanted == Wanted::Reindex);
        // Once for each request: a look that fails goes on where it was.
        if let Some(newest) =
            reindex.map(|request| request.id).max().filter(|id| Some(*id) > self.doubted)
        {
            index.doubt_all().await?;
            self.doubted = Some(newest);
        }
        let began = Instant::now();
        let (pass, looked) = self.look().await;
        // What is done when a look fails is news, too.
        self.tell(pass.changed());
        let looked = match looked {
            Err(e) if is_full(&e) => Looked::Short(e),
            looked => looked.map(|()| Looked::All)?,
        };
        let took_ms = began.elapsed().as_secs_f64() * 1e3;
        tracing::debug!(took_ms, "looked through the documents: {pass}");
        self.watch(&pass).await;
        for Request { id, .. } in requests {
            let outcome = match &looked {
                Looked::Short(e) => Err(e.to_string()),
                _ => Ok(pass.to_string()),
            };
            index.answered(id, outcome).await?;
        }
        Ok(looked)
    }

    /// Has who waits for changes in the index look at it, if there is one.
    fn tell(&self, is_news: bool) {
        if let Some(changed) = self.changed.as_ref().filter(|_| is_news) {
            changed.notify_one();
        }
    }

    /// Does what needs no look, and no room; answers the other requests.
    async fn put_to_use(&self, requests: Vec<Request>) -> Result<Vec<Request>, StoreError> {
        let (uses, others): (Vec<_>, Vec<_>) =
            requests.into_iter().partition(|request| matches!(request.wanted, Wanted::Use(_)));
        for Request { id, wanted, .. } in uses {
            let outcome = self.knowledge.work_on(wanted, &self.clock).await?;
            self.knowledge.index().answered(id, outcome).await?;
            // Questions are compared with other vectors now.
            self.tell(true);
        }
        Ok(others)
    }

    /// Looks at the documents.
    async fn look(&self) -> (Pass, Result<(), StoreError>) {
        let waiting = |since: Option<i64>| {
            let since =
                since.map(|at| self.clock.now_ms().saturating_sub(at).max(0).unsigned_abs());
            let since_ms = since.map(|age| self.vitals.now_ms().saturating_sub(age));
            self.vitals
                .index
                .rcu(|before| IndexState { unread_since_ms: since_ms, ..(**before).clone() });
        };
        let (pass, looked) = self.knowledge.look(&self.clock, &waiting).await;
        let lacks_room = looked.as_ref().is_err_and(is_full);
        if self.vitals.index.load().lacks_room != lacks_room {
            self.vitals.index.rcu(|before| IndexState { lacks_room, ..(**before).clone() });
        }
        (pass, looked)
    }

    /// Shows people how much there is, once they need not wait for it any more.
    fn show(&self, synced_at_ms: Option<i64>) {
        let (files, passages) = self.knowledge.size();
        if files > 0 || self.knowledge.unreadable().is_empty() {
            self.vitals.documents.store(Arc::new(DocumentsState::Read { files, passages }));
        }
        let totals = self.knowledge.totals();
        // How far the vectors are is reported by who makes them.
        self.vitals.index.rcu(|before| IndexState {
            files: totals.documents + totals.unreadable,
            passages: totals.passages,
            unreadable: totals.unreadable,
            folders_unreadable: self.knowledge.unreadable().len() as u64,
            synced_at_ms: synced_at_ms.or(before.synced_at_ms),
            ..(**before).clone()
        });
    }

    async fn watch(&mut self, pass: &Pass) {
        self.is_late = pass.is_stuck;
        let Some(mut watch) = self.watch.take() else { return };
        let mut folders = pass.folders.clone();
        let sources = self.knowledge.sources();
        let above = sources
            .iter()
            .filter(|source| pass.unreadable.iter().any(|(name, _)| name == source.name()))
            .map(|source| async {
                // A source that does not answer may lie on the same mount as the folder above it.
                let dir = source.dir().to_owned();
                self.knowledge.folders.within(source.dir(), move |_| above(&dir)).await.flatten()
            });
        folders.extend(join_all(above).await.into_iter().flatten());
        // A folder may have stopped to answer a moment ago.
        let set = timeout(SILENCE, async move {
            blocking::run(move || {
                let failed = watch.set(&folders);
                (watch, failed)
            })
            .await
        });
        let Ok(Some((watch, failed))) = set.await else {
            self.watch = Watch::new().ok();
            self.is_late = true;
            return;
        };
        self.watch = Some(watch);
        if failed > 0 && !self.is_blind {
            tracing::warn!(
                folders = failed,
                "changes in {failed} folders of documents are seen only every {} s: the kernel watches no more \
                 folders (fs.inotify.max_user_watches)",
                self.rescan.as_secs()
            );
        }
        self.is_blind = failed > 0;
    }

    async fn failed(&mut self, e: &StoreError) {
        let error = chain(e);
        self.asked.fails(Some(&error));
        let is_damage = e.is_corruption() && self.knowledge.index().is_keeper();
        let is_news = self.failing.is_news(if is_damage { "damage" } else { "index" });
        if !is_damage {
            if !is_news {
                return;
            }
            tracing::error!(error, "cannot bring the index of the documents up to date: {error}");
            return;
        }
        // The numbers of requests begin again with the file.
        self.doubted = None;
        match self.knowledge.index().start_over().await {
            Ok(()) => tracing::error!(
                error,
                "the index of the documents is damaged; it was set aside and is made again: {error}"
            ),
            Err(e) => tracing::error!(
                error,
                "the index of the documents is damaged and cannot be made again: {}",
                chain(&e)
            ),
        }
    }

    /// Waits for a reason to look again, at most `longest`. `false`: the process ends.
    async fn wait(&mut self, longest: Duration, drain: &CancellationToken) -> bool {
        let due = Instant::now() + longest;
        let mut tick = interval(TICK);
        for count in 0_u32.. {
            tokio::select! {
                () = drain.cancelled() => return false,
                () = changed(&mut self.learned) => return true,
                is_asked = self.asked.again() => return is_asked,
                _ = tick.tick() => {
                    if self.has_changed() {
                        self.quiet(&mut tick).await;
                        return true;
                    }
                    let is_asked = count.is_multiple_of(REQUESTS) && self.has_request().await;
                    let has_room = count.is_multiple_of(ROOM) && self.has_room_again().await;
                    if is_asked || has_room || Instant::now() >= due {
                        return true;
                    }
                }
            }
        }
        true
    }

    /// Waits until a burst of changes is over.
    async fn quiet(&mut self, tick: &mut Interval) {
        let end = Instant::now() + BURST;
        loop {
            tick.tick().await;
            if !self.has_changed() || Instant::now() >= end {
                return;
            }
        }
    }

    fn has_changed(&mut self) -> bool {
        match self.watch.as_ref().map(Watch::has_changed) {
            None => false,
            Some(Ok(has_changed)) => has_changed,
            Some(Err(e)) => {
                tracing::warn!("changes of documents are seen late from now on: inotify: {e}");
                self.watch = None;
                true
            }
        }
    }

    async fn has_room_again(&self) -> bool {
        self.lacks_room && self.knowledge.index().room(0).await.is_ok()
    }

    async fn has_request(&self) -> bool {
        let index = self.knowledge.index();
        index.is_keeper()
            && (index.is_damaged() || index.asked().await.is_ok_and(|asked| !asked.is_empty()))
    }
}

/// Waits for a change, for ever if there can be none.
async fn changed(changes: &mut Option<watch::Receiver<u64>>) {
    // It fails only when the sender is gone.
    let is_changed = match changes {
        Some(changes) => changes.changed().await.is_ok(),
        None => false,
    };
    if !is_changed {
        std::future::pending::<()>().await;
    }
}
