//! Words that are written as one, such as the German "Paketverwaltung".
//!
//! Invariant: where a word can be taken apart is only a guess; whether the parts are words shows in the index.

use crate::fold::folded;
use crate::language::Language;
use crate::prepare::form;

/// A part has so many characters at least: what is shorter is mostly an ending.
const PART: usize = 4;

/// What may stand between two parts.
const LINKS: &[&str] = &["", "s", "es", "n", "en", "er", "e"];

/// The ways to take a word in lower case apart, the most even ones first: how passages may have the first part, and
/// the second.
pub(crate) fn parts(word: &str, language: Language) -> Vec<[Vec<String>; 2]> {
    let mut all: Vec<(usize, [Vec<String>; 2])> = Vec::new();
    if !language.joins_words() {
        return Vec::new();
    }
    let length = word.chars().count();
    for (at, (byte, _)) in word.char_indices().enumerate() {
        if at < PART || length - at < PART {
            continue;
        }
        let (first, second) = word.split_at(byte);
        let bare = LINKS.iter().filter_map(|link| first.strip_suffix(link));
        let firsts = bare.filter(|one| is_part(one, PART - 1, language));
        let firsts: Vec<String> = firsts.flat_map(|one| forms(one, language)).collect();
        if !firsts.is_empty() && is_part(second, PART, language) {
            all.push((at.min(length - at), [firsts, forms(second, language)]));
        }
    }
    all.sort_by_key(|(shorter, _)| usize::MAX - shorter);
    all.into_iter().map(|(_, parts)| parts).collect()
}

fn is_part(word: &str, least: usize, language: Language) -> bool {
    word.chars().count() >= least && !language.is_common(word)
}

fn forms(word: &str, language: Language) -> Vec<String> {
    let mut forms = vec![folded(word), form(word, Some(language))];
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(word: &str, code: &str) -> Vec<String> {
        let parts = parts(word, Language::of_code(code).unwrap());
        let one =
            |parts: &[Vec<String>; 2]| format!("{}+{}", parts[0].join("|"), parts[1].join("|"));
        parts.iter().map(one).collect()
    }

    #[test]
    fn a_compound_is_taken_apart_with_and_without_a_link() {
        let has = |word: &str, parts: &str| {
            let all = shown(word, "de");
            assert!(all.iter().any(|one| one == parts), "{word}: {all:?}");
        };
        has("paketverwaltung", "paket+verwaltung|verwalt");
        has("installationsdatei", "installations|installation|installation+datei");
        assert_eq!(shown("packagemanager", "en"), [""; 0]);
        assert_eq!(shown("pakete", "de"), [""; 0]);
    }
}
