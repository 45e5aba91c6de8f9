//! The strict judge of texts, entities and keyboards: refuses what Telegram refuses, and what it
//! would silently drop or change.

use serde_json::{Map, Value};

pub use crate::text::utf16_len;
use crate::text::{Stored, cleaned, normalise};

/// Telegram's limit for a text after entity parsing, in UTF-16 units.
pub const MAX_TEXT: usize = 4096;
/// More entities than this are dropped by Telegram's servers (`MAX_USER_ENTITY_COUNT` of TDLib).
pub const MAX_ENTITIES: usize = 100;
/// Raw texts above this many bytes are refused before anything else.
const MAX_RAW_TEXT: usize = 1 << 15;

/// Judges a message as `sendMessage` would: `Err` has the words of the refusal.
///
/// # Errors
/// Says what is wrong, in Telegram's words or, where Telegram is silently lax, starting with `strict:`.
pub fn check_message(text: &str, entities: &[Value]) -> Result<(), String> {
    store(text, entities).map(drop)
}

/// Judges a message and returns it as Telegram would store it.
///
/// # Errors
/// As [`check_message`].
pub fn store(text: &str, entities: &[Value]) -> Result<Stored, String> {
    if text.is_empty() {
        return Err("message text is empty".to_owned());
    }
    if text.len() > MAX_RAW_TEXT {
        return Err("text is too long".to_owned());
    }
    check_entities(text, entities)?;
    let stored = normalise(text, entities);
    if is_blank(&stored.text) {
        return Err("text must be non-empty".to_owned());
    }
    if stored.text.len() > MAX_TEXT && utf16_len(&stored.text) > MAX_TEXT {
        return Err("message is too long".to_owned());
    }
    Ok(stored)
}

/// Whether Telegram sees nothing in this text (`is_empty_string` of TDLib).
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(c, ' ' | '\n' | '\u{a0}' | '\u{1680}' | '\u{180e}' | '\u{2000}'..='\u{200f}'
            | '\u{202e}' | '\u{202f}' | '\u{205f}' | '\u{2800}' | '\u{3000}' | '\u{feff}' | '\u{fffc}'
            | '\u{e0000}'..='\u{e007f}')
    })
}

/// One entity, read and judged on its own.
struct Span<'a> {
    kind: &'a str,
    start: usize,
    end: usize,
}

/// Judges entities against their text.
///
/// # Errors
/// Says what is wrong with the first wrong entity.
pub fn check_entities(text: &str, entities: &[Value]) -> Result<(), String> {
    if entities.is_empty() {
        return Ok(());
    }
    if entities.len() > MAX_ENTITIES {
        return Err(format!("strict: {} entities, Telegram keeps {MAX_ENTITIES}", entities.len()));
    }
    // units[i] is true where a character starts; one more for the end.
    let mut starts = Vec::with_capacity(text.len() + 1);
    let mut blank = Vec::with_capacity(text.len() + 1);
    for c in text.chars() {
        starts.push(true);
        blank.push(cleaned(c).is_none_or(char::is_whitespace));
        if c.len_utf16() == 2 {
            starts.push(false);
            blank.push(false);
        }
    }
    starts.push(true);
    let spans =
        entities.iter().map(|entity| span(entity, &starts)).collect::<Result<Vec<_>, _>>()?;
    for span in &spans {
        if blank[span.start..span.end].iter().all(|b| *b) {
            return Err(format!("strict: {} at {} covers only white space", span.kind, span.start));
        }
    }
    check_nesting(&spans)
}

fn span<'a>(entity: &'a Value, starts: &[bool]) -> Result<Span<'a>, String> {
    let fail = |why: &str| format!("can't parse MessageEntity: {why}");
    let map = entity.as_object().ok_or_else(|| fail("expected an Object"))?;
    let number = |key: &str| {
        map.get(key)
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| fail(&format!("field \"{key}\" must be a Number not below 0")))
    };
    let (start, length) = (number("offset")?, number("length")?);
    let kind =
        map.get("type").and_then(Value::as_str).ok_or_else(|| fail("Type is not specified"))?;
    check_kind(kind, map).map_err(|why| fail(&why))?;
    let end = start.saturating_add(length);
    if length == 0 {
        return Err(format!("strict: {kind} at {start} has length 0"));
    }
    if end >= starts.len() {
        return Err(format!(
            "strict: {kind} at {start} with length {length} ends after the text of {} units",
            starts.len() - 1
        ));
    }
    if !starts[start] || !starts[end] {
        return Err(format!(
            "strict: {kind} at {start} with length {length} splits a surrogate pair"
        ));
    }
    Ok(Span { kind, start, end })
}

/// Checks the type of an entity and the fields that belong to it.
fn check_kind(kind: &str, map: &Map<String, Value>) -> Result<(), String> {
    let own: &[&str] = match kind {
        "bold"
        | "italic"
        | "underline"
        | "strikethrough"
        | "spoiler"
        | "code"
        | "blockquote"
        | "expandable_blockquote" => &[],
        "pre" => &["language"],
        "text_link" => &["url"],
        "text_mention" => &["user"],
        "custom_emoji" => &["custom_emoji_id"],
        "date_time" => &["unix_time", "date_time_format"],
        "mention" | "hashtag" | "cashtag" | "bot_command" | "url" | "email" | "phone_number"
        | "bank_card_number" => {
            return Err(format!("strict: Telegram finds {kind} itself and ignores it here"));
        }
        _ => return Err("Unsupported type specified".to_owned()),
    };
    for key in map.keys() {
        if !matches!(key.as_str(), "type" | "offset" | "length") && !own.contains(&key.as_str()) {
            return Err(format!("strict: field \"{key}\" has no place in {kind}"));
        }
    }
    match kind {
        "text_link" => {
            let url = map.get("url").and_then(Value::as_str).ok_or("Can't find field \"url\"")?;
            check_url(url)
        }
        "pre" => match map.get("language") {
            None => Ok(()),
            Some(Value::String(language))
                if !language.is_empty() && !language.contains(char::is_whitespace) =>
            {
                Ok(())
            }
            Some(_) => Err("strict: language of pre must be one word".to_owned()),
        },
        "text_mention" if !map.get("user").is_some_and(|user| user["id"].is_number()) => {
            Err("Can't find field \"user\"".to_owned())
        }
        _ => Ok(()),
    }
}

