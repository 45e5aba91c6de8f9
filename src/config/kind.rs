//! The kinds of values, and how each is read: from a text (environment) or from TOML, within its
//! bounds.
//!
//! Invariant: a refusal repeats numbers only, never a text, for a text may be a misplaced secret.

use hygiene::url;
use toml::de::DeValue;

use super::listen;
use super::name::is_name;
use super::nearest::nearest;
use super::secret::Secret;
use super::value::Value;
use crate::model::money::MicroUsd;

/// Longest value of one line, in characters: model names and paths are far shorter.
const WORD_CHARS: usize = 1000;

/// Longest value of several lines, in characters; a system prompt is sent with every question.
const PROSE_CHARS: usize = 32_000;

/// What a key holds, and within which bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// One line of visible text, such as a name; not empty.
    Word,
    /// Text of several lines; may be empty.
    Prose,
    /// One word of a list, in any case.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number from the first bound to the second.
    Whole(u64, u64),
    /// A number with a fraction, from the first bound to the second.
    Number(f64, f64),
    /// An amount of US dollars, or the word that stands for none.
    Usd(&'static str),
    /// Telegram ids: an array in the file, a list with commas in the environment.
    Ids {
        /// Whether ids of groups, which are below zero, make sense too.
        groups: bool,
    },
    /// Names of one line each: an array in the file, a list with commas in the environment.
    Words,
    /// One of these words or the name of a table that users name, in any case; or several, best first: an
    /// array in the file, a list with commas in the environment.
    Names(&'static [&'static str]),
    /// A file or a folder.
    Path,
    /// An `http` or `https` address without user, password, query or fragment.
    Url,
    /// An address with a port to listen on, or `off`.
    Listen,
    /// A secret, which is never read from the file.
    Secret,
}

/// What is right for this kind, to follow "write".
pub(super) fn expected(kind: Kind) -> String {
    match kind {
        Kind::Word => "one line of visible text".to_owned(),
        Kind::Prose => format!("a text of at most {PROSE_CHARS} characters"),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::Flag => "true or false".to_owned(),
        Kind::Whole(low, high) => format!("a whole number from {low} to {high}"),
        Kind::Number(low, high) => format!("a number from {low} to {high}"),
        Kind::Usd(word) => {
            format!(
                "an amount of US dollars such as 5 or 0.25, with at most six decimals, or {word}"
            )
        }
        Kind::Ids { groups: false } => {
            "user ids, which are whole numbers above zero: [1, 2] in the file, 1,2 in the \
             environment"
                .to_owned()
        }
        Kind::Ids { groups: true } => {
            "chat ids, which are whole numbers and below zero for groups: [-1, 2] in the file, \
             -1,2 in the environment"
                .to_owned()
        }
        Kind::Words => "names: [\"a\", \"b\"] in the file, a,b in the environment".to_owned(),
        Kind::Names(words) => format!(
            "one of {} or the name of a table [providers.NAME], or several of them, best first: \
             [\"a\", \"b\"] in the file, a,b in the environment",
            words.join(", ")
        ),
        Kind::Path => "the path of a file or folder".to_owned(),
        Kind::Url => "an address such as https://host or http://127.0.0.1:8080/path".to_owned(),
        Kind::Listen => "an address with a port such as 127.0.0.1:8080, or off".to_owned(),
        Kind::Secret => "a secret on one line".to_owned(),
    }
}

/// Reads a text from the environment. The error continues a sentence about the value.
pub(super) fn from_text(kind: Kind, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    match kind {
        Kind::Prose => prose(text),
        Kind::Word => word(trimmed).map(Value::Text),
        Kind::Choice(words) => choice(words, trimmed),
        Kind::Flag => flag(trimmed),
        // Other programs write seconds with a fraction of zero, such as HTTP_TIMEOUT=60.0.
        Kind::Whole(low, high) => match trimmed.strip_suffix(".0").unwrap_or(trimmed).parse() {
            Ok(n) => whole(n, low, high),
            Err(_) => Err("is not a whole number".to_owned()),
        },
        Kind::Number(low, high) => match trimmed.parse() {
            Ok(n) => number(n, low, high),
            Err(_) => Err("is not a number".to_owned()),
        },
        Kind::Usd(word) => usd(word, trimmed),
        Kind::Ids { groups } => {
            let parts = trimmed.split([',', ' ']).filter(|part| !part.is_empty());
            ids(parts.map(|part| part.parse().ok()), groups)
        }
        Kind::Words => {
            words(trimmed.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Some))
        }
        Kind::Names(words) => {
            let parts = trimmed.split([',', ' ']).filter(|part| !part.is_empty());
            names(words, parts.map(Some))
        }
        Kind::Path => path(trimmed),
        Kind::Url => url::parse(trimmed).map(|url| Value::Text(url.text)).map_err(str::to_owned),
        Kind::Listen => match listen::address(trimmed)? {
            Some(address) => Ok(Value::Text(address.to_string())),
            None => Ok(Value::Text(listen::OFF.to_owned())),
        },
        Kind::Secret => secret(trimmed),
    }
}

