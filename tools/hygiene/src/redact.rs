//! Strikes secrets out of texts: logs, errors of other programs, messages, pages, alerts.
//!
//! # The rule
//!
//! A text is read as its reader could read it: percent-encoding, character references of HTML and
//! `\u` escapes are decoded; marks that Markdown takes away (`*`, `_`, `~`, backticks, backslashes)
//! and invisible characters do not count. In what remains, each of these is replaced by [`MARK`]:
//!
//! * a whole secret of at least 8 characters, and what follows the colon of a bot token;
//! * a shorter one, of at least 4, when it stands alone and is not a plain word or number;
//! * a run of a secret that has 8 of its *random* characters, or 16 of any kind;
//! * a run that was cut off: 5 random characters at the end of the text, 4 beside an ellipsis or a
//!   mask of stars, which is how vendors shorten keys;
//! * the same in base64, at any of its three alignments and in both alphabets, counted in bytes of
//!   the secret.
//!
//! # Why random characters
//!
//! Keys begin with words that everybody knows (`sk-ant-api03-`), and people put words into keys of
//! their own (`sk-litellm-4f2a…`). A fixed number of characters strikes out "litellm" in every
//! answer, or lets half of a key pass. So each secret is divided once into plain words, which any
//! text may hold, and the rest, which no text holds by chance: eight characters of base62 are one in
//! 2·10¹⁴. Seven of them may pass; they leave the other thirty unknown.
//!
//! # What is not found
//!
//! Secrets that were reversed, spelled out, or encoded twice. A secret that is an ordinary word is
//! found only whole.

mod forms;
mod reading;
mod shape;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use forms::{CHAR, Form};
use reading::{Glyph, glyphs};

/// What stands where a secret was.
pub const MARK: &str = "[secret]";

pub use shape::without_tokens;

/// Random characters that give a secret away in the middle of a text.
const RUN: u32 = 8 * CHAR;
/// The same where the text ends: it may have been cut there, or go on.
const RUN_AT_END: u32 = 5 * CHAR;
/// The same beside an ellipsis or a mask of stars.
const RUN_AT_MASK: u32 = 4 * CHAR;
/// This many consecutive characters are not a coincidence, even if they are words.
const WORDS: u32 = 16 * CHAR;
/// Every run that counts has at least so many glyphs; the index is by them.
const SEED: usize = 4;

/// Knows secrets and strikes them out. Cheap to clone; [`Redactor::add`] reaches all clones.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Arc<Known>>>);

/// The secrets known at one moment, prepared for the search.
#[derive(Default)]
struct Known {
    secrets: Vec<String>,
    forms: Vec<Form>,
    /// One bit for each hash of four glyphs that some form contains: rules out most texts.
    sieve: Vec<u64>,
    /// Where these four glyphs stand: form and index of the first, sorted by the glyphs.
    seeds: Vec<(u32, u32, u32)>,
    /// Glyphs of the longest form.
    longest: usize,
}

impl Redactor {
    /// Knows these secrets. Blanks around them are ignored.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let this = Self::default();
        this.add(secrets);
        this
    }

    /// Knows these as well from now on. Those that were known stay so: a secret that was replaced
    /// may still turn up.
    pub fn add<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut all = known.secrets.clone();
        all.extend(secrets.into_iter().map(|secret| secret.trim().to_owned()));
        all.sort();
        all.dedup();
        *known = Arc::new(Known::new(all));
    }

    /// The text with [`MARK`] in place of every secret; borrowed when there is none.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let known = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        known.redact(text)
    }

    /// As [`Redactor::redact`], for a text that is owned already.
    pub fn clean(&self, text: String) -> String {
        match self.redact(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(clean) => clean,
        }
    }

    /// Whether [`Redactor::redact`] would change the text.
    pub fn finds(&self, text: &str) -> bool {
        matches!(self.redact(text), Cow::Owned(_))
    }
}

/// Shows no secret, only how many there are.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        write!(f, "Redactor({})", known.secrets.len())
    }
}

