//! Where to cut a text that is too long: at the best border that does not waste the message.

use super::width::extends;

/// How far back whitespace is looked at to tell a paragraph from a line; keeps hostile runs of
/// whitespace linear.
const RUN: usize = 64;

/// Kinds of borders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Border {
    Paragraph,
    Connection,
    /// A line of code that is followed by one without indentation, or by an empty one.
    CodeBlock,
    CodeLine,
    Sentence,
    Word,
    Character,
}

const BORDERS: usize = 7;

/// What is tried in turn: a border, and how much of the message it must fill, in percent.
const ORDER: [(Border, usize); 13] = [
    (Border::Paragraph, 40),
    (Border::Connection, 40),
    (Border::CodeBlock, 40),
    (Border::Paragraph, 20),
    (Border::Connection, 20),
    (Border::CodeLine, 20),
    (Border::Sentence, 20),
    (Border::Paragraph, 5),
    (Border::Connection, 5),
    (Border::CodeLine, 5),
    (Border::Word, 5),
    (Border::Character, 0),
    (Border::Word, 0),
];

/// The best place to cut `text` between `start` and `hard`, both in bytes: after `start`, at `hard`
/// at the latest, and on a character. `in_code` says whether a place is inside a code block.
pub(super) fn best(
    text: &str,
    start: usize,
    hard: usize,
    in_code: impl Fn(usize) -> bool,
) -> usize {
    let mut last: [Option<usize>; BORDERS] = [None; BORDERS];
    let mut before = None;
    let mut flags = 0;
    let window = text[start..].char_indices().map(|(i, c)| (start + i, c));
    for (at, next) in window.take_while(|&(at, _)| at <= hard) {
        if let Some(prev) = before.filter(|&prev| !holds_together(prev, next, flags)) {
            for border in borders(text, at, prev, next, &in_code).into_iter().flatten() {
                last[border as usize] = Some(at);
            }
        }
        flags = if is_flag_half(next) { flags + 1 } else { 0 };
        before = Some(next);
    }
    let fills = |at: usize, percent: usize| (at - start) * 100 >= (hard - start) * percent;
    ORDER
        .iter()
        .find_map(|&(border, percent)| last[border as usize].filter(|&at| fills(at, percent)))
        .unwrap_or(hard)
}

/// Which borders lie between two characters.
fn borders(
    text: &str,
    at: usize,
    prev: char,
    next: char,
    in_code: &impl Fn(usize) -> bool,
) -> [Option<Border>; 3] {
    let mut found = [Some(Border::Character), None, None];
    if next == '\n' && prev != '\n' {
        let run = text[at..].chars().take(RUN).take_while(|c| c.is_whitespace());
        let after = text[at + 1..].chars().next();
        found[1] = Some(if !in_code(at) {
            let empty_line = run.filter(|&c| c == '\n').count() > 1;
            if empty_line { Border::Paragraph } else { Border::Connection }
        } else if after.is_some_and(|c| c == '\n' || !c.is_whitespace()) {
            Border::CodeBlock
        } else {
            Border::CodeLine
        });
        // A border between blocks of code is one between its lines too.
        found[2] = in_code(at).then_some(Border::CodeLine);
    } else if next.is_whitespace() {
        let mark_follows = text[at + next.len_utf8()..].chars().next().is_some_and(extends);
        found[1] = (!mark_follows).then_some(Border::Word);
        found[2] = matches!(prev, '.' | '!' | '?' | '…' | '。' | '؟' | '।')
            .then_some(Border::Sentence)
            .filter(|_| !mark_follows);
    } else if matches!(prev, '。' | '！' | '？') {
        found[1] = Some(Border::Sentence);
    }
    found
}

/// Whether a cut between two characters would break what is shown as one. `flags` counts the
/// regional indicators that end with `prev`.
fn holds_together(prev: char, next: char, flags: usize) -> bool {
    extends(next)
        || prev == '\u{200D}'
        || is_flag_half(next) && flags % 2 == 1
        || matches!(prev, '\u{1100}'..='\u{115F}')
            && matches!(next, '\u{1100}'..='\u{115F}' | '\u{AC00}'..='\u{D7A3}')
}

fn is_flag_half(c: char) -> bool {
    matches!(c, '\u{1F1E6}'..='\u{1F1FF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts after at most `hard` bytes, and shows both sides.
    fn cut(text: &str, hard: usize) -> (&str, &str) {
        text.split_at(best(text, 0, hard, |_| false))
    }

    #[test]
    fn the_best_border_wins() {
        for (text, hard, left) in [
            ("one. two\nthree\n\nfour five six", 22, "one. two\nthree"),
            ("one. two three\nfour five six", 22, "one. two three"),
            ("one two. three four", 15, "one two."),
            ("one two three four", 10, "one two"),
            ("一二三。四五六七", 18, "一二三。"),
            ("abcdefghij", 4, "abcd"),
            ("12345\n\n67890", 5, "12345"),
        ] {
            assert_eq!(cut(text, hard).0, left, "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_as_one_stays_one() {
        let family = "👨\u{200D}👩\u{200D}👧";
        for (unit, count) in
            [(family, 5), ("👍🏽", 9), ("🇩🇪", 11), ("☀\u{FE0F}", 13), ("e\u{301}\u{302}", 17)]
        {
            let text = unit.repeat(count);
            for hard in (unit.len()..text.len()).filter(|&h| text.is_char_boundary(h)) {
                assert_eq!(best(&text, 0, hard, |_| false) % unit.len(), 0, "{unit} {hard}");
            }
        }
    }

    #[test]
    fn without_any_border_the_limit_counts() {
        let text = format!("e{}", "\u{301}".repeat(50));
        assert_eq!(best(&text, 0, 41, |_| false), 41);
    }

    #[test]
    fn code_is_cut_between_its_blocks() {
        let code = "fn a() {\n    x\n}\nfn b() {\n    y\n}\n";
        assert_eq!(&code[..best(code, 0, 32, |_| true)], "fn a() {\n    x\n}\nfn b() {\n    y");
        assert_eq!(&code[..best(code, 0, 29, |_| true)], "fn a() {\n    x\n}");
    }
}