/// Reads a value of the file. The error continues a sentence about the value.
pub(super) fn from_toml(kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
    let wrong = || format!("has the wrong type, {}", value.type_str());
    match (kind, value) {
        (Kind::Secret, _) => Err("is a secret, which is never read from the file".to_owned()),
        (
            Kind::Word
            | Kind::Prose
            | Kind::Choice(_)
            | Kind::Names(_)
            | Kind::Usd(_)
            | Kind::Path
            | Kind::Url
            | Kind::Listen,
            DeValue::String(text),
        ) => from_text(kind, text),
        // As it is written, for a binary fraction would not be the same amount.
        (Kind::Usd(word), DeValue::Float(n)) => usd(word, n.as_str()),
        (Kind::Usd(word), DeValue::Integer(n)) => usd(word, n.as_str()),
        (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
        (Kind::Whole(low, high), DeValue::Integer(_)) => {
            whole(integer(value).ok_or_else(wrong)?, low, high)
        }
        (Kind::Number(low, high), DeValue::Integer(n)) => {
            number(n.as_str().parse().map_err(|_| wrong())?, low, high)
        }
        (Kind::Number(low, high), DeValue::Float(n)) => {
            number(n.as_str().parse().map_err(|_| wrong())?, low, high)
        }
        (Kind::Ids { groups }, DeValue::Array(array)) => {
            ids(array.iter().map(|item| integer(item.get_ref())), groups)
        }
        (Kind::Words, DeValue::Array(array)) => {
            words(array.iter().map(|item| item.get_ref().as_str().map(str::trim)))
        }
        (Kind::Names(known), DeValue::Array(array)) => {
            names(known, array.iter().map(|item| item.get_ref().as_str()))
        }
        _ => Err(wrong()),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn whole(n: i64, low: u64, high: u64) -> Result<Value, String> {
    match u64::try_from(n) {
        Ok(n) if n > high => Err(format!("is too large: {n}")),
        Ok(n) if n >= low => Ok(Value::Whole(n)),
        _ => Err(format!("is too small: {n}")),
    }
}

fn number(n: f64, low: f64, high: f64) -> Result<Value, String> {
    if !n.is_finite() {
        return Err("is not a finite number".to_owned());
    }
    if n > high {
        return Err(format!("is too large: {n}"));
    }
    if n < low { Err(format!("is too small: {n}")) } else { Ok(Value::Number(n)) }
}

fn usd(word: &str, text: &str) -> Result<Value, String> {
    if text.eq_ignore_ascii_case(word) {
        return Ok(Value::Text(word.to_owned()));
    }
    MicroUsd::parse(text).map(Value::Usd).map_err(|why| why.0.to_owned())
}

fn ids(parts: impl Iterator<Item = Option<i64>>, groups: bool) -> Result<Value, String> {
    let mut ids = Vec::new();
    for part in parts {
        let id = part.ok_or("has an entry that is not a whole number")?;
        if id == 0 || (id < 0 && !groups) {
            return Err(format!("has an entry that is not a valid id: {id}"));
        }
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(Value::Ids(ids))
}

fn words<'a>(parts: impl Iterator<Item = Option<&'a str>>) -> Result<Value, String> {
    let mut words = Vec::new();
    for part in parts {
        let part = part.ok_or("has an entry that is not a text")?;
        let word = word(part).map_err(|why| format!("has an entry that {why}"))?;
        if !words.contains(&word) {
            words.push(word);
        }
    }
    Ok(Value::Words(words))
}

/// One name is a text, as it is written; several are words.
fn names<'a>(
    known: &[&'static str],
    parts: impl Iterator<Item = Option<&'a str>>,
) -> Result<Value, String> {
    let mut names = Vec::new();
    for part in parts {
        let name = part.ok_or("has an entry that is not a text")?.trim().to_lowercase();
        if name.is_empty() {
            return Err("has an empty entry".to_owned());
        }
        if !is_name(&name) {
            let guess = guess(&name, known);
            return Err(format!("has an entry that is not a valid name{guess}"));
        }
        names.push(name);
    }
    match names.len() {
        0 => Err("is empty".to_owned()),
        1 => Ok(Value::Text(names.concat())),
        _ => Ok(Value::Words(names)),
    }
}

/// What was probably meant, to end a refusal.
fn guess(written: &str, words: &[&str]) -> String {
    nearest(written, words.iter().copied())
        .map(|word| format!("; did you mean {word}?"))
        .unwrap_or_default()
}

fn flag(text: &str) -> Result<Value, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(Value::Flag(true)),
        "false" | "0" | "no" | "off" => Ok(Value::Flag(false)),
        _ => Err("is neither true nor false".to_owned()),
    }
}

fn choice(words: &[&'static str], text: &str) -> Result<Value, String> {
    let lower = text.to_lowercase();
    if words.contains(&lower.as_str()) {
        return Ok(Value::Text(lower));
    }
    Err(format!("is not an allowed value{}", guess(&lower, words)))
}

fn word(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("has a control character in it".to_owned());
    }
    if text.chars().count() > WORD_CHARS {
        return Err(format!("is longer than {WORD_CHARS} characters"));
    }
    Ok(text.to_owned())
}

fn prose(text: &str) -> Result<Value, String> {
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t' && c != '\r') {
        return Err("has a control character in it".to_owned());
    }
    if text.chars().count() > PROSE_CHARS {
        return Err(format!("is longer than {PROSE_CHARS} characters"));
    }
    Ok(Value::Text(text.replace("\r\n", "\n").replace('\r', "\n")))
}

