//! Events of an XML file, as the office formats need them.
//!
//! Invariants: elements are known by their local names; a document type declares nothing, so that no entity
//! grows; elements within each other have a bound; attributes are never compared with each other, which
//! would take the square of their number.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::limits::{Limits, Problem};

/// What happens in a file.
pub(crate) enum Happening<'e> {
    /// An element begins.
    Start(Element<'e>),
    /// The element that was opened last ends; its local name.
    End(&'e str),
    /// Text.
    Text(&'e str),
}

/// An element that begins.
pub(crate) struct Element<'e>(&'e BytesStart<'e>);

impl Element<'_> {
    /// Its name without prefix.
    pub(crate) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// An attribute by its local name.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        let mut attributes = self.0.attributes();
        attributes.with_checks(false);
        let found = attributes.flatten().find(|a| a.key.local_name().into_inner() == name)?;
        Some(unescaped(&found.value))
    }
}

/// Reads a file from its beginning to its end.
pub(crate) fn read(
    text: &str,
    limits: &Limits,
    mut each: impl FnMut(Happening<'_>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let damaged = || Problem::Damaged("its XML is not well-formed");
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    reader.config_mut().expand_empty_elements = true;
    let mut depth = 0_usize;
    loop {
        match reader.read_event().map_err(|_| damaged())? {
            Event::Start(element) => {
                depth += 1;
                if depth > limits.depth {
                    return Err(Problem::Bomb("its parts lie too deep in each other"));
                }
                each(Happening::Start(Element(&element)))?;
            }
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                each(Happening::End(element.local_name().into_inner()))?;
            }
            Event::Text(text) => each(Happening::Text(&text))?,
            Event::CData(text) => each(Happening::Text(&text))?,
            Event::GeneralRef(name) => {
                let character = match name.resolve_char_ref() {
                    Ok(Some(c)) => Some(c),
                    _ => named(&name),
                };
                if let Some(c) = character {
                    each(Happening::Text(c.encode_utf8(&mut [0; 4])))?;
                }
            }
            Event::Eof => return Ok(()),
            Event::Empty(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_) => {}
        }
    }
}

/// The five entities that XML knows by itself.
fn named(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => return None,
    })
}

fn unescaped(value: &str) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        rest = after;
        // The longest is &#x10ffff;
        let end = rest.bytes().take(10).position(|b| b == b';');
        let Some((name, after)) = end.map(|end| (&rest[..end], &rest[end + 1..])) else {
            text.push('&');
            continue;
        };
        let number = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        });
        match number.and_then(char::from_u32).or_else(|| named(name)) {
            Some(c) => {
                text.push(c);
                rest = after;
            }
            None => text.push('&'),
        }
    }
    text.push_str(rest);
    text
}

/// The text of the first element of this name.
pub(crate) fn text_of(text: &str, name: &str, limits: &Limits) -> Option<String> {
    let (mut found, mut is_inside, mut is_done) = (String::new(), false, false);
    let read = read(text, limits, |happening| {
        match happening {
            Happening::Start(element) => is_inside |= !is_done && element.name() == name,
            Happening::End(ended) if is_inside && ended == name => {
                (is_inside, is_done) = (false, true)
            }
            Happening::Text(text) if is_inside => found.push_str(text),
            _ => {}
        }
        Ok(())
    });
    (read.is_ok() && !found.trim().is_empty()).then_some(found)
}
