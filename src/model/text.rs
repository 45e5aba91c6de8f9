//! Text with formatting kept beside it, in Telegram's units.

use serde::{Deserialize, Serialize};

use super::limits;

/// Text and its entities; nothing in the text has to be parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rich {
    /// Plain text.
    pub text: String,
    /// Formatting, sorted by offset, nested properly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<Entity>,
}

/// A stretch of formatted text (Bot API `MessageEntity`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredEntity", into = "StoredEntity")]
pub struct Entity {
    /// What it looks like.
    pub kind: EntityKind,
    /// Where it begins, in UTF-16 units.
    pub offset: u32,
    /// How long it is, in UTF-16 units; never 0.
    pub length: u32,
}

/// Kinds of formatting Katana uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntityKind {
    /// Bold.
    Bold,
    /// Italic.
    Italic,
    /// Underlined.
    Underline,
    /// Struck through.
    Strikethrough,
    /// Monospace within a line.
    Code,
    /// A block of monospace text.
    Pre {
        /// Programming language, for colouring.
        language: Option<String>,
    },
    /// Text that leads somewhere.
    Link {
        /// Where to: http, https, tg or mailto.
        url: String,
    },
    /// A quotation.
    Quote,
    /// A quotation that is shown folded when it is long.
    FoldedQuote,
}

/// An entity as it is stored. 0.2 knows no folded quotations: to it, this one is unfolded.
#[derive(Clone, Serialize, Deserialize)]
struct StoredEntity {
    kind: EntityKind,
    offset: u32,
    length: u32,
    #[serde(default, skip_serializing_if = "is_unfolded")]
    folded: bool,
}

fn is_unfolded(folded: &bool) -> bool {
    !folded
}

impl From<StoredEntity> for Entity {
    fn from(StoredEntity { kind, offset, length, folded }: StoredEntity) -> Self {
        let kind = if folded { EntityKind::FoldedQuote } else { kind };
        Self { kind, offset, length }
    }
}

impl From<Entity> for StoredEntity {
    fn from(Entity { kind, offset, length }: Entity) -> Self {
        let folded = kind == EntityKind::FoldedQuote;
        let kind = if folded { EntityKind::Quote } else { kind };
        Self { kind, offset, length, folded }
    }
}

impl Rich {
    /// Puts another text below, after a blank line; `false`, and nothing is changed, when both together
    /// are too long for one message.
    pub fn append(&mut self, below: &Self) -> bool {
        const BETWEEN: &str = "\n\n";
        let start = utf16_len(&self.text) + BETWEEN.len();
        let fits = start + utf16_len(&below.text) <= limits::MESSAGE_UNITS
            && self.entities.len() + below.entities.len() <= limits::MESSAGE_ENTITIES;
        let Some(start) = u32::try_from(start).ok().filter(|_| fits) else { return false };
        self.text.push_str(BETWEEN);
        self.text.push_str(&below.text);
        let moved = below
            .entities
            .iter()
            .map(|entity| Entity { offset: entity.offset + start, ..entity.clone() });
        self.entities.extend(moved);
        true
    }

    /// The same as one quotation that is shown folded when it is long. A quotation within it is none of its
    /// own any more: Telegram knows no quotations in quotations.
    #[must_use]
    pub fn folded(mut self) -> Self {
        let length = u32::try_from(utf16_len(&self.text)).unwrap_or(u32::MAX);
        if length == 0 {
            return self;
        }
        self.entities.retain(|e| !matches!(e.kind, EntityKind::Quote | EntityKind::FoldedQuote));
        self.entities.insert(0, Entity { kind: EntityKind::FoldedQuote, offset: 0, length });
        self
    }

    /// Text without formatting.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), entities: Vec::new() }
    }
}

/// Length of `text` in UTF-16 units, which is how Telegram counts.
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Roughly how many tokens a text is. Vendors' tokenizers differ by a fifth or so either way:
/// English runs at four characters a token, other alphabets at about two, Chinese, Japanese,
/// Korean and emoji at about one.
pub fn tokens(text: &str) -> usize {
    text.chars().map(quarter_tokens).sum::<usize>().div_ceil(4)
}

/// What one character adds to [`tokens`], in quarters of a token.
pub fn quarter_tokens(c: char) -> usize {
    match u32::from(c) {
        0..=0x7f => 1,
        0x80..=0x10ff | 0x1200..=0x2e7f => 2,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_quotation_is_one_that_older_versions_can_read() {
        let bold = Entity { kind: EntityKind::Bold, offset: 0, length: 1 };
        let quote = Entity { kind: EntityKind::Quote, offset: 0, length: 2 };
        let text = "a\u{1f642}".to_owned();
        let rich = Rich { text, entities: vec![quote, bold.clone()] }.folded();
        let folded = Entity { kind: EntityKind::FoldedQuote, offset: 0, length: 3 };
        assert_eq!(rich.entities, [folded.clone(), bold.clone()]);
        let json = serde_json::to_string(&rich.entities).unwrap();
        assert_eq!(
            json,
            r#"[{"kind":"Quote","offset":0,"length":3,"folded":true},{"kind":"Bold","offset":0,"length":1}]"#
        );
        assert_eq!(serde_json::from_str::<Vec<Entity>>(&json).unwrap(), [folded, bold]);
        assert_eq!(Rich::default().folded(), Rich::default());
    }
}
