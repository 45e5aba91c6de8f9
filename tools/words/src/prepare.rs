//! A passage as the words that it is found by.
//!
//! Invariant: what a passage holds, a question that repeats it asks for: both go the same way.

use std::collections::HashSet;

use crate::fold::folded;
use crate::language::Language;
use crate::tokens::{Token, tokens};

/// The words of a title and a text, each separated by one space, in lower case and without accents. Words are
/// stems of the language; names stand whole and in parts; scripts without spaces are pairs of characters.
pub fn prepared(title: &str, text: &str, language: Option<Language>) -> (String, String) {
    (words(title, language).join(" "), words(text, language).join(" "))
}

/// Which of these words, as [`prepared`] writes them, are in a text. Stemming takes most of the time, so words that
/// begin otherwise are not stemmed.
pub fn present<'a>(
    wanted: &HashSet<&'a str>,
    text: &str,
    language: Option<Language>,
) -> HashSet<&'a str> {
    let beginnings: HashSet<char> = wanted.iter().filter_map(|word| word.chars().next()).collect();
    let keeps_beginnings = language.is_none_or(Language::keeps_beginnings);
    let may_be = |word: &str| {
        let first = word.chars().next().map(|first| folded(first.encode_utf8(&mut [0; 4])));
        let first = first.and_then(|first| first.chars().next());
        !keeps_beginnings || first.is_none_or(|first| beginnings.contains(&first))
    };
    let mut found = HashSet::new();
    let mut take = |word: &str| found.extend(wanted.get(word).copied());
    for token in tokens(text) {
        match token {
            Token::Word { word, .. } if may_be(&word) => take(&form(&word, language)),
            Token::Word { .. } => {}
            Token::Whole(whole) => take(&folded(&whole)),
            Token::Run(run) => {
                let mut words = Vec::new();
                pairs(&run, &mut words);
                words.iter().for_each(|word| take(word));
            }
        }
    }
    found
}

/// The same as a list.
pub(crate) fn words(text: &str, language: Option<Language>) -> Vec<String> {
    let mut words = Vec::new();
    for token in tokens(text) {
        match token {
            Token::Word { word, .. } => words.push(form(&word, language)),
            Token::Whole(whole) => words.push(folded(&whole)),
            Token::Run(run) => pairs(&run, &mut words),
        }
    }
    words
}

/// How a word is written in the index.
pub(crate) fn form(word: &str, language: Option<Language>) -> String {
    folded(&language.map_or_else(|| word.to_owned(), |language| language.stem(word)))
}

/// Each character with the next one, and the last alone, so that a single one is found as a beginning.
fn pairs(run: &[char], words: &mut Vec<String>) {
    words.extend(run.windows(2).map(String::from_iter));
    words.extend(run.last().map(char::to_string));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_becomes_stems_names_and_pairs() {
        let english = Some(Language::ENGLISH);
        let (title, text) = prepared("Installing Packages", "Run `apt-get` twice.", english);
        assert_eq!(title, "instal packag");
        assert_eq!(text, "run apt get aptget twice");
        let (_, text) = prepared("", "退货期限", Language::of_code("zh"));
        assert_eq!(text, "退货 货期 期限 限");
        let (_, text) = prepared("", "Größere Häuser", Language::of_code("de"));
        assert_eq!(text, "gross haus");
    }

    #[test]
    fn a_text_of_no_known_language_keeps_its_words() {
        assert_eq!(prepared("", "Zażółć gęślą jaźń", None).1, "zazolc gesla jazn");
    }
}
