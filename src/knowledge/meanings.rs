//! Which vectors questions are compared with: those in use, kept in line with the index.
//!
//! Invariants: questions are embedded by what embedded the passages they are compared with, also while another
//! model's vectors are being made; what fails here leaves what is searched as it is.

use std::sync::Arc;

use super::embedder::{Embedder, EmbedderSettings};
use super::meaning::{Copies, Meaning};
use super::search::Searcher;
use super::vectors::{Qdrant, VectorError, VectorIndex, fill};
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
        Self { index, copies, ledger, vitals, embedder }
    }

    /// Has a searcher use the vectors in use, and brings them in line with the index.
    ///
    /// # Errors
    /// When the index cannot be read, or Qdrant fails.
    pub async fn follow(&self, searcher: &Searcher) -> Result<(), VectorError> {
        let all = self.index.generations().await?;
        let active = all.iter().find(|one| one.state == GenerationState::Active);
        let Some(active) = active.filter(|one| one.embedding.dimensions > 0) else {
            searcher.use_meanings(Vec::new());
            return Ok(());
        };
        let there = searcher.meanings();
        let meaning = match there.iter().find(|one| one.generation() == active.id) {
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
        // What is kept was learned of about as many vectors as there are.
        let is_kept = !self.index.is_keeper() || self.index.floor(active.id).await?.is_some();
        let is_known = meaning.floor().is_some() && is_kept;
        if !is_known && self.embedder.paused_for().is_none() {
            // Without it everything counts as found; the next look tries again.
            if let Err(error) = meaning.calibrate(&self.index).await {
                tracing::debug!(%error, "it is not known yet how near a passage must be: {error}");
            }
        }
        Ok(())
    }

    /// Opens the vectors of any generation, to try them.
    ///
    /// # Errors
    /// When the index cannot be read, or Qdrant fails.
    pub async fn open(&self, generation: &Generation) -> Result<Arc<Meaning>, VectorError> {
        let embedder = self.embedder_of(&generation.embedding)?;
        Ok(Arc::new(Meaning::open(&self.index, generation, &self.copies, embedder).await?))
    }

    /// Drops the copies of vectors that are pruned.
    pub async fn forget(&self, pruned: &[Generation]) {
        let Copies::Qdrant { server, prefix } = &self.copies else { return };
        for one in pruned.iter().filter(|one| one.embedding.dimensions > 0) {
            let collection = Qdrant::collection_of(prefix, one);
            let dimensions = one.embedding.dimensions as usize;
            let dropped = async {
                let copy = Qdrant::open(Arc::clone(server), collection, dimensions).await?;
                copy.drop_generation().await
            };
            if let Err(error) = dropped.await {
                tracing::warn!(%error, generation = one.id.0, "an old collection stays in Qdrant: {error}");
            }
        }
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
