//! Documents of Word since 2007: a zip archive of XML files.
//!
//! Invariant: what was deleted, and what is only there for older programs, is not read.

mod styles;

use self::styles::{Style, Styles};
use crate::archive::Archive;
use crate::decode;
use crate::document::Document;
use crate::limits::{Limits, Problem};
use crate::table::{Table, Tables};
use crate::writer::Writer;
use crate::xml::{self, Element, Happening};

/// Elements whose text is not part of the document.
const SKIPPED: &[&str] =
    &["del", "moveFrom", "Fallback", "instrText", "delText", "pPrChange", "rPrChange"];

/// Reads a document.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, Problem> {
    let mut archive = Archive::open(bytes, "a document of Word (.docx)", limits)?;
    let main = main_part(&mut archive, limits)?;
    let folder = main.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let beside = |name: &str| format!("{folder}/{name}").trim_start_matches('/').to_owned();
    let styles = archive.optional(&beside("styles.xml"))?.unwrap_or_default();
    let styles = Styles::read(&decode::xml(&styles), limits);
    let mut writer = Writer::new(limits);
    let text = archive.part(&main)?;
    Body::new(&styles, &mut writer).read(&decode::xml(&text), limits)?;
    for notes in ["footnotes.xml", "endnotes.xml"] {
        if let Some(notes) = archive.optional(&beside(notes))? {
            Body::new(&styles, &mut writer).read(&decode::xml(&notes), limits)?;
        }
    }
    if let Some(core) = archive.optional("docProps/core.xml")? {
        let title = xml::text_of(&decode::xml(&core), "title", limits);
        writer.title(&title.unwrap_or_default());
    }
    let heading = writer.first_heading();
    writer.title(&heading.unwrap_or_default());
    Ok(writer.finish())
}

/// Where the text is; programs other than Word put it elsewhere.
fn main_part(archive: &mut Archive<'_>, limits: &Limits) -> Result<String, Problem> {
    let mut found = None;
    if let Some(relations) = archive.optional("_rels/.rels")? {
        xml::read(&decode::xml(&relations), limits, |happening| {
            if let Happening::Start(element) = happening
                && element.attribute("Type").is_some_and(|kind| kind.ends_with("/officeDocument"))
            {
                found = element.attribute("Target");
            }
            Ok(())
        })?;
    }
    let found = found.map(|target| target.trim_start_matches('/').to_owned());
    Ok(found.filter(|target| archive.has(target)).unwrap_or_else(|| "word/document.xml".to_owned()))
}

/// The text of a part.
struct Body<'a> {
    styles: &'a Styles,
    writer: &'a mut Writer,
    paragraph: String,
    style: Style,
    is_list: bool,
    is_text: bool,
    /// Elements that are open in one that is skipped, itself included.
    skipped: usize,
    tables: Tables,
    /// Lines of a list or of code that belong together.
    lines: String,
    lines_of: Style,
}

impl<'a> Body<'a> {
    fn new(styles: &'a Styles, writer: &'a mut Writer) -> Self {
        Self {
            styles,
            writer,
            paragraph: String::new(),
            style: Style::Text,
            is_list: false,
            is_text: false,
            skipped: 0,
            tables: Tables::default(),
            lines: String::new(),
            lines_of: Style::Text,
        }
    }

    fn read(mut self, text: &str, limits: &Limits) -> Result<(), Problem> {
        xml::read(text, limits, |happening| {
            match happening {
                Happening::Start(element) => self.start(&element),
                Happening::End(name) => self.end(name),
                Happening::Text(text) if self.is_text && self.skipped == 0 => {
                    self.paragraph.push_str(text);
                }
                Happening::Text(_) => {}
            }
            Ok(())
        })?;
        self.end_paragraph();
        self.end_lines();
        Ok(())
    }

    fn start(&mut self, element: &Element<'_>) {
        let name = element.name();
        if self.skipped > 0 || SKIPPED.contains(&name) {
            self.skipped += 1;
            return;
        }
        match name {
            "p" => {
                // A text box lies in a paragraph, and has paragraphs.
                self.end_paragraph();
                (self.style, self.is_list) = (Style::Text, false);
            }
            "pStyle" => {
                let style = element.attribute("val").unwrap_or_default();
                self.style = self.styles.of(&style);
            }
            "outlineLvl" => {
                let level = element.attribute("val").and_then(|level| level.parse().ok());
                self.style = level.map_or(self.style, Style::of_outline);
            }
            "numPr" => self.is_list = true,
            "t" => self.is_text = true,
            "tab" if !self.paragraph.is_empty() => self.paragraph.push('\t'),
            "br" | "cr" => self.paragraph.push('\n'),
            "noBreakHyphen" => self.paragraph.push('-'),
            "tbl" => {
                self.end_paragraph();
                self.end_lines();
                self.tables.begin();
            }
            "tr" => self.tables.act(Table::row),
            "tc" => self.tables.act(Table::cell),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        match name {
            "p" => self.end_paragraph(),
            "t" => self.is_text = false,
            "tc" => self.tables.act(Table::end_cell),
            "tbl" => {
                if let Some(mut table) = self.tables.end() {
                    table.write(self.writer);
                }
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let text = std::mem::take(&mut self.paragraph);
        if text.trim().is_empty() {
            return;
        }
        if let Some(cell) = self.tables.cell() {
            cell.push_str(&text);
            cell.push(' ');
            return;
        }
        let kind = if self.is_list && self.style == Style::Text { Style::List } else { self.style };
        if kind != self.lines_of {
            self.end_lines();
        }
        match kind {
            Style::Heading(level) => self.writer.heading(level, &text, None),
            Style::Title => self.writer.title(&text),
            Style::Text => self.writer.text(&text),
            Style::List | Style::Code => {
                self.lines_of = kind;
                self.lines.push_str(if kind == Style::List { "- " } else { "" });
                self.lines.push_str(&text);
                self.lines.push('\n');
            }
        }
    }

    fn end_lines(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        match self.lines_of {
            Style::Code => self.writer.code(&lines),
            _ => self.writer.text(&lines),
        }
        self.lines_of = Style::Text;
    }
}
