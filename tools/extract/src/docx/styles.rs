//! What the styles of a Word document mean.

use std::collections::HashMap;

use crate::limits::Limits;
use crate::xml::{self, Happening};

/// Styles that one is based on, one on the other.
const BASED: usize = 20;

/// What a paragraph is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Text,
    List,
    Code,
    Title,
    Heading(u8),
}

impl Style {
    /// By the level in the outline, from 0; 9 is text.
    pub(super) fn of_outline(level: u8) -> Self {
        if level < 9 { Self::Heading((level + 1).min(6)) } else { Self::Text }
    }
}

/// The styles of one document, by identifier.
#[derive(Debug, Default)]
pub(super) struct Styles {
    styles: HashMap<String, Declared>,
}

#[derive(Debug, Default)]
struct Declared {
    style: Option<Style>,
    based_on: Option<String>,
}

impl Styles {
    /// Reads them; what is damaged has no meaning.
    pub(super) fn read(text: &str, limits: &Limits) -> Self {
        let mut this = Self::default();
        let mut open: Option<(String, Declared)> = None;
        let _ = xml::read(text, limits, |happening| {
            match happening {
                Happening::Start(element) => match (element.name(), &mut open) {
                    ("style", _) => {
                        let id = element.attribute("styleId").unwrap_or_default();
                        open = Some((id, Declared::default()));
                    }
                    ("name", Some((_, style))) => {
                        let name = element.attribute("val").unwrap_or_default();
                        style.style = style.style.or_else(|| by_name(&name));
                    }
                    ("basedOn", Some((_, style))) => style.based_on = element.attribute("val"),
                    ("outlineLvl", Some((_, style))) => {
                        let level = element.attribute("val").and_then(|level| level.parse().ok());
                        style.style = style.style.or(level.map(Style::of_outline));
                    }
                    _ => {}
                },
                Happening::End("style") => this.styles.extend(open.take()),
                _ => {}
            }
            Ok(())
        });
        this
    }

    /// What paragraphs with this style are.
    pub(super) fn of(&self, id: &str) -> Style {
        let mut at = id;
        for _ in 0..BASED {
            let Some(declared) = self.styles.get(at) else { break };
            match (declared.style, &declared.based_on) {
                (Some(style), _) => return style,
                (None, Some(next)) => at = next,
                (None, None) => break,
            }
        }
        // Without a file of styles the identifier is all there is.
        by_name(id).unwrap_or(Style::Text)
    }
}

/// The names of built-in styles are English in every language of Word.
fn by_name(name: &str) -> Option<Style> {
    let name = name.to_lowercase().replace([' ', '-', '_'], "");
    if let Some(level) = name.strip_prefix("heading") {
        return level
            .parse()
            .ok()
            .filter(|level| (1..=9).contains(level))
            .map(|l: u8| Style::of_outline(l - 1));
    }
    match name.as_str() {
        "title" => Some(Style::Title),
        "htmlpreformatted" | "sourcecode" | "code" | "codeblock" | "macrotext"
        | "preformattedtext" => Some(Style::Code),
        "listparagraph" | "listbullet" | "listnumber" => Some(Style::List),
        _ => None,
    }
}
