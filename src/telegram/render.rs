//! From what a model writes to what Telegram shows: Markdown to messages of text and entities.
//!
//! Nothing that leaves here has to be parsed by Telegram, so nothing can fail to parse. What is
//! sent is what Telegram stores: the text is cleaned by Telegram's own rules before any offset is
//! taken (`clean`), entities are nested and exclusive as Telegram wants them (`spans`), and every
//! part begins and ends with something other than whitespace (`split`).
//!
//! # What is lost, and where
//!
//! * Whitespace where two parts meet, and at both ends of a message. A code block that goes on in
//!   the next part may lose the indentation of its first line there; cuts at lines without
//!   indentation are preferred.
//! * Parts that would show nothing (only whitespace and invisible characters) are left out, so
//!   both functions return no part at all for a text that shows nothing.
//! * Formatting that is more than a message may have: the least telling kinds go first (`thin`).
//! * All other characters arrive, in order, each with its formatting.

mod canvas;
mod clean;
mod code;
mod cut;
mod effort;
mod emphasis;
mod html;
mod link;
mod markdown;
mod math;
mod preview;
mod spans;
mod split;
mod table;
#[cfg(test)]
#[path = "../../tests/unit/render.rs"]
mod testing;
#[cfg(test)]
mod tests;
mod thin;
mod width;

use crate::model::limits::MESSAGE_UNITS;
use crate::model::text::Rich;

/// Markdown to messages: each at most 4,096 UTF-16 units and at most 100 entities.
///
/// `source` is Markdown as language models write it: CommonMark with tables, strikethrough, task
/// lists, footnotes and alerts. Any input is accepted. No part is blank; if nothing would be
/// visible, there is no part.
pub fn markdown(source: &str) -> Vec<Rich> {
    split::parts(markdown::read(source), MESSAGE_UNITS)
}

/// Plain text to messages, unformatted, within the same limits.
///
/// No part is blank; if nothing would be visible, there is no part.
pub fn plain(text: &str) -> Vec<Rich> {
    split::parts(canvas::Marked::plain(text), MESSAGE_UNITS)
}

/// Whether [`markdown()`] makes nothing of `source` that says something to a person: it holds only
/// whitespace, characters without a shape, empty blocks, definitions, comments, or marks of structure
/// such as bullets and rules.
pub fn is_blank_markdown(source: &str) -> bool {
    let (shown, has_words) = markdown::read_words(source);
    clean::is_blank(&shown.text) || !has_words && !is_number(source)
}

/// Whether this is a number with a full stop: "4." is an empty list to Markdown, but an answer to people.
fn is_number(source: &str) -> bool {
    let number = source.trim_end_matches('\n').strip_suffix('.');
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether [`plain`] makes nothing of `text` that a person would see.
pub fn is_blank_plain(text: &str) -> bool {
    clean::is_blank(&canvas::Marked::plain(text).text)
}

/// A half-written answer in Markdown to one message: what is still open is closed.
///
/// When the answer is longer than one message, this is its last part so far, which is where the
/// writing goes on. Empty while nothing is visible yet: Telegram refuses that, so do not send it.
pub fn preview(source: &str) -> Rich {
    markdown(&preview::close(source)).pop().unwrap_or_default()
}

/// A formatted text to messages of at most `units` UTF-16 units (two at least, for a surrogate
/// pair) and 100 entities each. Entities that Telegram would drop are put right first.
pub fn split(rich: &Rich, units: usize) -> Vec<Rich> {
    split::parts(canvas::Marked::from_rich(rich), units)
}
