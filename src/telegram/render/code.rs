//! Where code is in Markdown, before it is parsed: what rewrites the source leaves code alone.
//!
//! Models put code blocks into code blocks ("```markdown" with "```bash" inside). Markdown ends the
//! outer one at the first bare fence; `outer_fences` makes the outer fence longer, so that it holds.

use std::borrow::Cow;

/// How far inline code is followed, in bytes; keeps a text full of openings linear.
const INLINE_BYTES: usize = 2000;

/// Fences looked at in search of the one that closes a block, over the whole text.
const STEPS: usize = 100_000;

/// Languages of code blocks that hold Markdown themselves.
const MARKDOWN: [&str; 4] = ["markdown", "md", "mdx", "gfm"];

/// A line that may begin or end a code block.
struct Fence<'a> {
    /// Where its line begins, and where its marks are.
    line: usize,
    at: usize,
    marks: &'a str,
    info: &'a str,
}

impl<'a> Fence<'a> {
    /// The fence on the line from `start` to `end`.
    fn of(source: &'a str, start: usize, end: usize) -> Option<Self> {
        let line = &source[start..end];
        let at = lead(line);
        let marks = &line[at..];
        let mark = marks.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let run = marks.len() - marks.trim_start_matches(mark).len();
        let info = marks[run..].trim();
        let fits = run >= 3 && !(mark == '`' && info.contains('`'));
        fits.then(|| Self { line: start, at: start + at, marks: &marks[..run], info })
    }

    /// Whether it could stand inside a block of `outer` as a fence of its own, or close it.
    fn matters_to(&self, outer: &Self) -> bool {
        self.marks.starts_with(outer.marks)
    }

    /// Whether it names a language, so that it can only begin a block.
    fn opens(&self) -> bool {
        !self.info.is_empty() && !self.info.contains(char::is_whitespace)
    }
}

/// Bytes of indentation, quote marks and list markers that a line begins with.
pub(super) fn lead(line: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &line[at..];
        let spaces = rest.len() - rest.trim_start_matches([' ', '\t', '>']).len();
        let marked = &rest[spaces..];
        let digits = marked.len() - marked.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let is_marker = match marked.as_bytes().get(digits) {
            Some(b'.' | b')') => (1..=9).contains(&digits),
            Some(b'-' | b'*' | b'+') => digits == 0,
            _ => false,
        };
        if !is_marker || !marked[digits + 1..].starts_with([' ', '\t']) {
            return at + spaces;
        }
        at += spaces + digits + 2;
    }
}

/// Bytes of the code that begins at `at`, where a backtick or tilde is: a block with its fences, or
/// inline code. For marks that begin no code, their number.
pub(super) fn length(source: &str, at: usize) -> usize {
    let line = source[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = line_end(source, at);
    if let Some(fence) = Fence::of(source, line, end).filter(|fence| fence.at == at) {
        let close = fences(source, end + 1).find(|f| f.info.is_empty() && f.matters_to(&fence));
        return close.map_or(source.len(), |f| line_end(source, f.at)) - at;
    }
    let text = &source[at..];
    let mark = text.chars().next().unwrap_or('`');
    let run = text.len() - text.trim_start_matches(mark).len();
    if mark != '`' {
        return run;
    }
    let marks = &text[..run];
    let window = &text[..text.floor_char_boundary(run + INLINE_BYTES)];
    let window = &window[..window.find("\n\n").unwrap_or(window.len())];
    let mut from = run;
    while let Some(found) = window.get(from..).and_then(|rest| rest.find(marks)) {
        let start = from + found;
        let length = text[start..].len() - text[start..].trim_start_matches('`').len();
        from = start + length;
        if length == run {
            return from;
        }
    }
    run
}

fn line_end(source: &str, at: usize) -> usize {
    source[at..].find('\n').map_or(source.len(), |end| at + end)
}

/// Lines from `start` on that look like fences.
fn fences(source: &str, start: usize) -> impl Iterator<Item = Fence<'_>> {
    let mut at = start;
    let lines = std::iter::from_fn(move || {
        let start = (at < source.len()).then_some(at)?;
        let end = line_end(source, start);
        at = end + 1;
        Some((start, end))
    });
    lines.filter_map(move |(start, end)| Fence::of(source, start, end))
}

