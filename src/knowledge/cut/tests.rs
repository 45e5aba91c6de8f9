//! What cutting makes of documents.

use proptest::prelude::*;

use super::*;
use crate::model::text::tokens;

fn cut(text: &str, limit: usize) -> Cut {
    passages(&crate::knowledge::reader::markdown(text), limit)
}

fn pieces(text: &str) -> Vec<Piece> {
    cut(text, usize::MAX).pieces
}

fn shown(text: &str) -> Vec<(String, String)> {
    pieces(text).into_iter().map(|piece| (piece.title(), piece.text)).collect()
}

#[test]
fn headings_begin_passages() {
    let text = "intro\n# A\na\n## B ##\nb\n####### x\n#y\n```\n# c\n```\n## C\n### D\nd\n# E\ne";
    let want = [
        ("A", "intro"),
        ("A", "a"),
        ("A › B", "b\n####### x\n#y\n\n```\n# c\n```"),
        ("A › C › D", "d"),
        ("A › E", "e"),
    ];
    let got = shown(text);
    let got: Vec<_> = got.iter().map(|(title, text)| (title.as_str(), text.as_str())).collect();
    assert_eq!(got, want);
    let anchors: Vec<_> = pieces(text).into_iter().map(|piece| piece.anchor).collect();
    assert_eq!(
        anchors,
        [None, Some("a"), Some("b"), Some("d"), Some("e")].map(|a| a.map(str::to_owned))
    );
}

/// Texts without headings, as they are found in folders.
fn texts() -> Vec<(&'static str, String)> {
    let sentence = "The keeper of the lighthouse paints the tower in spring. ";
    vec![
        ("sentences", sentence.repeat(3000)),
        ("lines", format!("{sentence}\n").repeat(3000)),
        ("paragraphs", format!("{}\n\n", sentence.repeat(5)).repeat(600)),
        ("no spaces", "0123456789abcdef".repeat(12_000)),
        ("Chinese", "灯塔管理员每年春天粉刷塔楼。他住在海边的小屋里".repeat(2700)),
        ("Thai", "ผู้ดูแลประภาคารทาสีหอคอยทุกฤดูใบไม้ผลิ".repeat(1600)),
        ("code", format!("```\n{}```\n", "let a = b(c);\n".repeat(9000))),
        ("emoji", "😀".repeat(40_000)),
    ]
}

#[test]
fn a_text_without_headings_is_cut_into_overlapping_pieces() {
    for (name, text) in texts() {
        let pieces = pieces(&text);
        assert!(pieces.len() > 50, "{name}: {} pieces", pieces.len());
        for (i, piece) in pieces.iter().enumerate() {
            let size = tokens(&piece.text);
            assert!(size <= PASSAGE_TOKENS + 4, "{name}: {size} tokens");
            let is_last = i + 1 == pieces.len();
            assert!(is_last || size >= PASSAGE_TOKENS_MIN - 2, "{name}: {size} tokens");
        }
        let (first, second) = (&pieces[0].text, &pieces[1].text);
        if name == "code" {
            continue;
        }
        let shared: String = second.chars().take(20).collect();
        assert!(first.contains(shared.trim()), "{name}: nothing of {second:?} is in {first:?}");
    }
}

#[test]
fn pieces_of_code_stay_code_and_rows_keep_their_header() {
    let code = format!("text\n\n~~~sh\n{}~~~\nend", "echo a # b\n".repeat(500));
    let pieces_of_code = pieces(&code);
    assert!(pieces_of_code.len() > 2);
    assert!(
        pieces_of_code[0].text.starts_with("text\n\n```\necho")
            && pieces_of_code[0].text.ends_with("b\n```")
    );
    assert!(
        pieces_of_code[1].text.starts_with("```\necho")
            && pieces_of_code[1].text.ends_with("\n```")
    );
    assert!(pieces_of_code.last().unwrap().text.ends_with("end"));
    let table = format!("| A | B |\n|---|---|\n{}", "| one | two words |\n".repeat(500));
    let rows = pieces(&table);
    assert!(rows.len() > 3);
    for row in &rows {
        assert!(row.text.starts_with("| A | B |\n|---|---|\n| one"), "{}", row.text);
        assert!(tokens(&row.text) <= PASSAGE_TOKENS);
    }
}

