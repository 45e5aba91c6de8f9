//! A piece of a document, as a search finds it.

/// A piece of the operator's own documents that may answer a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Passage {
    /// Its number in the index; 0 where it has none.
    pub id: i64,
    /// The document as people read it: its path, behind the name of its source where there are several.
    pub source: String,
    /// The headings above it, or the document's title.
    pub title: String,
    /// The passage itself, Markdown.
    pub text: String,
    /// Where people can read it, where its source has an address.
    pub link: Option<String>,
    /// Relevance, larger is better; comparable only within one search.
    pub score: f64,
}
