//! Writes a source again, with Markdown and marks in place of its tags.

use super::marks::{BREAK, DIGITS, LINK, LINK_END, NUMBER_END, mark};
use super::tags::{Found, Name};
use crate::telegram::render::code;

/// Levels of lists that are moved to the right; a hostile text could make megabytes of spaces.
const LEVELS: usize = 6;

/// A list that is open.
struct List {
    /// The next number of an ordered one.
    number: Option<usize>,
    /// Columns before the marker of its entries.
    indent: usize,
    /// Whether it is not within another one, and has no entry yet.
    is_first: bool,
}

impl List {
    /// Columns before what an entry holds.
    fn content(&self) -> usize {
        self.indent + if self.number.is_some() { 3 } else { 2 }
    }
}

/// The pen.
pub(super) struct Writer<'a> {
    source: &'a str,
    written: String,
    lists: Vec<List>,
    /// What the line of the last block began with.
    lead: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let written = String::with_capacity(source.len() + 64);
        Self { source, written, lists: Vec::new(), lead: String::new() }
    }

    /// Writes all of the source; addresses of links go to `links`.
    pub(super) fn write(mut self, found: &[Found<'_>], links: &mut Vec<String>) -> String {
        let mut at = 0;
        for tag in found.iter() {
            if tag.start < at {
                continue;
            }
            self.text(at, tag.start);
            at = tag.end;
            let line = self.source[..tag.start].rfind('\n').map_or(0, |end| end + 1);
            let rest = &self.source[tag.start..];
            let end = tag.start + rest.find('\n').unwrap_or(rest.len());
            let lead = &self.source[line..line + code::lead(&self.source[line..tag.start])];
            let in_table = self.source[line..end].contains('|');
            match tag.name {
                Name::Break => self.written.push(BREAK),
                Name::Link if tag.closes => self.written.push(LINK_END),
                Name::Link => self.link(tag, links),
                Name::Code => at = self.code(tag, in_table),
                Name::Pre => at = self.block_of_code(tag, lead, in_table),
                Name::Sub | Name::Sup if tag.closes => {}
                Name::Sub | Name::Sup => at = self.script(tag),
                Name::Unordered | Name::Ordered if in_table && self.lists.is_empty() => {}
                Name::Item if in_table && self.lists.is_empty() => {
                    self.written.extend((!tag.closes).then_some("\u{FDDF}• "));
                }
                Name::Unordered | Name::Ordered => self.list(tag, lead),
                Name::Item if tag.closes => self.trim(),
                Name::Item => self.item(),
                Name::Details | Name::Summary => self.section(tag, lead),
                Name::Bold | Name::Italic | Name::Underline | Name::Strikethrough => {
                    self.written.extend(mark(tag.name, tag.closes));
                }
            }
        }
        self.text(at, self.source.len());
        self.written
    }

    /// Writes text as it is; within lists, its lines go where the entry is.
    fn text(&mut self, start: usize, end: usize) {
        let mut text = &self.source[start..end];
        if self.written.ends_with('\n') && start > 0 {
            // What follows a tag has the place that the tag made.
            text = text.trim_start();
        }
        let Some(columns) = self.lists.last().map(List::content) else {
            return self.written.push_str(text);
        };
        let lead = inside(&self.lead);
        let mut lines = text.split('\n');
        self.written.push_str(lines.next().unwrap_or_default());
        for line in lines {
            self.written.extend(["\n", &lead]);
            self.written.extend(std::iter::repeat_n(' ', columns));
            let line = line.strip_prefix(self.lead.as_str()).unwrap_or(line);
            self.written.push_str(line.trim_start());
        }
    }

    /// Removes empty lines at the end, also those of a quote.
    fn trim(&mut self) {
        let is_quoted = self.lead.contains('>');
        let is_empty = |c| matches!(c, ' ' | '\t' | '\n') || is_quoted && c == '>';
        self.written.truncate(self.written.trim_end_matches(is_empty).len());
    }

    /// Begins a block with an empty line above it, inside the quote or entry that `lead` stands for.
    fn block(&mut self, lead: &str) {
        lead.clone_into(&mut self.lead);
        self.trim();
        let lead = inside(lead);
        self.written.extend(["\n", lead.trim_end(), "\n", &lead]);
    }

    fn list(&mut self, tag: &Found<'_>, lead: &str) {
        let is_outer = self.lists.len() == usize::from(tag.closes);
        if tag.closes {
            self.lists.pop();
            self.trim();
            return if is_outer {
                self.block(lead)
            };
        }
        if is_outer {
            self.block(lead);
        }
        let indent = self.lists.last().map_or(0, List::content).min(LEVELS * 2);
        let first = tag.attribute("start").and_then(|n| n.parse().ok()).unwrap_or(1);
        let number = (tag.name == Name::Ordered).then_some(first);
        self.lists.push(List { number, indent, is_first: is_outer });
    }

    fn item(&mut self) {
        let lead = self.lead.clone();
        let Some(list) = self.lists.last_mut() else { return };
        let marker = match &mut list.number {
            None => "- ".to_owned(),
            Some(number) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
        };
        let indent = list.indent;
        if std::mem::take(&mut list.is_first) {
            self.block(&lead);
        } else {
            self.trim();
            self.written.extend(["\n", &inside(&lead)]);
        }
        self.written.extend(std::iter::repeat_n(' ', indent));
        self.written.push_str(&marker);
    }

    /// A section that unfolds is shown unfolded, its title in bold.
    fn section(&mut self, tag: &Found<'_>, lead: &str) {
        let is_title = tag.name == Name::Summary;
        if is_title && tag.closes {
            self.trim();
            self.written.extend(mark(Name::Bold, true));
        }
        self.block(lead);
        if is_title && !tag.closes {
            self.written.extend(mark(Name::Bold, false));
        }
    }

    fn link(&mut self, tag: &Found<'_>, links: &mut Vec<String>) {
        let number = links.len();
        links.push(decoded(tag.attribute("href").unwrap_or_default()));
        self.written.push(LINK);
        let digits = number.to_string();
        let digit = |b: u8| char::from_u32(DIGITS + u32::from(b - b'0'));
        self.written.extend(digits.bytes().filter_map(digit));
        self.written.push(NUMBER_END);
    }

    /// Inline code; returns where the source goes on.
    fn code(&mut self, tag: &Found<'_>, in_table: bool) -> usize {
        let inner = decoded(&self.source[tag.end..tag.until]).replace('\n', " ");
        let inner = if in_table { inner.replace('|', "\\|") } else { inner };
        let ticks = "`".repeat(longest_run(&inner) + 1);
        let pad = if inner.starts_with('`') || inner.ends_with('`') { " " } else { "" };
        self.written.extend([&ticks, pad, inner.trim(), pad, &ticks]);
        tag.until + "</code>".len()
    }

    /// A code block; returns where the source goes on.
    fn block_of_code(&mut self, tag: &Found<'_>, lead: &str, in_table: bool) -> usize {
        let (mut inner, mut language) = (&self.source[tag.end..tag.until], tag.attribute("lang"));
        let trimmed = inner.trim();
        let code = trimmed.strip_suffix("</code>").filter(|_| trimmed.starts_with("<code"));
        let class = code.and_then(|code| code.split_once('>'));
        if let Some((head, code)) = class {
            inner = code;
            let name = head.split_once("language-").or_else(|| head.split_once("lang-"));
            language = name.and_then(|(_, name)| name.split(['"', '\'', ' ']).next()).or(language);
        }
        let end = tag.until + "</pre>".len();
        let text = decoded(inner);
        if in_table && !text.contains('\n') {
            let ticks = "`".repeat(longest_run(&text) + 1);
            self.written.extend([&ticks, text.trim(), &ticks]);
            return end;
        }
        let fence = "`".repeat(longest_run(&text).max(2) + 1);
        let text = text.strip_prefix('\n').unwrap_or(&text).trim_end();
        self.block(lead);
        let lead = inside(lead);
        self.written.extend([&fence, language.unwrap_or_default()]);
        for line in text.split('\n').chain([fence.as_str()]) {
            self.written.extend(["\n", &lead, line]);
        }
        self.block(&lead);
        end
    }

    /// Raised or lowered text, in characters of that form where there are all; returns where the
    /// source goes on.
    fn script(&mut self, tag: &Found<'_>) -> usize {
        let inner = &self.source[tag.end..tag.until];
        let raised = tag.name == Name::Sup;
        let text = decoded(inner);
        let small: Option<String> = text.trim().chars().map(|c| small(c, raised)).collect();
        match small {
            Some(small) => self.written.push_str(&small),
            None => self.written.extend([if raised { "^(" } else { "\\_(" }, inner.trim(), ")"]),
        }
        tag.until
    }
}

