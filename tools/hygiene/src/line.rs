//! Foreign text on one line: names, errors of other programs, texts of findings.
//!
//! Invariant: what comes out can neither begin a new line of a log, nor move a terminal's cursor,
//! nor reorder or hide what stands around it.

use std::borrow::Cow;

/// One line of at most `most` characters. Whitespace and control characters become single blanks,
/// invisible characters go, and so do blanks at both ends. `…` is the last character of a text that
/// was cut.
pub fn one_line(text: &str, most: usize) -> String {
    let line = joined(text);
    if line.chars().nth(most).is_none() {
        return line;
    }
    let start: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", start.trim_end())
}

/// As [`one_line`], but keeps the end, where programs say what went wrong.
pub fn one_line_end(text: &str, most: usize) -> String {
    let line = joined(text);
    let over = line.chars().count().saturating_sub(most);
    if over == 0 {
        return line;
    }
    let end: String = line.chars().skip(over + 1).collect();
    format!("…{}", end.trim_start())
}

/// A count with its noun: `1 document`, `12 documents`.
pub fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A text of several lines without what moves a terminal's cursor, reorders or hides; lines and blanks
/// stay as they are.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let blank = |c| if c == '\t' { ' ' } else { c };
    Cow::Owned(text.chars().map(blank).filter(|c| !is_odd(*c)).collect())
}

/// JSON with the same content, in which such characters stand as `\u202e`.
pub fn harmless_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_odd) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_odd(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

fn is_odd(c: char) -> bool {
    c.is_control() && c != '\n' || is_invisible(c)
}

/// The visible words of a text, with single blanks between them.
fn joined(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let before = line.len();
        line.extend(word.chars().filter(|c| !is_invisible(*c)));
        if line.len() > before && before > 0 {
            line.insert(before, ' ');
        }
    }
    line
}

/// Characters that reorder the text around them, or hide: overrides, isolates, marks, zero width,
/// fillers, tags (Unicode TR 36, section 2.7). The zero-width joiner is not among them: families of
/// emoji are made with it.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'
        | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn foreign_text_becomes_one_bounded_line() {
        for (text, line) in [
            (" 550 no\r\nsuch \x1b[31muser\u{202e}\0 ", "550 no such [31muser"),
            ("fine\nWATCHDOG=trigger\r\x1b[1m", "fine WATCHDOG=trigger [1m"),
            ("a\u{2028}b\u{200b}c", "a bc"),
            ("👨\u{200d}👩", "👨\u{200d}👩"),
            (" \n ", ""),
        ] {
            assert_eq!(one_line(text, 100), line);
        }
        let long = "ä".repeat(50) + "the end";
        assert_eq!(one_line(&long, 3), "ää…");
        assert_eq!(one_line_end(&long, 8), "…the end");
        assert_eq!(one_line("ab cd", 4), "ab…", "no blank before the ellipsis");
        assert_eq!((one_line("abc", 3), one_line_end("abc", 3)), ("abc".into(), "abc".into()));
    }

    #[test]
    fn lines_stay_and_what_plays_tricks_goes() {
        assert_eq!(harmless("a\tb\nc"), "a b\nc");
        assert_eq!(harmless("x\x1b[2J\r\u{202e}y\u{9b}1m\n"), "x[2Jy1m\n");
        let json = "{\"name\":\"a\u{202e}b\u{7f}\u{e0041}\\u0007\"}";
        let wanted = r#"{"name":"a\u202eb\u007f\udb40\udc41\u0007"}"#;
        assert_eq!(harmless_json(json), wanted);
        for text in ["fine\n", "👨\u{200d}👩"] {
            assert!(matches!(harmless(text), Cow::Borrowed(_)));
            assert!(matches!(harmless_json(text), Cow::Borrowed(_)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_line_stays_what_it_is(text in any::<String>(), most in 1usize..40) {
            for line in [one_line(&text, most), one_line_end(&text, most)] {
                prop_assert!(line.chars().count() <= most);
                let breaks = |c: char| c.is_control() || c == '\u{2028}';
                prop_assert!(!line.chars().any(breaks));
                prop_assert_eq!(one_line(&line, most), line);
            }
        }
    }
}
