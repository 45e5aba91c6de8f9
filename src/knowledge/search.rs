//! Finds passages for a question: by its words, and by its meaning where vectors can be had.
//!
//! Invariants: a failure of the embeddings server or of Qdrant is never the person's: words are searched anyway. A
//! question is searched together with what was asked before it, which counts less. What has too little to do with the
//! question is not found, so that "not in the documents" can be said.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use words::{Language, Question, TermKind};

use super::coverage::{Asked, likeness};
use super::fusion::{ByWords, fused};
use super::meaning::{Meaning, Nearness, NoMeaning};
use super::vectors::VectorError;
use crate::model::failure::{Classify, chain};
use crate::observe::label::Label;
use crate::observe::vitals::{Timing, Vitals};
use crate::store::{Index, IndexedPassage, PassageId, StoreError, WordQuery, WordTerm};

/// Passages that each way finds, before the best are chosen.
const CANDIDATES: usize = 50;

/// Of those that words found, so many are looked at closely.
const LOOKED_AT: usize = 30;

/// A passage must have so much of the question, by the weight of its words, where words alone find it.
const FLOOR: f64 = 0.25;

/// What a title counts that is the question itself.
const ALIKE: f64 = 0.5;

/// With so much of it, a passage counts also where its meaning seems far, because meaning knows few names.
const STRONG: f64 = 0.6;

/// As FLOOR for a passage in another language than the question's, with which it shares names alone.
const FLOOR_ACROSS: f64 = 0.1;

/// What an earlier question counts beside the one after it. In the corpus of the tests, the passage that answers a
/// follow-up is found first in most cases at 0.3 and 0.4; new topics suffer from 0.6 on.
const EARLIER: f64 = 0.35;

/// A passage that only earlier questions found needs this much of the best one's relevance.
const WORTH: f64 = 0.35;

/// How long the languages of the documents are believed to be the same.
const LANGUAGES: Duration = Duration::from_secs(10);

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// The question.
    pub words: String,
    /// What was asked before it, the newest first.
    pub earlier: Vec<String>,
    /// Passages to find at most.
    pub limit: usize,
    /// The generation of vectors; the active one without it.
    pub generation: Option<i64>,
    /// The sources to look in; all of them without any.
    pub sources: Option<Vec<String>>,
}

/// What was found, and how.
#[derive(Debug, Default)]
pub struct Hits {
    /// Passages, best first, each with a score from 0 to about 1 for meaning, any for words.
    pub passages: Vec<(IndexedPassage, f64)>,
    /// Words were searched.
    pub by_words: bool,
    /// Vectors were searched.
    pub by_vectors: bool,
    /// Why vectors were not searched, although there are some.
    pub no_meaning: Option<NoMeaning>,
    /// How long it took, the question's vector included.
    pub took: Duration,
}

/// Finds passages.
#[derive(Debug)]
pub struct Searcher {
    index: Index,
    vitals: ArcSwap<Vitals>,
    /// The active generation first, then those that can be asked for.
    meanings: ArcSwap<Vec<Arc<Meaning>>>,
    languages: ArcSwap<(Option<Instant>, Vec<Language>)>,
}

/// What words say of a passage.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    /// The sum over the question and those before it.
    sum: f64,
    /// The share of the question that it has.
    covered: f64,
    /// That is enough to count as found by words alone.
    is_enough: bool,
    /// An earlier question found it.
    is_earlier: bool,
}

/// What words found.
type Scored = HashMap<PassageId, Score>;

impl SearchRequest {
    /// A question alone.
    pub fn of(words: impl Into<String>, limit: usize) -> Self {
        Self { words: words.into(), limit, ..Self::default() }
    }
}

impl Searcher {
    /// Finds passages in this index, by words until there are meanings.
    pub fn new(index: Index, vitals: Arc<Vitals>) -> Self {
        let languages = ArcSwap::from_pointee((None, Vec::new()));
        Self { index, vitals: ArcSwap::new(vitals), meanings: ArcSwap::default(), languages }
    }

