//! Marks in an answer that name a document by its number: `[1]`, `[2, 3]`, `[1-3]`, `[^1]`, `【1】`.
//!
//! Invariants: neither code nor a link is a mark. Whatever is not a mark stays as it is.

use std::ops::Range;

use super::super::joint;

/// The highest number that is a mark; others are years, indexes and the like.
const MOST: usize = 99;

/// Longest text between the brackets, in bytes.
const INNER: usize = 60;

/// Words that models write before the number.
const WORDS: [&str; 8] =
    ["document", "documents", "doc", "docs", "source", "sources", "passage", "passages"];

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) range: Range<usize>,
    pub(super) numbers: Vec<usize>,
}

/// All marks of a text, in order. `before`: what stands before it, which may have left a block of code open.
pub(super) fn marks(before: &str, text: &str) -> Vec<Mark> {
    let mut fence = joint::open_fence(before).and_then(joint::fence).map(|(mark, _)| mark);
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        match (fence, joint::fence(line)) {
            (None, Some((mark, _))) => fence = Some(mark),
            (Some(open), Some((mark, ""))) if mark.starts_with(open) => fence = None,
            (Some(_), _) => {}
            (None, None) => in_line(text, start..start + line.len(), &mut found),
        }
        start += line.len();
    }
    found
}

fn in_line(text: &str, line: Range<usize>, found: &mut Vec<Mark>) {
    let mut at = line.start;
    while at < line.end {
        let rest = &text[at..line.end];
        let Some(c) = rest.chars().next() else { return };
        match c {
            '\\' => at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '`' => at += code(rest),
            '[' | '【' => match mark(text, at, line.end) {
                Some(mark) => {
                    at = mark.range.end;
                    found.push(mark);
                }
                None => at += c.len_utf8(),
            },
            c => at += c.len_utf8(),
        }
    }
}

/// The length of the code that begins here, or of its ticks where it does not end in this line.
fn code(rest: &str) -> usize {
    let run = |text: &str| text.len() - text.trim_start_matches('`').len();
    let ticks = run(rest);
    let mut at = ticks;
    while let Some(next) = rest[at..].find('`') {
        let length = run(&rest[at + next..]);
        at += next + length;
        if length == ticks {
            return at;
        }
    }
    ticks
}

fn mark(text: &str, at: usize, end: usize) -> Option<Mark> {
    let rest = &text[at..end];
    let (open, close) = if rest.starts_with('[') { ('[', ']') } else { ('【', '】') };
    let inner = &rest[open.len_utf8()..];
    let length = inner.find(close).filter(|length| *length <= INNER)?;
    let numbers = numbers(&inner[..length])?;
    let after = at + open.len_utf8() + length + close.len_utf8();
    let after = after + target(&text[after..end])?;
    (!is_index(text, at, &text[after..end])).then_some(Mark { range: at..after, numbers })
}

/// The length of what looks like a link's address but leads nowhere; `None` for a real link.
fn target(rest: &str) -> Option<usize> {
    let is_definition = rest.starts_with(':') && rest[1..].trim_start().starts_with("http");
    if is_definition {
        return None;
    }
    let Some(inner) = rest.strip_prefix('(') else { return Some(0) };
    let Some(length) = inner.find(')') else { return Some(0) };
    let address = &inner[..length];
    if address.contains("://") {
        return None;
    }
    // "[1] (see below)" has a blank before it; this names a file.
    Some(if address.contains(char::is_whitespace) { 0 } else { length + 2 })
}

/// Whether this is an index in code that no one marked as such: `list[1] = 5`, `list[1].name`.
fn is_index(text: &str, at: usize, after: &str) -> bool {
    let is_attached = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let goes_on = after.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '=')
        || after.trim_start().starts_with('=')
        || after.strip_prefix('.').is_some_and(|next| next.starts_with(char::is_alphanumeric));
    is_attached && goes_on
}

fn numbers(inner: &str) -> Option<Vec<usize>> {
    let inner = inner.split('†').next().unwrap_or_default().trim().trim_start_matches('^');
    let letters = inner.len() - inner.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
    let (word, mut rest) = inner.split_at(letters);
    if !word.is_empty() {
        let is_known = WORDS.contains(&word.to_ascii_lowercase().as_str());
        rest = Some(rest).filter(|_| is_known)?.trim_start_matches([' ', ':', '#']);
    }
    let mut all = Vec::new();
    for piece in rest.split([',', ';']) {
        let piece = piece.trim().trim_start_matches('^');
        match piece.split_once(['-', '–']) {
            None => all.push(number(piece)?),
            Some((first, last)) => {
                let (first, last) = (number(first.trim())?, number(last.trim())?);
                all.extend(first..=last);
            }
        }
    }
    (!all.is_empty()).then_some(all)
}

fn number(digits: &str) -> Option<usize> {
    let is_plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| is_plain && !digits.starts_with('0'))?;
    (number <= MOST).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, Vec<usize>)> {
        marks("", text).into_iter().map(|mark| (&text[mark.range], mark.numbers)).collect()
    }

    #[test]
    fn marks_are_known_in_the_forms_that_models_write() {
        for (text, numbers) in [
            ("a [1].", vec![1]),
            ("a[12]", vec![12]),
            ("a [1, 3;2]", vec![1, 3, 2]),
            ("a [2-4]", vec![2, 3, 4]),
            ("a [^2]", vec![2]),
            ("a [Document 2]", vec![2]),
            ("a [source: 1]", vec![1]),
            ("a 【3†source】", vec![3]),
            ("a [1](install.md)", vec![1]),
        ] {
            let found = found(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert_eq!(found[0].1, numbers, "{text}");
        }
        assert_eq!(found("a [1](b.md) [2]")[0].0, "[1](b.md)");
        assert_eq!(found("灯台[1]は[2]").len(), 2);
    }

    #[test]
    fn whatever_is_not_a_mark_stays() {
        for text in [
            "[2024]",
            "[0]",
            "[01]",
            "[step 1]",
            "[x]",
            "[1](https://a.b)",
            "[1]: https://a.b",
            "`list[1]`",
            "``a ` [1]``",
            "```\n[1]\n```",
            "~~~\n[1]",
            "\\[1]",
            "list[1] = 5",
            "list[1].name",
            "[1\n]",
            "[",
            "[]",
            "【",
            "[9-1]",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        let after = marks("```sh\nls\n", "[1]\n```\nthen [2]");
        assert_eq!(after.iter().map(|mark| mark.numbers[0]).collect::<Vec<_>>(), [2]);
    }
}
