//! The characters that stand for tags while Markdown is parsed, and what they say.

use std::borrow::Cow;

use super::tags::Name;
use crate::model::text::EntityKind;

/// A line break.
pub(super) const BREAK: char = '\u{FDDF}';
/// Begins a link; the number of its address follows in `DIGITS`, and `NUMBER_END`.
pub(super) const LINK: char = '\u{FDDD}';
pub(super) const LINK_END: char = '\u{FDDE}';
pub(super) const DIGITS: u32 = 0xFDE0;
pub(super) const NUMBER_END: char = '\u{FDEA}';

/// Whether `c` stands for a tag.
pub(in super::super) fn is_tag(c: char) -> bool {
    matches!(c, '\u{FDD1}'..='\u{FDEF}')
}

/// What a piece of rewritten text says.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Piece<'a> {
    Text(&'a str),
    Open(EntityKind),
    Close(EntityKind),
    Break,
}

/// The character for the beginning or the end of a format.
pub(super) fn mark(name: Name, closes: bool) -> Option<char> {
    let first = match name {
        Name::Bold => 0xFDD1,
        Name::Italic => 0xFDD3,
        Name::Underline => 0xFDD5,
        Name::Strikethrough => 0xFDD7,
        _ => return None,
    };
    char::from_u32(first + u32::from(closes))
}

/// Cuts rewritten text at the characters that stand for tags.
pub(in super::super) fn pieces<'a>(text: &'a str, links: &[String]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_tag) {
        if at > 0 {
            pieces.push(Piece::Text(&rest[..at]));
        }
        let mut chars = rest[at..].chars();
        let piece = match chars.next() {
            Some(BREAK) => Some(Piece::Break),
            Some(LINK) => {
                let digits = chars.as_str();
                let end = digits.find(NUMBER_END).unwrap_or(0);
                let digit = |c: char| u32::from(c).checked_sub(DIGITS).filter(|d| *d < 10);
                let number = digits[..end]
                    .chars()
                    .try_fold(0usize, |n, c| Some(n * 10 + digit(c)? as usize));
                chars = digits[end..].chars();
                chars.next();
                let url = number.and_then(|n| links.get(n)).cloned();
                url.map(|url| Piece::Open(EntityKind::Link { url }))
            }
            Some(LINK_END) => Some(Piece::Close(EntityKind::Link { url: String::new() })),
            Some(c) => format_of(c),
            None => None,
        };
        pieces.extend(piece);
        rest = chars.as_str();
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

fn format_of(c: char) -> Option<Piece<'static>> {
    let number = u32::from(c).checked_sub(0xFDD1)?;
    let kind = match number / 2 {
        0 => EntityKind::Bold,
        1 => EntityKind::Italic,
        2 => EntityKind::Underline,
        3 => EntityKind::Strikethrough,
        _ => return None,
    };
    Some(if number % 2 == 0 { Piece::Open(kind) } else { Piece::Close(kind) })
}

/// Rewritten text with its tags again, for code and addresses.
pub(in super::super) fn restore<'a>(text: &'a str, links: &[String]) -> Cow<'a, str> {
    if !text.contains(is_tag) {
        return Cow::Borrowed(text);
    }
    let mut restored = String::with_capacity(text.len());
    for piece in pieces(text, links) {
        match piece {
            Piece::Text(text) => restored.push_str(text),
            Piece::Break => restored.push_str("<br>"),
            Piece::Open(EntityKind::Link { url }) => {
                restored.extend(["<a href=\"", &url, "\">"]);
            }
            Piece::Open(kind) => restored.extend(["<", name_of(&kind), ">"]),
            Piece::Close(kind) => restored.extend(["</", name_of(&kind), ">"]),
        }
    }
    Cow::Owned(restored)
}

fn name_of(kind: &EntityKind) -> &'static str {
    match kind {
        EntityKind::Bold => "b",
        EntityKind::Italic => "i",
        EntityKind::Underline => "u",
        EntityKind::Strikethrough => "s",
        _ => "a",
    }
}
