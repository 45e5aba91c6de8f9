//! Documents of LibreOffice Writer: a zip archive of XML files.
//!
//! Invariant: deleted text, comments and forms are not read; repetitions that a file claims cost nothing.

use crate::archive::Archive;
use crate::decode;
use crate::document::Document;
use crate::limits::{Limits, Problem};
use crate::table::{Table, Tables};
use crate::writer::Writer;
use crate::xml::{self, Element, Happening};

/// Elements whose text is not part of the document.
const SKIPPED: &[&str] = &[
    "tracked-changes",
    "annotation",
    "forms",
    "note-citation",
    "sequence-decls",
    "table-of-content",
    "alphabetical-index",
    "styles",
    "automatic-styles",
];

/// Blanks that one element may stand for.
const BLANKS: usize = 32;

/// Reads a document.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, Problem> {
    let mut archive = Archive::open(bytes, "a document of LibreOffice (.odt)", limits)?;
    if let Some(manifest) = archive.optional("META-INF/manifest.xml")?
        && decode::xml(&manifest).contains("encryption-data")
    {
        return Err(Problem::Encrypted);
    }
    let mut writer = Writer::new(limits);
    let content = archive.part("content.xml")?;
    Body::new(&mut writer).read(&decode::xml(&content), limits)?;
    if let Some(meta) = archive.optional("meta.xml")? {
        let title = xml::text_of(&decode::xml(&meta), "title", limits);
        writer.title(&title.unwrap_or_default());
    }
    let heading = writer.first_heading();
    writer.title(&heading.unwrap_or_default());
    Ok(writer.finish())
}

struct Body<'w> {
    writer: &'w mut Writer,
    /// Paragraphs and headings that are open, the innermost last: its text, and its level if it is a heading.
    open: Vec<(String, Option<u8>)>,
    skipped: usize,
    lists: usize,
    /// Lines of the list that is open.
    items: String,
    /// Whether the next paragraph begins an entry of the list.
    is_new_item: bool,
    tables: Tables,
}

impl<'w> Body<'w> {
    fn new(writer: &'w mut Writer) -> Self {
        let (open, items) = (Vec::new(), String::new());
        Self {
            writer,
            open,
            skipped: 0,
            lists: 0,
            items,
            is_new_item: false,
            tables: Tables::default(),
        }
    }

    fn read(mut self, text: &str, limits: &Limits) -> Result<(), Problem> {
        xml::read(text, limits, |happening| {
            match happening {
                Happening::Start(element) => self.start(&element),
                Happening::End(name) => self.end(name),
                Happening::Text(text) if self.skipped == 0 => {
                    if let Some((paragraph, _)) = self.open.last_mut() {
                        // Blanks and line breaks of the file are single blanks.
                        for c in text.chars() {
                            if !c.is_ascii_whitespace() {
                                paragraph.push(c);
                            } else if !paragraph.ends_with([' ', '\n']) {
                                paragraph.push(' ');
                            }
                        }
                    }
                }
                Happening::Text(_) => {}
            }
            Ok(())
        })
    }

    fn start(&mut self, element: &Element<'_>) {
        let name = element.name();
        if self.skipped > 0 || SKIPPED.contains(&name) {
            self.skipped += 1;
            return;
        }
        match name {
            "p" => self.open.push((String::new(), None)),
            "h" => {
                let level = element.attribute("outline-level").and_then(|level| level.parse().ok());
                self.open.push((String::new(), Some(level.unwrap_or(1))));
            }
            "s" => {
                let count = element.attribute("c").and_then(|count| count.parse().ok());
                self.push(&" ".repeat(count.unwrap_or(1).min(BLANKS)));
            }
            "tab" => self.push("\t"),
            "line-break" => self.push("\n"),
            "list" => self.lists += 1,
            "list-item" => self.is_new_item = true,
            "table" => self.tables.begin(),
            "table-row" => self.tables.act(Table::row),
            "table-cell" => self.tables.act(Table::cell),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        match name {
            "p" | "h" => {
                if let Some((text, level)) = self.open.pop() {
                    self.paragraph(&text, level);
                }
            }
            "list" => {
                self.lists = self.lists.saturating_sub(1);
                if self.lists == 0 {
                    self.writer.text(&std::mem::take(&mut self.items));
                }
            }
            "table-cell" => self.tables.act(Table::end_cell),
            "table" => {
                if let Some(mut table) = self.tables.end() {
                    table.write(self.writer);
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if let Some((paragraph, _)) = self.open.last_mut() {
            paragraph.push_str(text);
        }
    }

    fn paragraph(&mut self, text: &str, level: Option<u8>) {
        if text.trim().is_empty() {
            return;
        }
        if let Some(level) = level {
            self.writer.heading(level, text, None);
        } else if let Some(cell) = self.tables.cell() {
            cell.push_str(text);
            cell.push(' ');
        } else if self.lists > 0 {
            let indentation = "  ".repeat((self.lists - 1).min(6));
            self.items.push_str(&indentation);
            self.items.push_str(if std::mem::take(&mut self.is_new_item) { "- " } else { "  " });
            self.items.push_str(text.trim());
            self.items.push('\n');
        } else {
            self.writer.text(text);
        }
    }
}