#[test]
fn what_fits_stays_whole() {
    let code = format!("```\n{}```", "let a = 1;\n".repeat(90));
    let text = format!("{}\n\nThe code:\n\n{code}\n\nafter", "Some words of a text. ".repeat(40));
    let pieces = pieces(&text);
    assert_eq!(pieces.len(), 2, "{pieces:?}");
    assert!(
        pieces[1].text.starts_with("The code:\n\n```\nlet") && pieces[1].text.ends_with("after")
    );
    let functions: Vec<_> =
        (0..160).map(|n| Block::Code(format!("fn f{n}() {{\n    body();\n}}"))).collect();
    let document = Document { blocks: functions, ..Document::default() };
    let cut = passages(&document, 100);
    assert!((3..6).contains(&cut.pieces.len()), "{}", cut.pieces.len());
    assert!(
        cut.pieces
            .iter()
            .all(|piece| piece.text.starts_with("```\nfn") && piece.text.ends_with("}\n```"))
    );
}

#[test]
fn code_that_is_a_long_fence_itself_gets_none() {
    let code = format!("{}\nx\n{}", "`".repeat(700), "`".repeat(500));
    let document = Document { blocks: vec![Block::Code(code)], ..Document::default() };
    let texts: String =
        passages(&document, 100).pieces.into_iter().map(|piece| piece.text).collect();
    assert_eq!((texts.matches('`').count(), texts.matches('x').count()), (1200, 1));
}

#[test]
fn pages_begin_passages() {
    let text = |text: &str| Block::Text(text.to_owned());
    let blocks = vec![
        Block::Page(1),
        text("One. A sentence that goes"),
        Block::Page(2),
        text("on here."),
        Block::Page(4),
        text("Four."),
    ];
    let document = Document { title: Some("Manual".into()), blocks, remarks: Vec::new() };
    let pieces = passages(&document, 100).pieces;
    let got: Vec<_> = pieces.iter().map(|piece| (piece.page, piece.text.as_str())).collect();
    let want = [
        (Some(1), "One. A sentence that goes"),
        (Some(2), "One. A sentence that goes\n\non here."),
        (Some(4), "Four."),
    ];
    assert_eq!(got, want);
    assert!(pieces.iter().all(|piece| piece.title() == "Manual"));
}

#[test]
fn headings_have_bounds_too() {
    let huge = format!("# {}\nbody\n", "long ".repeat(20_000));
    let cut = cut(&huge, usize::MAX);
    assert_eq!((cut.headings, cut.long_headings), (0, 1));
    assert!(cut.pieces.len() > 40, "the text of the heading is kept as text");
    let many = "## a heading\nx\n".repeat(5000);
    let many = super::passages(&crate::knowledge::reader::markdown(&many), 1000);
    assert_eq!((many.pieces.len(), many.is_short), (1000, true));
    let deep = format!("# {}\n## {}\nx", "n".repeat(200), "h".repeat(200));
    assert_eq!(pieces(&deep)[0].title(), "h".repeat(200));
    let deep = format!("# First\n## {}\n### Last\nx", "n".repeat(200));
    assert_eq!(pieces(&deep)[0].title(), "First › … › Last");
}

#[test]
fn cutting_is_linear() {
    for unit in ["a", " ", "\n", "```\n", "~~~\n", "# \n", "#", "a. ", "。", "\u{301}", "# a\n\n"]
    {
        let text = unit.repeat(4 * 1024 * 1024 / unit.len());
        let clock = std::time::Instant::now();
        cut(&text, 5000);
        assert!(clock.elapsed().as_secs() < 20, "{unit:?} took {:?}", clock.elapsed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost(words in prop::collection::vec("[a-z]{1,12}|\n|\n\n|\n```\n|\n\\| a \\| b \\|\n|---\\|---\\|\n|漢字。", 0..2000)) {
        let text = words.join(" ");
        let all: String = shown(&text).into_iter().map(|(title, text)| title + &text).collect();
        let wanted = text.split_whitespace().filter(|word| word.chars().all(char::is_alphabetic));
        for word in wanted {
            prop_assert!(all.contains(word), "{word}");
        }
        for (_, piece) in shown(&text) {
            prop_assert!(tokens(&piece) <= PASSAGE_TOKENS + 4);
        }
    }
}
