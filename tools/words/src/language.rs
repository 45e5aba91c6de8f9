//! Which language a text is written in, by its script and its commonest words.
//!
//! Invariant: a language that is not known for sure is `None`; then words are compared as they are written.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use rust_stemmers::{Algorithm, Stemmer};

use crate::script::Script;

/// A line a language: its code and its commonest words, which distinguish no passage from another.
const STOP_WORDS: &str = include_str!("stop_words.txt");

/// Words that are looked at for the language of a text.
const LOOKED_AT: usize = 400;

/// A language needs this much more than the next one.
const MARGIN: f64 = 1.15;

/// A language, by its code of two letters (ISO 639-1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(&'static str);

impl Language {
    /// English, which is the language of most names.
    pub const ENGLISH: Self = Self("en");

    /// The language of a code, if it is one that is known here.
    pub fn of_code(code: &str) -> Option<Self> {
        let known = common().languages.iter().find(|language| language.0 == code);
        known.copied().or_else(|| {
            ["he", "km", "lo", "my", "th"].into_iter().find(|one| *one == code).map(Self)
        })
    }

    /// Two letters.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// What a text is written in. A few words are enough if they are common ones.
    pub fn of(text: &str) -> Option<Self> {
        let (script, has_kana) = Script::of_text(text);
        match script? {
            Script::Han if has_kana => Some(Self("ja")),
            Script::Kana => Some(Self("ja")),
            Script::Han => Some(Self("zh")),
            Script::Hangul => Some(Self("ko")),
            Script::Thai => Some(Self("th")),
            Script::Lao => Some(Self("lo")),
            Script::Khmer => Some(Self("km")),
            Script::Myanmar => Some(Self("my")),
            Script::Greek => Some(Self("el")),
            Script::Hebrew => Some(Self("he")),
            Script::Tamil => Some(Self("ta")),
            Script::Latin | Script::Cyrillic | Script::Arabic | Script::Devanagari => {
                by_words(text)
            }
            Script::Other => None,
        }
    }

    /// Whether a word is so common in this language that it distinguishes nothing.
    pub fn is_common(self, word: &str) -> bool {
        common().words.get(word).is_some_and(|languages| languages.contains(&self))
    }

    /// The stem of a word in lower case; the word itself where none is known.
    pub fn stem(self, word: &str) -> String {
        match self.algorithm() {
            Some(algorithm) => Stemmer::create(algorithm).stem(word).into_owned(),
            None => word.to_owned(),
        }
    }

    /// Whether words of this language have stems here.
    pub fn has_stems(self) -> bool {
        self.algorithm().is_some()
    }

    /// Whether a stem begins as its word does.
    pub(crate) fn keeps_beginnings(self) -> bool {
        !matches!(self.0, "ar" | "ta")
    }

    /// Whether words of this language are written together to make another.
    pub(crate) fn joins_words(self) -> bool {
        matches!(self.0, "da" | "de" | "fi" | "hu" | "nb" | "nl" | "sv")
    }

