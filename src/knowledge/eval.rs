//! How well questions find their passages: recall and rank over a file of questions.
//!
//! A line of the file is a JSON object: `question`, `language` (any label: figures are given for each), `earlier` (what
//! was asked before, the newest first) and `expect`, a list of places, each with `source` (a document, or a folder with
//! `/` at its end), `heading` and `text` (what the title or the text holds). Any of the places is a hit; without places,
//! nothing should be found.
//!
//! Invariant: the evaluation searches as an answer does, by the same way.

use serde::{Deserialize, Serialize};

use super::search::{Hits, SearchRequest, Searcher};
use crate::store::{IndexedPassage, StoreError};

/// Passages that are looked at for each question.
const DEPTH: usize = 10;

/// A question, and where its answer is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The question.
    pub question: String,
    /// Its kind: figures are given for each.
    #[serde(default)]
    pub language: String,
    /// What was asked before it, the newest first.
    #[serde(default)]
    pub earlier: Vec<String>,
    /// Where its answer is: in any of these places; without one, nothing should be found.
    #[serde(default)]
    pub expect: Vec<Place>,
}

/// A place in the documents. What is left out does not matter.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// A document's path, or the folder that it lies in, with `/` at its end.
    #[serde(default)]
    pub source: Option<String>,
    /// What its title holds.
    #[serde(default)]
    pub heading: Option<String>,
    /// What its text holds.
    #[serde(default)]
    pub text: Option<String>,
}

impl Place {
    fn has(&self, passage: &IndexedPassage) -> bool {
        let source = self.source.as_deref().is_none_or(|source| {
            let full = format!("{}/{}", passage.source, passage.path);
            let is_it = |path: &str| {
                if source.ends_with('/') { path.starts_with(source) } else { path == source }
            };
            is_it(&passage.path) || is_it(&full)
        });
        let holds = |wanted: &Option<String>, text: &str| {
            wanted
                .as_deref()
                .is_none_or(|wanted| text.to_lowercase().contains(&wanted.to_lowercase()))
        };
        source && holds(&self.heading, &passage.title) && holds(&self.text, &passage.text)
    }
}

/// Figures over the questions of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// The kind.
    pub language: String,
    /// Questions that have an answer.
    pub questions: usize,
    /// Of them, those with a hit first.
    pub hit_1: usize,
    /// With a hit among the first three.
    pub hit_3: usize,
    /// With a hit among the first five.
    pub hit_5: usize,
    /// With a hit among the first ten.
    pub hit_10: usize,
    /// The mean of 1 / the place of the first hit.
    pub mrr: f64,
    /// Questions that have no answer.
    pub unanswerable: usize,
    /// Of them, those for which nothing was found.
    pub nothing_found: usize,
    /// Searches in which vectors took part.
    pub by_vectors: usize,
}

impl Score {
    /// The share of questions with a hit among the first `k`: 1, 3, 5 or 10.
    pub fn recall(&self, k: usize) -> f64 {
        let hits = match k {
            0..=2 => self.hit_1,
            3..=4 => self.hit_3,
            5..=9 => self.hit_5,
            _ => self.hit_10,
        };
        hits as f64 / self.questions.max(1) as f64
    }

    /// The figures of all kinds together.
    pub fn total(scores: &[Self]) -> Self {
        let mut total = Self::default();
        for score in scores {
            total.questions += score.questions;
            total.hit_1 += score.hit_1;
            total.hit_3 += score.hit_3;
            total.hit_5 += score.hit_5;
            total.hit_10 += score.hit_10;
            total.mrr += score.mrr * score.questions as f64;
            total.unanswerable += score.unanswerable;
            total.nothing_found += score.nothing_found;
            total.by_vectors += score.by_vectors;
        }
        total.mrr /= total.questions.max(1) as f64;
        total
    }

    fn count(&mut self, case: &Case, hits: &Hits) {
        self.by_vectors += usize::from(hits.by_vectors);
        if case.expect.is_empty() {
            self.unanswerable += 1;
            self.nothing_found += usize::from(hits.passages.is_empty());
            return;
        }
        self.questions += 1;
        let is_hit = |passage: &IndexedPassage| case.expect.iter().any(|place| place.has(passage));
        let Some(place) = hits.passages.iter().position(|(passage, _)| is_hit(passage)) else {
            return;
        };
        self.hit_1 += usize::from(place < 1);
        self.hit_3 += usize::from(place < 3);
        self.hit_5 += usize::from(place < 5);
        self.hit_10 += 1;
        // A sum until the end.
        self.mrr += 1.0 / (place as f64 + 1.0);
    }
}

/// A file of questions that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A line is not a question.
    #[error("line {line} is not a question: {problem}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// Why.
        problem: String,
    },
    /// There is none.
    #[error("there are no questions in the file")]
    Empty,
    /// The index fails.
    #[error(transparent)]
    Index(#[from] StoreError),
}

/// Reads a file of questions, one JSON object a line.
///
/// # Errors
/// When a line is not one, or there is none.
pub fn cases(text: &str) -> Result<Vec<Case>, EvalError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let case = |(at, line): (usize, &str)| {
        let odd = |problem: String| EvalError::Line { line: at + 1, problem };
        let case: Case = serde_json::from_str(line).map_err(|e| odd(e.to_string()))?;
        if case.question.trim().is_empty() {
            return Err(odd("its question is empty".to_owned()));
        }
        // It would be anywhere.
        if case.expect.contains(&Place::default()) {
            return Err(odd("a place in expect needs source, heading or text".to_owned()));
        }
        Ok(case)
    };
    let cases: Vec<Case> = lines.map(case).collect::<Result<_, _>>()?;
    if cases.is_empty() { Err(EvalError::Empty) } else { Ok(cases) }
}

/// Searches for each question, and counts; one score a kind, in the order of the file.
///
/// # Errors
/// When the index fails.
pub async fn evaluate(
    searcher: &Searcher,
    cases: &[Case],
    generation: Option<i64>,
) -> Result<Vec<Score>, EvalError> {
    let mut scores: Vec<Score> = Vec::new();
    for case in cases {
        let request = SearchRequest {
            words: case.question.clone(),
            earlier: case.earlier.clone(),
            limit: DEPTH,
            generation,
            sources: None,
        };
        let hits = searcher.search(&request).await?;
        let at =
            scores.iter().position(|score| score.language == case.language).unwrap_or_else(|| {
                scores.push(Score { language: case.language.clone(), ..Score::default() });
                scores.len() - 1
            });
        scores[at].count(case, &hits);
    }
    for score in &mut scores {
        score.mrr /= score.questions.max(1) as f64;
    }
    Ok(scores)
}