    /// What it does is counted there from now on.
    pub fn report_to(&self, vitals: Arc<Vitals>) {
        self.vitals.store(vitals);
    }

    /// Searches these vectors from now on, the first of them unless another is asked for.
    pub fn use_meanings(&self, meanings: Vec<Arc<Meaning>>) {
        self.meanings.store(Arc::new(meanings));
    }

    /// The vectors that are searched.
    pub fn meanings(&self) -> Arc<Vec<Arc<Meaning>>> {
        self.meanings.load_full()
    }

    /// Searches.
    ///
    /// # Errors
    /// When the index fails.
    pub async fn search(&self, request: &SearchRequest) -> Result<Hits, StoreError> {
        let began = Instant::now();
        let meaning = self.meaning(request.generation);
        let (words, near) =
            tokio::join!(self.by_words(request), self.by_meaning(meaning.as_deref(), request));
        let (known, mut scored, language) = words?;
        let mut hits = Hits { by_words: true, ..Hits::default() };
        let near = match near {
            Some(Ok((vector, near))) => {
                hits.by_vectors = true;
                if let Some(meaning) = &meaning {
                    self.compare(meaning, &vector, &near, language, &mut scored).await;
                }
                if meaning.as_ref().is_some_and(|meaning| meaning.is_remote()) {
                    let vitals = self.vitals.load();
                    vitals.worked(&vitals.qdrant);
                }
                near
            }
            Some(Err(no_meaning)) => {
                self.note(&no_meaning);
                hits.no_meaning = Some(no_meaning);
                Vec::new()
            }
            None => Vec::new(),
        };
        let floor = meaning.as_deref().and_then(|meaning| meaning.floor(language));
        let floor = floor.map(|floor| floor.near);
        let ranked = match hits.by_vectors {
            true => together(&known, &scored, &near, language, floor),
            false => alone(&scored, |_| false),
        };
        hits.passages = self.loaded(ranked, known, request.limit).await?;
        hits.took = began.elapsed();
        let way = if hits.by_vectors { "both" } else { "words" };
        self.vitals.load().observe(Timing::Search, way, Label::None, hits.took.as_secs_f64());
        Ok(hits)
    }

    fn meaning(&self, generation: Option<i64>) -> Option<Arc<Meaning>> {
        let meanings = self.meanings.load();
        let is_asked_for = |meaning: &&Arc<Meaning>| {
            generation.is_none_or(|wanted| meaning.generation().0 == wanted)
        };
        meanings.iter().find(is_asked_for).cloned()
    }

    async fn by_meaning(
        &self,
        meaning: Option<&Meaning>,
        request: &SearchRequest,
    ) -> Option<Result<(Vec<f32>, Nearness), NoMeaning>> {
        let meaning = meaning.filter(|_| !request.words.trim().is_empty())?;
        let mut weight = 1.0;
        let mut asked = vec![(request.words.as_str(), weight)];
        for words in request.earlier.iter().filter(|words| !words.trim().is_empty()) {
            weight *= EARLIER as f32;
            asked.push((words, weight));
        }
        Some(meaning.search(&self.index, &asked, CANDIDATES, request.sources.as_deref()).await)
    }

    /// What words found by a part of the question, and is far from its meaning, is about something else.
    async fn compare(
        &self,
        meaning: &Meaning,
        vector: &[f32],
        near: &Nearness,
        language: Option<Language>,
        scored: &mut Scored,
    ) {
        let Some(floor) = meaning.floor(language) else { return };
        let unsure = |score: &Score| score.is_enough && score.covered < STRONG;
        let unsure: Vec<PassageId> =
            scored.iter().filter(|(_, score)| unsure(score)).map(|(id, _)| *id).collect();
        let is_near: HashSet<PassageId> = near.iter().map(|(id, _)| *id).collect();
        let rest: Vec<PassageId> =
            unsure.iter().copied().filter(|id| !is_near.contains(id)).collect();
        // Without the exact vectors, words alone decide.
        let Ok(rest) = meaning.measured(&self.index, vector, &rest).await else { return };
        for (passage, cosine) in near.iter().chain(&rest) {
            if *cosine <= floor.likely && unsure.contains(passage) {
                scored.entry(*passage).or_default().is_enough = false;
            }
        }
    }

