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
    /// Where no passage has it, what begins with it, its parts, or what is written nearly so is meant.
    pub may_be_similar: bool,
    /// Where it may be taken apart: how passages may have the first part, and the second; the likeliest place first.
    pub parts: Vec<[Vec<String>; 2]>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WordHits {
    /// Passages, best first; larger is better.
    pub passages: Vec<(PassageId, f64)>,
    /// What the terms of the query were taken for, in their order; one that was taken apart is there for each part.
    pub terms: Vec<TakenFor>,
    /// How many passages there are.
    pub of: u64,
}

/// What a term was taken for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenFor {
    /// The place of the term in the query.
    pub term: usize,
    /// How far it is what was asked for.
    pub likeness: Likeness,
    /// Words of the index.
    pub words: Vec<String>,
    /// Passages that have the most frequent of them.
    pub passages: u64,
}

/// How far words of the index are what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Likeness {
    /// They are, or begin with it.
    #[default]
    Same,
    /// They are a part of it.
    Part,
    /// They are written nearly so.
    Near,
}
