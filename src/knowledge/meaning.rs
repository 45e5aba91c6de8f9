//! Searching by meaning: the vectors of one generation, and who makes those of questions.
//!
//! Invariants: what a copy of the vectors finds is measured again by the exact vectors of the index, so a copy that
//! is behind never makes a passage look nearer than it is. What is not nearer than passages are to questions about
//! something else does not count as found.

use std::sync::{Arc, PoisonError, RwLock};

use super::vectors::{Embedded, Qdrant, VectorError, VectorIndex, fill};
use super::{EmbedError, Embedder};
use crate::provider::QdrantServer;
use crate::store::{Generation, GenerationId, Index, PassageId};

/// Questions about this and that, which most documents have no answer to. What they find is what a question finds
/// that has none.
const ELSEWHERE: &[&str] = &[
    "Who won the football world cup in 1998?",
    "How long should I bake sourdough bread?",
    "What is the capital of Australia?",
    "Which vaccination does my dog need?",
    "How do I get red wine out of a carpet?",
    "What is the boiling point of ethanol?",
    "Can you recommend a novel by Thomas Mann?",
    "How many calories are in a banana?",
    "Why is the sky blue?",
];

/// Where copies of vectors are kept.
#[derive(Clone, Debug)]
pub enum Copies {
    /// In memory.
    Memory,
    /// In Qdrant.
    Qdrant {
        /// The server.
        server: Arc<QdrantServer>,
        /// What the collections' names begin with.
        prefix: String,
    },
}

impl Copies {
    /// Has Qdrant write a snapshot of a generation's collection; answers the names of both. `None` where copies are
    /// in memory.
    ///
    /// # Errors
    /// When Qdrant fails, or does not have the collection yet.
    pub async fn snapshot(
        &self,
        generation: &Generation,
    ) -> Result<Option<(String, String)>, VectorError> {
        let Self::Qdrant { server, prefix } = self else { return Ok(None) };
        let collection = Qdrant::collection_of(prefix, generation);
        let dimensions = generation.embedding.dimensions as usize;
        let qdrant = Qdrant::existing(Arc::clone(server), collection.clone(), dimensions);
        Ok(Some((collection, qdrant.snapshot().await?)))
    }
}

/// The vectors of one generation, searchable.
#[derive(Debug)]
pub struct Meaning {
    generation: GenerationId,
    /// When it was begun: an index that is made again counts from 1 again.
    begun_ms: i64,
    vectors: Arc<dyn VectorIndex>,
    embedder: Arc<Embedder>,
    floor: RwLock<Option<f32>>,
}

/// Why meaning found nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoMeaning {
    /// There is no vector of the question.
    #[error(transparent)]
    Embedding(#[from] EmbedError),
    /// The vectors cannot be searched.
    #[error(transparent)]
    Vectors(#[from] VectorError),
}

/// A question with what was asked before it, each with its weight.
pub(super) type Weighed<'a> = &'a [(&'a str, f32)];

impl Meaning {
    /// Opens the vectors of a generation and brings them in line with the index. It takes as long as there are many.
    /// `embedder` makes vectors as this generation's were made.
    ///
    /// # Errors
    /// When the index cannot be read, or Qdrant fails.
    pub async fn open(
        index: &Index,
        generation: &Generation,
        copies: &Copies,
        embedder: Arc<Embedder>,
    ) -> Result<Self, VectorError> {
        let dimensions = generation.embedding.dimensions as usize;
        let vectors: Arc<dyn VectorIndex> = match copies {
            Copies::Memory => Arc::new(Embedded::new(dimensions)),
            Copies::Qdrant { server, prefix } => {
                let collection = Qdrant::collection_of(prefix, generation);
                Arc::new(Qdrant::open(Arc::clone(server), collection, dimensions).await?)
            }
        };
        fill(index, generation.id, &*vectors).await?;
        let begun_ms = generation.begun_ms;
        Ok(Self { begun_ms, ..Self::new(generation.id, vectors, embedder) })
    }

    /// What there is already.
    pub fn new(
        generation: GenerationId,
        vectors: Arc<dyn VectorIndex>,
        embedder: Arc<Embedder>,
    ) -> Self {
        Self { generation, begun_ms: 0, vectors, embedder, floor: RwLock::default() }
    }

    /// The generation.
    pub fn generation(&self) -> GenerationId {
        self.generation
    }

    /// Whether these are the vectors of this generation.
    pub(super) fn is_of(&self, generation: &Generation) -> bool {
        (self.generation, self.begun_ms) == (generation.id, generation.begun_ms)
    }

    /// Its vectors.
    pub fn vectors(&self) -> &Arc<dyn VectorIndex> {
        &self.vectors
    }

    /// Whether another program searches the vectors.
    pub fn is_remote(&self) -> bool {
        self.vectors.bytes() == 0
    }

    /// Learns how near passages are to questions that they have nothing to do with. Until then, and when it fails,
    /// everything counts as found. Not while someone waits: it asks for several vectors, unless the index has what
    /// was learned before.
    ///
    /// # Errors
    /// When there is no vector, or the vectors cannot be searched.
    pub async fn calibrate(&self, index: &Index) -> Result<(), NoMeaning> {
        if let Some(floor) = index.floor(self.generation).await.map_err(VectorError::from)? {
            self.set_floor(Some(floor));
            return Ok(());
        }
        let mut nearest = Vec::with_capacity(ELSEWHERE.len());
        for question in ELSEWHERE {
            let found = self.search(index, &[(question, 1.0)], 1, None).await?;
            nearest.extend(found.first().map(|(_, cosine)| *cosine));
        }
        nearest.sort_by(f32::total_cmp);
        // The one in the middle: documents may well have the answer to one or two.
        let floor = nearest.get(nearest.len() / 2).copied();
        self.set_floor(floor);
        if let Some(floor) = floor.filter(|_| index.is_keeper()) {
            index.keep_floor(self.generation, floor).await.map_err(VectorError::from)?;
        }
        Ok(())
    }

    fn set_floor(&self, floor: Option<f32>) {
        *self.floor.write().unwrap_or_else(PoisonError::into_inner) = floor;
    }

    /// What a passage must be nearer than to count as found.
    pub fn floor(&self) -> Option<f32> {
        *self.floor.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nearest passages with their exact cosines, best first.
    pub(super) async fn search(
        &self,
        index: &Index,
        asked: Weighed<'_>,
        limit: usize,
        sources: Option<&[String]>,
    ) -> Result<Vec<(PassageId, f32)>, NoMeaning> {
        let mut sum: Vec<f32> = Vec::new();
        for (words, weight) in asked {
            let vector = self.embedder.query(words).await?;
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            sum.resize(vector.len(), 0.0);
            sum.iter_mut().zip(vector.iter()).for_each(|(sum, x)| *sum += x / length * weight);
        }
        let found = self.vectors.search(&sum, limit, sources).await?;
        let passages: Vec<PassageId> = found.into_iter().map(|(passage, _)| passage).collect();
        let exact = index.exact(self.generation, &passages).await.map_err(VectorError::from)?;
        let cosine =
            |(passage, vector): (PassageId, Vec<f32>)| (passage, vecscan::cosine(&sum, &vector));
        let mut measured: Vec<(PassageId, f32)> = exact.into_iter().map(cosine).collect();
        measured.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        Ok(measured)
    }
}