    /// What words find: the passages that were looked at, their scores, and the question's language.
    async fn by_words(
        &self,
        request: &SearchRequest,
    ) -> Result<(HashMap<PassageId, IndexedPassage>, Scored, Option<Language>), StoreError> {
        let languages = self.languages().await?;
        let question = Question::read(&request.words, &languages);
        let (mut known, mut scored) = (HashMap::new(), Scored::new());
        self.look_for(&question, request, 1.0, &mut known, &mut scored).await?;
        let mut weight = 1.0;
        for words in &request.earlier {
            weight *= EARLIER;
            let before = Question::read(words, &languages);
            self.look_for(&before, request, weight, &mut known, &mut scored).await?;
        }
        Ok((known, scored, question.language))
    }

    /// Scores what the words of one question find; the question itself has the weight 1.
    async fn look_for(
        &self,
        question: &Question,
        request: &SearchRequest,
        weight: f64,
        known: &mut HashMap<PassageId, IndexedPassage>,
        scored: &mut Scored,
    ) -> Result<(), StoreError> {
        let hits = self.index.find_words(query(question, request)).await?;
        let is_pair =
            |at: usize| question.terms.get(at).is_some_and(|term| term.kind == TermKind::Pair);
        let asked = Asked::new(&hits.terms, is_pair, hits.of);
        let ids: Vec<PassageId> = hits.passages.iter().take(LOOKED_AT).map(|(id, _)| *id).collect();
        let scores: HashMap<PassageId, f64> = hits.passages.iter().copied().collect();
        for passage in self.index.passages(&ids).await? {
            let language = passage.language.as_deref().and_then(Language::of_code);
            let covered = asked.covered_by(&passage.title, &passage.text, language);
            let score = scores.get(&passage.id).copied().unwrap_or_default().max(1e-6);
            let entry = scored.entry(passage.id).or_default();
            if weight < 1.0 {
                // Of an earlier question a passage needs no more than what it adds.
                entry.sum += score * weight;
                entry.is_earlier = true;
            } else {
                let alike = likeness(&passage.title, &request.words, language);
                entry.sum += score * covered.sqrt() * (1.0 + ALIKE * alike);
                entry.covered = covered;
                let is_across = is_across(question.language, language);
                entry.is_enough = covered >= if is_across { FLOOR_ACROSS } else { FLOOR };
            }
            known.insert(passage.id, passage);
        }
        Ok(())
    }

    /// The best of the ranked passages with their texts; the same text counts once.
    async fn loaded(
        &self,
        ranked: Vec<(PassageId, f64)>,
        mut known: HashMap<PassageId, IndexedPassage>,
        limit: usize,
    ) -> Result<Vec<(IndexedPassage, f64)>, StoreError> {
        // More than are wanted, because some may be the same.
        let ranked: Vec<(PassageId, f64)> =
            ranked.into_iter().take(limit.saturating_mul(3)).collect();
        let missing: Vec<PassageId> =
            ranked.iter().map(|(id, _)| *id).filter(|id| !known.contains_key(id)).collect();
        known.extend(
            self.index.passages(&missing).await?.into_iter().map(|passage| (passage.id, passage)),
        );
        let mut chosen: Vec<(IndexedPassage, f64)> = Vec::new();
        for (id, score) in ranked {
            let Some(passage) = known.remove(&id) else { continue };
            if chosen.len() < limit && chosen.iter().all(|(other, _)| other.text != passage.text) {
                chosen.push((passage, score));
            }
        }
        Ok(chosen)
    }

