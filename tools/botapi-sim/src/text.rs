//! What Telegram does to a text before it stores it: cleaning, trimming, moving the entities along.
//!
//! After `clean_input_string` and `fix_formatted_text` of TDLib (td/telegram/misc.cpp, MessageEntity.cpp).

use serde_json::Value;

/// The length of a text in UTF-16 code units, the unit of all of Telegram's offsets and limits.
#[must_use]
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// A text with its entities as Telegram stores them.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The cleaned and trimmed text.
    pub text: String,
    /// The moved entities, sorted by offset, then longest first, then type.
    pub entities: Vec<Value>,
}

/// The fate of one character: kept, turned into a space, or dropped.
pub(crate) fn cleaned(c: char) -> Option<char> {
    match c {
        '\n' => Some('\n'),
        '\r' | '\u{2028}'..='\u{202e}' | '\u{333}' | '\u{33f}' | '\u{30a}' => None,
        '\0'..='\u{1f}' => Some(' '),
        other => Some(other),
    }
}

/// Cleans and trims a text and moves its entities along. Entities must be valid for the text
/// (see [`crate::validate::check_message`]).
#[must_use]
pub fn normalise(text: &str, entities: &[Value]) -> Stored {
    let blank = |c: char| c == ' ' || c == '\n';
    let untouched = text.chars().all(|c| cleaned(c) == Some(c))
        && !text.starts_with(blank)
        && !text.ends_with(blank);
    if untouched {
        return Stored { text: text.to_owned(), entities: sorted(entities.to_vec()) };
    }
    // places[i] is where UTF-16 unit i of the old text lands in the cleaned one.
    let mut places = Vec::with_capacity(text.len() + 1);
    let mut clean = String::with_capacity(text.len());
    let mut at = 0_usize;
    for c in text.chars() {
        places.extend(std::iter::repeat_n(at, c.len_utf16()));
        if let Some(kept) = cleaned(c) {
            if kept.len_utf16() == 2
                && let Some(second) = places.last_mut()
            {
                *second = at + 1;
            }
            clean.push(kept);
            at += kept.len_utf16();
        }
    }
    places.push(at);
    let lead = clean.len() - clean.trim_start_matches(blank).len();
    let trimmed = clean.trim_matches(blank);
    let end = utf16_len(trimmed);
    // Blanks are one unit and one byte each, so `lead` counts both.
    let place = |unit: usize| places.get(unit).copied().unwrap_or(at).saturating_sub(lead).min(end);
    let moved = entities.iter().filter_map(|entity| {
        let start = place(number(entity, "offset"));
        let stop = place(number(entity, "offset") + number(entity, "length"));
        let mut entity = entity.clone();
        entity["offset"] = Value::from(start);
        entity["length"] = Value::from(stop.checked_sub(start).filter(|length| *length > 0)?);
        Some(entity)
    });
    Stored { entities: sorted(moved.collect()), text: trimmed.to_owned() }
}

fn number(entity: &Value, key: &str) -> usize {
    entity[key].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
}

fn sorted(mut entities: Vec<Value>) -> Vec<Value> {
    entities.sort_by(|a, b| {
        number(a, "offset")
            .cmp(&number(b, "offset"))
            .then(number(b, "length").cmp(&number(a, "length")))
            .then_with(|| a["type"].as_str().cmp(&b["type"].as_str()))
    });
    entities
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blanks_go_at_both_ends_and_entities_follow() {
        let stored = normalise(" \n 😀 bold \n", &[json!({"type":"bold","offset":6,"length":6})]);
        assert_eq!(stored.text, "😀 bold");
        assert_eq!(stored.entities, [json!({"type":"bold","offset":3,"length":4})]);
    }

    #[test]
    fn control_characters_become_spaces_or_vanish() {
        let stored =
            normalise("a\tb\r\n\u{1}c\u{2028}d", &[json!({"type":"code","offset":8,"length":1})]);
        assert_eq!(stored.text, "a b\n cd");
        assert_eq!(stored.entities[0]["offset"], 6);
    }

    #[test]
    fn an_entity_of_trimmed_blanks_only_is_dropped() {
        let stored = normalise("a  ", &[json!({"type":"bold","offset":1,"length":2})]);
        assert_eq!(stored.text, "a");
        assert!(stored.entities.is_empty());
    }

    #[test]
    fn lengths_are_utf16() {
        assert_eq!(utf16_len("aä€😀"), 5);
    }
}
