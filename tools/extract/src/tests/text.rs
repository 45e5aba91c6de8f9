//! Markdown, plain text, tables and code.

use super::*;

#[test]
fn markdown_has_headings_tables_and_code() {
    let text = "---\ntitle: \"The guide\"\ntags: [a]\n---\nintro\n\n# Install {#setup}\n\nUse `apt`:\n\n\
                ```sh\napt install katana # now\n```\n\nSettings\n--------\n<!-- not\nthis -->\n\
                | Key | Value |\n|:---|---:|\n| a | 1 |\nafter\n\n- one\n- two\n\n~~~\n```\n# no heading\n~~~\n## End ##\n";
    let document = read(Format::Markdown, text);
    assert_eq!(document.title.as_deref(), Some("The guide"));
    let want = [
        "intro",
        "h1 Install #setup",
        "Use `apt`:",
        "code apt install katana # now",
        "h2 Settings #settings",
        "table | Key | Value |\n|:---|---:|\n| a | 1 |",
        "after\n\n- one\n- two",
        "code ```\n# no heading",
        "h2 End #end",
    ];
    assert_eq!(shown(&document), want);
}

#[test]
fn what_only_looks_like_a_heading_is_text() {
    for text in
        ["#hash", "####### seven", "a\n- b\n---\nc", "- item\n---", "a | b\nc | d", "***\n---"]
    {
        let document = read(Format::Markdown, text);
        assert!(matches!(&document.blocks[..], [Block::Text(_)]), "{text:?}: {document:?}");
    }
    let rule = "text\n\n---\n\nmore";
    assert_eq!(shown(&read(Format::Markdown, rule)), [rule]);
    assert_eq!(
        shown(&read(Format::Markdown, "```\nnever closed\n# x")),
        ["code never closed\n# x"]
    );
}

#[test]
fn plain_text_has_underlined_headings() {
    let text = "=======\nManual\n=======\n\nIntro.\n\nUsage\n-----\nRun it.\n\nOptions\n~~~~~~~\n  -v\n\n\
                Files\n-----\n/etc\n--------------------------\n";
    let document = read(Format::Text, text);
    assert_eq!(document.title.as_deref(), Some("Manual"));
    let want = [
        "h1 Manual #manual",
        "Intro.",
        "h2 Usage #usage",
        "Run it.",
        "h3 Options #options",
        "  -v",
        "h2 Files #files",
        "/etc\n--------------------------",
    ];
    assert_eq!(shown(&document), want);
    assert_eq!(
        shown(&read(Format::Text, "== Sub\nx\n# Old\ny")),
        ["h2 Sub #sub", "x", "h1 Old #old", "y"]
    );
}

#[test]
fn tables_have_their_header_in_front() {
    let table = "table | Name | Price |\n|---|---|\n| Pen, red | 1 |\n| Say \"hi\" two | 2 |";
    for text in [
        "Name,Price\r\n\"Pen, red\",1\r\n\"Say \"\"hi\"\"\ntwo\",2\r\n",
        "\u{feff}Name;Price\n\"Pen, red\";1\n\n\"Say \"\"hi\"\" two\";2",
        "Name\tPrice\nPen, red\t1\nSay \"hi\" two\t2\n",
    ] {
        assert_eq!(shown(&read(Format::Csv, text)), [table], "{text:?}");
    }
    let long = format!("id,word\n{}", "1,some words in a cell\n".repeat(10_000));
    let blocks = read(Format::Csv, long).blocks;
    assert!(blocks.len() > 3);
    let is_headed =
        |b: &Block| matches!(b, Block::Table(t) if t.starts_with("| id | word |\n|---|---|\n"));
    assert!(blocks.iter().all(is_headed));
    assert_eq!(read(Format::Csv, "a,b,\"never closed\nc,d").blocks.len(), 1);
    assert_eq!(shown(&read(Format::Csv, "alone")), ["table | alone |\n|---|"]);
}

#[test]
fn code_is_in_parts() {
    let code = "use a;\n\nfn one() {\n    x;\n\n    y;\n}\n\n}\n\nfn two() {}\n";
    let want = ["code use a;", "code fn one() {\n    x;\n\n    y;\n}\n\n}", "code fn two() {}"];
    assert_eq!(shown(&read(Format::Code, code)), want);
}
