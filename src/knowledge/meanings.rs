//! Which vectors questions are compared with: those in use, kept in line with the index.
//!
//! Invariants: questions are embedded by what embedded the passages they are compared with, also while another
//! model's vectors are being made; what fails here leaves what is searched as it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use words::Language;

use super::embedder::{Embedder, EmbedderSettings};
use super::meaning::{Copies, Meaning};
use super::search::Searcher;
use super::vectors::{Qdrant, VectorError, fill};
use crate::observe::repeats::Repeats;
use crate::observe::vitals::Vitals;
use crate::provider::ProviderError;
use crate::store::{Embedding, Generation, GenerationState, Index, Ledger};

/// Follows the generations of an index.
#[derive(Debug)]
pub struct Meanings {
    index: Index,
    copies: Copies,
    ledger: Option<Ledger>,
    vitals: Arc<Vitals>,
    embedder: Arc<Embedder>,
    /// An old collection cannot be deleted.
    forgetting: Mutex<Repeats>,
}

impl Meanings {
    /// Nothing is opened yet. `embedder` is that of the configured model.
    pub fn new(
        index: Index,
        copies: Copies,
        embedder: Arc<Embedder>,
        ledger: Option<Ledger>,
        vitals: Arc<Vitals>,
    ) -> Self {
        Self { index, copies, ledger, vitals, embedder, forgetting: Mutex::default() }
    }

    /// Has a searcher use the vectors in use, and brings them in line with the index.
    ///
    /// `false`: it is not known yet how near a passage must be; the next look tries again.
    ///
    /// # Errors
    /// When the index cannot be read, or Qdrant fails.
    pub async fn follow(&self, searcher: &Searcher) -> Result<bool, VectorError> {
        self.forget().await?;
        let all = self.index.generations().await?;
        let active = all.iter().find(|one| one.state == GenerationState::Active);
        let Some(active) = active.filter(|one| one.embedding.dimensions > 0) else {
            searcher.use_meanings(Vec::new());
            return Ok(true);
        };
        let there = searcher.meanings();
        let meaning = match there.iter().find(|one| one.is_of(active)) {
            Some(meaning) => {
                let filled = fill(&self.index, active.id, &**meaning.vectors()).await;
                if matches!(filled, Err(VectorError::Collection { .. })) {
                    // It is gone, or another one: the next look makes it again.
                    searcher.use_meanings(Vec::new());
                }
                filled?;
                Arc::clone(meaning)
            }
            None => self.open(active).await?,
        };
        if there.len() != 1 || !Arc::ptr_eq(&there[0], &meaning) {
            searcher.use_meanings(vec![Arc::clone(&meaning)]);
        }
        if self.embedder.paused_for().is_some() {
            return Ok(false);
        }
        let languages = self.index.languages().await?;
        let languages = languages.iter().filter_map(|(code, _)| Language::of_code(code));
        let languages: Vec<Language> = languages.chain([Language::ENGLISH]).collect();
        // Without it everything counts as found.
        let calibrated = meaning.calibrate(&self.index, &languages).await;
        if let Err(error) = &calibrated {
            tracing::debug!(%error, "it is not known yet how near a passage must be: {error}");
        }
        Ok(calibrated.is_ok())
    }

    /// Opens the vectors of any generation, to try them.
    ///
    /// # Errors
    /// When the index cannot be read, or Qdrant fails.
    pub async fn open(&self, generation: &Generation) -> Result<Arc<Meaning>, VectorError> {
        let embedder = self.embedder_of(&generation.embedding)?;
        Ok(Arc::new(Meaning::open(&self.index, generation, &self.copies, embedder).await?))
    }

    /// Drops the copies of generations that are dropped. What fails is tried again at the next look.
    async fn forget(&self) -> Result<(), VectorError> {
        let Copies::Qdrant { server, prefix } = &self.copies else { return Ok(()) };
        if !self.index.is_keeper() {
            return Ok(());
        }
        for (generation, begun_ms) in self.index.dropped().await? {
            let collection = Qdrant::collection_named(prefix, generation, begun_ms);
            match Qdrant::delete(server, &collection).await {
                Ok(()) => self.index.dropped_everywhere(generation).await?,
                Err(error) => {
                    if self.forgetting().is_news("qdrant") {
                        tracing::warn!(%error, collection, "an old collection stays in Qdrant for now: {error}");
                    }
                    return Ok(());
                }
            }
        }
        self.forgetting().over();
        Ok(())
    }

    fn forgetting(&self) -> MutexGuard<'_, Repeats> {
        self.forgetting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What makes vectors like those of a generation.
    fn embedder_of(&self, embedding: &Embedding) -> Result<Arc<Embedder>, ProviderError> {
        let settings = self.embedder.settings();
        if is_of(settings, embedding) {
            return Ok(Arc::clone(&self.embedder));
        }
        let (ledger, vitals) = (self.ledger.clone(), Arc::clone(&self.vitals));
        Ok(Arc::new(Embedder::new(settings.of(embedding), ledger, vitals)?))
    }
}

/// Whether these settings make such vectors.
fn is_of(settings: &EmbedderSettings, embedding: &Embedding) -> bool {
    let mine = settings.embedding();
    let dimensions = match mine.dimensions {
        0 => embedding.dimensions,
        dimensions => dimensions,
    };
    Embedding { dimensions, ..mine } == *embedding
}
