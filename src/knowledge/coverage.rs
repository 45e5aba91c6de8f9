//! How much of a question a passage has.
//!
//! Invariant: rare words count for more, by how many passages have them; a word that no passage has counts most,
//! because what was asked for is not there.

use std::collections::HashSet;

use words::{Language, prepared, present};

use crate::store::{Likeness, TakenFor};

/// A pair of characters that no passage has is more often grammar, or across two words, than a thing asked for.
const MISSING_PAIR: f64 = 0.2;

/// What is only a part of a word that was asked for, or is written nearly so, may be about something else.
const ALIKE: f64 = 0.5;

/// A question's words as the index has them, weighed.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    terms: &'a [TakenFor],
    /// What each of them counts where a passage has it.
    weights: Vec<f64>,
    sum: f64,
}

impl<'a> Asked<'a> {
    /// The words of a question over so many passages. `is_pair` says which of them are pairs of characters.
    pub(super) fn new(terms: &'a [TakenFor], is_pair: impl Fn(usize) -> bool, of: u64) -> Self {
        let of = of as f64;
        let (mut weights, mut sum) = (Vec::with_capacity(terms.len()), 0.0);
        for term in terms {
            let has = term.passages as f64;
            let mut weight = (1.0 + (of - has + 0.5).max(0.0) / (has + 0.5)).ln();
            if term.words.is_empty() && is_pair(term.term) {
                weight *= MISSING_PAIR;
            }
            let alike = if term.likeness == Likeness::Same { 1.0 } else { ALIKE };
            // Two parts are one word; one that is nearly there is missing by half.
            sum += if term.likeness == Likeness::Part { weight * ALIKE } else { weight };
            weights.push(weight * alike);
        }
        Self { terms, weights, sum }
    }

    /// The share of the question that a passage has, from 0 to 1.
    pub(super) fn covered_by(&self, title: &str, text: &str, language: Option<Language>) -> f64 {
        let words = self.terms.iter().flat_map(|term| &term.words);
        let wanted: HashSet<&str> = words.map(String::as_str).collect();
        let mut there = present(&wanted, text, language);
        there.extend(present(&wanted, title, language));
        let has = |term: &TakenFor| term.words.iter().any(|word| there.contains(word.as_str()));
        let weights = self.terms.iter().zip(&self.weights);
        let covered: f64 = weights.filter(|(term, _)| has(term)).map(|(_, weight)| weight).sum();
        if self.sum > 0.0 { covered / self.sum } else { 0.0 }
    }
}

/// How alike a title and a question are, from 0 to 1: of the words of either, those that both have, common ones
/// included, because a title may be the question itself.
pub(super) fn likeness(title: &str, question: &str, language: Option<Language>) -> f64 {
    let (title, question) = prepared(title, question, language);
    let words = |text| str::split_ascii_whitespace(text).collect::<HashSet<&str>>();
    let (title, question) = (words(&title), words(&question));
    let all = title.union(&question).count();
    title.intersection(&question).count() as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(word: &str, passages: u64) -> TakenFor {
        let words = if passages > 0 { vec![word.to_owned()] } else { Vec::new() };
        TakenFor { words, passages, ..TakenFor::default() }
    }

    #[test]
    fn rare_words_count_for_more_and_missing_ones_most() {
        let terms = [taken("debian", 900), taken("lilo", 3), taken("zebra", 0)];
        let asked = Asked::new(&terms, |_| false, 1000);
        let covered = |text: &str| asked.covered_by("", text, Some(Language::ENGLISH));
        assert!(covered("About Debian.") < 0.1);
        assert!((0.35..0.5).contains(&covered("About LILO.")), "{}", covered("About LILO."));
        assert_eq!(covered("Nothing."), 0.0);
        assert!(
            (Asked::new(&terms[..2], |_| false, 1000).covered_by("LILO", "on Debian", None) - 1.0)
                .abs()
                < 1e-9
        );
        let pair = TakenFor { term: 2, ..terms[2].clone() };
        let terms = [terms[0].clone(), terms[1].clone(), pair];
        let pairs = Asked::new(&terms, |at| at == 2, 1000).covered_by("", "LILO", None);
        assert!(pairs > covered("LILO"), "{pairs}");
        assert_eq!(Asked::new(&[], |_| false, 1000).covered_by("", "text", None), 0.0);
    }

    #[test]
    fn a_title_that_is_the_question_is_most_like_it() {
        let like = |title: &str| likeness(title, "What is this FAQ?", Some(Language::ENGLISH));
        assert_eq!((like("What is this FAQ?"), like(""), like("Zebra")), (1.0, 0.0, 0.0));
        assert!(like("FAQ") > 0.0 && like("FAQ") < like("This FAQ"));
    }

    #[test]
    fn what_is_only_alike_counts_half_and_all_parts_count_as_the_word() {
        let alike = |likeness| TakenFor { likeness, ..taken("lilo", 3) };
        let near = [alike(Likeness::Near)];
        let covered = Asked::new(&near, |_| false, 1000).covered_by("", "LILO", None);
        assert!((covered - 0.5).abs() < 1e-9, "{covered}");
        let parts = [
            alike(Likeness::Part),
            TakenFor { words: vec!["grub".into()], ..alike(Likeness::Part) },
        ];
        let asked = Asked::new(&parts, |_| false, 1000);
        assert!((asked.covered_by("", "LILO and GRUB", None) - 1.0).abs() < 1e-9);
        assert!((asked.covered_by("", "LILO", None) - 0.5).abs() < 1e-9);
    }
}