impl Known {
    fn new(secrets: Vec<String>) -> Self {
        let forms: Vec<Form> = secrets.iter().flat_map(|secret| forms::of(secret)).collect();
        let longest = forms.iter().map(|form| form.glyphs.len()).max().unwrap_or(0);
        let mut known = Self { secrets, forms, sieve: vec![0; 1024], seeds: Vec::new(), longest };
        for (which, form) in known.forms.iter().enumerate() {
            for (at, four) in form.glyphs.windows(SEED).enumerate() {
                let key = four.iter().fold(0, |key, glyph| key << 8 | u32::from(*glyph));
                let (word, bit) = place(key);
                known.sieve[word] |= bit;
                // A secret has a few dozen glyphs, and there are a few dozen forms.
                known.seeds.push((key, which as u32, at as u32));
            }
        }
        known.seeds.sort_unstable();
        known
    }

    fn in_sieve(&self, key: u32) -> bool {
        let (word, bit) = place(key);
        self.sieve.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = String::new();
        let mut kept = 0;
        // The last four glyphs, and a ring of where they begin.
        let (mut key, mut starts, mut count) = (0, [0; SEED], 0);
        let mut read = glyphs(text, 0);
        while let Some(glyph) = read.next() {
            key = key << 8 | u32::from(glyph.byte);
            starts[count % SEED] = glyph.start;
            count += 1;
            if !self.in_sieve(key) {
                continue;
            }
            let start = starts[count % SEED];
            let Some(end) = self.end_of_secret(text, start, key) else { continue };
            let start = text.floor_char_boundary(start).max(kept);
            let end = text.ceil_char_boundary(end);
            let end = end + closing_mark(&text[start..end], &text[end..]);
            // Two runs that touch are one secret.
            if start > kept || !clean.ends_with(MARK) {
                clean.push_str(&text[kept..start]);
                clean.push_str(MARK);
            }
            (kept, key) = (end, 0);
            read = glyphs(text, end);
        }
        if kept == 0 {
            return Cow::Borrowed(text);
        }
        clean.push_str(&text[kept..]);
        Cow::Owned(clean)
    }

    /// Where the run ends that begins at `start` with these four glyphs, if it has to go.
    fn end_of_secret(&self, text: &str, start: usize, key: u32) -> Option<usize> {
        let first = self.seeds.partition_point(|seed| seed.0 < key);
        let same = self.seeds[first..].iter().take_while(|seed| seed.0 == key);
        let mut read: Vec<Glyph> = Vec::new();
        let mut longest = None;
        for (_, form, from) in same {
            if read.is_empty() {
                // One more than can match shows whether the text goes on.
                read = glyphs(text, start).take(self.longest + 1).collect();
            }
            let (form, from) = (&self.forms[*form as usize], *from as usize);
            let same = read.iter().zip(&form.glyphs[from..]);
            let length = same.take_while(|(read, glyph)| read.byte == **glyph).count();
            if gives_away(text, &read, form, from, length) {
                longest = longest.max(Some(length));
            }
        }
        longest.map(|length| read[length - 1].end)
    }
}

/// Length of the mark behind a secret that closes one within it, which goes with the secret.
fn closing_mark(secret: &str, after: &str) -> usize {
    let length = after.len() - after.trim_start_matches(['*', '~', '`']).len();
    if secret.contains(&after[..length]) { length } else { 0 }
}

/// Whether the first glyphs of `read`, which are those of a form from `from` on, tell too much.
fn gives_away(text: &str, read: &[Glyph], form: &Form, from: usize, length: usize) -> bool {
    let before = &text[..text.floor_char_boundary(read[0].start)];
    let after = &text[text.ceil_char_boundary(read[length - 1].end)..];
    if length == form.glyphs.len() {
        let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let alone = !touches(before.chars().next_back()) && !touches(after.chars().next());
        return alone || !form.is_short;
    }
    if form.is_short {
        return false;
    }
    let random = form.random(from..from + length);
    let needed = if is_mask_before(before) || is_mask_after(after) {
        RUN_AT_MASK
    } else if length == read.len() {
        RUN_AT_END
    } else {
        RUN
    };
    random >= needed || form.weight * length as u32 >= WORDS
}

fn is_mask_before(text: &str) -> bool {
    ["…", "...", "**", "••"].iter().any(|mask| text.ends_with(mask))
}

fn is_mask_after(text: &str) -> bool {
    ["…", "...", "**", "••"].iter().any(|mask| text.starts_with(mask))
}

/// Word and bit of the sieve for four glyphs: the upper 16 bits of Knuth's multiplicative hash.
fn place(key: u32) -> (usize, u64) {
    let hash = key.wrapping_mul(0x9E37_79B1) >> 16;
    (hash as usize / 64, 1 << (hash % 64))
}

#[cfg(test)]
mod tests;
