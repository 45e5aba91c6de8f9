//! Makes the vectors that the index lacks, in the background.
//!
//! Invariants: what is embedded is stored before more is asked for, so a process that ends loses one request; a
//! text that has its vector is never sent again; another model makes vectors of its own beside those in use, which
//! stay until the new ones are complete; nothing here holds up a search by words.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::embedder::{EmbedError, Embedder};
use super::generations;
use super::meanings::Meanings;
use super::rate::Rate;
use super::search::Searcher;
use super::vectors::VectorError;
use crate::observe::clock::Clock;
use crate::observe::index::{IndexState, Progress};
use crate::observe::repeats::Repeats;
use crate::observe::vitals::Vitals;
use crate::store::{
    Generation, GenerationId, GenerationState, Hash, Index, StoreError, StoreErrorKind, ToEmbed,
};

/// While nothing is missing, it waits until it is woken, but not for ever: a look reads the hashes of all passages.
const IDLE: Duration = Duration::from_secs(300);

/// While another process keeps the index, or what is searched is behind it, it looks this often.
const SOON: Duration = Duration::from_secs(5);

/// After a failure of the index; twice as long after each further one.
const AGAIN: Duration = Duration::from_secs(5);

/// At most so long.
const AGAIN_MAX: Duration = Duration::from_secs(300);

/// How often the figures are counted while it works: that reads much of the index.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// While it works, what is new is searched this often.
const FOLLOW_EVERY: Duration = Duration::from_secs(10);

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many texts have their vectors now.
    Embedded(usize),
    /// The vectors of a new model took the place of the old ones.
    Swapped(GenerationId),
    /// Nothing is missing, or another process keeps the index.
    Idle,
}

/// Why there are no more vectors.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddingError {
    /// The server, or the money for it.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The index.
    #[error("cannot keep vectors: {0}")]
    Store(#[from] StoreError),
}

/// Vectors of texts, by their hashes.
type Vectors = Vec<(Hash, Vec<f32>)>;

/// Makes vectors of one model for one index.
#[derive(Debug)]
pub struct Embedding {
    index: Index,
    embedder: Arc<Embedder>,
    vitals: Arc<Vitals>,
    clock: Clock,
    /// Complete vectors of a new model take the place of the old ones by themselves.
    swaps: bool,
    generation: Option<GenerationId>,
    wake: Arc<Notify>,
    failing: Repeats,
    /// What is searched cannot follow the index.
    lagging: Repeats,
    /// The last text that was embedded; those before it in the order of hashes have their vectors.
    after: Option<Hash>,
    /// When something began to miss its vector, in milliseconds since the start.
    missing_since_ms: Option<u64>,
    rate: Rate,
    counted: Option<Instant>,
    /// Vectors that could not be stored yet: they may have cost money.
    unwritten: Option<(GenerationId, Vectors)>,
    /// How often in a row the index failed.
    store_failures: u32,
    /// What is searched, in the daemon.
    searched: Option<(Arc<Searcher>, Meanings)>,
    /// What is searched may be behind the index.
    is_behind: bool,
    followed: Option<Instant>,
}

impl Embedding {
    /// For an index, with the configured model.
    pub fn new(
        index: Index,
        embedder: Arc<Embedder>,
        vitals: Arc<Vitals>,
        clock: Clock,
        swaps: bool,
    ) -> Self {
        Self {
            index,
            embedder,
            vitals,
            clock,
            swaps,
            generation: None,
            wake: Arc::default(),
            failing: Repeats::default(),
            lagging: Repeats::default(),
            after: None,
            missing_since_ms: None,
            rate: Rate::default(),
            counted: None,
            unwritten: None,
            store_failures: 0,
            searched: None,
            is_behind: true,
            followed: None,
        }
    }

    /// Questions are compared with these vectors, which follow the index.
    #[must_use]
    pub fn searched_by(self, searcher: Arc<Searcher>, meanings: Meanings) -> Self {
        Self { searched: Some((searcher, meanings)), ..self }
    }

    /// This wakes it when documents have changed.
    #[must_use]
    pub fn woken_by(self, wake: Arc<Notify>) -> Self {
        Self { wake, ..self }
    }

