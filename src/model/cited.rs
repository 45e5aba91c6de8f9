//! Passages as they are kept beside an answer, so that `/sources` can show what it rests on.
//!
//! Invariant: a copy, not a reference: the document may be gone, or the index built again, and `/forget` removes it
//! with the answer.

use serde::{Deserialize, Serialize};

use super::passage::Passage;

/// Characters of a passage that are kept.
const KEPT_CHARS: usize = 1200;

/// Characters of a heading path that are shown.
const TITLE_CHARS: usize = 120;

/// A passage that an answer was written from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPassage {
    /// Its number in the index at that time.
    pub id: i64,
    /// The document as people read it.
    pub source: String,
    /// The headings above it.
    pub title: String,
    /// Its beginning.
    pub text: String,
    /// Where people can read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The number by which the answer cites it; 0 where it does not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl KeptPassage {
    /// What is kept of a passage.
    pub fn of(passage: &Passage, number: u32) -> Self {
        let Passage { id, source, title, text, link, .. } = passage;
        let end = text.char_indices().nth(KEPT_CHARS).map(|(at, _)| at);
        let text = end.map_or_else(|| text.clone(), |end| format!("{} …", text[..end].trim_end()));
        let (source, title, link) = (source.clone(), title.clone(), link.clone());
        Self { id: *id, source, title, text, link, number }
    }

    /// Where it stands, in Markdown: file › heading, which leads there if it has an address.
    pub fn place(&self) -> String {
        let title = hygiene::line::one_line(self.title.trim(), TITLE_CHARS);
        let file = hygiene::line::one_line(self.source.trim(), TITLE_CHARS);
        let place =
            if title.is_empty() || title == file { file } else { format!("{file} › {title}") };
        let place = escape(&place);
        match &self.link {
            Some(link) => format!("[{place}](<{}>)", address(link)),
            None => place,
        }
    }

    /// Whether two passages stand in the same place.
    pub fn is_beside(&self, passage: &Passage) -> bool {
        (&self.source, &self.title, &self.link) == (&passage.source, &passage.title, &passage.link)
    }
}

/// Text that Markdown takes for nothing else.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // With a backslash, they would begin a formula.
            '[' => safe.push_str("&#91;"),
            ']' => safe.push_str("&#93;"),
            '.' | '/' | ',' | ':' | '?' | '(' | ')' => safe.push(c),
            c if c.is_ascii_punctuation() => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}

/// An address that cannot end the link around it.
fn address(link: &str) -> String {
    let mut safe = String::with_capacity(link.len());
    for c in link.chars() {
        match c {
            '<' => safe.push_str("%3C"),
            '>' => safe.push_str("%3E"),
            '\\' => safe.push_str("%5C"),
            ' ' => safe.push_str("%20"),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_and_linked_whatever_it_is_called() {
        let passage = |source: &str, title: &str, link: Option<&str>| {
            let link = link.map(str::to_owned);
            let passage = Passage {
                source: source.to_owned(),
                title: title.to_owned(),
                text: "x".repeat(2000),
                link,
                ..Passage::default()
            };
            KeptPassage::of(&passage, 2)
        };
        let plain = passage("how_to/in*stall.md", "Install\n› [Token]", None);
        assert_eq!(plain.place(), "how\\_to/in\\*stall.md › Install › &#91;Token&#93;");
        assert_eq!(plain.text.chars().count(), KEPT_CHARS + 2);
        assert_eq!(passage("a.md", "a.md", None).place(), "a.md");
        let linked = passage("a.md", "", Some("https://x.example/a b>c"));
        assert_eq!(linked.place(), "[a.md](<https://x.example/a%20b%3Ec>)");
        let json = serde_json::to_string(&linked).unwrap();
        assert_eq!(serde_json::from_str::<KeptPassage>(&json).unwrap(), linked);
        let old = r#"{"id":1,"source":"a.md","title":"","text":"t"}"#;
        assert_eq!(serde_json::from_str::<KeptPassage>(old).unwrap().number, 0);
    }
}