    async fn languages(&self) -> Result<Vec<Language>, StoreError> {
        let believed = self.languages.load();
        if believed.0.is_some_and(|since| since.elapsed() < LANGUAGES) {
            return Ok(believed.1.clone());
        }
        let all = self.index.languages().await?;
        let languages: Vec<Language> =
            all.iter().filter_map(|(code, _)| Language::of_code(code)).collect();
        self.languages.store(Arc::new((Some(Instant::now()), languages.clone())));
        Ok(languages)
    }

    /// The embedder has noted its own failures.
    fn note(&self, no_meaning: &NoMeaning) {
        let NoMeaning::Vectors(error) = no_meaning else { return };
        let why = chain(error);
        tracing::warn!(error = why, "documents are searched by their words alone: {why}");
        if let VectorError::Server(error) = error {
            let vitals = self.vitals.load();
            vitals.increment("qdrant_error", error.class().as_str());
            vitals.failed(&vitals.qdrant, error.class());
        }
    }
}

/// What a question is to the index.
fn query(question: &Question, request: &SearchRequest) -> WordQuery {
    let term = |term: &words::Term| WordTerm {
        forms: term.forms.clone(),
        is_beginning: term.kind == TermKind::Single,
        may_be_similar: matches!(term.kind, TermKind::Word | TermKind::Name),
        parts: term.parts.clone(),
    };
    WordQuery {
        terms: question.terms.iter().map(term).collect(),
        phrases: question.phrases.clone(),
        sources: request.sources.clone(),
        limit: CANDIDATES,
    }
}

/// Whether two texts are known to be in two languages.
fn is_across(one: Option<Language>, other: Option<Language>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

/// What words found, best first: what has enough of the question, and what `is_near` to it. What only earlier questions
/// found must be worth it.
fn alone(scored: &Scored, is_near: impl Fn(PassageId) -> bool) -> Vec<(PassageId, f64)> {
    let found = || scored.iter().filter(|(_, score)| score.is_enough || score.is_earlier);
    let best = found().map(|(_, score)| score.sum).fold(0.0, f64::max);
    let mut all: Vec<(PassageId, f64)> = scored
        .iter()
        .filter(|(passage, score)| {
            let is_worth_it = score.is_earlier && score.sum >= best * WORTH;
            score.is_enough || is_worth_it || is_near(**passage)
        })
        .map(|(passage, score)| (*passage, score.sum))
        .collect();
    all.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    all
}

/// What both ways found.
fn together(
    known: &HashMap<PassageId, IndexedPassage>,
    scored: &Scored,
    near: &[(PassageId, f32)],
    language: Option<Language>,
    floor: Option<f32>,
) -> Vec<(PassageId, f64)> {
    let of = |passage: PassageId| Language::of_code(known.get(&passage)?.language.as_deref()?);
    let is_near = |cosine: f32| floor.is_none_or(|floor| cosine > floor);
    let nearest: HashSet<PassageId> =
        near.iter().filter(|(_, cosine)| is_near(*cosine)).map(|(passage, _)| *passage).collect();
    let by_words: Vec<ByWords> = alone(scored, |passage| nearest.contains(&passage))
        .into_iter()
        .map(|(passage, _)| ByWords { passage, is_across: is_across(language, of(passage)) })
        .collect();
    let found: HashSet<PassageId> = by_words.iter().map(|found| found.passage).collect();
    let by_meaning: Vec<PassageId> = near
        .iter()
        .map(|(passage, _)| *passage)
        .filter(|passage| nearest.contains(passage) || found.contains(passage))
        .collect();
    fused(&by_words, &by_meaning)
}

#[cfg(test)]
#[path = "../../tests/unit/search.rs"]
mod tests;
