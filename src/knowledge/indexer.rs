//! Keeps the index up to date while the bot runs: the first look, changes as they happen, requests of the
//! command line, vectors.
//!
//! Invariants: one process does this for an index, the one that holds its lock; whatever fails here leaves
//! what can be searched as it is, and is tried again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Interval, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Knowledge;
use super::folders::SILENCE;
use super::sync::Pass;
use super::watch::{Watch, above};
use crate::blocking;
use crate::model::failure::chain;
use crate::observe::clock::Clock;
use crate::observe::documents::DocumentsState;
use crate::observe::index::IndexState;
use crate::observe::repeats::Repeats;
use crate::observe::vitals::Vitals;
use crate::store::{Request, StoreError, StoreErrorKind, Wanted};

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

/// How long after the disk had no room for a document, while it has some.
const FOR_ROOM: Duration = Duration::from_secs(60);

/// Asks for a look at all documents, and waits for its end.
#[derive(Clone, Debug)]
pub struct IndexerHandle {
    wanted: watch::Sender<u64>,
    done: watch::Receiver<u64>,
}

impl IndexerHandle {
    /// Has the indexer look at all documents, now or right after the look that goes on.
    pub fn look(&self) {
        self.wanted.send_modify(|wanted| *wanted += 1);
    }

    /// The same, and waits until what is there now is in the index.
    pub async fn look_and_wait(&self) {
        let mut mine = 0;
        self.wanted.send_modify(|wanted| {
            *wanted += 1;
            mine = *wanted;
        });
        // It fails when the indexer has ended: then there is nothing to wait for.
        let _ = self.done.clone().wait_for(|done| *done >= mine).await;
    }
}

/// Keeps the index up to date.
pub struct Indexer {
    knowledge: Arc<Knowledge>,
    vitals: Arc<Vitals>,
    clock: Clock,
    rescan: Duration,
    wanted: watch::Receiver<u64>,
    done: watch::Sender<u64>,
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
    /// The disk had no room at the last look.
    is_short: bool,
    failing: Repeats,
}

/// Why the indexer looks again.
enum Woken {
    /// Something changed, or someone asked; it is due anyway.
    Look,
    /// The process ends.
    End,
}

