//! Collects the blocks of a document, within the limits.
//!
//! Invariants: a text has no control characters but newlines and tabs, no empty line at its ends, and
//! nothing else than what was read; when the limit is reached, the rest is left out and remarked upon.

use crate::document::{Block, Document};
use crate::limits::Limits;

/// What each block costs besides its text, so that a million of empty ones has a bound, too.
const BLOCK: usize = 16;

/// Collects blocks.
#[derive(Debug)]
pub(crate) struct Writer {
    document: Document,
    left: usize,
    limit: usize,
}

impl Writer {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { document: Document::default(), left: limits.text, limit: limits.text }
    }

    /// Whether nothing more can be kept.
    pub(crate) fn is_full(&self) -> bool {
        self.left == 0
    }

    /// How many blocks there are.
    pub(crate) fn len(&self) -> usize {
        self.document.blocks.len()
    }

    /// The title; the first one counts.
    pub(crate) fn title(&mut self, title: &str) {
        if self.document.title.is_none() {
            self.document.title = self.kept(&on_one_line(title));
        }
    }

    pub(crate) fn heading(&mut self, level: u8, text: &str, anchor: Option<&str>) {
        if let Some(text) = self.kept(&on_one_line(text)) {
            let anchor = anchor.and_then(|anchor| self.kept(&on_one_line(anchor)));
            self.push(Block::Heading { level: level.clamp(1, 6), text, anchor });
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        if let Some(text) = self.kept(text) {
            self.push(Block::Text(text));
        }
    }

    pub(crate) fn code(&mut self, code: &str) {
        if let Some(code) = self.kept(code) {
            self.push(Block::Code(code));
        }
    }

    /// A table that is written as Markdown already.
    pub(crate) fn table(&mut self, table: &str) {
        if let Some(table) = self.kept(table) {
            self.push(Block::Table(table));
        }
    }

    pub(crate) fn page(&mut self, number: u32) {
        if self.left > 0 {
            self.push(Block::Page(number));
        }
    }

    pub(crate) fn remark(&mut self, remark: impl Into<String>) {
        self.document.remarks.push(remark.into());
    }

    /// The text of the first heading of the first level.
    pub(crate) fn first_heading(&self) -> Option<String> {
        self.document.first_heading().map(str::to_owned)
    }

    /// Blocks from `first` on, taken out.
    pub(crate) fn take_from(&mut self, first: usize) -> Vec<Block> {
        self.document.blocks.split_off(first.min(self.document.blocks.len()))
    }

    /// Puts blocks back that were taken out.
    pub(crate) fn put_back(&mut self, blocks: impl IntoIterator<Item = Block>) {
        self.document.blocks.extend(blocks);
    }

    pub(crate) fn finish(mut self) -> Document {
        if self.is_full() {
            let limit = self.limit.div_ceil(1 << 20);
            self.remark(format!("it is too long: only its first {limit} MB of text are used"));
        }
        self.document
    }

    fn push(&mut self, block: Block) {
        self.left = self.left.saturating_sub(BLOCK);
        self.document.blocks.push(block);
    }

    /// What is kept of a text; `None` if nothing is.
    fn kept(&mut self, text: &str) -> Option<String> {
        let clean = cleaned(text);
        let clean = without_empty_ends(&clean);
        let kept = if clean.len() > self.left {
            let end = clean.floor_char_boundary(self.left);
            self.left = 0;
            clean[..end].trim_end()
        } else {
            self.left -= clean.len();
            clean
        };
        (!kept.trim().is_empty()).then(|| kept.to_owned())
    }
}

/// Without control characters, and with newlines of one kind.
fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '\n' if before == '\r' => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            '\t' => clean.push('\t'),
            // Soft hyphens and zero-width spaces split words that people search for.
            '\u{ad}' | '\u{200b}' | '\u{feff}' => {}
            c if c.is_control() => {}
            c => clean.push(c),
        }
        before = c;
    }
    clean
}

/// Without empty lines at both ends, and without blanks at the end; the first line keeps its indentation.
fn without_empty_ends(text: &str) -> &str {
    let text = text.trim_end();
    let first = text.len() - text.trim_start().len();
    let line = text[..first].rfind('\n').map_or(0, |at| at + 1);
    &text[line..]
}

/// On one line, with single spaces.
pub(crate) fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Rows as a Markdown table; the first is the header. Short rows are filled up.
pub(crate) fn markdown_table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut table = String::new();
    for (n, row) in rows.iter().enumerate() {
        table_row(&mut table, row, columns);
        if n == 0 {
            table.push_str(&"|---".repeat(columns));
            table.push_str("|\n");
        }
    }
    table
}

/// One row of a Markdown table.
pub(crate) fn table_row(table: &mut String, row: &[String], columns: usize) {
    for cell in row.iter().map(String::as_str).chain(std::iter::repeat("")).take(columns) {
        table.push_str("| ");
        table.push_str(&on_one_line(cell).replace('|', "\\|"));
        table.push(' ');
    }
    table.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cleaned_and_bounded() {
        let mut writer = Writer::new(&Limits { text: 80, ..Limits::default() });
        writer.text("\r\n\n  a\u{ad}b\u{7}\rc \n\n");
        writer.heading(9, " A\n B ", Some("x"));
        writer.text("é".repeat(50).as_str());
        writer.text("no more");
        let document = writer.finish();
        let heading = Block::Heading { level: 6, text: "A B".into(), anchor: Some("x".into()) };
        assert_eq!(document.blocks[..2], [Block::Text("  ab\nc".into()), heading]);
        let Block::Text(last) = &document.blocks[2] else { panic!("{document:?}") };
        assert_eq!(last, &"é".repeat(last.len() / 2));
        assert_eq!((document.blocks.len(), document.remarks.len()), (3, 1));
    }

    #[test]
    fn a_table_has_as_many_cells_in_each_row() {
        let rows = [vec!["a".to_owned(), "b|c".to_owned()], vec!["1\n2".to_owned()]];
        assert_eq!(markdown_table(&rows), "| a | b\\|c |\n|---|---|\n| 1 2 |  |\n");
    }
}
