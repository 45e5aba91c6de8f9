//! Where a text may be cut.
//!
//! Invariant: one pass over what is looked at, and no more of the text is looked at than has room.

use super::size::OVERLAP_TOKENS;
use crate::model::text::quarter_tokens;

/// Kinds of borders, the best first.
#[derive(Clone, Copy)]
enum Border {
    Paragraph,
    Line,
    Sentence,
    Word,
    Character,
}

/// Where to cut a text that has no room: at the best border after `least` quarters of a token, and before
/// there are more than `most`. At least one character goes before the cut.
pub(super) fn split(text: &str, least: usize, most: usize) -> usize {
    let mut last: [Option<usize>; 5] = [None; 5];
    let (mut quarters, mut before, mut run) = (0, '\n', 0);
    for (at, c) in text.char_indices() {
        if at > 0 && quarters >= least {
            last[border(before, c, run) as usize] = Some(at);
        }
        quarters += quarter_tokens(c);
        if quarters > most && at > 0 {
            return last.into_iter().flatten().next().unwrap_or(at);
        }
        run = if c == '\n' { run + 1 } else { 0 };
        before = c;
    }
    text.len()
}

/// What lies between two characters; `newlines` stand before the second.
fn border(before: char, after: char, newlines: usize) -> Border {
    let ends = matches!(before, '。' | '！' | '？' | '．');
    match before {
        '\n' if newlines > 1 => Border::Paragraph,
        '\n' => Border::Line,
        _ if ends
            || matches!(before, '.' | '!' | '?' | '…' | '؟' | '।') && after.is_whitespace() =>
        {
            Border::Sentence
        }
        _ if before.is_whitespace() => Border::Word,
        _ => Border::Character,
    }
}

/// The end of a text that the next passage repeats: from a sentence or a word on, if there is one. Not the
/// whole text, unless it is short.
pub(super) fn overlap(text: &str) -> &str {
    let (mut quarters, mut sentence, mut word, mut far) = (0, None, None, text.len());
    let (mut after, end) = (' ', text.trim_end().len());
    for (at, c) in text.char_indices().rev() {
        let next = at + c.len_utf8();
        match border(c, after, usize::from(c == '\n')) {
            Border::Paragraph | Border::Line | Border::Sentence if next < end => {
                sentence = Some(next);
            }
            Border::Word if next < end => word = Some(next),
            _ => {}
        }
        quarters += quarter_tokens(c);
        if quarters > OVERLAP_TOKENS * 4 {
            return &text[sentence.or(word).unwrap_or(far)..];
        }
        (far, after) = (at, c);
    }
    text
}
