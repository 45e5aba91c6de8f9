//! Texts and questions as the words that a search compares.
//!
//! | module | in one sentence |
//! |---|---|
//! | `script` | which script a character belongs to |
//! | [`mod@language`] | which language a text is in, its stems and its commonest words |
//! | `fold` | letters without accents |
//! | `compound` | where words that are written as one can be taken apart |
//! | `tokens` | words, names made of several, runs of characters without spaces |
//! | [`prepare`] | a passage as the words that it is found by |
//! | [`question`] | a question as what is searched for |
//!
//! Plain functions and values, the same on both sides of a search; bump [`VERSION`] when a passage's words change.
//! The only dependency is `rust-stemmers`, the algorithms of Snowball.

mod compound;
mod fold;
pub mod language;
pub mod prepare;
pub mod question;
mod script;
mod tokens;

pub use language::Language;
pub use prepare::{prepared, present};
pub use question::{Question, Term, TermKind};

/// What passages were prepared by: an index of another version is made again.
pub const VERSION: u32 = 2;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_becomes_plain_words(text in "\\PC{0,80}") {
            let language = Language::of(&text);
            let (title, body) = prepared(&text, &text, language);
            prop_assert_eq!(&title, &body);
            for word in body.split(' ').filter(|word| !word.is_empty()) {
                prop_assert!(word.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric()), "{}", word);
            }
            let question = Question::read(&text, &[Language::ENGLISH]);
            prop_assert!(question.terms.iter().all(|term| !term.forms.is_empty()));
        }

        #[test]
        fn what_is_present_is_what_was_prepared(
            text in "[a-zA-ZäöüßÉœйё退货期限 .,_/-]{0,80}",
            code in "ar|da|de|el|en|es|fi|fr|hu|it|nb|nl|pt|ro|ru|sv|ta|tr|xx",
        ) {
            let language = Language::of_code(&code);
            let (_, body) = prepared("", &text, language);
            let words: HashSet<&str> = body.split(' ').filter(|word| !word.is_empty()).collect();
            let wanted: HashSet<&str> = words.iter().copied().step_by(2).chain(["zebra"]).collect();
            let expected: HashSet<&str> = wanted.intersection(&words).copied().collect();
            prop_assert_eq!(present(&wanted, &text, language), expected);
        }

        #[test]
        fn a_passage_that_repeats_a_question_has_each_of_its_terms(text in "[a-zA-Zäöüß退货期限คืน .,_/-]{0,60}") {
            let language = Language::of(&text);
            let (_, body) = prepared("", &text, language);
            let words: Vec<&str> = body.split(' ').collect();
            for term in Question::read(&text, &language.into_iter().collect::<Vec<_>>()).terms {
                let single = |word: &&str| term.kind == TermKind::Single && word.starts_with(&term.plain);
                let has = words.iter().any(|word| single(word) || term.forms.iter().any(|form| form == word));
                prop_assert!(has, "{:?} is not in {:?}", term, words);
            }
        }
    }
}
