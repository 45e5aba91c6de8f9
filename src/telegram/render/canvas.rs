//! A text being written with its formatting: clean at every moment, spans in bytes.
//!
//! `Marked` is the finished thing. `Page` is the pen: it knows the indentation of the place, the
//! list marker still to be written, and how much space the last block wants below itself. All
//! three are only written when something visible follows.

use super::clean::{self, CharAction};
use super::spans::Span;
use crate::model::text::{EntityKind, Rich};

/// Columns between tab stops in code; Telegram turns a tab into a single space.
const TAB: usize = 4;

/// Text that Telegram will not change any more, with formatting that may still overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct Marked {
    pub(super) text: String,
    pub(super) spans: Vec<Span>,
}

impl Marked {
    /// Cleaned text without formatting.
    pub(super) fn plain(text: &str) -> Self {
        let mut page = Page::default();
        page.raw(&clean::source(text));
        page.finish()
    }

    /// Cleaned text with its entities; offsets that point outside or into a character are moved
    /// to the next character.
    pub(super) fn from_rich(rich: &Rich) -> Self {
        // For each border in units, the byte of the cleaned text it falls on.
        let mut borders: Vec<u64> = rich
            .entities
            .iter()
            .flat_map(|e| [u64::from(e.offset), u64::from(e.offset) + u64::from(e.length)])
            .collect();
        borders.sort_unstable();
        borders.dedup();
        let mut bytes = Vec::with_capacity(borders.len());
        let mut page = Page::default();
        let mut unit = 0u64;
        for c in rich.text.chars() {
            while bytes.len() < borders.len() && borders[bytes.len()] <= unit {
                bytes.push(page.text.len());
            }
            page.put(c);
            unit += c.len_utf16() as u64;
        }
        bytes.resize(borders.len(), page.text.len());
        let byte_at = |unit: u64| bytes[borders.partition_point(|&b| b < unit)];
        for entity in &rich.entities {
            let start = u64::from(entity.offset);
            let end = start + u64::from(entity.length);
            page.mark(byte_at(start), byte_at(end), entity.kind.clone());
        }
        page.finish()
    }
}

/// A list marker that waits for its entry; several when lists begin on one line.
#[derive(Clone, Debug)]
struct Marker {
    indent: usize,
    text: String,
    /// Where the last of several begins.
    last: usize,
}

/// The pen.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    text: String,
    spans: Vec<Span>,
    /// Newlines wanted between what is written and what comes.
    gap: usize,
    /// List marker to write before what comes.
    marker: Option<Marker>,
    /// Columns that a new line begins with.
    pub(super) indent: usize,
    /// A table cell: one line, whatever is written.
    pub(super) single_line: bool,
}

impl Page {
    /// A page for one table cell.
    pub(super) fn cell() -> Self {
        Self { single_line: true, ..Self::default() }
    }

    /// Where the pen is, in bytes.
    pub(super) fn at(&self) -> usize {
        self.text.len()
    }

    /// What is written from `start` on.
    pub(super) fn since(&self, start: usize) -> &str {
        &self.text[start..]
    }

    /// All that is written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Formats what lies between two places.
    pub(super) fn mark(&mut self, start: usize, end: usize, kind: EntityKind) {
        if start < end {
            self.spans.push(Span { start, end, kind });
        }
    }

    /// Asks for at least `lines` newlines before what comes, unless a list marker waits: what
    /// comes then stands beside it.
    pub(super) fn apart(&mut self, lines: usize) {
        if self.marker.is_none() {
            self.gap = self.gap.max(lines);
        }
    }

    /// Sets the number of newlines before what comes.
    pub(super) fn set_gap(&mut self, lines: usize) {
        self.gap = lines;
    }