/// A link that Telegram keeps (`LinkManager::get_checked_link`): other links are dropped in silence.
///
/// # Errors
/// Says why the link would be dropped.
pub fn check_url(url: &str) -> Result<(), String> {
    let fail = |why: &str| Err(format!("strict: url {why}"));
    let Some((scheme, rest)) = url.split_once(':') else {
        return fail("has no scheme");
    };
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return fail("contains white space");
    }
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => {
            let Some(rest) = rest.strip_prefix("//") else {
                return fail("has no host");
            };
            let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
            let host = authority.rsplit('@').next().unwrap_or("");
            if host.is_empty() || !(host.contains('.') || host.starts_with('[')) {
                return fail("has a wrong host");
            }
            Ok(())
        }
        "tg" | "ton" | "tonsite" if !rest.trim_start_matches('/').is_empty() => Ok(()),
        _ => fail("has a scheme that Telegram drops"),
    }
}

/// Entities may nest or stand apart. `pre` and `code` share their place with nothing but an enclosing
/// quote; links do not nest in links, quotes not in quotes, a style not in itself.
fn check_nesting(spans: &[Span<'_>]) -> Result<(), String> {
    let quote = |kind: &str| kind == "blockquote" || kind == "expandable_blockquote";
    let verbatim = |kind: &str| kind == "pre" || kind == "code";
    let continuous = |kind: &str| {
        verbatim(kind)
            || matches!(kind, "text_link" | "text_mention" | "custom_emoji" | "date_time")
    };
    for (i, a) in spans.iter().enumerate() {
        for b in &spans[i + 1..] {
            if a.end <= b.start || b.end <= a.start {
                continue;
            }
            let a_in_b = b.start <= a.start && a.end <= b.end;
            let b_in_a = a.start <= b.start && b.end <= a.end;
            let (outer, inner) = if b_in_a { (a, b) } else { (b, a) };
            let same_range = a_in_b && b_in_a;
            let quoted = (quote(outer.kind) && !quote(inner.kind))
                || (same_range && quote(inner.kind) && !quote(outer.kind));
            let why = if !a_in_b && !b_in_a {
                "cross"
            } else if quoted {
                continue;
            } else if quote(outer.kind) || (quote(inner.kind) && continuous(outer.kind)) {
                "nest wrongly"
            } else if verbatim(a.kind) || verbatim(b.kind) {
                "share a place, but pre and code allow nothing else"
            } else if continuous(a.kind) && continuous(b.kind) {
                "nest, but Telegram keeps one of them"
            } else if a.kind == b.kind {
                "nest in themselves"
            } else {
                continue;
            };
            return Err(format!(
                "strict: entities {} {}..{} and {} {}..{} {why}",
                a.kind, a.start, a.end, b.kind, b.start, b.end
            ));
        }
    }
    Ok(())
}

/// Judges a reply markup; returns what is stored (`None` for an empty inline keyboard).
///
/// # Errors
/// Says what is wrong, in Telegram's words where it has some.
pub fn check_markup(markup: &Value) -> Result<Option<Value>, String> {
    let map = markup.as_object().ok_or("object expected as reply markup")?;
    let Some(rows) = map.get("inline_keyboard") else {
        let known = ["keyboard", "remove_keyboard", "force_reply"];
        return if known.iter().any(|key| map.contains_key(*key)) {
            Ok(None) // shown to the user, but not a part of the stored message
        } else {
            Err("strict: unknown reply markup".to_owned())
        };
    };
    let words = "field \"inline_keyboard\" of the InlineKeyboardMarkup must be an Array of Arrays";
    let mut count = 0;
    for row in rows.as_array().ok_or(words)? {
        for button in row.as_array().ok_or(words)? {
            check_button(button)?;
            count += 1;
        }
    }
    if count > 100 {
        return Err("reply markup is too long".to_owned());
    }
    Ok((count > 0).then(|| serde_json::json!({ "inline_keyboard": rows })))
}

fn check_button(button: &Value) -> Result<(), String> {
    let fail = |why: &str| Err(format!("can't parse inline keyboard button: {why}"));
    let Some(map) = button.as_object() else {
        return fail("InlineKeyboardButton must be an Object");
    };
    let text = map.get("text").and_then(Value::as_str).unwrap_or("");
    if text.trim().is_empty() {
        return fail("field \"text\" must be a non-empty String");
    }
    let actions = map
        .keys()
        .filter(|key| !matches!(key.as_str(), "text" | "icon_custom_emoji_id" | "style"))
        .count();
    if let Some(data) = map.get("callback_data") {
        match data.as_str() {
            Some(data) if (1..=64).contains(&data.len()) => {}
            _ => return Err("BUTTON_DATA_INVALID".to_owned()),
        }
    }
    if let Some(url) = map.get("url")
        && url.as_str().is_none_or(|url| check_url(url).is_err())
    {
        return Err("BUTTON_URL_INVALID".to_owned());
    }
    match actions {
        0 => fail("text buttons are unallowed in the inline keyboard"),
        1 => Ok(()),
        _ => fail("strict: a button has exactly one action"),
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
