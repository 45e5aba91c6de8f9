//! Cuts a document into passages: at its headings, and within a long section at the best border.
//!
//! Invariants: no passage is longer than `PASSAGE_TOKENS` and a few marks, and no title longer than
//! `TITLE_CHARS`, whatever the document looks like. Tables and code stay whole where they fit into one
//! passage; elsewhere each part has the header or the fence again. Nothing is lost but headings without a text.

use extract::{Block, Document};

use self::border::{overlap, split};
use self::size::{OVERLAP_TOKENS, PASSAGE_TOKENS, PASSAGE_TOKENS_MIN, quarters_of, within};

mod border;
mod parts;
mod size;

/// Which cutting this is: a change of what comes out must change it, so that an index notices.
pub const VERSION: u32 = 1;

/// Longest title, in characters; a longer heading is a paragraph.
const TITLE_CHARS: usize = 200;

/// What stands between the headings of a title.
const BETWEEN: &str = " › ";

/// A passage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The headings above it, the topmost first.
    pub headings: Vec<String>,
    /// What an address needs after `#` to lead to the nearest of them.
    pub anchor: Option<String>,
    /// The page on which it begins.
    pub page: Option<u32>,
    /// Its text, as Markdown.
    pub text: String,
}

impl Piece {
    /// The headings on one line; of too many, the first and the last.
    pub fn title(&self) -> String {
        let all = self.headings.join(BETWEEN);
        let fits = |title: &str| title.chars().nth(TITLE_CHARS).is_none();
        let (Some(first), Some(last)) = (self.headings.first(), self.headings.last()) else {
            return all;
        };
        if fits(&all) {
            return all;
        }
        let ends = format!("{first}{BETWEEN}…{BETWEEN}{last}");
        if self.headings.len() > 2 && fits(&ends) { ends } else { shortened(last) }
    }
}

/// A document in pieces, and what is worth knowing of how it was cut.
#[derive(Debug, Default)]
pub struct Cut {
    /// The passages, in the order of the document.
    pub pieces: Vec<Piece>,
    /// How many headings it has.
    pub headings: usize,
    /// How many headings were too long to be one.
    pub long_headings: usize,
    /// Whether there were more passages than asked for.
    pub is_short: bool,
}

/// Cuts a document into at most `limit` passages.
pub fn passages(document: &Document, limit: usize) -> Cut {
    let mut cutter = Cutter {
        title: document.title.as_deref(),
        path: Vec::new(),
        page: None,
        open: Open::default(),
        limit,
        cut: Cut::default(),
    };
    let mut blocks = document.blocks.as_slice();
    while let [block, rest @ ..] = blocks {
        blocks = rest;
        match block {
            Block::Heading { text, .. } if is_long(text) => {
                cutter.cut.long_headings += 1;
                cutter.text(text);
            }
            Block::Heading { level, text, anchor } => {
                cutter.emit();
                cutter.cut.headings += 1;
                cutter.path.retain(|(above, ..)| above < level);
                cutter.path.push((*level, text, anchor.as_deref()));
            }
            Block::Text(text) => text.split("\n\n").for_each(|part| cutter.text(part)),
            Block::Table(table) => cutter.parts(parts::Kind::table(table), &[table]),
            Block::Code(_) => {
                let is_code = |block: &&Block| matches!(block, Block::Code(_));
                let more = rest.iter().take_while(is_code).count();
                let run = std::iter::once(block).chain(&rest[..more]);
                let codes = run.filter_map(|block| match block {
                    Block::Code(code) => Some(code.as_str()),
                    _ => None,
                });
                cutter.parts(parts::Kind::Code, &codes.collect::<Vec<_>>());
                blocks = &rest[more..];
            }
            Block::Page(number) => cutter.new_page(*number),
        }
        if cutter.cut.is_short {
            break;
        }
    }
    cutter.emit();
    cutter.cut
}

/// The passage that is being filled.
#[derive(Debug, Default)]
struct Open {
    text: String,
    quarters: usize,
    page: Option<u32>,
    /// Bytes at the front that the passage before it has, too.
    repeated: usize,
    /// Where the last part begins, if that is text; tables and code are not repeated.
    last_text: Option<usize>,
}

impl Open {
    fn room(&self) -> usize {
        (PASSAGE_TOKENS * 4).saturating_sub(self.quarters)
    }
}

struct Cutter<'d> {
    title: Option<&'d str>,
    path: Vec<(u8, &'d str, Option<&'d str>)>,
    page: Option<u32>,
    open: Open,
    limit: usize,
    cut: Cut,
}

