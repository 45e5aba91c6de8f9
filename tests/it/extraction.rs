//! Documents of all formats, read by the real program: what comes out, and what it may take.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use extract::{Block, Document};

use crate::fuzz::assert_showable;
use crate::harness::eventually;

/// A document of the corpus that is also fed to the fuzzers.
fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/fuzz").join(name)
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_katana-bot"));
    command.arg("extract").args(arguments).env_clear();
    command
}

fn extract(path: &Path, more: &[&str]) -> Output {
    command(more).arg(path).output().expect("it runs")
}

/// What the program reads of a document.
fn read(path: &Path) -> Document {
    let output = extract(path, &["--json"]);
    assert!(output.status.success(), "{path:?}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("a document")
}

/// Why it does not read it.
fn refused(path: &Path) -> String {
    let output = extract(path, &[]);
    assert_eq!(output.status.code(), Some(65), "{path:?}: {output:?}");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_showable(&said, 1000);
    said
}

fn texts(document: &Document) -> String {
    let texts = document.blocks.iter().map(|block| match block {
        Block::Heading { text, .. }
        | Block::Text(text)
        | Block::Table(text)
        | Block::Code(text) => text.as_str(),
        Block::Page(_) => "",
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_program_reads_each_format() {
    for (name, title, text) in [
        ("documents_texts/guide.md", "The guide", "apt install katana # now"),
        ("documents_texts/manual.rst", "Manual", "Run it."),
        ("documents_html/page.html", "Install", "| a\\|b | x |"),
        ("documents_pdf/tower.pdf", "The tower", "Page two, box 7."),
        ("documents_archive/manual.docx", "Install & run", "Key"),
        ("documents_archive/handbook.odt", "Handbuch", "Mit apt installieren."),
        ("documents_archive/book.epub", "A book", "Text of 2."),
    ] {
        let document = read(&document(name));
        assert_eq!(document.title.as_deref(), Some(title), "{name}: {document:?}");
        assert!(texts(&document).contains(text), "{name}: {document:?}");
    }
    let table = read(&document("documents_texts/table.csv"));
    assert!(texts(&table).starts_with("| Name | Price |\n|---|---|\n"), "{table:?}");
    let shown = extract(&document("documents_texts/guide.md"), &[]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("# Install\n\nUse `apt`"), "{shown:?}");
}

#[test]
fn a_pdf_is_read_the_same_with_and_without_pdftotext() {
    let path = document("documents_pdf/tower.pdf");
    let input = || Stdio::from(std::fs::File::open(&path).expect("a document"));
    let built_in =
        command(&["--stdin", "--format", "pdf"]).stdin(input()).output().expect("it runs");
    let built_in: Document = serde_json::from_slice(&built_in.stdout).expect("a document");
    assert_eq!(built_in.title.as_deref(), Some("The tower"));
    assert!(texts(&built_in).contains("Page two, box 7."), "{built_in:?}");
    assert!(
        Path::new(katana::knowledge::reader::PDFTOTEXT).exists(),
        "install poppler-utils for this test, as .ci/run does"
    );
    let by_tool = command(&["--stdin", "--format", "pdf", "--pdftotext"]);
    let by_tool = { by_tool }.stdin(input()).output().expect("it runs");
    let written = String::from_utf8(by_tool.stdout).expect("text");
    assert!(written.starts_with("\"The tower\"\n") && written.contains('\u{c}'), "{written:?}");
    assert_eq!(read(&path), built_in, "the words and pages are the same");
}

#[test]
fn what_cannot_be_read_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    for (path, reason) in [
        (document("documents_pdf/picture.pdf"), "run OCR over it"),
        (document("documents_pdf/locked.pdf"), "password; save it without one"),
        (file("a.pdf", b"words"), "it is not a PDF"),
        (file("a.docx", b"PK\x03\x04"), "it is damaged"),
        (file("a.txt", &[0, 159, 146, 150, 0, 1, 2, 3, 255, 254]), "it is not text"),
        (file("a.xyz", b"words"), "--format names it: markdown, text"),
        (dir.path().to_owned(), "it is a folder"),
        (dir.path().join("none.md"), "there is no such file"),
    ] {
        let said = refused(&path);
        assert!(said.contains(reason), "{path:?}: {said}");
    }
    let empty = extract(&file("empty.MD", b""), &[]);
    assert!(empty.status.success() && empty.stderr == b"remark: it is empty\n", "{empty:?}");
    let named = extract(&file("page", b"<h1>A</h1>"), &["--format", "html"]);
    assert_eq!(String::from_utf8_lossy(&named.stdout), "# A\n\n");
}

#[test]
fn standard_input_and_pipes_are_read_like_files() {
    use std::io::Write;
    let piped = |arguments: &[&str], text: &str| {
        let mut command = command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(text.as_bytes()).expect("written");
        drop(input);
        child.wait_with_output().expect("it ends")
    };
    for name in ["-", "/dev/stdin", "/proc/self/fd/0"] {
        let output = piped(&[name, "--format", "html"], "<h1>A</h1>");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "# A\n\n", "{name}: {output:?}");
    }
    let output = piped(&["-"], "words");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(65) && said.contains("--format names it"), "{output:?}");
}

#[tokio::test]
async fn the_process_that_reads_has_limits() {
    let mut child = command(&["--stdin", "--format", "html"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let path = format!("/proc/{}/limits", child.id());
    let limits = || std::fs::read_to_string(&path).unwrap_or_default();
    let has = |name: &str, most: &str| {
        let limits = limits();
        let line = limits.lines().find(|line| line.starts_with(name));
        line.is_some_and(|line| line.split_whitespace().filter(|word| *word == most).count() == 2)
    };
    for (name, most) in [
        ("Max cpu time", "60"),
        ("Max address space", "1073741824"),
        ("Max file size", "0"),
        ("Max open files", "64"),
        ("Max core file size", "0"),
    ] {
        assert!(eventually(|| has(name, most)).await, "{name}: {}", limits());
    }
    let score = std::fs::read_to_string(format!("/proc/{}/oom_score_adj", child.id()));
    assert_eq!(score.expect("a score").trim(), "1000", "the kernel takes it before the bot");
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success(), "nothing is an empty document");
}
