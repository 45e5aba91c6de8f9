//! Markdown to text with formatting: one walk over the parser's events.
//!
//! Nothing recurses and nothing is written twice, so the time is that of the parser. The source is
//! prepared first: fences around fences (`code`), HTML (`html`), formulas (`math`), and emphasis in
//! scripts without spaces (`emphasis`). HTML that is still there is shown as it was written.

mod inline;

use pulldown_cmark::{
    BlockQuoteKind, CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd,
};

use super::canvas::{Marked, Page};

use super::table::Table;
use super::{clean, code, effort, emphasis, html, math};
use crate::model::text::EntityKind;

/// Columns that each level of a list is moved to the right.
const INDENT: usize = 4;

/// Levels of lists that are moved; deeper ones stay there, or a hostile text could make megabytes
/// of spaces.
const LEVELS: usize = 4;

/// Longest name of a programming language, in bytes; longer ones are not names.
const LANGUAGE_BYTES: usize = 32;

/// Reads Markdown of any length and form.
pub(super) fn read(source: &str) -> Marked {
    read_words(source).0
}

/// The same, and whether there are words in it: markers, rules, frames and comments alone are none.
pub(super) fn read_words(source: &str) -> (Marked, bool) {
    let source = clean::source(source);
    if effort::is_too_much(&source) {
        return (Marked::plain(&source), true);
    }
    let source = code::outer_fences(&source);
    let html = html::rewrite(&source);
    let source = math::with_dollars(&html.source);
    let source = emphasis::with_letters(&source);
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let mut walk = Walk { addresses: html.links, ..Walk::default() };
    for (event, range) in Parser::new_ext(&source, options).into_offset_iter() {
        walk.event(event, &source[range]);
    }
    let has_words = walk.has_words || !clean::is_blank(&html::without_comments(&walk.html));
    (walk.page.finish(), has_words)
}

/// What is open at a place, with the byte it began at where that matters.
enum Inline {
    Format(usize, EntityKind),
    Link(usize, String),
    /// Something that is shown as it was written.
    Nothing,
}

enum Block {
    List {
        /// The next number of an ordered one.
        number: Option<u64>,
        /// Whether its entries are paragraphs, with empty lines between them.
        loose: bool,
    },
    /// A quote, with where it began, or a footnote.
    Quote(usize),
    Note,
}

#[derive(Default)]
struct Walk {
    page: Page,
    inlines: Vec<Inline>,
    blocks: Vec<Block>,
    /// How many of them are lists.
    lists: usize,
    /// Links that are open; only the outermost counts.
    links: usize,
    /// Where a code block began, and its language.
    code: Option<(usize, Option<String>)>,
    table: Option<Table>,
    /// The page around the table cell that is being written.
    around: Option<Page>,
    in_heading: bool,
    /// Where the last line break of HTML was; one of the source right after it says nothing more.
    broken: Option<usize>,
    /// Formats and links of HTML that are open.
    tags: Vec<(usize, EntityKind)>,
    /// Where links of HTML lead.
    addresses: Vec<String>,
    /// Whether something was written that says more than the structure around it.
    has_words: bool,
    /// HTML that is shown as it was written, until there are words.
    html: String,
}

impl Walk {
    fn event(&mut self, event: Event<'_>, source: &str) {
        self.look_for_words(&event);
        match event {
            Event::Start(tag) => self.start(tag, source),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.code.is_some() => {
                self.page.write_code(&html::restore(&text, &self.addresses));
            }
            Event::Text(text) => self.text(&text),
            Event::Code(code) => {
                let code = html::restore(&code, &self.addresses);
                self.formatted(&code, EntityKind::Code);
            }
            Event::InlineMath(math) => self.inline_math(&html::restore(&math, &self.addresses)),
            Event::DisplayMath(math) => self.display_math(&html::restore(&math, &self.addresses)),
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            Event::FootnoteReference(label) => self.page.write(&format!("[{label}]")),
            Event::SoftBreak if self.broken == Some(self.page.at()) => {}
            Event::SoftBreak if self.in_heading => self.page.write(" "),
            Event::SoftBreak | Event::HardBreak => self.page.newline(),
            Event::Rule => {
                self.page.apart(1);
                self.page.write("———");
                self.end_block();
            }
            Event::TaskListMarker(done) => {
                self.page.replace_marker(if done { "☑ " } else { "☐ " });
            }
        }
    }

