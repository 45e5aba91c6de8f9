//! Documents of offices, books and PDFs.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::*;

/// An archive with these parts.
fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, content) in parts {
        let part = archive.new_file(name).compression_method(rawzip::CompressionMethod::DEFLATE);
        let (mut entry, config) = part.start().unwrap();
        let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
        writer.write_all(content).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    bytes
}

fn paragraph(style: &str, text: &str) -> String {
    format!("<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
}

#[test]
fn a_word_document_has_headings_by_style() {
    let styles = "<w:styles xmlns:w=\"w\"><w:style w:styleId=\"berschrift1\"><w:name w:val=\"heading 1\"/></w:style>\
        <w:style w:styleId=\"Own\"><w:basedOn w:val=\"berschrift1\"/></w:style>\
        <w:style w:styleId=\"T\"><w:name w:val=\"Title\"/></w:style>\
        <w:style w:styleId=\"Quelltext\"><w:name w:val=\"Source Code\"/></w:style></w:styles>";
    let body = [
        paragraph("T", "The &amp; manual"),
        paragraph("Own", "Install"),
        "<w:p><w:r><w:t>Use </w:t></w:r><w:ins><w:r><w:t>apt.</w:t></w:r></w:ins><w:del><w:r>\
         <w:delText>rpm</w:delText><w:t>gone</w:t></w:r></w:del></w:p>".to_owned(),
        "<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>one</w:t></w:r></w:p>".repeat(2),
        paragraph("Quelltext", "a = 1") + &paragraph("Quelltext", "b = 2"),
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Key</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Value</w:t></w:r>\
         </w:p></w:tc></w:tr><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>"
            .to_owned(),
    ];
    let document =
        format!("<w:document xmlns:w=\"w\"><w:body>{}</w:body></w:document>", body.concat());
    let bytes = archive(&[
        ("word/document.xml", document.as_bytes()),
        ("word/styles.xml", styles.as_bytes()),
    ]);
    let document = read(Format::Docx, bytes);
    assert_eq!(document.title.as_deref(), Some("The & manual"));
    let want = [
        "h1 Install #",
        "Use apt.",
        "- one\n- one",
        "code a = 1\nb = 2",
        "table | Key | Value |\n|---|---|\n| a |  |",
    ];
    assert_eq!(shown(&document), want);
}

#[test]
fn an_open_document_is_read() {
    let content = "<office:document-content><text:tracked-changes><text:p>old</text:p></text:tracked-changes>\
        <text:h text:outline-level=\"2\">Install</text:h><text:p>Use<text:s text:c=\"2\"/>apt\n  now<text:tab/>!</text:p>\
        <text:list><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>inner</text:p></text:list-item>\
        </text:list></text:list-item></text:list><table:table><table:table-row><table:table-cell><text:p>Key</text:p>\
        </table:table-cell><table:table-cell table:number-columns-repeated=\"16000\"><text:p>Value</text:p>\
        </table:table-cell></table:table-row></table:table></office:document-content>";
    let meta = "<m><dc:title>The manual</dc:title></m>";
    let parts: [(&str, &[u8]); 2] =
        [("content.xml", content.as_bytes()), ("meta.xml", meta.as_bytes())];
    let document = read(Format::Odt, archive(&parts));
    assert_eq!(document.title.as_deref(), Some("The manual"));
    let want =
        ["h2 Install #", "Use  apt now\t!", "- one\n  - inner", "table | Key | Value |\n|---|---|"];
    assert_eq!(shown(&document), want);
    let locked =
        archive(&[("content.xml", b"??"), ("META-INF/manifest.xml", b"<m:encryption-data/>")]);
    assert_eq!(refused(Format::Odt, &locked), Problem::Encrypted);
}

#[test]
fn a_book_is_read_in_its_order() {
    let container =
        b"<container><rootfiles><rootfile full-path=\"OEBPS/book.opf\"/></rootfiles></container>";
    let opf = b"<package><metadata><dc:title>The tower</dc:title></metadata><manifest>\
        <item id=\"b\" href=\"text/two%20.xhtml\" media-type=\"application/xhtml+xml\"/>\
        <item id=\"a\" href=\"one.xhtml\" media-type=\"application/xhtml+xml\"/>\
        <item id=\"n\" href=\"nav.xhtml\" properties=\"nav\" media-type=\"application/xhtml+xml\"/></manifest>\
        <spine><itemref idref=\"n\"/><itemref idref=\"a\"/><itemref idref=\"b\"/><itemref idref=\"a\"/></spine></package>";
    let one = b"<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title/>\
        <script src=\"x\"/></head><body><h1 id=\"x\">One</h1><p>First.</p></body></html>";
    let parts: &[(&str, &[u8])] = &[
        ("META-INF/container.xml", container),
        ("OEBPS/book.opf", opf),
        ("OEBPS/text/two .xhtml", b"<h1>Two</h1><p>Second.</p>"),
        ("OEBPS/one.xhtml", one),
    ];
    let document = read(Format::Epub, archive(parts));
    assert_eq!(document.title.as_deref(), Some("The tower"));
    assert_eq!(shown(&document), ["h1 One #", "First.", "h1 Two #", "Second."]);
}

#[test]
fn bombs_are_refused() {
    let zeros = vec![b' '; 30 << 20];
    let bomb = archive(&[("word/document.xml", &zeros)]);
    assert!(bomb.len() < 100_000);
    let grows = Problem::Bomb("it grows too much when it is unpacked");
    assert_eq!(refused(Format::Docx, &bomb), grows);
    let limits = Limits { inflated: 1000, ..Limits::default() };
    let small = archive(&[("content.xml", &[b' '; 2000])]);
    assert_eq!(extract(Format::Odt, &small, &limits), Err(grows));
    let limits = Limits { entries: 2, ..Limits::default() };
    let many = archive(&[("a", b""), ("b", b""), ("c", b"")]);
    assert_eq!(extract(Format::Epub, &many, &limits), Err(Problem::Bomb("it has too many parts")));
    let deep = format!("<a>{}", "<b>".repeat(100_000));
    let deep = archive(&[("content.xml", deep.as_bytes())]);
    assert_eq!(refused(Format::Odt, &deep), Problem::Bomb("its parts lie too deep in each other"));
    let entities = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><x><text:p>&b;1&amp;&#x32;</text:p></x>";
    let document = read(Format::Odt, archive(&[("content.xml", entities.as_bytes())]));
    assert_eq!(shown(&document), ["1&2"]);
}

#[test]
fn what_is_something_else_is_named() {
    for format in [Format::Docx, Format::Odt, Format::Epub, Format::Pdf] {
        let shown = refused(format, b"just words").to_string();
        assert!(shown.starts_with("it is not a "), "{shown}");
    }
    let old = refused(Format::Docx, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more").to_string();
    assert!(old.contains("password"), "{old}");
    for (format, bytes) in [(Format::Docx, &b"PK\x03\x04cut"[..]), (Format::Pdf, b"%PDF-1.7\ncut")]
    {
        assert!(matches!(refused(format, bytes), Problem::Damaged(_)));
    }
}

/// A PDF with these pages, each a stream of drawing operators.
pub(super) fn pdf(pages: &[&str]) -> Vec<u8> {
    let kids: Vec<_> = (0..pages.len()).map(|n| format!("{} 0 R", 4 + n * 2)).collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!("<</Type/Pages/Count {}/Kids[{}]>>", pages.len(), kids.join(" ")),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
    ];
    for (n, stream) in pages.iter().enumerate() {
        let font = "/Resources<</Font<</F 3 0 R>>>>/MediaBox[0 0 600 800]";
        objects.push(format!("<</Type/Page/Parent 2 0 R{font}/Contents {} 0 R>>", 5 + n * 2));
        objects.push(format!("<</Length {}>>stream\n{stream}\nendstream", stream.len()));
    }
    let info = objects.len() + 1;
    objects.push("<</Title(The tower)>>".to_owned());
    let mut file = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", n + 1));
    }
    let table = file.len();
    file.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1));
    places.iter().for_each(|place| file.push_str(&format!("{place:010} 00000 n \n")));
    let size = places.len() + 1;
    file.push_str(&format!(
        "trailer<</Size {size}/Root 1 0 R/Info {info} 0 R>>\nstartxref\n{table}\n%%EOF\n"
    ));
    file.into_bytes()
}

#[test]
fn a_pdf_has_pages_with_text() {
    let one = "BT /F 12 Tf 50 700 Td (The keeper paints) Tj 0 -14 Td (the tower in spring.) Tj ET";
    let document = read(Format::Pdf, pdf(&[one, "0 0 m 5 5 l S", "BT /F 9 Tf (End) Tj ET"]));
    assert_eq!(document.title.as_deref(), Some("The tower"));
    let want = ["page 1", "The keeper paints the tower in spring.", "page 3", "End"];
    assert_eq!(shown(&document), want);
    assert_eq!(crate::pdf::title(&pdf(&[""])).as_deref(), Some("The tower"));
    assert_eq!(refused(Format::Pdf, &pdf(&["0 0 m 5 5 l S"])), Problem::NoText);
    let written =
        crate::pdf::of_pdftotext("One\n\u{c}\u{c}Three\n\u{c}", &Limits::default()).unwrap();
    assert_eq!(shown(&written), ["page 1", "One", "page 3", "Three"]);
}