    /// Works until the process drains.
    pub async fn run(mut self, drain: CancellationToken) {
        loop {
            let step = tokio::select! {
                // What is there is searched before what is missing is looked for.
                step = async { self.follow(true).await; self.step().await } => step,
                () = drain.cancelled() => return,
            };
            let failed = step.as_ref().err().map(|e| self.failed(e));
            let is_working = matches!(step, Ok(Step::Embedded(_) | Step::Swapped(_)));
            self.is_behind |= is_working;
            tokio::select! {
                () = self.follow(is_working) => {}
                () = drain.cancelled() => return,
            }
            self.show(is_working).await;
            if is_working {
                continue;
            }
            let is_calm = self.index.is_keeper() && !self.is_behind;
            let pause = failed.unwrap_or(if is_calm { IDLE } else { SOON });
            tokio::select! {
                woken = timeout(pause, self.wake.notified()) => self.is_behind |= woken.is_ok(),
                () = self.when_floors_are_wanted() => self.is_behind = true,
                () = drain.cancelled() => return,
            }
        }
    }

    /// Makes everything that is missing, without the daemon. `said` hears how far it is.
    ///
    /// # Errors
    /// When the server or the index fails; what is done stays.
    pub async fn complete(
        &mut self,
        mut said: impl FnMut(&Progress),
    ) -> Result<(), EmbeddingError> {
        while self.step().await? != Step::Idle {
            self.show(false).await;
            if let Some(progress) = self.vitals.index.load().under_way() {
                said(progress);
            }
        }
        Ok(())
    }

    /// One request to the server, or the swap.
    ///
    /// # Errors
    /// When the server or the index fails.
    pub async fn step(&mut self) -> Result<Step, EmbeddingError> {
        if !self.index.is_keeper() {
            return Ok(Step::Idle);
        }
        let generation = self.generation().await?;
        if let Some((_, vectors)) = self.unwritten.take().filter(|(of, _)| *of == generation) {
            return Ok(Step::Embedded(self.write(generation, vectors).await?));
        }
        let (after, most) = (self.after.take(), self.embedder.batch());
        let mut missing = self.index.without_vector_after(generation, after, most).await?;
        if missing.is_empty() && after.is_some() {
            // Texts that came meanwhile may lie before it.
            missing = self.index.without_vector(generation, most).await?;
        }
        if missing.is_empty() {
            self.missing_since_ms = None;
            self.set_short(false);
            let swapped =
                generations::swap(&self.index, generation, self.swaps, &self.clock).await?;
            return Ok(if swapped { Step::Swapped(generation) } else { Step::Idle });
        }
        self.missing_since_ms.get_or_insert(self.vitals.now_ms());
        // Nothing is asked, and paid, for what could not be kept.
        self.index.room(0).await?;
        let texts: Vec<String> = missing.iter().map(ToEmbed::whole).collect();
        let vectors = self.embedder.passages(&texts).await?;
        self.after = missing.last().map(|one| one.hash);
        let hashes = missing.into_iter().map(|one| one.hash);
        let done = self.write(generation, hashes.zip(vectors).collect()).await?;
        self.rate.note(done);
        if let Some(over) = self.failing.over() {
            tracing::info!(count = over.count, "documents are embedded again");
        }
        Ok(Step::Embedded(done))
    }

    /// Stores vectors, or keeps them where the disk does not take them, so that none is paid for twice.
    async fn write(
        &mut self,
        generation: GenerationId,
        vectors: Vectors,
    ) -> Result<usize, StoreError> {
        let done = vectors.len();
        if let Err(e) = self.index.put_vectors(generation, vectors.clone()).await {
            // A vector that does not belong there never will.
            if e.kind() != StoreErrorKind::Row {
                self.unwritten = Some((generation, vectors));
            }
            return Err(e);
        }
        self.store_failures = 0;
        self.set_short(false);
        Ok(done)
    }

    /// The generation of the configured model; it is begun when there is none.
    async fn generation(&mut self) -> Result<GenerationId, StoreError> {
        if let Some(generation) = self.generation {
            // The index may have been made again meanwhile.
            let is_there = |one: &Generation| one.id == generation;
            if self.index.generations().await?.iter().any(is_there) {
                return Ok(generation);
            }
        }
        let embedding = self.embedder.settings().embedding();
        let generation = self.index.begin_generation(embedding, self.clock.now_ms()).await?;
        self.generation = Some(generation);
        Ok(generation)
    }

    /// A question was asked in a language of which it is not known how near a passage must be. Never at once: what is
    /// wanted stays wanted while what is searched cannot follow the index.
    async fn when_floors_are_wanted(&self) {
        let all = || self.searched.as_ref().map(|(searcher, _)| searcher.meanings());
        loop {
            tokio::time::sleep(SOON).await;
            if all().is_some_and(|all| all.iter().any(|meaning| meaning.wants_floors())) {
                return;
            }
        }
    }