    fn look_for_words(&mut self, event: &Event<'_>) {
        match event {
            _ if self.has_words => {}
            Event::Text(text) if self.code.is_none() => {
                self.has_words =
                    !text.chars().all(|c| clean::is_invisible(c) || clean::is_set_aside(c));
            }
            Event::Text(code)
            | Event::Code(code)
            | Event::InlineMath(code)
            | Event::DisplayMath(code) => self.has_words = !clean::is_blank(code),
            Event::Html(html) | Event::InlineHtml(html) => self.html.push_str(html),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, source: &str) {
        match tag {
            Tag::Paragraph => {
                if let Some(Block::List { loose, .. }) = self.blocks.last_mut() {
                    *loose = true;
                }
                self.page.apart(1);
            }
            Tag::Heading { .. } => {
                self.page.apart(2);
                self.in_heading = true;
                self.open(EntityKind::Bold);
            }
            Tag::BlockQuote(kind) => self.start_quote(kind),
            Tag::CodeBlock(kind) => {
                self.page.own_line();
                self.page.break_line();
                self.code = Some((self.page.at(), language(&kind)));
            }
            Tag::HtmlBlock => self.page.apart(1),
            Tag::List(first) => self.start_list(first),
            Tag::Item => self.start_item(),
            Tag::FootnoteDefinition(label) => {
                self.page.set_marker(self.page.indent, &format!("[{label}] "), 1);
                self.blocks.push(Block::Note);
            }
            Tag::Table(alignments) => self.table = Some(Table::new(alignments)),
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.begin_row();
                }
            }
            Tag::TableCell => {
                self.around = Some(std::mem::replace(&mut self.page, Page::cell()));
            }
            Tag::Emphasis => self.open(EntityKind::Italic),
            Tag::Strong => self.open(EntityKind::Bold),
            Tag::Strikethrough if source.starts_with("~~") => self.open(EntityKind::Strikethrough),
            // One tilde means "about" more often than "deleted".
            Tag::Strikethrough => {
                self.page.write("~");
                self.inlines.push(Inline::Nothing);
            }
            Tag::Link { link_type, dest_url, .. } => {
                let address = match link_type {
                    LinkType::Email => String::new(),
                    _ => dest_url.into_string(),
                };
                self.open_link(address);
            }
            Tag::Image { dest_url, .. } => self.open_link(dest_url.into_string()),
            // Switched off in the options, or without anything to show.
            Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        if is_around_tags(tag) {
            self.drop_tags();
        }
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.end_block(),
            TagEnd::Heading(_) => {
                self.close();
                self.in_heading = false;
                self.page.set_gap(1);
            }
            TagEnd::BlockQuote(_) => {
                if let Some(Block::Quote(start)) = self.blocks.pop() {
                    self.page.mark(start, self.page.at(), EntityKind::Quote);
                }
                self.end_block();
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::List(_) => {
                self.blocks.pop();
                self.lists -= 1;
                self.page.indent = INDENT * self.lists.min(LEVELS);
                self.end_block();
            }
            TagEnd::Item => self.page.write_marker(),
            TagEnd::FootnoteDefinition => {
                self.page.write_marker();
                self.blocks.pop();
                self.end_block();
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    table.draw(&mut self.page);
                }
                self.end_block();
            }
            TagEnd::TableCell => {
                if let (Some(around), Some(table)) = (self.around.take(), &mut self.table) {
                    table.add(std::mem::replace(&mut self.page, around));
                }
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => self.close(),
            TagEnd::Link | TagEnd::Image => self.close(),
            TagEnd::TableHead
            | TagEnd::TableRow
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::MetadataBlock(_) => {}
        }
    }

    /// After a block comes an empty line, unless the list around it is a tight one.
    fn end_block(&mut self) {
        let tight = matches!(self.blocks.last(), Some(Block::List { loose: false, .. }));
        self.page.set_gap(if tight { 1 } else { 2 });
    }

    fn start_quote(&mut self, kind: Option<BlockQuoteKind>) {
        self.page.own_line();
        self.blocks.push(Block::Quote(self.page.at()));
        let title = match kind {
            None => return,
            Some(BlockQuoteKind::Note) => "Note",
            Some(BlockQuoteKind::Tip) => "Tip",
            Some(BlockQuoteKind::Important) => "Important",
            Some(BlockQuoteKind::Warning) => "Warning",
            Some(BlockQuoteKind::Caution) => "Caution",
        };
        self.formatted(title, EntityKind::Bold);
        self.page.set_gap(1);
    }

    fn start_list(&mut self, number: Option<u64>) {
        let nested = matches!(self.blocks.last(), Some(Block::List { .. }));
        if nested {
            self.page.set_gap(1);
        }
        self.page.apart(1);
        self.blocks.push(Block::List { number, loose: false });
        self.lists += 1;
        self.page.indent = INDENT * self.lists.min(LEVELS);
    }

    fn start_item(&mut self) {
        let Some(Block::List { number, loose }) = self.blocks.last_mut() else { return };
        let below = if *loose { 2 } else { 1 };
        let marker = match number {
            None => "• ".to_owned(),
            Some(number) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
        };
        self.page.set_marker(self.page.indent.saturating_sub(INDENT), &marker, below);
    }

    fn end_code(&mut self) {
        if let Some((start, language)) = self.code.take() {
            self.page.trim_end(start);
            self.page.mark(start, self.page.at(), EntityKind::Pre { language });
        }
        self.end_block();
    }
}

/// Whether a format of HTML ends where this ends at the latest.
fn is_around_tags(tag: TagEnd) -> bool {
    matches!(
        tag,
        TagEnd::Paragraph
            | TagEnd::Heading(_)
            | TagEnd::HtmlBlock
            | TagEnd::Item
            | TagEnd::TableCell
    )
}

/// The language of a code block, as Telegram's clients look it up: one lower-case word.
fn language(kind: &CodeBlockKind<'_>) -> Option<String> {
    let CodeBlockKind::Fenced(info) = kind else { return None };
    let decoration = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '.' | ',' | ':' | '=');
    let word = info.split(decoration).find(|w| !w.is_empty())?;
    let fits = word.len() <= LANGUAGE_BYTES
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '#' | '_'));
    fits.then(|| word.to_ascii_lowercase())
}
