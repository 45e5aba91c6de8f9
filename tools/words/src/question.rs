//! A question as what is searched for.
//!
//! Invariant: a question is never a query's syntax: it becomes words, and each of them is plain.

use crate::compound::parts;
use crate::fold::folded;
use crate::language::{self, Language};
use crate::prepare::{form, words};
use crate::tokens::{Token, tokens};

/// Terms of a question that are searched for at most.
const TERMS: usize = 48;

/// Words of a quoted phrase at least; fewer are terms like others.
const PHRASE_WORDS: usize = 2;

/// What is searched for: a passage counts that has any of its forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// How it is written in the question, in lower case and without accents.
    pub plain: String,
    /// How passages may have it: by language, and plain.
    pub forms: Vec<String>,
    /// What it is.
    pub kind: TermKind,
    /// Where it may be taken apart: how passages may have the first part, and the second.
    pub parts: Vec<[Vec<String>; 2]>,
}

/// What a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermKind {
    /// A word of a language.
    Word,
    /// A name: joined words, digits, capitals. It is the same in all languages.
    Name,
    /// A character that stands alone; passages have it as the beginning of a pair.
    Single,
    /// A pair of characters of a script without spaces.
    Pair,
}

/// A question, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// What it is written in.
    pub language: Option<Language>,
    /// What is searched for, without the words that are common everywhere.
    pub terms: Vec<Term>,
    /// What is quoted, word by word, as each language has it.
    pub phrases: Vec<Vec<String>>,
}

impl Question {
    /// Reads a question to documents of these languages.
    pub fn read(text: &str, documents: &[Language]) -> Self {
        let language = Language::of(text);
        let mut stems: Vec<Language> =
            documents.iter().copied().filter(|one| one.has_stems()).collect();
        stems.extend(language.filter(|one| one.has_stems()));
        stems.sort();
        stems.dedup();
        let mut question = Self { language, ..Self::default() };
        for token in tokens(text) {
            question.take(token, &stems);
        }
        if question.terms.is_empty() {
            // All of it is common: then that is what was asked.
            for token in tokens(text) {
                question.keep(token, &stems);
            }
        }
        for quoted in quoted(text) {
            question.phrase(quoted, &stems);
        }
        question
    }

    fn take(&mut self, token: Token, stems: &[Language]) {
        let common = match (&token, self.language) {
            (Token::Word { is_name: true, .. } | Token::Whole(_) | Token::Run(_), _) => false,
            (Token::Word { word, .. }, Some(language)) => {
                language.is_common(word) || word.chars().count() < 2
            }
            (Token::Word { word, .. }, None) => language::is_common_in(word, stems),
        };
        if !common {
            self.keep(token, stems);
        }
    }

    fn keep(&mut self, token: Token, stems: &[Language]) {
        match token {
            Token::Word { word, is_name } => {
                let plain = folded(&word);
                let forms = stems.iter().map(|language| form(&word, Some(*language)));
                let forms = [plain.clone()].into_iter().chain(forms).collect();
                let kind = if is_name { TermKind::Name } else { TermKind::Word };
                let is_one = |one: &&Language| self.language.is_none_or(|mine| mine == **one);
                let joining = stems.iter().filter(|_| !is_name).filter(is_one);
                let parts = joining.flat_map(|language| parts(&word, *language)).collect();
                self.add(Term { plain, forms, kind, parts });
            }
            Token::Whole(whole) => self.plain(folded(&whole), TermKind::Name),
            Token::Run(run) if run.len() == 1 => {
                self.plain(String::from_iter(run), TermKind::Single)
            }
            Token::Run(run) => {
                // Pairs of kana alone are mostly grammar: "です", "ます", "から".
                let pairs: Vec<String> = run.windows(2).map(String::from_iter).collect();
                let is_telling = |pair: &&String| !language::is_common_in(pair, &[]);
                pairs
                    .iter()
                    .filter(is_telling)
                    .for_each(|pair| self.plain(pair.clone(), TermKind::Pair));
            }
        }
    }

    fn plain(&mut self, plain: String, kind: TermKind) {
        self.add(Term { forms: vec![plain.clone()], plain, kind, parts: Vec::new() });
    }

