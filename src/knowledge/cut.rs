//! Cuts a document into passages: at its headings, and within a long section at the best border.
//!
//! Invariant: no passage is longer than [`PASSAGE_TOKENS`] and a few marks, and no title longer than
//! [`TITLE_CHARS`], whatever the document looks like. Nothing is lost but headings without a text.

use crate::model::text::quarter_tokens;

/// Size of a passage, in tokens: enough to answer from, few enough that several fit beside a question
/// to a small model.
pub(super) const PASSAGE_TOKENS: usize = 400;

/// A long section is cut no earlier than this, in tokens.
const PASSAGE_TOKENS_MIN: usize = 200;

/// What a passage repeats of the one before it, in tokens at most: an answer may lie across the cut.
const OVERLAP_TOKENS: usize = 50;

/// Longest title, in characters; a longer heading is a paragraph.
const TITLE_CHARS: usize = 200;

/// A passage: its title and its text.
pub(super) type Piece = (String, String);

/// A document in pieces, and what is worth knowing of how it was cut.
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) pieces: Vec<Piece>,
    /// How many headings it has.
    pub(super) headings: usize,
    /// How many headings were too long to be one.
    pub(super) long_headings: usize,
}

/// Cuts a document into at most `limit` pieces.
pub(super) fn document(text: &str, limit: usize) -> Cut {
    let mut cut = Cut::default();
    let (mut title, mut body, mut fence) = (String::new(), String::new(), None);
    let mut name = String::new();
    for line in text.lines() {
        fence = fenced(line, fence);
        let heading = fence.is_none().then(|| heading(line)).flatten();
        let Some(heading) = heading.filter(|h| !is_long(h, &mut cut.long_headings)) else {
            body.push_str(line);
            body.push('\n');
            continue;
        };
        cut.headings += 1;
        section(&title, &body, limit, &mut cut.pieces);
        body.clear();
        if cut.pieces.len() >= limit {
            return cut;
        }
        if line.starts_with("# ") && name.is_empty() {
            heading.clone_into(&mut name);
        }
        title = if name.is_empty() || name == heading {
            heading.to_owned()
        } else {
            shortened(&format!("{name} – {heading}"))
        };
    }
    section(&title, &body, limit, &mut cut.pieces);
    cut
}

/// The first heading of the first level.
pub(super) fn name(text: &str) -> Option<String> {
    let first = text.lines().find_map(|line| line.strip_prefix("# ")).map(str::trim);
    first.filter(|name| !name.is_empty()).map(shortened)
}

/// The text of a heading: one to six marks and a space.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let marks = line.len() - text.len();
    let is_heading = (1..=6).contains(&marks) && (text.is_empty() || text.starts_with(' '));
    is_heading.then(|| text.trim().trim_end_matches('#').trim_end())
}

fn is_long(heading: &str, count: &mut usize) -> bool {
    let is_long = heading.chars().nth(TITLE_CHARS).is_some();
    *count += usize::from(is_long);
    is_long
}

fn shortened(title: &str) -> String {
    match title.char_indices().nth(TITLE_CHARS) {
        Some((end, _)) => format!("{}…", title[..end].trim_end()),
        None => title.to_owned(),
    }
}

/// The mark of the code block that is open after `line`.
fn fenced(line: &str, open: Option<char>) -> Option<char> {
    let mut marks = line.trim_start().chars().take(3);
    let mark = marks.next().filter(|c| matches!(c, '`' | '~'));
    let mark = mark.filter(|&mark| marks.filter(|&c| c == mark).count() == 2);
    match (open, mark) {
        (None, Some(mark)) => Some(mark),
        (Some(open), Some(mark)) if open == mark => None,
        _ => open,
    }
}

/// Adds the pieces of one section, as long as there are fewer than `limit`.
fn section(title: &str, body: &str, limit: usize, pieces: &mut Vec<Piece>) {
    let (mut start, mut kept) = (0, 0);
    let mut fence = None;
    while start < body.len() && pieces.len() < limit {
        let from = if start > 0 { overlap(body, kept, start) } else { start };
        let end = end_of(body, from, start);
        let before = body[kept..from].lines().fold(fence, |open, line| fenced(line, open));
        let after = body[from..end].lines().fold(before, |open, line| fenced(line, open));
        let text = body[from..end].trim_end().trim_start_matches(['\n', '\r']);
        let text = if before.is_none() { text.trim_start() } else { text };
        if !text.trim().is_empty() {
            let open = before.map(|mark| format!("{}\n", String::from_iter([mark; 3])));
            let close = after.map(|mark| format!("\n{}", String::from_iter([mark; 3])));
            let (open, close) = (open.unwrap_or_default(), close.unwrap_or_default());
            pieces.push((title.to_owned(), format!("{open}{text}{close}")));
        }
        (fence, kept, start) = (before, from, end);
    }
}

/// Kinds of borders, the best first.
#[derive(Clone, Copy)]
enum Border {
    Paragraph,
    Line,
    Sentence,
    Word,
    Character,
}

/// Where the piece ends that begins at `from` and has something new from `start` on.
fn end_of(body: &str, from: usize, start: usize) -> usize {
    let mut last: [Option<usize>; 5] = [None; 5];
    let (mut quarters, mut before, mut run) = (0, '\n', 0);
    for (at, c) in body[from..].char_indices().map(|(i, c)| (from + i, c)) {
        if at > start && quarters >= PASSAGE_TOKENS_MIN * 4 {
            last[border(before, c, run) as usize] = Some(at);
        }
        quarters += quarter_tokens(c);
        if quarters > PASSAGE_TOKENS * 4 {
            return last.into_iter().flatten().next().unwrap_or(at);
        }
        run = if c == '\n' { run + 1 } else { 0 };
        before = c;
    }
    body.len()
}

