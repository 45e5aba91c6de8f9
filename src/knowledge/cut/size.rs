//! How large passages are, and texts on their way into them.

use crate::model::text::quarter_tokens;

/// Size of a passage, in tokens: enough to answer from, few enough that several fit beside a question
/// to a small model.
pub(super) const PASSAGE_TOKENS: usize = 400;

/// A long section is cut no earlier than this, in tokens.
pub(super) const PASSAGE_TOKENS_MIN: usize = 200;

/// What a passage repeats of the one before it, in tokens at most: an answer may lie across the cut.
pub(super) const OVERLAP_TOKENS: usize = 50;

/// The size of a text, in quarters of a token.
pub(super) fn quarters_of(text: &str) -> usize {
    text.chars().map(quarter_tokens).sum()
}

/// The size of a text that has room; looks no further than the room.
pub(super) fn within(text: &str, room: usize) -> Option<usize> {
    let mut quarters = 0;
    for c in text.chars() {
        quarters += quarter_tokens(c);
        if quarters > room {
            return None;
        }
    }
    Some(quarters)
}