    fn add(&mut self, mut term: Term) {
        term.forms.retain(|form| !form.is_empty());
        term.forms.sort();
        term.forms.dedup();
        let is_known = self.terms.iter().any(|known| known.plain == term.plain);
        if !is_known && !term.forms.is_empty() && self.terms.len() < TERMS {
            self.terms.push(term);
        }
    }

    fn phrase(&mut self, quoted: &str, stems: &[Language]) {
        let mut languages: Vec<Option<Language>> = stems.iter().copied().map(Some).collect();
        languages.push(None);
        for language in languages {
            let phrase = words(quoted, language);
            if phrase.len() >= PHRASE_WORDS
                && phrase.len() <= TERMS
                && !self.phrases.contains(&phrase)
            {
                self.phrases.push(phrase);
            }
        }
    }
}

/// What stands between quotation marks.
fn quoted(text: &str) -> Vec<&str> {
    const MARKS: &[(char, char)] = &[
        ('"', '"'),
        ('“', '”'),
        ('„', '“'),
        ('«', '»'),
        ('»', '«'),
        ('「', '」'),
        ('『', '』'),
        ('`', '`'),
    ];
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c| MARKS.iter().any(|(open, _)| *open == c)) {
        let open = rest[start..].chars().next().unwrap_or_default();
        let inside = &rest[start + open.len_utf8()..];
        let closes = |c: char| MARKS.iter().any(|(one, close)| *one == open && *close == c);
        let Some(end) = inside.find(closes) else {
            rest = inside;
            continue;
        };
        found.push(&inside[..end]);
        let close = inside[end..].chars().next().map_or(1, char::len_utf8);
        rest = &inside[end + close..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        let terms = Question::read(text, &[Language::ENGLISH]).terms;
        terms.into_iter().map(|term| term.plain).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn common_words_are_left_out_unless_there_is_nothing_else() {
        assert_eq!(plain("How do I get a token?"), "token");
        assert_eq!(plain("Wie bekomme ich ein Token?"), "token");
        assert_eq!(plain("dpkg"), "dpkg");
        assert_eq!(plain("What is it?"), "what is it");
        assert_eq!(plain("What is IT?"), "it");
        assert_eq!(plain("?!"), "");
    }

    #[test]
    fn a_word_is_searched_for_as_each_language_has_it() {
        let documents = [Language::ENGLISH, Language::of_code("de").unwrap()];
        let question = Question::read("Where are the packages?", &documents);
        assert_eq!(question.terms[0].forms, ["packag", "packages"]);
        assert_eq!(question.language, Some(Language::ENGLISH));
    }

    #[test]
    fn a_word_is_taken_apart_in_its_own_language() {
        let documents = [Language::ENGLISH, Language::of_code("de").unwrap()];
        let parts = |text: &str| Question::read(text, &documents).terms.pop().unwrap().parts;
        let second = ["verwaltung".to_owned(), "verwalt".into()];
        assert!(parts("Wer macht die Paketverwaltung?").iter().any(|both| both[1] == second));
        assert!(parts("Where is the packagemanager?").is_empty());
        assert!(parts("Was ist die BUNDESREPUBLIK?").is_empty(), "a name");
    }

    #[test]
    fn names_are_searched_for_in_all_languages() {
        let question = Question::read("Wozu dient knowledge.dir?", &[Language::ENGLISH]);
        let name = question.terms.iter().find(|term| term.plain == "knowledgedir").unwrap();
        assert_eq!(name.kind, TermKind::Name);
    }

    #[test]
    fn what_is_quoted_is_a_phrase() {
        let english = [Language::ENGLISH];
        let phrases = |text: &str| Question::read(text, &english).phrases;
        let both = [vec!["not".to_owned(), "modifi".into()], vec!["not".into(), "modified".into()]];
        assert_eq!(phrases("Why \"not modified\"?"), both);
        assert_eq!(phrases("Was heißt „not modified“?").last(), Some(&both[1]));
        assert!(phrases("It\"s \"open").is_empty() && phrases("a \"word\"").is_empty());
    }

    #[test]
    fn scripts_without_spaces_become_pairs() {
        let terms = Question::read("退货期限是多少天？", &[]).terms;
        assert!(terms.iter().any(|term| term.plain == "期限" && term.kind == TermKind::Pair));
        let terms = Question::read("税 は?", &[]).terms;
        assert_eq!(terms[0].kind, TermKind::Single);
    }
}