    /// Brings what is searched in line with the index, unless that was done just before.
    async fn follow(&mut self, is_working: bool) {
        let Some((searcher, meanings)) = self.searched.as_ref().filter(|_| self.is_behind) else {
            return;
        };
        if is_working && self.followed.is_some_and(|at| at.elapsed() < FOLLOW_EVERY) {
            return;
        }
        self.followed = Some(Instant::now());
        match meanings.follow(searcher).await {
            Ok(is_complete) => {
                self.is_behind = !is_complete;
                if let Some(over) = self.lagging.over() {
                    tracing::info!(count = over.count, "new vectors are searched again");
                }
            }
            Err(VectorError::Server(e)) => {
                let class = e.answer_class();
                self.vitals.failed(&self.vitals.qdrant, class);
                self.vitals.increment("qdrant_error", class.as_str());
                if self.lagging.is_news("qdrant") {
                    tracing::warn!(error = %e, "new vectors are not searched for now: {e}");
                }
            }
            Err(e) if self.lagging.is_news("vectors") => {
                tracing::warn!(error = %e, "new vectors are not searched for now: {e}");
            }
            Err(_) => {}
        }
    }

    /// Says what failed, once, and how long to wait.
    fn failed(&mut self, e: &EmbeddingError) -> Duration {
        let (class, wait) = match e {
            EmbeddingError::Store(e) if e.kind() == StoreErrorKind::Full => {
                self.set_short(true);
                ("full", AGAIN)
            }
            EmbeddingError::Embed(e) => {
                let usual = e.again_after(self.clock.now_ms());
                // The server is left alone for as long as its failures say, and no longer.
                let left = self.embedder.paused_for().filter(|_| e.is_servers());
                (e.class().as_str(), left.unwrap_or(usual))
            }
            EmbeddingError::Store(_) => {
                let doubled = AGAIN * 2_u32.saturating_pow(self.store_failures.min(10));
                self.store_failures += 1;
                ("store", doubled.min(AGAIN_MAX))
            }
        };
        // A pause follows a failure that was said.
        let is_pause = matches!(e, EmbeddingError::Embed(EmbedError::Paused(_)));
        if !is_pause && self.failing.is_news(class) {
            tracing::warn!(class, error = %e, "documents are not embedded for now: {e}");
        }
        wait
    }

    /// Shows whether the disk lacks room.
    fn set_short(&self, is_short: bool) {
        if self.vitals.index.load().lacks_room_for_vectors != is_short {
            self.vitals.index.rcu(|before| IndexState {
                lacks_room_for_vectors: is_short,
                ..(**before).clone()
            });
        }
    }

    /// Shows people and programs how far it is.
    async fn show(&mut self, is_working: bool) {
        let is_due = self.counted.is_none_or(|at| at.elapsed() >= COUNT_EVERY);
        if is_working && !is_due {
            return;
        }
        self.counted = Some(Instant::now());
        let Ok(state) = self.state().await else { return };
        // The rest is what the indexer says.
        self.vitals.index.rcu(|before| IndexState {
            files: state.files,
            passages: state.passages,
            unreadable: state.unreadable,
            unembedded_since_ms: state.unembedded_since_ms,
            active: state.active.clone(),
            building: state.building.clone(),
            ..(**before).clone()
        });
    }

    async fn state(&self) -> Result<IndexState, StoreError> {
        let totals = self.index.totals().await?;
        let generations = self.index.generations().await?;
        let progress = |state: GenerationState| {
            let one = generations.iter().rev().find(|one| one.state == state)?;
            Some(Progress {
                generation: one.id.0,
                model: one.embedding.model.clone(),
                embedded: one.embedded.min(totals.texts),
                of: totals.texts,
                per_s: if Some(one.id) == self.generation { self.rate.per_s() } else { 0.0 },
            })
        };
        Ok(IndexState {
            files: totals.documents + totals.unreadable,
            passages: totals.passages,
            unreadable: totals.unreadable,
            unembedded_since_ms: self.missing_since_ms,
            active: progress(GenerationState::Active),
            building: progress(GenerationState::Building),
            ..IndexState::default()
        })
    }
}

#[cfg(test)]
#[path = "../../tests/unit/embedding.rs"]
mod tests;
