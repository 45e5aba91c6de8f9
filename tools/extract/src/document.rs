//! What is read of a document.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A document as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its parts, in reading order.
    #[serde(default)]
    pub blocks: Vec<Block>,
    /// What people should know of how it was read, such as that its end is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// A part of a document. No text in it begins or ends with an empty line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Block {
    /// A heading.
    Heading {
        /// From 1, the topmost, to 6.
        level: u8,
        /// On one line, without markup.
        text: String,
        /// What an address needs after `#` to lead here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        anchor: Option<String>,
    },
    /// Paragraphs and lists; an empty line separates paragraphs.
    Text(String),
    /// A table as Markdown: a header, a line of dashes, rows.
    Table(String),
    /// Code, without a fence around it.
    Code(String),
    /// Here begins the page of this number, from 1.
    Page(u32),
}

impl Document {
    /// The text of the first heading of the first level.
    pub fn first_heading(&self) -> Option<&str> {
        self.blocks.iter().find_map(|block| match block {
            Block::Heading { level: 1, text, .. } => Some(text.as_str()),
            _ => None,
        })
    }

    /// The document as Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        let has_heading = self.blocks.iter().any(|b| matches!(b, Block::Heading { level: 1, .. }));
        if let Some(title) = self.title.as_ref().filter(|_| !has_heading) {
            let _ = writeln!(text, "# {title}\n");
        }
        for block in &self.blocks {
            let _ = match block {
                Block::Heading { level, text: heading, .. } => {
                    writeln!(text, "{} {heading}\n", "#".repeat(usize::from(*level)))
                }
                Block::Text(part) | Block::Table(part) => writeln!(text, "{part}\n"),
                Block::Code(code) => {
                    let fence = fence(code);
                    writeln!(text, "{fence}\n{code}\n{fence}\n")
                }
                Block::Page(number) => writeln!(text, "<!-- page {number} -->\n"),
            };
        }
        text
    }
}

impl Block {
    /// Bytes of its text.
    pub fn size(&self) -> usize {
        match self {
            Self::Heading { text, .. } => text.len(),
            Self::Text(text) | Self::Table(text) | Self::Code(text) => text.len(),
            Self::Page(_) => 0,
        }
    }
}

/// A fence that no line of the code ends.
pub fn fence(code: &str) -> String {
    let ticks = |line: &str| line.trim_start().chars().take_while(|c| *c == '`').count();
    let longest = code.lines().map(ticks).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fence("let a;"), "```");
        assert_eq!(fence("```\nx\n````"), "`````");
    }

    #[test]
    fn a_document_is_shown_as_markdown() {
        let heading = Block::Heading { level: 2, text: "Install".into(), anchor: None };
        let blocks = vec![Block::Page(1), heading, Block::Code("apt".into())];
        let document = Document { title: Some("Guide".into()), blocks, remarks: Vec::new() };
        let shown = document.to_markdown();
        assert_eq!(shown, "# Guide\n\n<!-- page 1 -->\n\n## Install\n\n```\napt\n```\n\n");
    }
}
