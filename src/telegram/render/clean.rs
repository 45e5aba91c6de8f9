//! Telegram's cleaning of text, done here first so that offsets stay true.
//!
//! The rules are those of `clean_input_string` in TDLib's `misc.cpp`, which the Bot API server
//! runs on every text; a text that went through here is left as it is there.

use std::borrow::Cow;

/// The replacement of one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CharAction {
    /// It stays.
    Keep,
    /// It is sent as another one.
    Become(char),
    /// It is not sent.
    Drop,
}

/// Telegram's verdict on one character. Line separators, which Telegram would swallow, become
/// newlines, so that words do not run together.
pub(super) fn fate(c: char) -> CharAction {
    match c {
        '\n' => CharAction::Keep,
        '\r' => CharAction::Drop,
        '\0'..='\u{1F}' => CharAction::Become(' '),
        '\u{2028}' | '\u{2029}' => CharAction::Become('\n'),
        // Directional overrides, and the "vertical lines" among the combining marks.
        '\u{202A}'..='\u{202E}' | '\u{030A}' | '\u{0333}' | '\u{033F}' => CharAction::Drop,
        // No text holds them; the renderer uses them inside.
        '\u{FDD0}'..='\u{FDEF}' => CharAction::Drop,
        _ => CharAction::Keep,
    }
}

/// One kind of newline, and letters with a ring as one character: Telegram drops the combining
/// ring, which would turn a decomposed "å" into "a".
pub(super) fn source(text: &str) -> Cow<'_, str> {
    const RINGED: [(&str, &str); 6] = [
        ("a\u{30A}", "å"),
        ("A\u{30A}", "Å"),
        ("u\u{30A}", "ů"),
        ("U\u{30A}", "Ů"),
        ("w\u{30A}", "ẘ"),
        ("y\u{30A}", "ẙ"),
    ];
    let mut text = Cow::Borrowed(text);
    if text.contains(is_set_aside) {
        text = Cow::Owned(text.replace(is_set_aside, ""));
    }
    if text.contains('\r') {
        text = Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"));
    }
    if text.contains('\u{30A}') {
        for (apart, together) in RINGED {
            text = Cow::Owned(text.replace(apart, together));
        }
    }
    text
}

/// Characters that no text may hold, so that the renderer can use them inside.
pub(super) fn is_set_aside(c: char) -> bool {
    matches!(c, '\u{FDD0}'..='\u{FDEF}')
}

/// Runs of direction marks: all but the last become U+200C, as in TDLib's
/// `replace_offending_characters`. No offset moves.
pub(super) fn settle_marks(text: String) -> String {
    let is_mark = |c: char| matches!(c, '\u{200E}' | '\u{200F}');
    if !text.contains(is_mark) {
        return text;
    }
    let mut settled = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let followed = chars.peek().is_some_and(|&next| is_mark(next));
        settled.push(if is_mark(c) && followed { '\u{200C}' } else { c });
    }
    settled
}

/// Whether a text shows nothing: Telegram answers "text must be non-empty" to such a message. Wider
/// than Telegram's own list (`strip_empty_characters`), since no one misses such a message.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// Whitespace, and characters that are shown as nothing.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{AD}' | '\u{34F}' | '\u{61C}'
            | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFC}' | '\u{13430}'..='\u{1343F}' | '\u{16FE4}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_meet_the_fate_telegram_has_for_them() {
        for (c, want) in [
            ('\n', CharAction::Keep),
            ('\t', CharAction::Become(' ')),
            ('\0', CharAction::Become(' ')),
            ('\r', CharAction::Drop),
            ('\u{2028}', CharAction::Become('\n')),
            ('\u{202E}', CharAction::Drop),
            ('\u{202F}', CharAction::Keep),
            ('\u{200F}', CharAction::Keep),
            ('\u{333}', CharAction::Drop),
            ('\u{301}', CharAction::Keep),
            ('é', CharAction::Keep),
        ] {
            assert_eq!(fate(c), want, "{c:?}");
        }
    }

    #[test]
    fn newlines_and_rings_are_made_one() {
        assert_eq!(source("a\r\nb\rc"), "a\nb\nc");
        assert_eq!(source("A\u{30A}ngstro\u{308}m"), "Ångstro\u{308}m");
        assert!(matches!(source("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn direction_marks_survive_one_by_one() {
        let settle = |s: &str| settle_marks(s.to_owned());
        assert_eq!(settle("שלום\u{200F}!"), "שלום\u{200F}!");
        assert_eq!(settle("\u{200E}\u{200F}\u{200E}a"), "\u{200C}\u{200C}\u{200E}a");
    }

    #[test]
    fn blank_is_what_shows_nothing() {
        assert!(is_blank(" \n\u{200B}\u{2800}\u{A0}\u{FE0F}"));
        assert!(is_blank(""));
        assert!(!is_blank("\u{200F}א"));
    }
}
