//! How people, times and numbers are written in chats.
//!
//! Invariant: a name that a person chose can neither format, nor reorder, nor break a line of what
//! the bot says.

use hygiene::duration::in_words;
use hygiene::line::one_line;

use crate::model::message::{ContentKind, Person};

/// Characters of a name that are shown: enough to recognise a person.
const NAME: usize = 48;

/// Characters of a name on a button, which is narrow.
const LABEL: usize = 24;

/// A person's name and username in Markdown, harmless whatever they contain.
pub(super) fn person(person: &Person) -> String {
    let name = escape(&tame(&person.name, NAME));
    match &person.username {
        Some(username) => format!("{name} (@{})", escape(&tame(username, NAME))),
        None => name,
    }
}

/// A person's name as plain text for a button.
pub(super) fn label(person: &Person) -> String {
    tame(&person.name, LABEL)
}

/// One line of visible characters in reading order, at most `longest` of them.
pub(super) fn tame(text: &str, longest: usize) -> String {
    let line = one_line(text, longest);
    if line.is_empty() { "a person without a name".to_owned() } else { line }
}

/// Text in which no character means anything to Markdown (CommonMark 2.4: any ASCII punctuation
/// may be escaped).
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

/// A stretch of time in at most two units: `3 d 4 h`, `12 min 5 s`. One before now is none.
pub(super) fn span(ms: i64) -> String {
    in_words(u64::try_from(ms).unwrap_or(0))
}

/// A count with its noun: `1 question`, `12 questions`.
pub(super) fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{} {noun}s", number(n)) }
}

/// A number with thin groups of three: `1,234,567`.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(c);
    }
    grouped
}

/// What to say to a message of a kind that the bot cannot read.
pub(super) fn unsupported(kind: ContentKind) -> String {
    let what = match kind {
        ContentKind::Photo | ContentKind::LivePhoto => "pictures",
        ContentKind::Voice | ContentKind::Audio => "voice messages or audio",
        ContentKind::Video | ContentKind::VideoNote | ContentKind::Animation => "videos",
        ContentKind::Sticker => "stickers",
        ContentKind::Document => "files",
        ContentKind::Location | ContentKind::Venue => "places on a map",
        ContentKind::Contact => "contacts",
        ContentKind::Poll => "polls",
        ContentKind::Dice | ContentKind::Game => "games",
        ContentKind::Story
        | ContentKind::Checklist
        | ContentKind::PaidMedia
        | ContentKind::RichMessage
        | ContentKind::Invoice
        | ContentKind::Giveaway
        | ContentKind::GiveawayWinners
        | ContentKind::Unknown => "messages of this kind",
    };
    format!("Sorry, I cannot read {what}, only text. Please write what you would like to know.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::UserId;

    #[test]
    fn hostile_names_are_harmless() {
        let hostile = Person {
            id: UserId(1),
            name: "*bold* `code`\n# head\u{202e}desrever\u{200b} [x](tg://y) <b>&amp;".into(),
            username: Some("a_b_c".into()),
        };
        let shown = person(&hostile);
        assert!(!shown.contains(['\n', '\u{202e}', '\u{200b}']));
        assert!(shown.starts_with("\\*bold\\* \\`code\\` \\# headdesrever \\[x\\]\\(tg"));
        assert!(shown.ends_with("(@a\\_b\\_c)"));
        let label = label(&hostile);
        assert!(label.chars().count() <= LABEL + 1 && label.starts_with("*bold* `code`"));
    }

    #[test]
    fn names_are_never_empty_or_endless() {
        assert_eq!(tame(" \u{200b}\n ", 9), "a person without a name");
        assert_eq!(tame("Ann  Lee ", 9), "Ann Lee");
        assert_eq!(tame(&"x".repeat(99), 3), "xx…");
        assert_eq!(tame("👩‍👩‍👧", 9), "👩‍👩‍👧");
    }

    proptest::proptest! {
        #[test]
        fn escaped_text_has_no_bare_punctuation(text in ".*") {
            let safe = escape(&tame(&text, 20));
            proptest::prop_assert!(!safe.contains('\n'));
            let mut chars = safe.chars();
            while let Some(c) = chars.next() {
                if c == '\\' {
                    proptest::prop_assert!(chars.next().is_some_and(|n| n.is_ascii_punctuation()));
                } else {
                    proptest::prop_assert!(!c.is_ascii_punctuation());
                }
            }
        }
    }

    #[test]
    fn times_and_numbers_read_well() {
        assert_eq!((span(90_060_000), span(-5)), ("1 d 1 h".to_owned(), "0 s".to_owned()));
        assert_eq!(
            (count(1, "reply"), count(1234, "user")),
            ("1 reply".into(), "1,234 users".into())
        );
        assert_eq!(number(1_234_567), "1,234,567");
    }
}
