//! What other programs say, made fit to be shown: one line, bounded, no control characters.

/// Longest quotation in a message, in characters.
const QUOTE: usize = 400;

/// One line of at most 400 characters. Whitespace and control characters become single spaces, so
/// nothing can move a terminal's cursor or begin a new line of a log.
pub(super) fn quote(text: &str) -> String {
    let line = one_line(text);
    if line.chars().count() <= QUOTE {
        return line;
    }
    line.chars().take(QUOTE - 1).chain(['…']).collect()
}

/// As [`quote`], but keeps the end: programs say last what went wrong.
pub(super) fn quote_end(text: &str) -> String {
    let line = one_line(text);
    let count = line.chars().count();
    if count <= QUOTE {
        return line;
    }
    ['…'].into_iter().chain(line.chars().skip(count - QUOTE + 1)).collect()
}

fn one_line(text: &str) -> String {
    let flat = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    let words: Vec<&str> = text.split(flat).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Characters that change the order of what is shown (Unicode TR 36, section 2.7).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_are_one_bounded_line() {
        assert_eq!(quote(" 550 no\r\nsuch \x1b[31muser\u{202e}\0 "), "550 no such [31muser");
        let long = quote(&"ä".repeat(1_000));
        assert_eq!((long.chars().count(), long.chars().last()), (QUOTE, Some('…')));
        let end = quote_end(&format!("{}the end", "ä".repeat(1_000)));
        assert!(end.starts_with('…') && end.ends_with("the end") && end.chars().count() == QUOTE);
    }
}
