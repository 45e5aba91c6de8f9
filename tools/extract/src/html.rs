//! Web pages: headings with their anchors, paragraphs, lists, tables and code, without what surrounds them.
//!
//! Invariants: one pass over the tokens of the standard, without a tree, so that no nesting costs memory or
//! stack; what is in `main` or `article` counts, if there is any; scripts, styles, navigation and what is
//! hidden do not.

mod element;
mod flow;
mod tokens;

use std::borrow::Cow;

use html5gum::{HtmlString, StartTag, State, Token, naive_next_state};

use self::element::{Kind, Skip, kind};
use self::flow::Flow;
use crate::document::{Block, Document};
use crate::limits::{Limits, Problem};

/// Text in the main part from which on the rest is left out, in bytes.
const MAIN: usize = 200;

/// Reads a web page.
pub(crate) fn read(text: &str, limits: &Limits) -> Result<Document, Problem> {
    let mut document = once(text, limits, Wanted::Content);
    if document.blocks.is_empty() {
        // A page that is all navigation, or has an element in it that is never closed.
        document = once(text, limits, Wanted::Everything);
    }
    Ok(document)
}

/// What of a page is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Content,
    Everything,
}

fn once(text: &str, limits: &Limits, wanted: Wanted) -> Document {
    let mut page = Page {
        flow: Flow::new(limits),
        wanted,
        skipped: Vec::new(),
        title: None,
        main: Vec::new(),
        main_open: 0,
        main_from: 0,
    };
    let is_xhtml = text.starts_with("<?xml") || text.contains("http://www.w3.org/1999/xhtml");
    let mut tokens = tokens::tokens(text);
    while let Some(token) = tokens.next() {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                // In XHTML `<script src="…"/>` ends there; elsewhere a script follows.
                if let Some(state) =
                    naive_next_state(&tag.name).filter(|_| !(is_xhtml && tag.self_closing))
                {
                    tokens.set_state(state);
                } else {
                    tokens.set_state(State::Data);
                }
                page.start(&tag, is_xhtml);
            }
            Token::EndTag(tag) => page.end(&tag.name),
            Token::String(text) => page.text(&text),
            _ => {}
        }
        if page.flow.is_full() {
            break;
        }
    }
    page.finish()
}

struct Page {
    flow: Flow,
    wanted: Wanted,
    /// Elements that are open and not read, outermost first, with how many of the same name are open in them.
    skipped: Vec<(Vec<u8>, usize)>,
    title: Option<String>,
    /// Ranges of blocks that are in a main part.
    main: Vec<std::ops::Range<usize>>,
    main_open: usize,
    main_from: usize,
}

impl Page {
    fn start(&mut self, tag: &StartTag<()>, is_xhtml: bool) {
        let name: &[u8] = &tag.name;
        if let Some((open, count)) = self.skipped.last_mut() {
            // A paragraph of the text ends what was never closed.
            if open == name && !tag.self_closing {
                *count += 1;
            }
            return;
        }
        let kind = kind(name);
        // Elsewhere the slash means nothing.
        let is_closed = tag.self_closing && (is_xhtml || matches!(name, b"svg" | b"math"));
        if self.is_skipped(tag, kind) {
            if !is_closed && !element::is_void(name) {
                self.skipped.push((name.to_vec(), 0));
            }
            return;
        }
        match kind {
            Kind::Title if self.title.is_none() => {
                self.title = Some(String::new());
                self.flow.begin_title();
            }
            Kind::Title => {}
            Kind::Main => {
                self.flow.break_block();
                if self.main_open == 0 {
                    self.main_from = self.flow.len();
                }
                self.main_open += usize::from(!is_closed);
            }
            kind => self.flow.start(kind),
        }
        if !matches!(kind, Kind::Title)
            && let Some(id) = attribute(tag, b"id").or_else(|| attribute(tag, b"name"))
        {
            self.flow.anchor(&id);
        }
        if is_closed && !element::is_void(name) {
            self.end(name);
        }
    }

    fn is_skipped(&self, tag: &StartTag<()>, kind: Kind) -> bool {
        match kind {
            Kind::Skip(Skip::Always) => return true,
            Kind::Skip(Skip::Surroundings) if self.wanted == Wanted::Content => return true,
            // Anchors within headings, as Sphinx and others have them, and numbers of lines.
            Kind::Inline | Kind::Cell(_)
                if has_class(tag, &["headerlink", "linenos", "lineno"]) =>
            {
                return true;
            }
            Kind::Title => return false,
            _ => {}
        }
        let is_hidden = attribute(tag, b"aria-hidden").is_some_and(|value| value == "true")
            || tag.attributes.contains_key(b"hidden".as_slice());
        let role = attribute(tag, b"role");
        let is_around = role.is_some_and(|role| {
            matches!(&*role, "navigation" | "search" | "banner" | "contentinfo" | "complementary")
        });
        self.wanted == Wanted::Content && (is_hidden || is_around)
    }

    fn end(&mut self, name: &[u8]) {
        if let Some((open, count)) = self.skipped.last_mut() {
            if open == name {
                if *count == 0 {
                    self.skipped.pop();
                } else {
                    *count -= 1;
                }
            }
            return;
        }
        match kind(name) {
            Kind::Title => self.flow.end_title(),
            Kind::Main if self.main_open > 0 => {
                self.flow.break_block();
                self.main_open -= 1;
                if self.main_open == 0 {
                    self.main.push(self.main_from..self.flow.len());
                }
            }
            Kind::Main => {}
            kind => self.flow.end(kind),
        }
    }

    fn text(&mut self, text: &HtmlString) {
        if !self.skipped.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(text);
        match &mut self.title {
            Some(title) if !self.flow.is_titled() => title.push_str(&text),
            _ => self.flow.text(&text),
        }
    }

    fn finish(mut self) -> Document {
        self.flow.break_block();
        if self.main_open > 0 {
            self.main.push(self.main_from..self.flow.len());
        }
        let mut writer = self.flow.finish();
        let blocks = writer.take_from(0);
        let is_main = |at: usize| self.main.iter().any(|range| range.contains(&at));
        let kept: usize =
            self.main.iter().flat_map(|range| &blocks[range.clone()]).map(Block::size).sum();
        let all: usize = blocks.iter().map(Block::size).sum();
        let only_main = kept >= MAIN && kept * 4 > all;
        let kept = blocks.into_iter().enumerate().filter(|(at, _)| !only_main || is_main(*at));
        writer.put_back(kept.map(|(_, block)| block));
        let heading = writer.first_heading();
        writer.title(heading.as_deref().or(self.title.as_deref()).unwrap_or_default());
        writer.finish()
    }
}

/// An attribute that is there and not empty.
fn attribute<'t>(tag: &'t StartTag<()>, name: &[u8]) -> Option<Cow<'t, str>> {
    let value = tag.attributes.get(name)?;
    (!value.is_empty()).then(|| String::from_utf8_lossy(value))
}

fn has_class(tag: &StartTag<()>, wanted: &[&str]) -> bool {
    let class = attribute(tag, b"class");
    class.is_some_and(|class| class.split_whitespace().any(|name| wanted.contains(&name)))
}
