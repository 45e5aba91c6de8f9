//! The forms of a secret that are searched for, with the weight of each glyph.
//!
//! Encodings that the reader of a text undoes itself (percent, HTML, `\u`) need no form of their
//! own; base64 does.

use std::ops::Range;

use super::reading::glyphs;

/// Weight of one character of the secret. A glyph of base64 holds six of its eight bits.
pub(super) const CHAR: u32 = 4;
const BASE64: u32 = 3;

/// Shortest secret that is searched for at all.
const SHORTEST: usize = 4;
/// Shortest one that is searched for in the middle of words, and in parts.
const SHORT: usize = 8;
/// Shortest base64 that is not an ordinary word by chance.
const SHORTEST_BASE64: usize = 6;

/// Longest word that is taken for one.
const WORD: usize = 13;
/// Longest number that is taken for a year or a version.
const NUMBER: usize = 4;
/// Shorter pieces between separators belong to the random piece before them.
const PIECE: usize = 4;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// One way to write a secret, as the reader of a text sees it.
pub(super) struct Form {
    pub(super) glyphs: Vec<u8>,
    /// What a glyph reveals of the secret.
    pub(super) weight: u32,
    /// Glyphs before each index, and before the end, that no text holds by chance.
    random: Vec<u32>,
    /// Found only whole, and only when it stands alone.
    pub(super) is_short: bool,
}

impl Form {
    /// What these glyphs tell of the secret, plain words not counted.
    pub(super) fn random(&self, glyphs: Range<usize>) -> u32 {
        (self.random[glyphs.end] - self.random[glyphs.start]) * self.weight
    }

    /// A form of these glyphs, each with whether it is random.
    fn new(glyphs: impl IntoIterator<Item = (u8, bool)>, weight: u32, is_short: bool) -> Self {
        let (glyphs, is_random): (Vec<u8>, Vec<bool>) = glyphs.into_iter().unzip();
        let mut random = vec![0];
        for (before, is_random) in is_random.into_iter().enumerate() {
            random.push(random[before] + u32::from(is_random));
        }
        Self { glyphs, weight, random, is_short }
    }
}

/// All forms of a secret; none of one that is too short, or both short and a plain word.
pub(super) fn of(secret: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    // What follows the colon of a bot token is as secret as the whole.
    let token = secret.split_once(':').filter(|(id, _)| is_number(id)).map(|(_, tail)| tail);
    for whole in token.into_iter().chain([secret]) {
        let is_random = random(whole);
        let is_short = whole.len() < SHORT;
        if whole.len() < SHORTEST || is_short && !is_random.contains(&true) {
            continue;
        }
        let read = |glyph: super::Glyph| (glyph.byte, is_random[glyph.start]);
        forms.push(Form::new(glyphs(whole, 0).map(read), CHAR, is_short));
        for alphabet in [STANDARD, URL_SAFE] {
            for shift in 0..3 {
                let (text, is_random) = base64(whole.as_bytes(), &is_random, shift, alphabet);
                let read = |glyph: super::Glyph| (glyph.byte, is_random[glyph.start]);
                let form = Form::new(glyphs(&text, 0).map(read), BASE64, false);
                let long = form.glyphs.len() >= SHORTEST_BASE64;
                let known = forms.iter().any(|other: &Form| other.glyphs == form.glyphs);
                if long && !known {
                    forms.push(form);
                }
            }
        }
    }
    forms.retain(|form| form.glyphs.len() >= super::SEED);
    forms
}

/// For each byte of a secret, whether it belongs to its random part.
fn random(secret: &str) -> Vec<bool> {
    let mut random = Vec::with_capacity(secret.len());
    let mut before = false;
    for piece in secret.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
        let is_id = random.is_empty() && piece.ends_with(':') && is_number(word);
        if !word.is_empty() {
            before = !is_id && (before && word.len() <= PIECE || !is_plain(word));
        }
        random.resize(random.len() + piece.len(), before);
    }
    random
}

/// Whether a text may hold this by chance: a word in one case or capitalised, with a short number
/// behind it, or a short number.
fn is_plain(piece: &str) -> bool {
    let word = piece.trim_end_matches(|c: char| c.is_ascii_digit());
    let mut tail = word.chars();
    let is_capital = tail.next().is_some_and(char::is_uppercase);
    let is_word = word.chars().all(char::is_lowercase)
        || word.chars().all(char::is_uppercase)
        || is_capital && tail.all(char::is_lowercase);
    // Hardly any word has five consonants in a row.
    let vowels = |c: char| !c.is_ascii() || "aeiouyAEIOUY".contains(c);
    let is_speakable = word.split(vowels).all(|consonants| consonants.len() < 5);
    piece.len() - word.len() <= NUMBER && word.len() <= WORD && is_word && is_speakable
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The characters of base64 that `bytes` alone decide when `shift` others precede them, and for
/// each whether it holds a bit of a random byte.
fn base64(
    bytes: &[u8],
    is_random: &[bool],
    shift: usize,
    alphabet: &[u8; 64],
) -> (String, Vec<bool>) {
    let start = shift * 8;
    let bits = start..start + bytes.len() * 8;
    let characters = bits.start.div_ceil(6)..bits.end / 6;
    let one = |character: usize| {
        let bits = character * 6 - start..character * 6 - start + 6;
        let value =
            bits.clone().fold(0, |value, bit| value << 1 | bytes[bit / 8] >> (7 - bit % 8) & 1);
        let random = is_random[bits.start / 8] && is_random[(bits.end - 1) / 8];
        (char::from(alphabet[usize::from(value)]), random)
    };
    characters.map(one).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The random part of a secret; other characters are shown as dots.
    fn shown(secret: &str) -> String {
        let random = random(secret);
        secret.char_indices().map(|(at, c)| if random[at] { c } else { '.' }).collect()
    }

    #[test]
    fn words_that_anybody_writes_are_not_random() {
        for (secret, random) in [
            ("sk-ant-api03-aB3_xY9-zzKq81", ".............aB3_xY9-zzKq81"),
            ("sk-litellm-4f2ac0ffee", "...........4f2ac0ffee"),
            ("1234567890:AAHk3_aB9-xZkLm", "...........AAHk3_aB9-xZkLm"),
            ("sk-svcacct-a8Kd0sLq", "...........a8Kd0sLq"),
            ("550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"),
            ("correct-horse-battery-staple", "............................"),
            ("Sommer2026!Katana", "................."),
            ("not-needed", ".........."),
            ("abcdefghijklmnop", "abcdefghijklmnop"),
            ("xkqjzvwp", "xkqjzvwp"),
            ("sk-proj-0123456789", "........0123456789"),
            ("key-2026", "........"),
        ] {
            assert_eq!(shown(secret), random, "{secret}");
        }
    }

    #[test]
    fn base64_is_cut_to_what_the_secret_decides() {
        let secret = b"secret:key?~";
        let cut = |shift, alphabet| base64(secret, &[true; 12], shift, alphabet).0;
        assert_eq!(cut(0, STANDARD), "c2VjcmV0OmtleT9+");
        // Of "a" and "ab" before it, and "x" behind it.
        assert!("YXNlY3JldDprZXk/fng=".contains(&cut(1, STANDARD)));
        assert!("YWJzZWNyZXQ6a2V5P354".contains(&cut(2, STANDARD)));
        assert!("YXNlY3JldDprZXk_fng=".contains(&cut(1, URL_SAFE)));
    }
}
