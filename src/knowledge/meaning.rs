//! Searching by meaning: the vectors of one generation, and who makes those of questions.
//!
//! Invariants: what a copy of the vectors finds is measured again by the exact vectors of the index, so a copy that
//! is behind never makes a passage look nearer than it is. What is not nearer than passages are to questions about
//! something else does not count as found.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use words::Language;

use super::vectors::{Embedded, Qdrant, VectorError, VectorIndex, fill};
use super::{EmbedError, Embedder, elsewhere};
use crate::provider::QdrantServer;
use crate::store::{Floor, Generation, GenerationId, Index, PassageId};

/// Of the questions about something else, sorted by how near the nearest passage is, the place of the one that shows
/// what is near: the last but one, because documents may well have the answer to one of them.
const NEAR: f64 = 0.9375;

/// The same for what is not too far for a passage that words found.
const LIKELY: f64 = 0.75;

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
    floors: RwLock<Vec<Floor>>,
    /// Languages of questions whose floor is not known.
    wanted: Mutex<BTreeSet<Language>>,
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

/// Passages, each with its cosine, best first.
pub(super) type Nearness = Vec<(PassageId, f32)>;

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
        let (floors, wanted) = (RwLock::default(), Mutex::default());
        Self { generation, begun_ms: 0, vectors, embedder, floors, wanted }
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

    /// Learns how near passages are to questions that they have nothing to do with, in languages that it is not known
    /// of. Until then, and when it fails, what is known of other languages counts, or everything as found. Not while
    /// someone waits: it asks for several vectors, unless the index has what was learned before.
    ///
    /// # Errors
    /// When there is no vector, or the vectors cannot be searched.
    pub async fn calibrate(&self, index: &Index, languages: &[Language]) -> Result<(), NoMeaning> {
        let mut languages: BTreeSet<Language> = languages.iter().copied().collect();
        languages.append(&mut locked(&self.wanted));
        let kept = index.floors(self.generation).await.map_err(VectorError::from)?;
        for language in languages {
            let is_it = |floor: &&Floor| floor.language == language.code();
            if let Some(floor) = kept.iter().find(is_it) {
                self.set_floor(floor.clone());
                continue;
            }
            // Who does not keep the index learns it once.
            if !index.is_keeper() && self.floors().iter().any(|floor| is_it(&floor)) {
                continue;
            }
            let Some(floor) = self.learned(index, language).await? else { continue };
            self.set_floor(floor.clone());
            if index.is_keeper() {
                index.keep_floor(self.generation, floor).await.map_err(VectorError::from)?;
            }
        }
        Ok(())
    }

    async fn learned(&self, index: &Index, language: Language) -> Result<Option<Floor>, NoMeaning> {
        let mut nearest = Vec::new();
        for question in elsewhere::questions(language) {
            let (_, found) = self.search(index, &[(question, 1.0)], 1, None).await?;
            nearest.extend(found.first().map(|(_, cosine)| *cosine));
        }
        nearest.sort_by(f32::total_cmp);
        let at = |share: f64| nearest.get(((nearest.len().max(1) - 1) as f64 * share) as usize);
        let (Some(near), Some(likely)) = (at(NEAR).copied(), at(LIKELY).copied()) else {
            return Ok(None);
        };
        Ok(Some(Floor { language: language.code().to_owned(), near, likely }))
    }

    fn set_floor(&self, floor: Floor) {
        let mut floors = self.floors.write().unwrap_or_else(PoisonError::into_inner);
        floors.retain(|other| other.language != floor.language);
        floors.push(floor);
    }

    fn floors(&self) -> Vec<Floor> {
        self.floors.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How near a passage must be to a question in a language; the least of what is known where it is not known of that
    /// one, which is learned at the next occasion.
    pub fn floor(&self, language: Option<Language>) -> Option<Floor> {
        let floors = self.floors();
        let code = language.map(Language::code).unwrap_or_default();
        if let Some(floor) = floors.iter().find(|floor| floor.language == code) {
            return Some(floor.clone());
        }
        if let Some(language) = language.filter(|one| !elsewhere::questions(*one).is_empty()) {
            locked(&self.wanted).insert(language);
        }
        floors.into_iter().min_by(|one, other| one.near.total_cmp(&other.near))
    }

    /// Whether a floor is wanted that is not known yet.
    pub fn wants_floors(&self) -> bool {
        !locked(&self.wanted).is_empty()
    }

    /// The nearest passages with their exact cosines, best first; and the vector of what was asked.
    pub(super) async fn search(
        &self,
        index: &Index,
        asked: Weighed<'_>,
        limit: usize,
        sources: Option<&[String]>,
    ) -> Result<(Vec<f32>, Nearness), NoMeaning> {
        let mut sum: Vec<f32> = Vec::new();
        for (words, weight) in asked {
            let vector = self.embedder.query(words).await?;
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            sum.resize(vector.len(), 0.0);
            sum.iter_mut().zip(vector.iter()).for_each(|(sum, x)| *sum += x / length * weight);
        }
        let found = self.vectors.search(&sum, limit, sources).await?;
        let passages: Vec<PassageId> = found.into_iter().map(|(passage, _)| passage).collect();
        let measured = self.measured(index, &sum, &passages).await?;
        Ok((sum, measured))
    }

    /// How near these passages are, best first; those without a vector are left out.
    pub(super) async fn measured(
        &self,
        index: &Index,
        asked: &[f32],
        passages: &[PassageId],
    ) -> Result<Nearness, VectorError> {
        let exact = index.exact(self.generation, passages).await?;
        let cosine =
            |(passage, vector): (PassageId, Vec<f32>)| (passage, vecscan::cosine(asked, &vector));
        let mut measured: Nearness = exact.into_iter().map(cosine).collect();
        measured.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        Ok(measured)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
