//! One list of passages from what words found and what meaning found.
//!
//! Invariant: places count, not scores, because the two have no common measure. The weights are those that the
//! evaluation chose (`tests/retrieval`, the table in `docs/knowledge.md`).

use std::collections::HashMap;

use crate::store::PassageId;

/// How much the first places count for more than the next ones: smaller is more.
const DEPTH: f64 = 10.0;

/// What a place in the list of meaning counts.
const MEANING: f64 = 1.0;

/// What a place in the list of words counts. Between two languages, words that are the same are names and little
/// else.
const WORDS: f64 = 0.35;
const WORDS_ACROSS: f64 = 0.15;

/// A passage that words found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ByWords {
    pub(super) passage: PassageId,
    /// It is in another language than the question.
    pub(super) is_across: bool,
}

/// The fused list, best first, with the best possible score 1.
pub(super) fn fused(words: &[ByWords], meaning: &[PassageId]) -> Vec<(PassageId, f64)> {
    let mut scores: HashMap<PassageId, f64> = HashMap::new();
    let place = |place: usize| 1.0 / (DEPTH + place as f64);
    for (at, passage) in meaning.iter().enumerate() {
        *scores.entry(*passage).or_default() += MEANING * place(at);
    }
    for (at, found) in words.iter().enumerate() {
        let weight = if found.is_across { WORDS_ACROSS } else { WORDS };
        *scores.entry(found.passage).or_default() += weight * place(at);
    }
    let best = (MEANING + WORDS) * place(0);
    let mut all: Vec<(PassageId, f64)> =
        scores.into_iter().map(|(passage, score)| (passage, score / best)).collect();
    all.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ids: &[i64], is_across: bool) -> Vec<ByWords> {
        ids.iter().map(|id| ByWords { passage: PassageId(*id), is_across }).collect()
    }

    fn order(words: &[ByWords], meaning: &[i64]) -> Vec<i64> {
        let meaning: Vec<PassageId> = meaning.iter().copied().map(PassageId).collect();
        fused(words, &meaning).into_iter().map(|(passage, _)| passage.0).collect()
    }

    #[test]
    fn what_both_find_is_first_and_meaning_weighs_more() {
        assert_eq!(order(&words(&[3, 4], false), &[1, 2, 3]), [3, 1, 2, 4]);
        assert_eq!(order(&words(&[9], false), &[1, 2]), [1, 2, 9]);
        assert_eq!(order(&words(&[2, 1], false), &[]), [2, 1]);
    }

    #[test]
    fn between_languages_words_count_less() {
        assert_eq!(order(&words(&[5], false), &[1, 2, 3, 4, 5])[0], 5);
        assert_eq!(order(&words(&[5], true), &[1, 2, 3, 4, 5])[0], 1);
    }

    #[test]
    fn the_best_possible_score_is_one() {
        let all = fused(&words(&[1], false), &[PassageId(1)]);
        assert!((all[0].1 - 1.0).abs() < 1e-9);
    }
}