    /// Puts a marker before what comes; `below` newlines from what is above.
    pub(super) fn set_marker(&mut self, indent: usize, marker: &str, below: usize) {
        if let Some(waiting) = &mut self.marker {
            waiting.last = waiting.text.len();
            waiting.text.push_str(marker);
            return;
        }
        self.gap = self.gap.max(below);
        self.marker = Some(Marker { indent, text: marker.to_owned(), last: 0 });
    }

    /// Replaces the bullet still to be written, for task lists.
    pub(super) fn replace_marker(&mut self, marker: &str) {
        if let Some(waiting) = &mut self.marker {
            waiting.text.truncate(waiting.last);
            waiting.text.push_str(marker);
        }
    }

    /// Writes a waiting marker although nothing came after it.
    pub(super) fn write_marker(&mut self) {
        if self.marker.is_some() {
            self.ready();
            self.trim_end(0);
        }
    }

    /// Asks for a line of its own: a marker is written, and what comes begins below it.
    pub(super) fn own_line(&mut self) {
        self.write_marker();
        self.gap = self.gap.max(1);
    }

    /// Goes to where the next character belongs: gap, indentation and marker are written.
    pub(super) fn ready(&mut self) {
        if let Some(marker) = self.marker.take() {
            self.gap = self.gap.max(1);
            self.break_line();
            self.pad(marker.indent);
            self.raw(&marker.text);
        } else if self.gap > 0 {
            self.break_line();
            self.pad(self.indent);
        }
    }

    /// Goes to the beginning of a line, with the gap above it.
    pub(super) fn break_line(&mut self) {
        let there = self.text.len() - self.text.trim_end_matches('\n').len();
        if !self.text.is_empty() {
            for _ in there..self.gap {
                self.text.push('\n');
            }
        }
        self.gap = 0;
    }

    fn pad(&mut self, columns: usize) {
        self.text.extend(std::iter::repeat_n(' ', columns));
    }

    /// Writes running text; a newline in it keeps the indentation.
    pub(super) fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.ready();
        let mut lines = text.split('\n');
        self.raw(lines.next().unwrap_or_default());
        for line in lines {
            self.newline();
            self.raw(line);
        }
    }

    /// Begins a new line within a paragraph.
    pub(super) fn newline(&mut self) {
        if self.single_line {
            self.text.push(' ');
        } else {
            self.ready();
            self.text.push('\n');
            self.pad(self.indent);
        }
    }

    /// Writes code: tabs go to their stops, nothing is indented.
    pub(super) fn write_code(&mut self, code: &str) {
        let mut column = self.text.rsplit('\n').next().map_or(0, |line| line.chars().count());
        for c in code.chars() {
            match c {
                '\t' => {
                    let stop = TAB - column % TAB;
                    self.pad(stop);
                    column += stop;
                }
                _ => {
                    self.put(c);
                    column = if c == '\n' { 0 } else { column + 1 };
                }
            }
        }
    }

    /// Removes whitespace at the end, but nothing before `start`.
    pub(super) fn trim_end(&mut self, start: usize) {
        let kept = self.text.trim_end().len().max(start);
        self.text.truncate(kept);
    }

    /// Writes text as it is, cleaned.
    pub(super) fn raw(&mut self, text: &str) {
        for c in text.chars() {
            self.put(c);
        }
    }

    fn put(&mut self, c: char) {
        let c = match clean::fate(c) {
            CharAction::Keep => c,
            CharAction::Become(other) => other,
            CharAction::Drop => return,
        };
        self.text.push(if self.single_line && c == '\n' { ' ' } else { c });
    }

    /// Writes another page where the pen is, without what surrounds it.
    pub(super) fn append(&mut self, other: &Page) {
        self.ready();
        let shift = self.text.len();
        self.text.push_str(&other.text);
        for span in &other.spans {
            self.mark(span.start + shift, span.end + shift, span.kind.clone());
        }
    }

    /// The finished text.
    pub(super) fn finish(mut self) -> Marked {
        self.write_marker();
        Marked { text: clean::settle_marks(self.text), spans: self.spans }
    }
}
