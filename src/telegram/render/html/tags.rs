//! Finds the tags that become something: each with its partner.

use crate::telegram::render::code;

/// Longest tag, in bytes; longer ones are text.
const TAG_BYTES: usize = 2500;

/// How far a verbatim tag is followed to its partner, in bytes.
const VERBATIM_BYTES: usize = 64 * 1024;

/// What a tag means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Bold,
    Italic,
    Underline,
    Strikethrough,
    Code,
    Pre,
    Link,
    Break,
    Unordered,
    Ordered,
    Item,
    Sub,
    Sup,
    Details,
    Summary,
}

const NAMES: &[(&str, Name)] = &[
    ("b", Name::Bold),
    ("strong", Name::Bold),
    ("i", Name::Italic),
    ("em", Name::Italic),
    ("u", Name::Underline),
    ("ins", Name::Underline),
    ("s", Name::Strikethrough),
    ("del", Name::Strikethrough),
    ("strike", Name::Strikethrough),
    ("code", Name::Code),
    ("pre", Name::Pre),
    ("a", Name::Link),
    ("br", Name::Break),
    ("ul", Name::Unordered),
    ("ol", Name::Ordered),
    ("li", Name::Item),
    ("sub", Name::Sub),
    ("sup", Name::Sup),
    ("details", Name::Details),
    ("summary", Name::Summary),
];

impl Name {
    /// Whether it may go on over an empty line.
    fn is_block(self) -> bool {
        matches!(
            self,
            Self::Unordered
                | Self::Ordered
                | Self::Item
                | Self::Details
                | Self::Summary
                | Self::Pre
        )
    }

    /// Whether what is between its tags is code.
    fn is_verbatim(self) -> bool {
        matches!(self, Self::Code | Self::Pre)
    }

    fn is_list(self) -> bool {
        matches!(self, Self::Unordered | Self::Ordered)
    }
}

/// A tag that means something.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    pub(super) name: Name,
    pub(super) closes: bool,
    /// Its bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    /// What stands behind its name.
    pub(super) attributes: &'a str,
    /// Where what it encloses ends; of opening tags with a partner.
    pub(super) until: usize,
    /// Its name as it is written.
    word: &'static str,
    paired: bool,
    paragraph: usize,
}

impl Found<'_> {
    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut rest = self.attributes;
        while let Some((before, after)) = rest.split_once('=') {
            let key = before.trim().rsplit(char::is_whitespace).next().unwrap_or_default();
            let after = after.trim_start();
            let (value, next) = match after.chars().next().filter(|c| matches!(c, '"' | '\'')) {
                Some(quote) => after[1..].split_once(quote)?,
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            if key.eq_ignore_ascii_case(name) {
                return Some(value);
            }
            rest = next;
        }
        None
    }
}

/// The tags of `source` that have what they need: a partner, an address, a list around them.
pub(super) fn find(source: &str) -> Vec<Found<'_>> {
    let mut found = scan(source);
    // Entries need no end of their own, but a list.
    let mut lists: usize = 0;
    for tag in &mut found {
        match tag.name {
            name if name.is_list() && tag.paired => {
                lists = if tag.closes { lists.saturating_sub(1) } else { lists + 1 };
            }
            Name::Item => tag.paired = lists > 0,
            Name::Break => tag.paired = true,
            _ => {}
        }
    }
    found.retain(|tag| tag.paired);
    found
}

/// The closing tags for what is open at the end of `source`, innermost first; for a text that is
/// still being written.
pub(in super::super) fn unclosed(source: &str) -> String {
    if !source.contains('<') {
        return String::new();
    }
    let found = scan(source);
    let last = source.matches("\n\n").count();
    let is_open = |tag: &&Found<'_>| {
        let void = matches!(tag.name, Name::Break | Name::Item);
        !tag.paired && !tag.closes && !void && (tag.name.is_block() || tag.paragraph == last)
    };
    found.iter().rev().filter(is_open).map(|tag| format!("</{}>", tag.word)).collect()
}

