//! Each format, from its bytes.

mod office;
mod text;
mod web;

use crate::{Block, Document, Format, Limits, Problem, extract};

/// A document of this format.
fn read(format: Format, bytes: impl AsRef<[u8]>) -> Document {
    extract(format, bytes.as_ref(), &Limits::default()).expect("it can be read")
}

/// Why it cannot be read.
fn refused(format: Format, bytes: &[u8]) -> Problem {
    extract(format, bytes, &Limits::default()).expect_err("it cannot be read")
}

/// Blocks in short: what they are and their text.
fn shown(document: &Document) -> Vec<String> {
    let show = |block: &Block| match block {
        Block::Heading { level, text, anchor } => {
            format!("h{level} {text} #{}", anchor.as_deref().unwrap_or_default())
        }
        Block::Text(text) => text.clone(),
        Block::Table(table) => format!("table {table}"),
        Block::Code(code) => format!("code {code}"),
        Block::Page(number) => format!("page {number}"),
    };
    document.blocks.iter().map(show).collect()
}

#[test]
fn an_empty_file_is_a_document_without_text() {
    for format in Format::all() {
        let document = read(format, b"");
        assert!(document.blocks.is_empty() && document.remarks == ["it is empty"], "{format:?}");
    }
}

#[test]
fn what_is_too_large_is_refused_and_what_is_too_long_is_cut_short() {
    let limits = Limits { file: 1000, text: 100, ..Limits::default() };
    let large = vec![b'a'; 1001];
    let problem = extract(Format::Text, &large, &limits).unwrap_err();
    assert_eq!(problem, Problem::TooLarge { size: 1001, limit: 1000 });
    for format in Format::all().filter(|format| format.is_simple()) {
        let document = extract(format, "a, b\n\nwords\n".repeat(20).as_bytes(), &limits).unwrap();
        let size: usize = document.blocks.iter().map(Block::size).sum();
        assert!(size <= 100 && size > 20, "{format:?}: {size}");
        assert_eq!(document.remarks.len(), 1, "{format:?}");
    }
}

#[test]
fn each_problem_says_what_to_do() {
    for problem in [
        Problem::TooLarge { size: 70 << 20, limit: 64 << 20 },
        Problem::NotText,
        Problem::NoText,
        Problem::Encrypted,
        Problem::Bomb("it has too many parts"),
        Problem::Damaged("its XML is not well-formed"),
    ] {
        let shown = problem.to_string();
        assert!(shown.starts_with("it ") && shown.contains("; "), "{shown}");
    }
}

#[test]
fn a_document_survives_its_json() {
    let document = read(Format::Markdown, "# A\n\ntext\n\n```\ncode\n```\n");
    let json = serde_json::to_string(&document).unwrap();
    assert_eq!(serde_json::from_str::<Document>(&json).unwrap(), document);
}