/// Makes the fences of blocks that hold blocks themselves longer than those inside.
pub(super) fn outer_fences(source: &str) -> Cow<'_, str> {
    let fences: Vec<Fence<'_>> = fences(source, 0).collect();
    let mut longer: Vec<(usize, &str, usize)> = Vec::new();
    let (mut next, mut steps) = (0, 0);
    while let Some(outer) = fences.get(next) {
        let rest = &fences[next + 1..];
        let is_markdown = MARKDOWN.contains(&outer.info.to_ascii_lowercase().as_str());
        let (mut depth, mut inside, mut plain_close, mut close) = (1, 0, None, None);
        for (i, fence) in rest.iter().enumerate().filter(|(_, f)| f.matters_to(outer)) {
            steps += 1;
            if fence.opens() {
                depth += 1;
                inside = fence.marks.len().max(inside);
            } else if fence.info.is_empty() {
                depth -= 1;
                plain_close = plain_close.or(Some(i));
            }
            if depth == 0 {
                close = Some(i);
            }
            if depth == 0 || steps > STEPS {
                break;
            }
        }
        // What is still being written may not have come to its end.
        let holds = inside > 0 && (close.is_some() || is_markdown);
        if holds {
            longer.push((outer.at, outer.marks, inside));
            longer.extend(close.map(|i| (rest[i].at, outer.marks, inside)));
        }
        let end = if holds { close } else { plain_close };
        next = end.map_or(fences.len(), |i| next + i + 2);
    }
    if longer.is_empty() || steps > STEPS {
        return Cow::Borrowed(source);
    }
    let mut written = String::with_capacity(source.len() + 8 * longer.len());
    let mut from = 0;
    for (at, marks, inside) in longer {
        written.push_str(&source[from..at]);
        written.extend(std::iter::repeat_n(&marks[..1], inside + 1));
        from = at + source[at..].len() - source[at..].trim_start_matches(&marks[..1]).len();
    }
    written.push_str(&source[from..]);
    Cow::Owned(written)
}

/// Where the last code block begins, if it is still open.
pub(super) fn open_block(source: &str) -> Option<&str> {
    let mut all = fences(source, 0);
    while let Some(open) = all.next() {
        let closes = |f: &Fence<'_>| f.info.is_empty() && f.matters_to(&open);
        if !all.by_ref().any(|f| closes(&f)) {
            debug_assert!(open.line <= open.at, "marks are on their line");
            return Some(open.marks);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_holds_blocks_gets_a_longer_fence() {
        for (source, want) in [
            (
                "```markdown\na\n```bash\nb\n```\nc\n```\nd",
                "````markdown\na\n```bash\nb\n```\nc\n````\nd",
            ),
            ("```md\n```a\n```\n```b\n```\n```", "````md\n```a\n```\n```b\n```\n````"),
            ("```\n```sh\nb\n```\n```", "````\n```sh\nb\n```\n````"),
            ("~~~md\n~~~~sh\nb\n~~~~\n~~~", "~~~~~md\n~~~~sh\nb\n~~~~\n~~~~~"),
            ("- ```md\n  ```sh\n  b\n  ```\n  ```", "- ````md\n  ```sh\n  b\n  ```\n  ````"),
            // Still being written.
            ("```markdown\n```bash\nb\n```\n", "````markdown\n```bash\nb\n```\n"),
            // Already right, or nothing of the kind.
            ("````md\n```sh\n```\n````", "````md\n```sh\n```\n````"),
            ("```sh\na\n```\n```sh\nb\n```", "```sh\na\n```\n```sh\nb\n```"),
            ("```sh\n```js\nb\n```", "```sh\n```js\nb\n```"),
            ("```a``` ```b\n", "```a``` ```b\n"),
        ] {
            assert_eq!(outer_fences(source), want, "{source:?}");
        }
    }

    #[test]
    fn code_is_found_with_its_end() {
        for (source, code) in [
            ("`a` b", "`a`"),
            ("``a`b`` c", "``a`b``"),
            ("`a\n\nb`", "`"),
            ("```x\n`` ` ```y\n```\nz", "```x\n`` ` ```y\n```"),
            ("~~~\na\n~~~\nb", "~~~\na\n~~~"),
            ("~~a~~", "~~"),
            ("```\na", "```\na"),
            ("```a```b", "```a```"),
        ] {
            assert_eq!(&source[..length(source, 0)], code, "{source:?}");
        }
        assert_eq!(length("> ```\n> a\n> ```\nb", 2), "```\n> a\n> ```".len());
    }

    #[test]
    fn many_fences_stay_linear() {
        let source = "```a\n```b\n```\n".repeat(20_000);
        let clock = std::time::Instant::now();
        outer_fences(&source);
        assert!(clock.elapsed().as_secs() < 5);
    }
}
