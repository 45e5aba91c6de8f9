//! Which documents an answer rests on.
//!
//! Invariant: this is judged by what was found and what was written, never by what a model claims.

use std::collections::HashSet;

use crate::model::conversation::Passage;

/// An answer rests on passages with at least this much of the best one's relevance.
const CITED: f64 = 0.5;

/// Files named below one answer.
const SOURCES: usize = 3;

/// A line that names the files which an answer rests on; `None` when it rests on none.
pub(super) fn sources(passages: &[Passage], answer: &str) -> Option<String> {
    let best = passages.iter().map(|passage| passage.score).fold(0.0, f64::max);
    let answer = words(answer);
    let mut names: Vec<&str> = Vec::new();
    for passage in passages.iter().filter(|passage| passage.score >= best * CITED) {
        let text = words(&format!("{} {}", passage.title, passage.text));
        let name = passage.source.as_str();
        if !names.contains(&name) && names.len() < SOURCES && !answer.is_disjoint(&text) {
            names.push(name);
        }
    }
    let label = if names.len() == 1 { "Source" } else { "Sources" };
    let names: Vec<String> =
        names.iter().map(|name| format!("`{}`", name.replace('`', "'"))).collect();
    (!names.is_empty()).then(|| format!("{label}: {}", names.join(", ")))
}

/// Words that say nothing about what a text is about, of those with five letters and more.
const COMMON: &[&str] = &[
    "about",
    "above",
    "after",
    "again",
    "answer",
    "because",
    "before",
    "being",
    "below",
    "between",
    "could",
    "document",
    "documents",
    "doing",
    "during",
    "found",
    "further",
    "having",
    "information",
    "mention",
    "other",
    "please",
    "question",
    "should",
    "sorry",
    "source",
    "their",
    "there",
    "these",
    "thing",
    "things",
    "those",
    "through",
    "under",
    "until",
    "where",
    "which",
    "while",
    "would",
];

/// The words of a text by which two texts are compared: their beginnings, so that forms of a word are
/// alike; numbers; and pairs of letters where words are not written apart.
fn words(text: &str) -> HashSet<String> {
    /// Letters of a word that count.
    const BEGINNING: usize = 6;
    let mut words = HashSet::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        let letters: Vec<char> = word.chars().collect();
        let is_apart = letters.iter().all(|c| u32::from(*c) < 0x2e80);
        let is_number = letters.iter().any(char::is_ascii_digit) && letters.len() > 1;
        if !is_apart {
            words.extend(letters.windows(2).map(String::from_iter));
        } else if is_number || (letters.len() >= 5 && !COMMON.contains(&word.as_str())) {
            words.insert(letters.into_iter().take(BEGINNING).collect());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(source: &str, text: &str, score: f64) -> Passage {
        Passage { source: source.into(), text: text.into(), score, ..Passage::default() }
    }

    #[test]
    fn only_what_an_answer_rests_on_is_named() {
        let tower = passage("lighthouse.md", "The keeper paints the tower every spring.", 4.0);
        let harbour = passage("har`bour.md", "The crane was sold to the keeper in 1931.", 3.0);
        let far = passage("far.md", "The tower of another keeper.", 1.0);
        let all = [tower.clone(), harbour, far];
        let cited = |answer: &str| sources(&all, answer);
        assert_eq!(
            cited("In spring, by its keeper."),
            Some("Sources: `lighthouse.md`, `har'bour.md`".into())
        );
        assert_eq!(cited("It is painted in spring."), Some("Source: `lighthouse.md`".into()));
        assert_eq!(cited("It was sold in 1931."), Some("Source: `har'bour.md`".into()));
        assert_eq!(cited("Sorry, I do not know; there is nothing about that."), None);
        assert_eq!(
            sources(&[tower.clone(), tower], "paints"),
            Some("Source: `lighthouse.md`".into())
        );
        let east = passage("灯台.md", "灯台守は毎年春に塔を塗ります。", 2.0);
        assert_eq!(sources(&[east], "毎年春です。"), Some("Source: `灯台.md`".into()));
        assert_eq!(sources(&[], "anything"), None);
    }
}
