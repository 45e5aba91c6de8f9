//! Documents that people send and that lie in folders, read in this process: a panic shows.

use std::io::Write;

use extract::{Block, Document, Format, Limits, Problem, extract};
use katana::knowledge::cut;
use katana::model::text::tokens;

use super::{Inputs, assert_showable};

const TEXTS: &[&str] = &[
    "# ",
    "## ",
    "```",
    "~~~",
    "---\n",
    "===\n",
    "| a | b |\n|---|---|\n",
    "|",
    "- ",
    "<!--",
    "-->",
    "{#a}",
    "[a](b)",
    "\"",
    "\"\"",
    ";",
    ",",
    "\t",
    "\r\n",
    "\u{feff}",
    "== ",
    "~~~~\n",
    "\n\n",
    "\u{ad}",
    "漢字。",
];

const HTML: &[&str] = &[
    "<table>",
    "</table>",
    "<tr>",
    "<td>",
    "<th>",
    "<ul>",
    "<li>",
    "</ul>",
    "<pre>",
    "</pre>",
    "<h1 id=a>",
    "</h1>",
    "<main>",
    "</main>",
    "<nav>",
    "</nav>",
    "<script>",
    "</script>",
    "<title>",
    "</title>",
    "<p>",
    "<br>",
    "<code>",
    "</code>",
    "<svg/>",
    "<a name=x>",
    " hidden",
    " class=linenos",
    "&lt;",
    "&#0;",
    "&#x110000;",
    "<!--",
    "-->",
    "<![CDATA[",
    "<plaintext>",
    "<textarea>",
    "charset=utf-16",
    "<?xml?>",
];

const OFFICE: &[&str] = &[
    "<w:p>",
    "</w:p>",
    "<w:t>",
    "</w:t>",
    "<w:tbl>",
    "</w:tbl>",
    "<w:tr>",
    "<w:tc>",
    "<w:del>",
    "</w:del>",
    "<w:pStyle w:val=\"Heading1\"/>",
    "<w:outlineLvl w:val=\"9\"/>",
    "<w:numPr/>",
    "<text:p>",
    "</text:p>",
    "<text:h text:outline-level=\"99\">",
    "<text:list>",
    "<text:list-item>",
    "<text:s text:c=\"99999999\"/>",
    "<table:table>",
    "</table:table>",
    "<table:table-cell>",
    "<itemref idref=\"a\"/>",
    "<item id=\"a\" href=\"%2\"/>",
    "<rootfile full-path=\"../content.xml\"/>",
    "&#1;",
    "&amp;",
    "&unknown;",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE x [",
    "<?x ?>",
    "xml:id=\"\"",
    "</",
];

const PDF: &[&str] = &[
    "obj\n",
    "endobj\n",
    "stream\n",
    "endstream",
    "xref\n",
    "trailer",
    "startxref\n",
    "<<",
    ">>",
    "/Kids[2 0 R]",
    "/Parent 2 0 R",
    "/Count 99999999",
    "/Length 99999999",
    "/Filter/FlateDecode",
    "/Filter[/LZWDecode/ASCII85Decode]",
    "/Type/XRef",
    "/Type/ObjStm",
    "/Prev 0",
    "/W[1 2 1]",
    "/Encrypt<</Filter/Standard/V 4>>",
    "BT ",
    " ET",
    " Tf",
    " Tj",
    " TJ",
    " Tm",
    " cm",
    "/X Do",
    "q ",
    " Q",
    " re f",
    " sh",
    "BI ",
    " ID ",
    " EI",
    "/Subtype/Type3",
    "1 0 R",
];

fn bounds() -> Limits {
    Limits { text: 4096, inflated: 1 << 20, entries: 20, depth: 50, pages: 20, ..Limits::default() }
}

/// What holds for whatever is read.
fn check(format: Format, bytes: &[u8]) {
    match extract(format, bytes, &bounds()) {
        Ok(document) => assert_readable(&document),
        Err(problem) => assert_refused(&problem),
    }
}

fn assert_refused(problem: &Problem) {
    assert_showable(&problem.to_string(), 200);
}

fn assert_readable(document: &Document) {
    let size: usize = document.blocks.iter().map(Block::size).sum();
    assert!(
        size <= bounds().text && document.blocks.len() <= bounds().text / 16 + 1,
        "{size} bytes"
    );
    for block in &document.blocks {
        let text = match block {
            Block::Heading { text, level, .. } => {
                assert!((1..=6).contains(level) && !text.contains('\n'), "{block:?}");
                text
            }
            Block::Text(text) | Block::Table(text) | Block::Code(text) => text,
            Block::Page(number) => {
                assert!(*number > 0);
                continue;
            }
        };
        assert!(!text.trim().is_empty(), "{block:?}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{block:?}");
    }
    document.remarks.iter().for_each(|remark| assert_showable(remark, 200));
    let json = serde_json::to_string(document).expect("it is JSON");
    assert_eq!(&serde_json::from_str::<Document>(&json).expect("it comes back"), document);
    let pieces = cut::passages(document, usize::MAX).pieces;
    for piece in pieces {
        assert!(!piece.text.trim().is_empty() && tokens(&piece.text) <= 404, "{piece:?}");
        assert!(piece.title().chars().count() <= 210, "{piece:?}");
    }
}

/// An archive with these parts, as they are.
fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, content) in parts {
        let part = archive.new_file(name).compression_method(rawzip::CompressionMethod::STORE);
        let (mut entry, config) = part.start().expect("a part");
        let mut writer = config.wrap(&mut entry);
        writer.write_all(content).expect("it is in memory");
        let (_, descriptor) = writer.finish().expect("a part");
        entry.finish(descriptor).expect("a part");
    }
    archive.finish().expect("an archive");
    bytes
}