/// What a further line of the block that begins with `lead` has to begin with.
fn inside(lead: &str) -> String {
    lead.chars().map(|c| if matches!(c, '>' | ' ' | '\t') { c } else { ' ' }).collect()
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// The characters that HTML has to write by name.
fn decoded(text: &str) -> String {
    const NAMES: [(&str, &str); 6] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", "\u{A0}"),
        ("&amp;", "&"),
    ];
    let mut text = text.to_owned();
    for (name, c) in NAMES {
        if text.contains(name) {
            text = text.replace(name, c);
        }
    }
    text
}

/// `c` raised or lowered.
fn small(c: char, raised: bool) -> Option<char> {
    const RAISED: &str =
        "0⁰1¹2²3³4⁴5⁵6⁶7⁷8⁸9⁹+⁺-⁻−⁻=⁼(⁽)⁾nⁿiⁱaᵃbᵇcᶜdᵈeᵉfᶠgᵍhʰjʲkᵏlˡmᵐoᵒpᵖrʳsˢtᵗuᵘvᵛwʷxˣyʸzᶻTᵀ";
    const LOWERED: &str = "0₀1₁2₂3₃4₄5₅6₆7₇8₈9₉+₊-₋−₋=₌(₍)₎aₐeₑhₕiᵢjⱼkₖlₗmₘnₙoₒpₚrᵣsₛtₜuᵤvᵥxₓ";
    let table: &str = if raised { RAISED } else { LOWERED };
    let mut pairs = table.chars();
    while let (Some(plain), Some(small)) = (pairs.next(), pairs.next()) {
        if plain == c {
            return Some(small);
        }
    }
    None
}
