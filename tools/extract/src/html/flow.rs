//! The running text of a web page: lines to paragraphs, lists, tables and code.
//!
//! Invariant: each piece of text goes to exactly one block, in the order of the page.

use super::element::Kind;
use crate::limits::Limits;
use crate::table::{Table, Tables};
use crate::writer::Writer;

/// Lists within each other that are shown by indentation.
const INDENTED: usize = 6;

/// What text belongs to.
#[derive(Debug, PartialEq, Eq)]
enum Within {
    Text,
    Heading(u8, Option<String>),
    Pre(usize),
}

/// The running text.
#[derive(Debug)]
pub(super) struct Flow {
    writer: Writer,
    within: Within,
    /// The line that is being written, its blanks made single ones.
    line: String,
    /// Lines of this paragraph.
    lines: String,
    lists: usize,
    tables: Tables,
    /// The identifier of something that has no text yet.
    pending: Option<String>,
    is_titled: bool,
}

impl Flow {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            writer: Writer::new(limits),
            within: Within::Text,
            line: String::new(),
            lines: String::new(),
            lists: 0,
            tables: Tables::default(),
            pending: None,
            is_titled: true,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.writer.is_full()
    }

    pub(super) fn len(&self) -> usize {
        self.writer.len()
    }

    /// Whether no title is being read.
    pub(super) fn is_titled(&self) -> bool {
        self.is_titled
    }

    pub(super) fn begin_title(&mut self) {
        self.is_titled = false;
    }

    pub(super) fn end_title(&mut self) {
        self.is_titled = true;
    }

    pub(super) fn finish(mut self) -> Writer {
        self.break_block();
        self.end_rows();
        self.writer
    }

    /// An identifier stands here.
    pub(super) fn anchor(&mut self, id: &str) {
        match &mut self.within {
            Within::Heading(_, anchor) if anchor.is_none() => *anchor = Some(id.to_owned()),
            Within::Heading(..) => {}
            _ if self.line.trim().is_empty() => self.pending = Some(id.to_owned()),
            _ => {}
        }
    }

    pub(super) fn start(&mut self, kind: Kind) {
        match kind {
            Kind::Heading(level) => {
                self.break_block();
                self.end_rows();
                let anchor = self.pending.take();
                self.within = Within::Heading(level, anchor);
            }
            Kind::Pre => match &mut self.within {
                Within::Pre(depth) => *depth += 1,
                _ => {
                    self.break_block();
                    self.end_rows();
                    self.within = Within::Pre(0);
                }
            },
            Kind::Block | Kind::Rule => self.break_part(),
            Kind::List => {
                self.break_line();
                if self.lists == 0 {
                    self.break_part();
                }
                self.lists += 1;
            }
            Kind::Item => {
                self.break_item();
                if self.within == Within::Text {
                    let indentation = self.lists.saturating_sub(1).min(INDENTED);
                    self.line.push_str(&"  ".repeat(indentation));
                    self.line.push_str("- ");
                }
            }
            Kind::Line => self.break_line(),
            Kind::Break if matches!(self.within, Within::Pre(_)) => self.line.push('\n'),
            Kind::Break => self.break_line(),
            Kind::Code => self.tick(),
            Kind::Table => {
                if self.tables.open().is_none() {
                    self.break_block();
                }
                self.tables.begin();
            }
            Kind::Row => self.in_table(Table::row),
            Kind::Cell(_) => self.in_table(Table::cell),
            Kind::Skip(_) | Kind::Title | Kind::Main | Kind::Inline => {}
        }
    }

    pub(super) fn end(&mut self, kind: Kind) {
        match kind {
            Kind::Heading(_) => self.break_block(),
            Kind::Pre => match &mut self.within {
                Within::Pre(depth) if *depth > 0 => *depth -= 1,
                Within::Pre(_) => self.break_block(),
                _ => {}
            },
            Kind::Block => self.break_part(),
            Kind::List => {
                self.break_item();
                self.lists = self.lists.saturating_sub(1);
                if self.lists == 0 {
                    self.break_part();
                }
            }
            Kind::Item => self.break_item(),
            Kind::Line => self.break_line(),
            Kind::Code => self.tick(),
            Kind::Table => {
                if !self.tables.is_nested() {
                    self.break_block();
                }
                if let Some(mut table) = self.tables.end() {
                    table.write(&mut self.writer);
                }
            }
            Kind::Row | Kind::Cell(_) => self.in_table(Table::end_cell),
            _ => {}
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if matches!(self.within, Within::Pre(_)) {
            self.line.push_str(text);
            return;
        }
        if text.contains(|c: char| !c.is_whitespace()) {
            self.pending = None;
        }
        let mut words = text.split_ascii_whitespace().peekable();
        if text.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.blank();
        }
        while let Some(word) = words.next() {
            self.line.push_str(word);
            if words.peek().is_some() || text.ends_with(|c: char| c.is_ascii_whitespace()) {
                self.blank();
            }
        }
    }

    /// One blank between words, and none in front.
    fn blank(&mut self) {
        if !self.line.is_empty() && !self.line.ends_with(' ') {
            self.line.push(' ');
        }
    }

    fn tick(&mut self) {
        if self.within == Within::Text {
            self.line.push('`');
        }
    }

    fn in_table(&mut self, act: impl FnOnce(&mut Table)) {
        self.break_line();
        self.tables.act(act);
    }

    /// A line ends; in a heading and in code that is a blank or nothing.
    fn break_line(&mut self) {
        match self.within {
            Within::Heading(..) => return self.blank(),
            Within::Pre(_) => return,
            Within::Text => {}
        }
        // An empty mark of code is what is left of an element without text.
        let line = self.line.trim_end().replace("``", "");
        if line.trim() == "-" {
            // The mark of an entry, whose text is in a paragraph of its own.
            return;
        }
        self.line.clear();
        if line.trim().is_empty() {
            return;
        }
        match self.tables.cell() {
            Some(cell) => {
                cell.push_str(&line);
                cell.push(' ');
            }
            None => {
                self.lines.push_str(&line);
                self.lines.push('\n');
            }
        }
    }

    /// An entry of a list ends; one without text has no mark.
    fn break_item(&mut self) {
        self.break_line();
        if self.line.trim() == "-" {
            self.line.clear();
        }
    }

    /// A paragraph ends, unless it is one of a list.
    fn break_part(&mut self) {
        if self.lists > 0 || self.within != Within::Text {
            self.break_line();
        } else {
            self.break_block();
        }
    }

    /// A block ends.
    pub(super) fn break_block(&mut self) {
        match std::mem::replace(&mut self.within, Within::Text) {
            Within::Heading(level, anchor) => {
                self.writer.heading(level, &self.line, anchor.as_deref());
                self.line.clear();
            }
            Within::Pre(_) => {
                let code = std::mem::take(&mut self.line);
                self.writer.code(code.strip_prefix('\n').unwrap_or(&code));
            }
            Within::Text => {
                self.break_item();
                self.writer.text(&self.lines);
                self.lines.clear();
            }
        }
    }

    /// What a table had so far, when something stands in it that is a block of its own.
    fn end_rows(&mut self) {
        if let Some(table) = self.tables.open() {
            table.write(&mut self.writer);
        }
    }
}
