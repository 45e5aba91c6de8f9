//! Whether one text says what another one says, as far as their words show it.
//!
//! Invariant: words of two languages are never compared: across languages, only numbers, code and names are.

use std::collections::HashSet;

pub(super) use words::Language;

/// A claim needs this share of its words in what it rests on.
const SHARE: f64 = 0.5;

/// Quotations of fewer words, and of fewer characters in scripts without spaces, are names or ironies.
const QUOTED_WORDS: usize = 3;
const QUOTED_CHARS: usize = 6;

/// A text that claims are compared with.
pub(super) struct Material {
    language: Option<Language>,
    words: HashSet<String>,
    flat: String,
    numbers: HashSet<String>,
}

impl Material {
    pub(super) fn of(text: &str) -> Self {
        let language = Language::of(text);
        let words = words(text, language).into_iter().collect();
        Self { language, words, flat: flat(text), numbers: numbers(text).collect() }
    }

    /// Whether a text has a word of this one.
    pub(super) fn shares_a_word_with(&self, text: &str) -> bool {
        let language = Language::of(text).or(self.language);
        content(text, language).iter().any(|word| self.words.contains(word))
    }

    fn has(&self, text: &str) -> bool {
        self.flat.contains(&flat(text))
    }
}

/// What a sentence claims.
pub(super) struct Claimed {
    language: Option<Language>,
    words: Vec<String>,
    numbers: Vec<String>,
    quotes: Vec<String>,
    names: Vec<String>,
}

impl Claimed {
    /// `language`: that of the whole answer.
    pub(super) fn of(text: &str, language: Option<Language>) -> Self {
        let text = without_marker(text);
        let (numbers, names) = (numbers(text).collect(), names(text));
        Self { language, words: content(text, language), numbers, quotes: quotes(text), names }
    }

    /// Words that say something.
    pub(super) fn size(&self) -> usize {
        self.words.len() + self.numbers.len()
    }

    /// Whether a text says it.
    pub(super) fn stands_in(&self, material: &Material) -> bool {
        let has_numbers = self.numbers.iter().all(|number| material.numbers.contains(number));
        if !has_numbers || !self.quotes.iter().all(|quote| material.has(quote)) {
            return false;
        }
        let is_foreign = matches!((self.language, material.language), (Some(a), Some(b)) if a != b);
        if is_foreign {
            return self.names.iter().all(|name| material.has(name));
        }
        let found = self.words.iter().filter(|word| material.words.contains(*word)).count();
        let is_bare = self.words.is_empty() && self.numbers.is_empty();
        !is_bare && found as f64 >= self.words.len() as f64 * SHARE
    }
}

/// The words of a text as they are compared.
fn words(text: &str, language: Option<Language>) -> Vec<String> {
    let (_, words) = words::prepared("", text, language);
    words.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The words of a text that say something, each once.
fn content(text: &str, language: Option<Language>) -> Vec<String> {
    let is_common = |word: &str| {
        let language = language.unwrap_or(Language::ENGLISH);
        let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        word.is_empty() || language.is_common(&word) || FILLERS.contains(&word.as_str())
    };
    let said: Vec<&str> = text.split_whitespace().filter(|word| !is_common(word)).collect();
    let mut seen = HashSet::new();
    let mut words = words(&said.join(" "), language);
    // The last character of a run stands alone beside the pairs.
    words.retain(|word| {
        word.len() > 1 && word.chars().nth(1).is_some() && seen.insert(word.clone())
    });
    words
}

/// What answers are filled with, which no document has to have.
const FILLERS: &[&str] = &[
    "according",
    "also",
    "answer",
    "document",
    "documents",
    "hence",
    "however",
    "note",
    "please",
    "says",
    "sorry",
    "source",
    "sources",
    "states",
    "thus",
    "yes",
];

/// Numbers of two digits or more, without what groups their digits.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '\u{202f}' | '\'');
    let digits = |run: &str| run.chars().filter(char::is_ascii_digit).collect::<String>();
    text.split(move |c| !is_of_number(c)).map(digits).filter(|digits| digits.len() > 1)
}

/// A line of a list without its bullet or number.
fn without_marker(text: &str) -> &str {
    let line = text.trim_start();
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    match digits.strip_prefix(['.', ')']) {
        Some(rest) if digits.len() < line.len() && rest.starts_with(' ') => rest,
        _ => line.trim_start_matches(['-', '*', '+', '•', '|', '#', '>', ' ']),
    }
}

/// Code, and words that are written as names are.
fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (place, piece) in text.split('`').enumerate() {
        if place % 2 == 1 {
            names.push(piece.to_owned());
            continue;
        }
        let is_name = |word: &&str| {
            let has = |which: fn(char) -> bool| word.chars().any(which);
            has(|c| c.is_ascii_alphabetic())
                && has(|c| c.is_ascii_digit() || matches!(c, '_' | '/'))
        };
        let words = piece.split(|c: char| {
            c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '[' | ']' | '"')
        });
        let words =
            words.map(|word| word.trim_matches(|c: char| matches!(c, '.' | ':' | '!' | '?' | '*')));
        names.extend(words.filter(is_name).map(str::to_owned));
    }
    names.retain(|name| !flat(name).is_empty());
    names
}

/// What stands between quotation marks, in pieces where something was left out.
fn quotes(text: &str) -> Vec<String> {
    const PAIRS: [(char, char); 6] =
        [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('»', '«'), ('「', '」')];
    let mut quotes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c| PAIRS.iter().any(|(open, _)| *open == c)) {
        let open = rest[at..].chars().next().unwrap_or('"');
        let inner = &rest[at + open.len_utf8()..];
        let closes = |c| PAIRS.contains(&(open, c)) || (open == '„' && matches!(c, '”' | '"'));
        let Some(end) = inner.find(closes) else { break };
        let pieces = inner[..end].replace("...", "…");
        quotes.extend(pieces.split('…').filter(|piece| is_quote(piece)).map(str::to_owned));
        rest = &inner[end..];
        rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
    }
    quotes
}

fn is_quote(piece: &str) -> bool {
    let is_spaced = piece.chars().filter(|c| c.is_alphabetic()).all(|c| u32::from(c) < 0x2e80);
    let words = piece.split_whitespace().count();
    if is_spaced { words >= QUOTED_WORDS } else { piece.chars().count() >= QUOTED_CHARS }
}

/// A text as it is compared letter by letter: without marks of Markdown, case, line breaks and forms of quotation
/// marks.
fn flat(text: &str) -> String {
    let mut flat = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars().filter(|c| !matches!(c, '*' | '`' | '\\')) {
        if c.is_whitespace() {
            gap = !flat.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            flat.push(' ');
        }
        match c {
            '’' | '‘' => flat.push('\''),
            '“' | '”' | '„' => flat.push('"'),
            '–' | '—' | '‑' => flat.push('-'),
            c => flat.extend(c.to_lowercase()),
        }
    }
    let is_edge = |c: char| matches!(c, '.' | ',' | ';' | ' ');
    flat.trim_matches(is_edge).to_owned()
}
