//! What the index is asked by words, and what it answers, in words that name no database.

use super::index::PassageId;

/// What is searched for: any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordQuery {
    /// Words.
    pub terms: Vec<WordTerm>,
    /// Words that stand one after the other.
    pub phrases: Vec<Vec<String>>,
    /// The sources to look in; all of them without any.
    pub sources: Option<Vec<String>>,
    /// Passages to find at most.
    pub limit: usize,
}

/// A word that is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordTerm {
    /// How passages may have it.
    pub forms: Vec<String>,
    /// It is a beginning: words that go on are meant, too.
    pub is_beginning: bool,
    /// Where no passage has it, what begins with it or is written nearly so is meant.
    pub may_be_similar: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WordHits {
    /// Passages, best first; larger is better.
    pub passages: Vec<(PassageId, f64)>,
    /// For each term of the query: what it was taken for.
    pub terms: Vec<TakenFor>,
    /// How many passages there are.
    pub of: u64,
}

/// What a term was taken for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenFor {
    /// Words of the index.
    pub words: Vec<String>,
    /// Passages that have the most frequent of them.
    pub passages: u64,
}