#[test]
fn any_text_is_read_or_refused() {
    let mut inputs = Inputs::of("documents_texts", TEXTS);
    while let Some(input) = inputs.next() {
        Format::all().filter(|format| format.is_simple()).for_each(|format| check(format, &input));
    }
}

#[test]
fn any_web_page_is_read_or_refused() {
    let mut inputs = Inputs::of("documents_html", HTML);
    while let Some(input) = inputs.next() {
        check(Format::Html, &input);
    }
}

#[test]
fn any_pdf_is_read_or_refused() {
    let mut inputs = Inputs::of("documents_pdf", PDF);
    while let Some(input) = inputs.next() {
        check(Format::Pdf, &input);
        let _ = extract::pdf::title(&input);
    }
}

#[test]
fn any_office_document_is_read_or_refused() {
    let mut inputs = Inputs::of("documents_office", OFFICE);
    let container: &[u8] = b"<rootfile full-path=\"a.opf\"/>";
    let page: &[u8] = b"<h1>One</h1><p>Text.";
    while let Some(input) = inputs.next() {
        let styles: &[u8] = &input;
        check(
            Format::Docx,
            &archive(&[("word/document.xml", &input), ("word/styles.xml", styles)]),
        );
        check(Format::Odt, &archive(&[("content.xml", &input), ("meta.xml", &input)]));
        let parts: &[(&str, &[u8])] =
            &[("META-INF/container.xml", container), ("a.opf", &input), ("one.xhtml", page)];
        check(Format::Epub, &archive(parts));
    }
}

#[test]
fn any_archive_is_read_or_refused() {
    let mut inputs = Inputs::of(
        "documents_archive",
        &["PK\u{1}\u{2}", "PK\u{3}\u{4}", "PK\u{5}\u{6}", "content.xml"],
    );
    while let Some(input) = inputs.next() {
        for format in [Format::Docx, Format::Odt, Format::Epub] {
            check(format, &input);
        }
    }
}
