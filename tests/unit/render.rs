//! What Telegram would accept unchanged: a strict check of rendered messages, for tests.

use super::clean;
use crate::model::limits::{MESSAGE_ENTITIES, MESSAGE_UNITS};
use crate::model::text::{Entity, EntityKind, Rich, utf16_len};

/// Panics unless Telegram would store the message exactly as it is.
pub(super) fn assert_sendable(message: &Rich) {
    if let Err(fault) = check(message, MESSAGE_UNITS) {
        panic!("{fault}\n{message:?}");
    }
}

/// The first thing that Telegram would refuse or change.
pub(super) fn check(message: &Rich, units: usize) -> Result<(), String> {
    let Rich { text, entities } = message;
    if clean::is_blank(text) {
        return Err("blank".into());
    }
    if utf16_len(text) > units {
        return Err(format!("{} units", utf16_len(text)));
    }
    if text.trim() != text {
        return Err("not trimmed".into());
    }
    if let Some(c) = text.chars().find(|&c| clean::fate(c) != clean::CharAction::Keep) {
        return Err(format!("{c:?} would be changed"));
    }
    if entities.len() > MESSAGE_ENTITIES {
        return Err(format!("{} entities", entities.len()));
    }
    let order = |e: &Entity| (e.offset, std::cmp::Reverse(e.length));
    if !entities.is_sorted_by_key(order) {
        return Err("not sorted".into());
    }
    let wide: Vec<u16> = text.encode_utf16().collect();
    entities.iter().try_for_each(|e| check_one(&wide, e))?;
    check_pairs(entities)
}

fn is_quote(kind: &EntityKind) -> bool {
    matches!(kind, EntityKind::Quote | EntityKind::FoldedQuote)
}

fn check_one(wide: &[u16], entity: &Entity) -> Result<(), String> {
    let (start, end) = (entity.offset as usize, (entity.offset + entity.length) as usize);
    if entity.length == 0 || end > wide.len() {
        return Err(format!("out of bounds: {entity:?}"));
    }
    let covered = String::from_utf16(&wide[start..end])
        .map_err(|_| format!("inside a surrogate pair: {entity:?}"))?;
    let trimmed = match entity.kind {
        // The indentation of the first line is part of the code, and of the quote around it.
        EntityKind::Pre { .. } | EntityKind::Quote | EntityKind::FoldedQuote => {
            covered.trim_end() == covered && !covered.starts_with('\n')
        }
        _ => covered.trim() == covered,
    };
    if !trimmed {
        return Err(format!("whitespace at an end: {entity:?} {covered:?}"));
    }
    match &entity.kind {
        EntityKind::Link { url } if super::link::target(url).as_ref() != Some(url) => {
            Err(format!("address {url:?}"))
        }
        EntityKind::Pre { language: Some(l) } if l.is_empty() || l.contains(' ') => {
            Err(format!("language {l:?}"))
        }
        _ => Ok(()),
    }
}

/// Nesting: no crossing, nothing within its own kind, code only within a quote, quotes outermost.
fn check_pairs(entities: &[Entity]) -> Result<(), String> {
    let end = |e: &Entity| e.offset + e.length;
    let is_code = |e: &Entity| matches!(e.kind, EntityKind::Code | EntityKind::Pre { .. });
    for (i, outer) in entities.iter().enumerate() {
        for inner in entities[i + 1..].iter().take_while(|e| e.offset < end(outer)) {
            let quote = is_quote(&outer.kind);
            let same = std::mem::discriminant(&outer.kind) == std::mem::discriminant(&inner.kind);
            let fault = if end(inner) > end(outer) {
                "crossing"
            } else if same {
                "within its own kind"
            } else if is_code(outer) || is_code(inner) && !quote {
                "code with other formatting"
            } else if is_quote(&inner.kind) && outer.length > inner.length {
                "a quote inside something"
            } else {
                continue;
            };
            return Err(format!("{fault}: {outer:?} {inner:?}"));
        }
    }
    Ok(())
}

/// Every character that is not whitespace, with the formatting it has: what a cut must not change.
pub(super) fn formatted_chars(message: &Rich) -> Vec<(char, Vec<EntityKind>)> {
    let mut unit = 0;
    let mut chars = Vec::new();
    for c in message.text.chars() {
        if !clean::is_invisible(c) {
            let covers = |e: &&Entity| e.offset <= unit && unit < e.offset + e.length;
            let mut kinds: Vec<EntityKind> =
                message.entities.iter().filter(covers).map(|e| e.kind.clone()).collect();
            kinds.sort_by_key(super::spans::class);
            chars.push((c, kinds));
        }
        unit += c.len_utf16() as u32;
    }
    chars
}
