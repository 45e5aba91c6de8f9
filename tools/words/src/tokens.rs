//! A text as words, names made of several, and runs of characters without spaces.

use crate::script::{is_mark, is_unspaced};

/// Longest name that is also kept as a whole, in bytes, and how many words it may have.
const NAME_BYTES: usize = 64;
const NAME_WORDS: usize = 8;

/// Longest word: what is longer is data.
const WORD_BYTES: usize = 64;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A word, in lower case.
    Word {
        word: String,
        /// Whether it is written as names are: with digits, or in capitals.
        is_name: bool,
    },
    /// Words that are joined by marks or by capitals, such as `knowledge.dir` or `getUpdates`, without the marks.
    Whole(String),
    /// Characters of a script without spaces.
    Run(Vec<char>),
}

/// The tokens of a text, in order.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if is_unspaced(c) {
            let mut run = vec![c];
            while let Some((_, next)) = chars.next_if(|(_, next)| is_unspaced(*next)) {
                run.push(next);
            }
            tokens.push(Token::Run(run));
        } else if c.is_alphanumeric() {
            let mut end = start + c.len_utf8();
            while let Some((at, next)) = chars.next_if(|(at, next)| goes_on(&text[*at..], *next)) {
                end = at + next.len_utf8();
            }
            compound(&text[start..end], &mut tokens);
        }
    }
    tokens
}

/// Whether a name goes on with this character, which begins `rest`.
fn goes_on(rest: &str, c: char) -> bool {
    let joins = |c: char| is_weak(c) || is_strong(c);
    if !joins(c) {
        return is_of_word(c);
    }
    // Marks join only what follows at once; two of them, as in "--" or "://", do as well.
    rest.chars()
        .take(3)
        .find(|next| !joins(*next))
        .is_some_and(|next| is_of_word(next) && !is_mark(next))
}

fn is_of_word(c: char) -> bool {
    (c.is_alphanumeric() || is_mark(c)) && !is_unspaced(c)
}

/// Joins the words of one name.
fn is_weak(c: char) -> bool {
    matches!(c, '_' | '-' | '.' | '+')
}

/// Joins names.
fn is_strong(c: char) -> bool {
    matches!(c, '/' | ':' | '@' | '\\')
}

fn compound(text: &str, tokens: &mut Vec<Token>) {
    let mut all = Vec::new();
    let segments = text.split(is_strong).filter(|segment| !segment.is_empty());
    let mut segment_count = 0;
    for segment in segments {
        segment_count += 1;
        let mut words = Vec::new();
        for part in segment.split(is_weak).filter(|part| !part.is_empty()) {
            let humps = humps(part);
            if humps.len() > 1 {
                humps.iter().for_each(|hump| word(hump, tokens));
                whole(&humps, tokens);
            } else {
                word(part, tokens);
            }
            words.push(part);
        }
        if words.len() > 1 {
            whole(&words, tokens);
        }
        all.extend(words);
    }
    if segment_count > 1 {
        whole(&all, tokens);
    }
}

fn word(text: &str, tokens: &mut Vec<Token>) {
    if text.len() > WORD_BYTES {
        return;
    }
    // No stemmer knows that "CDs" are several of "CD".
    let text = text.strip_suffix('s').filter(|one| is_loud(one)).unwrap_or(text);
    let is_name = is_loud(text) || text.chars().any(|c| c.is_numeric());
    tokens.push(Token::Word { word: text.to_lowercase(), is_name });
}

/// Whether it is written in capitals, as abbreviations are.
fn is_loud(text: &str) -> bool {
    let mut letters = text.chars().filter(|c| c.is_alphabetic());
    text.chars().nth(1).is_some() && letters.all(|c| c.is_uppercase())
}

fn whole(words: &[&str], tokens: &mut Vec<Token>) {
    let bytes: usize = words.iter().map(|word| word.len()).sum();
    if bytes <= NAME_BYTES && words.len() <= NAME_WORDS {
        tokens.push(Token::Whole(words.concat().to_lowercase()));
    }
}

/// The words of a name in camel case: a capital after a small letter begins one, and so does the last of
/// several capitals before a small letter.
fn humps(word: &str) -> Vec<&str> {
    if word.strip_suffix('s').is_some_and(is_loud) {
        return vec![word];
    }
    let chars: Vec<(usize, char)> = word.char_indices().collect();
    let mut humps = Vec::new();
    let mut start = 0;
    for at in 1..chars.len() {
        let (before, here) = (chars[at - 1].1, chars[at].1);
        let after = chars.get(at + 1).map(|next| next.1);
        let rises = before.is_lowercase() && here.is_uppercase();
        let falls =
            before.is_uppercase() && here.is_uppercase() && after.is_some_and(char::is_lowercase);
        // "PCs" and "iPhone" are one word each, more or less.
        if (rises || falls) && chars[at].0 - start > 1 && chars.len() - at > 1 {
            humps.push(&word[start..chars[at].0]);
            start = chars[at].0;
        }
    }
    humps.push(&word[start..]);
    humps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let one = |token: Token| match token {
            Token::Word { word, is_name: true } => format!("{word}!"),
            Token::Word { word, .. } => word,
            Token::Whole(whole) => format!("<{whole}>"),
            Token::Run(run) => format!("[{}]", String::from_iter(run)),
        };
        tokens(text).into_iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_are_kept_whole_and_in_parts() {
        assert_eq!(shown("Set knowledge.dir to 5."), "set knowledge dir <knowledgedir> to 5!");
        assert_eq!(shown("`--no-deps`"), "no deps <nodeps>");
        assert_eq!(shown("/etc/katana-bot"), "etc katana bot <katanabot> <etckatanabot>");
        assert_eq!(shown("call getUpdates()"), "call get updates <getupdates>");
        assert_eq!(shown("HTTPServer ext4 APT"), "http! server <httpserver> ext4! apt!");
        assert_eq!(shown("PCs, iPhone"), "pc! iphone");
        assert_eq!(shown("DVDs CD-ROMs"), "dvd! cd! rom! <cdroms>");
        assert_eq!(shown("12.04 and 3,5"), "12! 04! <1204> and 3! 5!");
    }

    #[test]
    fn ordinary_sentences_are_words() {
        assert_eq!(shown("It's the end. So, what?"), "it s the end so what");
        assert_eq!(shown("l’eau d'été"), "l eau d été");
        assert_eq!(shown("wait… what – now -x"), "wait what now x");
    }

    #[test]
    fn scripts_without_spaces_are_runs() {
        assert_eq!(shown("退货期限是30天？"), "[退货期限是] 30! [天]");
        assert_eq!(shown("Debianのカーネル"), "debian [のカーネル]");
        assert_eq!(shown("คืนสินค้า ได้"), "[คืนสินค้า] [ได้]");
        assert_eq!(shown("환불은 언제"), "[환불은] [언제]");
    }
}
