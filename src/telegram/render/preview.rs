//! Half-written Markdown, closed so that it looks as it will when the rest has come.
//!
//! A guess by the last paragraph only: a wrong one shows a stray mark for less than a second.

use super::{code, html};

/// Longest last paragraph that is looked at, in bytes.
const TAIL_BYTES: usize = 4096;

/// `source` with what is open at its end closed: emphasis, inline code, a link being written. An
/// open code block needs nothing, since Markdown closes it at the end of the text.
pub(super) fn close(source: &str) -> String {
    let source = &*code::outer_fences(source);
    if let Some(fence) = code::open_block(source) {
        return without_half_fence(source, fence).to_owned();
    }
    let source = without_half_tag(source);
    let head = source.len() - tail(source).len();
    let text = without_half_mark(source.trim_end());
    let mut closed = text.to_owned();
    if let Some((open, middle)) = half_link(text, head) {
        closed = format!("{}{}", &text[..open], &text[open + 1..middle]);
    }
    let closers = closers(&closed[head.min(closed.len())..]);
    // The first half of the closing mark may have come already.
    let half = ["**", "~~"].iter().any(|&mark| {
        closers.starts_with(mark) && closed.ends_with(&mark[1..]) && !closed.ends_with(mark)
    });
    closed.push_str(if half { &closers[1..] } else { &closers });
    closed.push_str(&html::unclosed(&closed));
    closed
}

/// Without a mark at the end that nothing has followed yet, unless the line is only that: a
/// bullet or a rule.
fn without_half_mark(text: &str) -> &str {
    let kept = text.trim_end_matches(['*', '_', '~', '`', '[', '!']);
    let dangles = text.len() - kept.len() <= 3 && kept.ends_with(' ') && !kept.trim().is_empty();
    if dangles || text.ends_with("\n`") || text.ends_with("\n``") { kept.trim_end() } else { text }
}

/// Without the beginning of a tag at the end.
fn without_half_tag(source: &str) -> &str {
    let Some(at) = source.rfind('<').filter(|&at| !source[at..].contains('>')) else {
        return source;
    };
    let name = source[at + 1..].trim_start_matches('/');
    let is_half = name.chars().all(|c| c.is_ascii_alphabetic()) || name.starts_with("a href=");
    if is_half { &source[..at] } else { source }
}

/// Without the first marks of a fence that will close the block.
fn without_half_fence<'a>(source: &'a str, fence: &str) -> &'a str {
    let line = source.rsplit('\n').next().unwrap_or_default();
    let half = !line.is_empty() && line.len() < fence.len() && fence.starts_with(line);
    if half { &source[..source.len() - line.len()] } else { source }
}

/// The last paragraph, or as much of its end as is looked at.
fn tail(source: &str) -> &str {
    let paragraph = source.rfind("\n\n").map_or(0, |at| at + 2);
    let mut from = paragraph.max(source.len().saturating_sub(TAIL_BYTES));
    while !source.is_char_boundary(from) {
        from += 1;
    }
    &source[from..]
}

/// Where a link begins whose address is not there yet, and where its text ends.
fn half_link(text: &str, head: usize) -> Option<(usize, usize)> {
    let head = head.min(text.len());
    let middle = head + text[head..].rfind("](")?;
    let open = head + text[head..middle].rfind('[')?;
    let address = &text[middle + 2..];
    (!address.contains([')', '\n', ' '])).then_some((open, middle))
}

/// What closes the emphasis and the code that are open at the end of a paragraph.
fn closers(paragraph: &str) -> String {
    let mut open: Vec<&str> = Vec::new();
    let mut code: Option<&str> = None;
    let mut rest = paragraph;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let run = rest.len() - rest.trim_start_matches(c).len();
        let (mark, after) = match c {
            '`' => rest.split_at(run),
            '*' | '_' | '~' => rest.split_at(run.min(2)),
            '\\' if code.is_none() => {
                let skipped = rest.chars().nth(1).map_or(0, char::len_utf8);
                rest.split_at(1 + skipped)
            }
            _ => rest.split_at(c.len_utf8()),
        };
        let next = after.chars().next().unwrap_or(' ');
        if c == '`' {
            match code {
                Some(fence) if fence == mark => code = None,
                None => code = Some(mark),
                Some(_) => {}
            }
        } else if code.is_none() && matches!(mark, "**" | "__" | "~~" | "*" | "_") {
            let inside_word = c == '_' && before.is_alphanumeric() && next.is_alphanumeric();
            if open.last() == Some(&mark) && !before.is_whitespace() {
                open.pop();
            } else if !next.is_whitespace() && !inside_word {
                open.push(mark);
            }
        }
        before = c;
        rest = after;
    }
    let mut closers = code.unwrap_or_default().to_owned();
    closers.extend(open.into_iter().rev());
    closers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_closed() {
        for (half, whole) in [
            ("plain", "plain"),
            ("a **bold", "a **bold**"),
            ("a **bold *and", "a **bold *and***"),
            ("a **bold ", "a **bold**"),
            ("a **bold*", "a **bold**"),
            ("a **bold**", "a **bold**"),
            ("```\nx\n```", "```\nx\n```"),
            ("text\n``", "text"),
            ("what!", "what!"),
            ("say `code", "say `code`"),
            ("say `a*b", "say `a*b`"),
            ("~~gone", "~~gone~~"),
            ("next **", "next"),
            ("see [the docs](https://exam", "see the docs"),
            ("see [the docs](https://a.b)", "see [the docs](https://a.b)"),
            ("5 * 3 = 15", "5 * 3 = 15"),
            ("a <b>bold", "a <b>bold</b>"),
            ("a <b>bold</", "a <b>bold</b>"),
            ("<ul><li>a", "<ul><li>a</ul>"),
            ("1 < 2", "1 < 2"),
            ("```md\na\n```sh\nls\n```\nb", "````md\na\n```sh\nls\n```\nb"),
            ("snake_case_name", "snake_case_name"),
            ("- one\n* ", "- one\n*"),
            ("```rust\nlet a", "```rust\nlet a"),
            ("```rust\nlet a\n``", "```rust\nlet a\n"),
            ("```\n**x\n```\nand **y", "```\n**x\n```\nand **y**"),
            ("**open\n\nnew", "**open\n\nnew"),
        ] {
            assert_eq!(close(half), whole, "{half:?}");
        }
    }
}