/// What lies between two characters; `newlines` stand before the second.
fn border(before: char, after: char, newlines: usize) -> Border {
    let ends = matches!(before, '。' | '！' | '？' | '．');
    match before {
        '\n' if newlines > 1 => Border::Paragraph,
        '\n' => Border::Line,
        _ if ends
            || matches!(before, '.' | '!' | '?' | '…' | '؟' | '।') && after.is_whitespace() =>
        {
            Border::Sentence
        }
        _ if before.is_whitespace() => Border::Word,
        _ => Border::Character,
    }
}

/// Where a piece begins that repeats some of the one before it, which is from `first` to `start`: at a
/// sentence or a word, if there is one.
fn overlap(body: &str, first: usize, start: usize) -> usize {
    let (mut quarters, mut sentence, mut word, mut far) = (0, None, None, start);
    let mut after = ' ';
    for (at, c) in body[first..start].char_indices().rev().map(|(i, c)| (first + i, c)) {
        let next = at + c.len_utf8();
        match border(c, after, usize::from(c == '\n')) {
            Border::Paragraph | Border::Line | Border::Sentence if next < start => {
                sentence = Some(next)
            }
            Border::Word if next < start => word = Some(next),
            _ => {}
        }
        quarters += quarter_tokens(c);
        if quarters > OVERLAP_TOKENS * 4 {
            break;
        }
        (far, after) = (at, c);
    }
    sentence.or(word).unwrap_or(far)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::text::tokens;

    fn pieces(text: &str) -> Vec<Piece> {
        document(text, usize::MAX).pieces
    }

    #[test]
    fn headings_begin_passages() {
        let text = "intro\n# A\na\n## B ##\nb\n####### x\n#y\n```\n# c\n```\n#\nd";
        let want = [
            ("", "intro"),
            ("A", "a"),
            ("A – B", "b\n####### x\n#y\n```\n# c\n```"),
            ("A – ", "d"),
        ];
        let got = pieces(text);
        let got: Vec<_> = got.iter().map(|(title, text)| (title.as_str(), text.as_str())).collect();
        assert_eq!(got, want);
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
            for (i, (_, piece)) in pieces.iter().enumerate() {
                let size = tokens(piece);
                assert!(size <= PASSAGE_TOKENS + 4, "{name}: {size} tokens");
                let is_last = i + 1 == pieces.len();
                assert!(is_last || size >= PASSAGE_TOKENS_MIN - 2, "{name}: {size} tokens");
            }
            let (first, second) = (&pieces[0].1, &pieces[1].1);
            let shared: String = second.trim_start_matches("```\n").chars().take(20).collect();
            assert!(first.contains(shared.trim()), "{name}: nothing of {second:?} is in {first:?}");
        }
    }

    #[test]
    fn pieces_of_code_stay_code() {
        let code = format!("text\n\n~~~sh\n{}~~~\nend", "echo a # b\n".repeat(500));
        let pieces = pieces(&code);
        assert!(pieces.len() > 2);
        assert!(pieces[0].1.ends_with("\n~~~"), "{:?}", pieces[0]);
        assert!(pieces[1].1.starts_with("~~~\necho") && pieces[1].1.ends_with("\n~~~"));
        assert!(pieces.last().unwrap().1.ends_with("end"));
    }

    #[test]
    fn headings_have_bounds_too() {
        let huge = format!("# {}\nbody\n", "long ".repeat(20_000));
        let cut = document(&huge, usize::MAX);
        assert_eq!((cut.headings, cut.long_headings), (0, 1));
        assert!(cut.pieces.len() > 40, "the text of the heading is kept as text");
        assert_eq!(name(&huge).map(|name| name.chars().count()), Some(TITLE_CHARS));
        let many = "## a heading\nx\n".repeat(5000);
        assert_eq!(document(&many, 1000).pieces.len(), 1000);
        let deep = format!("# {}\n## {}\nx", "n".repeat(200), "h".repeat(200));
        assert_eq!(pieces(&deep)[0].0.chars().count(), TITLE_CHARS + 1);
    }

    #[test]
    fn cutting_is_linear() {
        for unit in
            ["a", " ", "\n", "```\n", "~~~\n", "# \n", "#", "a. ", "。", "\u{301}", "# a\n\n"]
        {
            let text = unit.repeat(4 * 1024 * 1024 / unit.len());
            let clock = std::time::Instant::now();
            document(&text, 5000);
            assert!(clock.elapsed().as_secs() < 20, "{unit:?} took {:?}", clock.elapsed());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_lost(words in prop::collection::vec("[a-z]{1,12}|\n|\n\n|```\n|漢字。", 0..2000)) {
            let text = words.join(" ");
            let all: String = pieces(&text).into_iter().map(|(title, text)| title + &text).collect();
            let wanted = text.split_whitespace().filter(|word| word.chars().all(char::is_alphabetic));
            for word in wanted {
                prop_assert!(all.contains(word), "{word}");
            }
            for (_, piece) in pieces(&text) {
                prop_assert!(tokens(&piece) <= PASSAGE_TOKENS + 4);
            }
        }
    }
}