    fn algorithm(self) -> Option<Algorithm> {
        Some(match self.0 {
            "ar" => Algorithm::Arabic,
            "da" => Algorithm::Danish,
            "de" => Algorithm::German,
            "el" => Algorithm::Greek,
            "en" => Algorithm::English,
            "es" => Algorithm::Spanish,
            "fi" => Algorithm::Finnish,
            "fr" => Algorithm::French,
            "hu" => Algorithm::Hungarian,
            "it" => Algorithm::Italian,
            "nb" => Algorithm::Norwegian,
            "nl" => Algorithm::Dutch,
            "pt" => Algorithm::Portuguese,
            "ro" => Algorithm::Romanian,
            "ru" => Algorithm::Russian,
            "sv" => Algorithm::Swedish,
            "ta" => Algorithm::Tamil,
            "tr" => Algorithm::Turkish,
            _ => return None,
        })
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

struct Common {
    languages: Vec<Language>,
    words: HashMap<&'static str, Vec<Language>>,
}

fn common() -> &'static Common {
    static COMMON: OnceLock<Common> = OnceLock::new();
    COMMON.get_or_init(|| {
        let mut common = Common { languages: Vec::new(), words: HashMap::new() };
        for line in STOP_WORDS.lines() {
            let mut words = line.split(' ');
            let language = Language(words.next().unwrap_or_default());
            common.languages.push(language);
            for word in words {
                let languages = common.words.entry(word).or_default();
                if !languages.contains(&language) {
                    languages.push(language);
                }
            }
        }
        common
    })
}

/// Whether a word is a common one in any of the languages, or in any at all when none is given.
pub(crate) fn is_common_in(word: &str, languages: &[Language]) -> bool {
    let of = common().words.get(word);
    of.is_some_and(|of| languages.is_empty() || of.iter().any(|one| languages.contains(one)))
}

fn by_words(text: &str) -> Option<Language> {
    let mut scores: HashMap<Language, f64> = HashMap::new();
    // At spaces alone: the "get" of "apt-get" says nothing.
    let outside = |c: char| !c.is_alphanumeric() && !crate::script::is_mark(c);
    let words = text.split_whitespace().map(|word| word.trim_matches(outside));
    for word in words.filter(|word| !word.is_empty()).take(LOOKED_AT) {
        let word = word.to_lowercase();
        let Some(languages) = common().words.get(word.as_str()) else { continue };
        // A word of many languages says little, and so does one of a single letter.
        let letters = word.chars().count();
        let weight = if letters == 1 { 0.3 } else { 1.0 };
        let rarity = 1.0 / (languages.len() as f64);
        for language in languages {
            *scores.entry(*language).or_default() += weight * (0.5 + 0.5 * rarity);
        }
    }
    let mut ranked: Vec<(Language, f64)> = scores.into_iter().collect();
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    let (best, score) = *ranked.first()?;
    let next = ranked.get(1).map_or(0.0, |next| next.1);
    (score >= 0.7 && score >= next * MARGIN).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_shows_its_language() {
        for (text, code) in [
            ("How do I get a token for my bot?", "en"),
            ("Wie bekomme ich ein Token für meinen Bot?", "de"),
            ("Warum gibt es so viele Pakete?", "de"),
            ("Comment puis-je installer le paquet ?", "fr"),
            ("¿Cómo puedo instalar el paquete?", "es"),
            ("Come posso installare il pacchetto?", "it"),
            ("Como posso instalar o pacote?", "pt"),
            ("Hoe kan ik het pakket installeren?", "nl"),
            ("Hur kan jag installera paketet?", "sv"),
            ("Jak można zainstalować pakiet na dysku?", "pl"),
            ("Как установить пакет и где он лежит?", "ru"),
            ("Як встановити пакет і де він лежить?", "uk"),
            ("كيف يمكن تثبيت الحزمة على النظام", "ar"),
            ("退货期限是多少天？", "zh"),
            ("サンドボックスとは何ですか", "ja"),
            ("환불은 언제 되나요?", "ko"),
            ("คืนสินค้าได้กี่วัน", "th"),
            ("Πώς εγκαθιστώ το πακέτο;", "el"),
        ] {
            assert_eq!(Language::of(text).map(Language::code), Some(code), "{text}");
        }
    }

    #[test]
    fn what_may_be_any_language_is_none() {
        for text in
            ["", "dpkg", "apt-get install", "42", "katana-bot.toml", "Debian GNU/Linux", "🙂"]
        {
            assert_eq!(Language::of(text), None, "{text}");
        }
    }

    #[test]
    fn each_code_is_its_language_and_unknown_ones_are_none() {
        for language in &common().languages {
            assert_eq!(Language::of_code(language.code()), Some(*language));
        }
        assert_eq!(Language::of_code("th").map(Language::code), Some("th"));
        assert_eq!(Language::of_code("xx"), None);
        assert!(Language::ENGLISH.has_stems() && Language::ENGLISH.is_common("the"));
    }

    #[test]
    fn inflected_words_share_a_stem() {
        let stem = |code: &str, word: &str| Language::of_code(code).unwrap().stem(word);
        assert_eq!(stem("ru", "посылки"), stem("ru", "посылку"));
        assert_eq!(stem("de", "pakete"), stem("de", "paketen"));
        assert_eq!(stem("en", "installing"), stem("en", "installed"));
        assert_eq!(stem("zh", "退货"), "退货");
    }
}