fn path(text: &str) -> Result<Value, String> {
    let text = word(text)?;
    if text == "~" || text.starts_with("~/") {
        return Err("begins with ~, which only a shell understands".to_owned());
    }
    Ok(Value::Text(text))
}

/// Secrets travel in HTTP headers and URLs, so anything but visible ASCII is a slip of the hand.
fn secret(text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.contains('…') {
        return Err("contains …, as a shortened example does; the whole value is needed".to_owned());
    }
    if text.len() > WORD_CHARS || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("is not one word of visible ASCII characters".to_owned());
    }
    Ok(Value::Secret(Secret::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: Kind, text: &str) -> Result<Value, String> {
        from_text(kind, text)
    }

    #[test]
    fn texts_are_read_by_kind() {
        let ids = Kind::Ids { groups: true };
        for (kind, written, value) in [
            (Kind::Whole(0, 50), " 50 ", Value::Whole(50)),
            (Kind::Whole(0, 50), "30.0", Value::Whole(30)),
            (Kind::Number(0.1, 2.0), "1", Value::Number(1.0)),
            (Kind::Usd("off"), " $0.10", Value::Usd(MicroUsd(100_000))),
            (Kind::Usd("off"), "OFF", Value::Text("off".to_owned())),
            (Kind::Flag, "Yes", Value::Flag(true)),
            (Kind::Flag, "off", Value::Flag(false)),
            (Kind::Choice(&["open", "closed"]), "OPEN", Value::Text("open".to_owned())),
            (ids, "1, -2,1", Value::Ids(vec![1, -2])),
            (Kind::Words, "a/b:c, d,,a/b:c", Value::Words(vec!["a/b:c".into(), "d".into()])),
            (Kind::Names(&["openai"]), "OpenAI", Value::Text("openai".to_owned())),
            (Kind::Names(&[]), "a, b,,", Value::Words(vec!["a".into(), "b".into()])),
            (Kind::Url, "https://host/", Value::Text("https://host".to_owned())),
            (Kind::Prose, "a\r\nb", Value::Text("a\nb".to_owned())),
        ] {
            assert_eq!(text(kind, written), Ok(value), "{written}");
        }
    }

    #[test]
    fn wrong_texts_are_refused_without_being_repeated() {
        for (kind, written) in [
            (Kind::Whole(1, 50), "zzz9"),
            (Kind::Number(0.1, 2.0), "zzz9"),
            (Kind::Number(0.1, 2.0), "NaN"),
            (Kind::Usd("off"), "zzz9"),
            (Kind::Usd("off"), "-5"),
            (Kind::Usd("off"), "1e3"),
            (Kind::Flag, "zzz9"),
            (Kind::Choice(&["open", "closed"]), "zzz9"),
            (Kind::Ids { groups: false }, "1,zzz9"),
            (Kind::Ids { groups: false }, "-4"),
            (Kind::Words, "a,zzz9\u{7}"),
            (Kind::Names(&["openai"]), "openai,sk-zzz9"),
            (Kind::Names(&["openai"]), "openai,zzz__9"),
            (Kind::Path, "~/zzz9"),
            (Kind::Word, "zzz9\u{7}"),
            (Kind::Prose, "zzz9\u{0}"),
            (Kind::Url, "zzz9"),
            (Kind::Listen, "zzz9:80"),
            (Kind::Secret, "zzz9 zzz9"),
        ] {
            let refusal = text(kind, written).expect_err(written);
            assert!(!refusal.contains("zzz9"), "{refusal}");
        }
        assert_eq!(text(Kind::Whole(1, 50), "51"), Err("is too large: 51".to_owned()));
        assert_eq!(text(Kind::Whole(1, 50), "-1"), Err("is too small: -1".to_owned()));
    }
}
