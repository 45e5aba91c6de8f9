//! Reads documents of many formats as headings, text, tables and code.
//!
//! | module | in one sentence |
//! |---|---|
//! | [`mod@format`] | which format a file has, by its name |
//! | [`document`] | what is read of a document |
//! | [`limits`] | how much is read, and why something cannot be |
//! | `writer` | collects blocks, within the limits |
//! | `decode` | bytes to text, by mark, declaration or guess |
//! | `inline` | headings without markup, and their anchors |
//! | `markdown`, `plain`, `csv`, `code` | text formats: no parser that can fail |
//! | `html` | web pages, without what surrounds their content |
//! | `archive`, `xml` | the inside of office documents and books, within the limits |
//! | `docx`, `odt`, `epub` | those |
//! | `table` | cells to rows |
//! | [`pdf`], `layout`, `pages` | glyphs to lines, and lines to paragraphs |
//!
//! Invariants: bytes in, a document or a sentence out. No file is opened, nothing is executed, and no
//! address in a document is followed. Work and memory are bounded by [`Limits`]. Everything is made for
//! hostile input; the parsers of HTML, PDF and of what is zipped run in a process of their own
//! nevertheless, because a mistake in them must cost only the document
//! ([`Format::is_simple`]).

mod archive;
mod code;
mod csv;
mod decode;
pub mod document;
mod docx;
mod epub;
pub mod format;
mod html;
mod inline;
mod layout;
pub mod limits;
mod markdown;
mod odt;
mod pages;
pub mod pdf;
mod plain;
mod table;
#[cfg(test)]
mod tests;
mod writer;
mod xml;

pub use document::{Block, Document};
pub use format::Format;
pub use limits::{Limits, Problem};

/// Reads a document.
///
/// # Errors
/// When it cannot be read, in a sentence for people with what to do about it. What is too long is not an
/// error: the rest is left out, and [`Document::remarks`] says so.
pub fn extract(format: Format, bytes: &[u8], limits: &Limits) -> Result<Document, Problem> {
    let size = bytes.len() as u64;
    if size > limits.file {
        return Err(Problem::TooLarge { size, limit: limits.file });
    }
    if bytes.is_empty() {
        let remarks = vec!["it is empty".to_owned()];
        return Ok(Document { remarks, ..Document::default() });
    }
    let is_text = matches!(format, Format::Markdown | Format::Text | Format::Csv | Format::Code);
    let mut document = match format {
        Format::Markdown => markdown::read(&decode::text(bytes)?, limits),
        Format::Text => plain::read(&decode::text(bytes)?, limits),
        Format::Csv => csv::read(&decode::text(bytes)?, limits)?,
        Format::Code => code::read(&decode::text(bytes)?, limits),
        Format::Html => html::read(&decode::html(bytes)?, limits)?,
        Format::Pdf => pdf::read(bytes, limits)?,
        Format::Docx => docx::read(bytes, limits)?,
        Format::Odt => odt::read(bytes, limits)?,
        Format::Epub => epub::read(bytes, limits)?,
    };
    if is_text {
        document.remarks.extend(decode::remark(bytes));
    }
    Ok(document)
}