impl Cutter<'_> {
    /// Adds a paragraph.
    fn text(&mut self, paragraph: &str) {
        let mut rest = paragraph.trim_matches('\n');
        let mut between = "\n\n";
        while !rest.trim().is_empty() && !self.cut.is_short {
            let room = self.open.room().saturating_sub(between.len());
            if let Some(quarters) = within(rest, room) {
                self.push(between, rest, quarters, true);
                return;
            }
            let least = (PASSAGE_TOKENS_MIN * 4).saturating_sub(self.open.quarters);
            if least == 0 && self.open.text.len() > self.open.repeated {
                self.emit_and_repeat();
                continue;
            }
            let at = split(rest, least, room);
            let (part, after) = rest.split_at(at);
            self.push(between, part, quarters_of(part), true);
            self.emit_and_repeat();
            rest = after;
            between = "";
        }
    }

    /// Adds a table, or code in parts that belong together.
    fn parts(&mut self, kind: parts::Kind<'_>, all: &[&str]) {
        let mut group = parts::Group::new(kind);
        for part in all {
            if self.cut.is_short {
                return;
            }
            if group.fits(part, self.open.room()) {
                group.add(part);
                continue;
            }
            self.close(&mut group);
            if self.open.quarters > OVERLAP_TOKENS * 4 {
                self.emit_and_repeat();
                if !group.fits(part, self.open.room()) {
                    self.open = Open::default();
                }
            }
            if group.fits(part, self.open.room()) {
                group.add(part);
                continue;
            }
            for line in group.lines(part) {
                if !group.fits(line, self.open.room()) {
                    self.close(&mut group);
                    self.emit();
                }
                if self.cut.is_short {
                    return;
                }
                self.long_line(&mut group, line);
            }
        }
        self.close(&mut group);
    }

    /// Adds a line, which may be too long even for a passage of its own.
    fn long_line(&mut self, group: &mut parts::Group<'_>, line: &str) {
        let mut rest = line;
        while !group.fits(rest, self.open.room()) && !self.cut.is_short {
            let at = split(rest, PASSAGE_TOKENS_MIN * 4, group.room(self.open.room()));
            let (part, after) = rest.split_at(at);
            group.add_line(part);
            self.close(group);
            self.emit();
            rest = after;
        }
        group.add_line(rest);
    }

    /// Writes a group into the open passage.
    fn close(&mut self, group: &mut parts::Group<'_>) {
        if let Some(text) = group.take() {
            self.push("\n\n", &text, quarters_of(&text), false);
        }
    }

    fn push(&mut self, between: &str, text: &str, quarters: usize, is_text: bool) {
        let open = &mut self.open;
        if open.text.len() == open.repeated {
            open.page = self.page;
        }
        if !open.text.is_empty() {
            open.text.push_str(between);
            open.quarters += between.len();
        }
        open.last_text = is_text.then_some(open.text.len());
        open.text.push_str(text);
        open.quarters += quarters;
    }

    /// A page begins: what follows is another passage, which repeats the end of a sentence that goes on.
    fn new_page(&mut self, number: u32) {
        let text = self.open.text.trim_end();
        let ends = text.is_empty()
            || text.ends_with(['.', '!', '?', '…', ':', '。', '！', '？', '|', '`']);
        if ends {
            self.emit()
        } else {
            self.emit_and_repeat()
        }
        self.page = Some(number);
    }

    /// Writes the passage and begins one that repeats its end, where that is text.
    fn emit_and_repeat(&mut self) {
        let repeated = self.open.last_text.map(|from| overlap(&self.open.text[from..]).to_owned());
        self.emit();
        if let Some(text) = repeated {
            let quarters = quarters_of(&text);
            self.open = Open { repeated: text.len(), quarters, text, ..Open::default() };
        }
    }

    fn emit(&mut self) {
        let open = std::mem::take(&mut self.open);
        let text = open.text.trim_end().trim_start_matches('\n');
        if open.text.get(open.repeated..).unwrap_or_default().trim().is_empty() {
            return;
        }
        if self.cut.pieces.len() >= self.limit {
            self.cut.is_short = true;
            return;
        }
        let mut headings: Vec<String> =
            self.path.iter().map(|(_, text, _)| (*text).to_owned()).collect();
        if let Some(title) = self.title.filter(|title| headings.first().is_none_or(|h| h != title))
        {
            headings.insert(0, shortened(title));
        }
        let anchor = self.path.iter().rev().find_map(|(.., anchor)| *anchor).map(str::to_owned);
        let piece = Piece { headings, anchor, page: open.page, text: text.to_owned() };
        self.cut.pieces.push(piece);
    }
}

fn is_long(heading: &str) -> bool {
    heading.chars().nth(TITLE_CHARS).is_some()
}

/// A title of bounded length.
pub(super) fn shortened(title: &str) -> String {
    match title.char_indices().nth(TITLE_CHARS) {
        Some((end, _)) => format!("{}…", title[..end].trim_end()),
        None => title.to_owned(),
    }
}

#[cfg(test)]
mod tests;
