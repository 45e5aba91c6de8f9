//! Markdown: headings, tables and code; everything else stays as it is written.
//!
//! Invariant: line by line, in one pass; nothing is lost but comments and what is in front of the text
//! (front matter).

use crate::document::Document;
use crate::inline::{self, Anchors};
use crate::limits::Limits;
use crate::writer::Writer;

/// Where front matter has to end.
const FRONT_MATTER_LINES: usize = 200;

/// Longest heading in bytes; a longer one is a paragraph.
const HEADING: usize = 1000;

/// Reads Markdown.
pub(crate) fn read(text: &str, limits: &Limits) -> Document {
    let mut reader =
        Reader { writer: Writer::new(limits), anchors: Anchors::default(), kept: String::new() };
    let text = reader.front_matter(text);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if reader.writer.is_full() {
            break;
        }
        if let Some(fence) = Fence::opened(line) {
            reader.flush();
            let inner = lines.by_ref().take_while(|line| !fence.is_closed(line));
            let code: Vec<&str> = inner.map(|line| fence.unindented(line)).collect();
            reader.writer.code(&code.join("\n"));
        } else if let Some((level, heading)) = atx(line) {
            reader.flush();
            reader.heading(level, heading);
        } else if line.trim_start().starts_with("<!--") {
            let mut open = line;
            while !open.contains("-->") {
                let Some(next) = lines.next() else { break };
                open = next;
            }
        } else if line.contains('|') && lines.peek().is_some_and(|next| is_dashes(next, line)) {
            reader.flush();
            let mut table = format!("{}\n", line.trim());
            while let Some(row) = lines.next_if(|next| next.contains('|')) {
                table.push_str(row.trim());
                table.push('\n');
            }
            reader.writer.table(&table);
        } else if let Some(level) = lines.peek().and_then(|next| underline(next))
            && reader.begins_paragraph()
            && may_be_heading(line)
        {
            lines.next();
            reader.flush();
            reader.heading(level, line);
        } else {
            reader.kept.push_str(line);
            reader.kept.push('\n');
        }
    }
    reader.finish()
}

struct Reader {
    writer: Writer,
    anchors: Anchors,
    /// Lines of text that are not written yet.
    kept: String,
}

impl Reader {
    /// What follows the front matter, whose title counts.
    fn front_matter<'t>(&mut self, text: &'t str) -> &'t str {
        let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else {
            return text;
        };
        let mut at = 0;
        for line in rest.split_inclusive('\n').take(FRONT_MATTER_LINES) {
            at += line.len();
            let line = line.trim_end();
            if line == "---" || line == "..." {
                let title = rest[..at].lines().find_map(|line| line.strip_prefix("title:"));
                let title = title.map_or("", |title| title.trim().trim_matches(['"', '\'']));
                self.writer.title(title);
                return &rest[at..];
            }
        }
        text
    }

    fn begins_paragraph(&self) -> bool {
        self.kept.is_empty() || self.kept.ends_with("\n\n") || self.kept == "\n"
    }

    fn heading(&mut self, level: u8, source: &str) {
        if source.len() > HEADING {
            // The cutter knows, and takes it as text.
            self.writer.heading(level, source, None);
            return;
        }
        let (text, own) = inline::heading(source);
        let slug = self.anchors.of(&text);
        self.writer.heading(level, &text, Some(&own.unwrap_or(slug)));
    }

    fn flush(&mut self) {
        self.writer.text(&self.kept);
        self.kept.clear();
    }

    fn finish(mut self) -> Document {
        self.flush();
        let mut document = self.writer.finish();
        if document.title.is_none() {
            document.title = document.first_heading().map(str::to_owned);
        }
        document
    }
}

/// A heading with its marks in front: one to six and a space.
pub(crate) fn atx(line: &str) -> Option<(u8, &str)> {
    let text = line.trim_start_matches('#');
    let marks = line.len() - text.len();
    let is_heading = (1..=6).contains(&marks) && (text.is_empty() || text.starts_with([' ', '\t']));
    let level = u8::try_from(marks).ok().filter(|_| is_heading)?;
    let text = text.trim();
    let bare = text.trim_end_matches('#');
    Some((level, if bare.is_empty() || bare.ends_with(' ') { bare.trim_end() } else { text }))
}

/// The level of the heading that such a line makes of the one above it.
fn underline(line: &str) -> Option<u8> {
    let line = line.trim_end();
    let all = |mark: u8| line.len() >= 3 && line.bytes().all(|b| b == mark);
    if all(b'=') { Some(1) } else { all(b'-').then_some(2) }
}

/// Not an empty line, a list, a quote, indented code, a table or a rule.
fn may_be_heading(line: &str) -> bool {
    let is_list = line.starts_with(['-', '*', '+', '>', '|', ' ', '\t']);
    !line.trim().is_empty() && !is_list && line.len() <= HEADING
}

/// Whether a line is what stands below the header of a table, with as many columns.
fn is_dashes(line: &str, header: &str) -> bool {
    let line = line.trim();
    let is_made_of = line.bytes().all(|b| matches!(b, b'-' | b'|' | b':' | b' ' | b'\t'));
    let columns = |line: &str| line.trim().trim_matches('|').matches('|').count();
    is_made_of && line.contains('-') && line.contains('|') && columns(line) <= columns(header)
}

/// A fence that is open.
struct Fence {
    mark: char,
    length: usize,
    indentation: usize,
}

impl Fence {
    fn opened(line: &str) -> Option<Self> {
        let text = line.trim_start();
        let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let length = text.len() - info.len();
        let is_fence = length >= 3 && !(mark == '`' && info.contains('`'));
        is_fence.then(|| Self { mark, length, indentation: line.len() - text.len() })
    }

    fn is_closed(&self, line: &str) -> bool {
        let text = line.trim();
        text.len() >= self.length && text.chars().all(|c| c == self.mark)
    }

    /// A line without the indentation of the fence.
    fn unindented<'l>(&self, line: &'l str) -> &'l str {
        let blanks = line.bytes().take(self.indentation).take_while(|b| *b == b' ').count();
        &line[blanks..]
    }
}