impl Indexer {
    /// An indexer of these documents, which looks at all of them at least so often.
    pub fn new(
        knowledge: Arc<Knowledge>,
        vitals: Arc<Vitals>,
        clock: Clock,
        rescan: Duration,
    ) -> (Self, IndexerHandle) {
        let (wanted, asked) = watch::channel(0);
        let (done, finished) = watch::channel(0);
        let watch = Watch::new()
            .inspect_err(|e| tracing::warn!("changes of documents are seen late: inotify: {e}"));
        let learned = knowledge.learned_changes();
        let this = Self {
            knowledge,
            learned,
            vitals,
            clock,
            rescan,
            wanted: asked,
            done,
            watch: watch.ok(),
            changed: None,
            is_blind: false,
            is_late: false,
            doubted: None,
            is_short: false,
            failing: Repeats::default(),
        };
        (this, IndexerHandle { wanted, done: finished })
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
            let asked = *self.wanted.borrow_and_update();
            let step = tokio::select! {
                step = self.step() => step,
                () = drain.cancelled() => return,
            };
            let again = match step {
                Ok(true) => {
                    self.show();
                    if let Some(over) = self.failing.over() {
                        tracing::info!(
                            count = over.count,
                            "the index of the documents is up to date again"
                        );
                    }
                    self.done.send_replace(asked);
                    if self.is_late { self.rescan.min(LATE) } else { self.rescan }
                }
                Ok(false) => AGAIN,
                Err(e) => {
                    self.failed(&e).await;
                    // There is some room, but not for the next document: that is not read over and over.
                    let is_large = self.is_short && self.knowledge.index().room(0).await.is_ok();
                    if is_large { FOR_ROOM } else { AGAIN }
                }
            };
            if matches!(self.wait(again, &drain).await, Woken::End) {
                return;
            }
        }
    }

    /// One look at all documents. `false`: another process keeps the index.
    async fn step(&mut self) -> Result<bool, StoreError> {
        let index = self.knowledge.index().clone();
        let (of_it, was_keeper) = (index.clone(), index.is_keeper());
        if !blocking::run(move || of_it.keep()).await.unwrap_or(Ok(false))? {
            self.knowledge.refresh().await?;
            return Ok(false);
        }
        if let Some(changed) = self.changed.as_ref().filter(|_| !was_keeper) {
            changed.notify_one();
        }
        index.go_on_starting_over().await?;
        index.refuse_damaged()?;
        let requests = index.asked().await?;
        let reindex = requests.iter().filter(|request| request.wanted == Wanted::Reindex);
        // Once for each request: a look that fails goes on where it was.
        if let Some(newest) =
            reindex.map(|request| request.id).max().filter(|id| Some(*id) > self.doubted)
        {
            index.doubt_all().await?;
            self.doubted = Some(newest);
        }
        let began = Instant::now();
        let looked = self.look().await;
        if let Some(e) = looked.as_ref().err().filter(|e| is_full(e)) {
            for request in &requests {
                index.answered(request.id, Err(e.to_string())).await?;
            }
        }
        let pass = looked?;
        let took = began.elapsed();
        tracing::debug!("looked through the documents in {took:.0?}: {pass}");
        self.watch(&pass).await;
        if let Some(changed) = self.changed.as_ref().filter(|_| pass.changed()) {
            changed.notify_one();
        }
        for Request { id, wanted, .. } in requests {
            let outcome = match wanted {
                Wanted::Sync | Wanted::Reindex => Ok(pass.to_string()),
                Wanted::Use(_) => self.knowledge.work_on(wanted, &self.clock).await?,
            };
            index.answered(id, outcome).await?;
            // Questions are compared with other vectors now.
            if let (Wanted::Use(_), Some(changed)) = (wanted, &self.changed) {
                changed.notify_one();
            }
        }
        Ok(true)
    }

    /// Looks at the documents, unless the disk still has no room for what was found the last time.
    async fn look(&mut self) -> Result<Pass, StoreError> {
        let waiting = |since: Option<i64>| {
            let since =
                since.map(|at| self.clock.now_ms().saturating_sub(at).max(0).unsigned_abs());
            let since_ms = since.map(|age| self.vitals.now_ms().saturating_sub(age));
            self.vitals
                .index
                .rcu(|before| IndexState { unread_since_ms: since_ms, ..(**before).clone() });
        };
        let looked = match self.is_short {
            true => self.knowledge.index().room(0).await,
            false => Ok(()),
        };
        let looked = match looked {
            Ok(()) => self.knowledge.sync(&self.clock, &waiting).await,
            Err(e) => Err(e),
        };
        self.is_short = looked.as_ref().is_err_and(is_full);
        if self.vitals.index.load().is_short != self.is_short {
            let is_short = self.is_short;
            self.vitals.index.rcu(|before| IndexState { is_short, ..(**before).clone() });
        }
        looked
    }

    /// Shows people how much there is, once they need not wait for it any more.
    fn show(&self) {
        let (files, passages) = self.knowledge.size();
        if files > 0 || self.knowledge.unreadable().is_empty() {
            self.vitals.documents.store(Arc::new(DocumentsState::Read { files, passages }));
        }
        let totals = self.knowledge.totals();
        let synced_at_ms = Some(self.clock.now_ms());
        // How far the vectors are is reported by who makes them.
        self.vitals.index.rcu(|before| IndexState {
            files: totals.documents + totals.unreadable,
            passages: totals.passages,
            unreadable: totals.unreadable,
            folders_unreadable: self.knowledge.unreadable().len() as u64,
            synced_at_ms,
            ..(**before).clone()
        });
    }

    async fn watch(&mut self, pass: &Pass) {
        self.is_late = pass.is_stuck;
        let Some(mut watch) = self.watch.take() else { return };
        let mut folders = pass.folders.clone();
        let sources = self.knowledge.sources();
        let missing: Vec<PathBuf> = sources
            .iter()
            .filter(|source| pass.unreadable.iter().any(|(name, _)| name == source.name()))
            .map(|source| source.dir().to_owned())
            .collect();
        // A folder may have stopped to answer a moment ago.
        let set = timeout(SILENCE, async move {
            blocking::run(move || {
                folders.extend(missing.iter().filter_map(|dir| above(dir)));
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

    /// Waits for a reason to look again, at most `longest`.
    async fn wait(&mut self, longest: Duration, drain: &CancellationToken) -> Woken {
        let due = Instant::now() + longest;
        let mut tick = interval(TICK);
        for count in 0_u32.. {
            tokio::select! {
                () = drain.cancelled() => return Woken::End,
                () = changed(&mut self.learned) => return Woken::Look,
                asked = self.wanted.changed() => match asked {
                    Ok(()) => return Woken::Look,
                    Err(_) => return Woken::End,
                },
                _ = tick.tick() => {
                    if self.has_changed() {
                        self.quiet(&mut tick).await;
                        return Woken::Look;
                    }
                    let is_asked = count.is_multiple_of(REQUESTS) && self.has_request().await;
                    if is_asked || Instant::now() >= due {
                        return Woken::Look;
                    }
                }
            }
        }
        Woken::Look
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

fn is_full(e: &StoreError) -> bool {
    e.kind() == StoreErrorKind::Full
}
