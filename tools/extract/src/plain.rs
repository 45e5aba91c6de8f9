//! Plain text, whose headings may have a line of marks below them, as in reStructuredText, or marks in
//! front, as in Markdown and AsciiDoc.
//!
//! Invariant: line by line, in one pass, and nothing is lost but those marks.

use crate::document::Document;
use crate::inline::Anchors;
use crate::limits::Limits;
use crate::markdown::atx;
use crate::writer::Writer;

/// Longest line that can be a heading, in bytes.
const HEADING: usize = 400;

/// Reads plain text.
pub(crate) fn read(text: &str, limits: &Limits) -> Document {
    let mut writer = Writer::new(limits);
    let (mut anchors, mut kept) = (Anchors::default(), String::new());
    // The marks of underlines, in the order in which they come first: that is their level.
    let mut marks: Vec<char> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if writer.is_full() {
            break;
        }
        let is_begun = kept.is_empty() || kept.ends_with("\n\n") || kept == "\n";
        let underlined = lines.peek().and_then(|next| underline(next, line));
        let heading = if let Some(mark) = underlined.filter(|_| is_begun) {
            lines.next();
            let known = marks.iter().position(|known| *known == mark);
            let level = known.unwrap_or_else(|| {
                marks.push(mark);
                marks.len() - 1
            });
            Some((u8::try_from(level + 1).unwrap_or(6), line.trim()))
        } else {
            atx(line).or_else(|| equals(line))
        };
        match heading {
            Some((level, heading)) => {
                writer.text(&kept);
                kept.clear();
                let anchor = anchors.of(heading);
                writer.heading(level, heading, Some(&anchor));
            }
            // The upper line of a title between two lines.
            None if is_begun
                && lines.peek().is_some_and(|next| underline(line, next).is_some()) => {}
            None => {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    writer.text(&kept);
    let mut document = writer.finish();
    document.title = document.first_heading().map(str::to_owned);
    document
}

/// The mark of a line of marks that is about as long as the title above it.
fn underline(line: &str, title: &str) -> Option<char> {
    let mark = line.chars().next().filter(|c| "=-~^\"'*+#`:._".contains(*c))?;
    let (length, title) = (line.trim_end().chars().count(), title.trim_end());
    let is_title = title.len() <= HEADING && title.chars().any(char::is_alphanumeric);
    let is_line = length >= 3 && line.trim_end().chars().all(|c| c == mark);
    // Wide characters are as wide as two marks.
    let longest = title.chars().count();
    (is_title
        && is_line
        && !title.starts_with(' ')
        && length >= longest
        && length <= longest * 2 + 3)
        .then_some(mark)
}

/// A heading of AsciiDoc: `== Title`.
fn equals(line: &str) -> Option<(u8, &str)> {
    let text = line.trim_start_matches('=');
    let level = u8::try_from(line.len() - text.len()).ok().filter(|n| (1..=6).contains(n))?;
    let text = text.strip_prefix(' ')?.trim();
    text.starts_with(char::is_alphanumeric).then_some((level, text))
}
