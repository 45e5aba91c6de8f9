//! Formulas in LaTeX's own brackets, which many models write, turned into the dollars that
//! Markdown readers know. Without this, Markdown takes the backslashes away.

use std::borrow::Cow;

/// Longest formula looked for, in bytes; keeps a text full of openings linear.
const FORMULA_BYTES: usize = 1000;

/// How far inline code is followed, in bytes, for the same reason.
const CODE_BYTES: usize = 2000;

/// Writes `\(x^2\)` as `$x^2$`, and `\[x^2\]` as `$$x^2$$`, outside of code. Brackets around
/// something that does not look like a formula stay: they are escapes.
pub(super) fn with_dollars(source: &str) -> Cow<'_, str> {
    if !source.contains("\\(") && !source.contains("\\[") {
        return Cow::Borrowed(source);
    }
    let mut written = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find(['`', '\\']) {
        written.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('`') {
            let length = code_length(rest);
            written.push_str(&rest[..length]);
            rest = &rest[length..];
        } else if let Some((dollars, formula, length)) = formula(rest) {
            written.extend([dollars, formula, dollars]);
            rest = &rest[length..];
        } else {
            // A backslash and what it escapes, which may be another one.
            let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            written.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    written.push_str(rest);
    Cow::Owned(written)
}

/// Bytes of the code that `text` begins with: a fence goes on to its end or that of the text.
fn code_length(text: &str) -> usize {
    let run = text.len() - text.trim_start_matches('`').len();
    let marks = &text[..run];
    let limit = if run >= 3 { text.len() } else { floor(text, run + CODE_BYTES) };
    let mut at = run;
    // A run of marks may reach beyond the limit.
    while let Some(found) = text.get(at..limit).and_then(|rest| rest.find(marks)) {
        let start = at + found;
        let length = text[start..].len() - text[start..].trim_start_matches('`').len();
        at = start + length;
        if length == run {
            return at;
        }
    }
    if run >= 3 { text.len() } else { run }
}

/// The formula that `text` begins with: its dollars, what is between, and all its bytes.
fn formula(text: &str) -> Option<(&'static str, &str, usize)> {
    let (dollars, close) = match text.as_bytes().get(1)? {
        b'(' => ("$", "\\)"),
        b'[' => ("$$", "\\]"),
        _ => return None,
    };
    let window = &text[2..floor(text, FORMULA_BYTES)];
    let inner = &window[..window.find(close)?];
    let formula = inner.trim();
    let is_formula = formula.contains(['\\', '^', '_', '{', '=']) || formula.len() == 1;
    let stays = !is_formula || formula.contains(['$', '`']) || inner.contains("\n\n");
    (!stays).then_some((dollars, formula, 2 + inner.len() + close.len()))
}

/// `limit`, or the nearest border of a character before it.
fn floor(text: &str, limit: usize) -> usize {
    let mut at = limit.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_of_formulas_become_dollars() {
        for (source, want) in [
            (r"is \( \pi r^2 \).", r"is $\pi r^2$."),
            ("\\[\na = b \\, c\n\\]", "$$a = b \\, c$$"),
            (r"\(x\) \\(x_1\\)", r"$x$ \\(x_1\\)"),
            (r"\[not a link\](x)", r"\[not a link\](x)"),
            (r"`\(a_1\)` \(a_1\)", r"`\(a_1\)` $a_1$"),
            ("```\n\\(a_1\\)\n```\n\\(b_1\\)", "```\n\\(a_1\\)\n```\n$b_1$"),
            ("```\n\\(a_1\\)", "```\n\\(a_1\\)"),
            (r"\(a_1", r"\(a_1"),
            ("\\", "\\"),
            (r"\é\(a_é\)", r"\é$a_é$"),
        ] {
            assert_eq!(with_dollars(source), want, "{source:?}");
        }
    }

    #[test]
    fn a_run_of_marks_may_cross_the_limit() {
        for marks in 1..8 {
            let code = format!("`{}{}\\(a_1\\)", "x".repeat(CODE_BYTES - 1), "`".repeat(marks));
            assert!(with_dollars(&code).len() <= code.len(), "{marks}");
        }
    }
}
