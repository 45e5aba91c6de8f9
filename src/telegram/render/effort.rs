//! Keeps the parser from texts that were made to keep it busy.

/// How much work lists and quotes may make: levels open at once times lines. The parser looks at
/// every open level on every line; what would take it longer than a tenth of a second, or hours,
/// was not written to be read, and is shown as it is.
const WORK: usize = 50_000_000;

/// Whether `source` is such a text.
pub(super) fn is_too_much(source: &str) -> bool {
    work(source) > WORK
}

/// Most levels that a line of `source` may open or continue, times lines.
fn work(source: &str) -> usize {
    let levels = |line: &str| {
        let marks = line.trim_start_matches([
            ' ', '\t', '>', '-', '+', '*', '.', ')', '0', '1', '2', '3', '4', '5', '6', '7', '8',
            '9',
        ]);
        let marks = &line.as_bytes()[..line.len() - marks.len()];
        let opened = marks.iter().filter(|&&b| b == b'>').count();
        // Each level of a list needs a space or two, whether it begins or goes on.
        let spaces = marks.iter().filter(|b| b.is_ascii_whitespace()).count();
        opened + spaces
    };
    source.lines().map(levels).max().unwrap_or(0) * source.lines().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absurd_nesting_is_too_much() {
        let lazy =
            |levels: usize, lines: usize| format!("{}a{}", ">".repeat(levels), "\nb".repeat(lines));
        assert!(is_too_much(&lazy(64 * 1024, 32 * 1024)));
        assert!(!is_too_much(&lazy(100, 32 * 1024)));
        assert!(!is_too_much(&"        deep(code)\n".repeat(7000)));
        assert!(!is_too_much(&"word ".repeat(200_000)));
    }
}
