//! Emphasis beside the punctuation of scripts without spaces.
//!
//! Markdown decides by the characters around a mark whether it begins or ends something, and takes
//! for granted that words have spaces between them: `**提示：**Fable` stays as it is written. Where a
//! mark touches such a script, the rules here are those of "CommonMark, CJK friendly".

use std::borrow::Cow;

use super::code;

/// Stands beside a mark for a letter, and is never shown: the parser then decides as meant.
pub(super) const LETTER: char = '\u{FDD0}';

/// How far the end of bold text in underscores is looked for, in bytes.
const STRONG_BYTES: usize = 500;

/// Puts [`LETTER`] beside the marks that need it.
pub(super) fn with_letters(source: &str) -> Cow<'_, str> {
    if source.is_ascii() {
        return Cow::Borrowed(source);
    }
    let mut written = String::with_capacity(source.len() + 64);
    let (mut at, mut partner) = (0, None);
    while let Some(found) = source[at..].find(['`', '~', '\\', '*', '_']) {
        written.push_str(&source[at..at + found]);
        at += found;
        let rest = &source[at..];
        let run = rest.len() - rest.trim_start_matches(&rest[..1]).len();
        let length = match rest.as_bytes()[0] {
            b'\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            b'*' | b'_' => run,
            _ => code::length(source, at),
        };
        if rest.starts_with("__") && run == 2 && partner != Some(at) {
            partner = partner_of(source, at);
        }
        let is_strong = rest.starts_with("__") && partner.is_some_and(|end| at <= end);
        let is_mark = is_strong || rest.starts_with('*') || rest.starts_with("~~") && length == 2;
        let (before, after) =
            if is_mark { missing(source, at, at + length) } else { (false, false) };
        written.extend(before.then_some(LETTER));
        written.push_str(if is_strong { "**" } else { &rest[..length] });
        written.extend(after.then_some(LETTER));
        at += length;
    }
    written.push_str(&source[at..]);
    Cow::Owned(written)
}

/// Where the bold text ends that `__` at `start` begins, if Markdown would not see that: underscores
/// within a word are part of names, so it wants spaces around them.
fn partner_of(source: &str, start: usize) -> Option<usize> {
    let inner = &source[start + 2..];
    let inner = &inner[..inner.floor_char_boundary(STRONG_BYTES)];
    let inner = &inner[..inner.find(['_', '\n', '`', '*'])?];
    let end = start + 2 + inner.len();
    let rest = source[end..].strip_prefix("__")?;
    let before = source[..start].chars().next_back().unwrap_or(' ');
    let after = rest.chars().next().unwrap_or(' ');
    let is_free = |c: char| is_spaceless(c) || !c.is_alphanumeric();
    let is_trimmed = !inner.is_empty() && inner.trim() == inner;
    let touches = is_spaceless(before) || is_spaceless(after);
    (!rest.starts_with('_') && is_trimmed && touches && is_free(before) && is_free(after))
        .then_some(end)
}

/// Whether a letter is missing before and after the mark, for it to end or to begin something.
fn missing(source: &str, start: usize, end: usize) -> (bool, bool) {
    let is_sign = |c: &char| !super::width::extends(*c);
    let before = source[..start].chars().rev().find(is_sign).unwrap_or(' ');
    let after = source[end..].chars().next().unwrap_or(' ');
    let (before, after) = (Side::of(before), Side::of(after));
    let begins =
        !after.is_space && (!after.is_punctuation || before.is_space || before.is_punctuation);
    let may_begin = !after.is_space
        && (!after.is_punctuation
            || after.is_spaceless
            || before.is_space
            || before.is_punctuation
            || before.is_spaceless);
    let ends =
        !before.is_space && (!before.is_punctuation || after.is_space || after.is_punctuation);
    let may_end = !before.is_space
        && (!before.is_punctuation
            || before.is_spaceless
            || after.is_space
            || after.is_punctuation
            || after.is_spaceless);
    (may_end && !ends, may_begin && !begins)
}

/// What a character beside a mark is.
struct Side {
    is_space: bool,
    is_punctuation: bool,
    /// Of a script that is written without spaces, or its punctuation.
    is_spaceless: bool,
}

impl Side {
    fn of(c: char) -> Self {
        let is_space = c.is_whitespace();
        let is_punctuation =
            !is_space && !c.is_alphanumeric() && c != LETTER && !super::html::is_tag(c);
        Self { is_space, is_punctuation, is_spaceless: is_spaceless(c) }
    }
}

/// Han, Kana, Hangul, Bopomofo and their punctuation; Thai, Lao, Myanmar, Khmer, Tibetan.
fn is_spaceless(c: char) -> bool {
    matches!(u32::from(c),
        0xE00..=0xFFF | 0x1000..=0x109F | 0x1100..=0x11FF | 0x1780..=0x17FF | 0x2E80..=0xA4CF
        | 0xA960..=0xA97F | 0xAC00..=0xD7FF | 0xF900..=0xFAFF | 0xFE10..=0xFE1F
        | 0xFE30..=0xFE6F | 0xFF00..=0xFFEF | 0x1B000..=0x1B16F | 0x1F200..=0x1F2FF
        | 0x20000..=0x3FFFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_beside_punctuation_get_what_they_need() {
        for (source, want) in [
            ("**社区显示：**Fable", "**社区显示：_**Fable"),
            ("これは**「重要」**です", "これは**_「重要」_**です"),
            ("他说**“好”**。", "他说**_“好”**。"),
            ("**重点(注)**是", "**重点(注)_**是"),
            ("~~「旧」~~新", "~~「旧」_~~新"),
            ("__「重要」__です", "**「重要」_**です"),
            ("変数__名前", "変数__名前"),
            ("a__名前__b", "a__名前__b"),
            ("`__初期化__`", "`__初期化__`"),
            ("**plain**", "**plain**"),
            ("**é:**x", "**é:**x"),
            ("`**：**x`", "`**：**x`"),
            ("```\n**：**x\n```", "```\n**：**x\n```"),
            ("\\**：x", "\\**：x"),
            ("**中文**", "**中文**"),
        ] {
            let shown = with_letters(source).replace(LETTER, "_");
            assert_eq!(shown, want, "{source:?}");
        }
    }
}