/// All tags outside of code, partners found.
fn scan(source: &str) -> Vec<Found<'_>> {
    let mut found: Vec<Found<'_>> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let (mut at, mut paragraph) = (0, 0);
    while let Some(next) = source[at..].find(['<', '`', '~', '\\', '\n']) {
        at += next;
        let rest = &source[at..];
        match rest.as_bytes()[0] {
            b'\n' => {
                paragraph += usize::from(rest.starts_with("\n\n"));
                at += 1;
            }
            b'\\' => at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            b'<' => {
                let Some(mut tag) = tag(rest, at) else {
                    at += 1;
                    continue;
                };
                tag.paragraph = paragraph;
                at = tag.end;
                if tag.name.is_verbatim() && !tag.closes {
                    if let Some((until, end)) = verbatim(source, &tag) {
                        (tag.until, tag.paired, at) = (until, true, end);
                    }
                } else if tag.closes {
                    pair(&mut found, &mut open, &mut tag);
                } else if !matches!(tag.name, Name::Break | Name::Item) {
                    open.push(found.len());
                }
                found.push(tag);
            }
            _ => {
                let length = code::length(source, at);
                paragraph += rest[..length].matches("\n\n").count();
                at += length;
            }
        }
    }
    found
}

/// Finds the partner of a closing tag. Tags opened between the two have none.
fn pair(found: &mut [Found<'_>], open: &mut Vec<usize>, tag: &mut Found<'_>) {
    if tag.name == Name::Item {
        return;
    }
    let is_partner = |&&i: &&usize| found[i].word == tag.word;
    let Some(&partner) = open.iter().rev().take(64).find(is_partner) else { return };
    let fits = tag.name.is_block() || found[partner].paragraph == tag.paragraph;
    let leads = tag.name != Name::Link || found[partner].attribute("href").is_some();
    if fits && leads {
        (found[partner].paired, found[partner].until) = (true, tag.start);
        tag.paired = true;
    }
    while open.pop().is_some_and(|i| i != partner) {}
}

/// Where the code that `tag` begins ends, and where its closing tag does.
fn verbatim(source: &str, tag: &Found<'_>) -> Option<(usize, usize)> {
    let far = source.floor_char_boundary(tag.end + VERBATIM_BYTES);
    let mut inner = &source[tag.end..far];
    if tag.name == Name::Code {
        inner = &inner[..inner.find("\n\n").unwrap_or(inner.len())];
    }
    let close = if tag.name == Name::Code { "</code>" } else { "</pre>" };
    let ends_here = |&(at, _): &(usize, &str)| {
        inner.as_bytes()[at..]
            .get(..close.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(close.as_bytes()))
    };
    let (at, _) = inner.match_indices("</").find(ends_here)?;
    let until = tag.end + at;
    (!inner[..at].trim().is_empty()).then_some((until, until + close.len()))
}

/// The tag that `rest` begins with, if it is one of ours.
fn tag(rest: &str, start: usize) -> Option<Found<'_>> {
    let rest = &rest[..rest.floor_char_boundary(TAG_BYTES)];
    let closes = rest.starts_with("</");
    let named = &rest[1 + usize::from(closes)..];
    let length = named.find(|c: char| !c.is_ascii_alphanumeric())?;
    let &(word, name) =
        NAMES.iter().find(|(word, _)| word.eq_ignore_ascii_case(&named[..length]))?;
    let behind = &named[length..];
    let mut quote = None;
    let end = behind.char_indices().find(|&(_, c)| {
        match quote {
            Some(open) if open == c => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            _ => {}
        }
        c == '>' && quote.is_none()
    })?;
    let attributes = behind[..end.0].trim_end_matches('/');
    let is_tag = attributes.is_empty() || attributes.starts_with(char::is_whitespace);
    let bare = !closes || attributes.trim().is_empty();
    (is_tag && bare).then(|| Found {
        name,
        closes,
        start,
        end: start + rest.len() - behind.len() + end.0 + 1,
        attributes,
        until: start,
        word,
        paired: false,
        paragraph: 0,
    })
}
