//! A full-text index over passages, held in memory.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, params};

use crate::blocking;
use crate::model::conversation::Passage;
use crate::store::failure::{StoreError, StoreErrorKind};

/// Words of a question that are searched for at most.
const QUERY_WORDS: usize = 32;

/// Passages that can be searched by their words.
#[derive(Debug)]
pub struct PassageIndex {
    index: Arc<Mutex<Connection>>,
    passages: usize,
}

impl PassageIndex {
    /// An empty index.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Self, StoreError> {
        let conn = Connection::open_in_memory().map_err(unusable)?;
        conn.execute_batch(
            "CREATE VIRTUAL TABLE passages USING fts5(
               title, body, source UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2')",
        )
        .map_err(unusable)?;
        Ok(Self { index: Arc::new(Mutex::new(conn)), passages: 0 })
    }

    /// Adds the passages of one document, each a title and a body (Markdown). `source` names the
    /// document.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn add(&mut self, source: &str, passages: &[(String, String)]) -> Result<(), StoreError> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = "INSERT INTO passages (title, body, source) VALUES (?1, ?2, ?3)";
        let mut insert = index.prepare_cached(sql).map_err(unusable)?;
        for (title, body) in passages {
            insert.execute(params![title, body, source]).map_err(unusable)?;
            self.passages += 1;
        }
        Ok(())
    }

    /// How many passages there are.
    pub fn len(&self) -> usize {
        self.passages
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.passages == 0
    }

    /// The best passages for a question, best first, at most `limit`.
    ///
    /// # Errors
    /// When the index fails.
    pub async fn search(&self, question: &str, limit: usize) -> Result<Vec<Passage>, StoreError> {
        let Some(query) = query(question) else { return Ok(Vec::new()) };
        let index = Arc::clone(&self.index);
        let found = blocking::run(move || {
            let index = index.lock().unwrap_or_else(PoisonError::into_inner);
            find(&index, &query, limit).map_err(unusable)
        })
        .await;
        found.unwrap_or_else(|| Err(StoreError::closed()))
    }
}

fn find(index: &Connection, query: &str, limit: usize) -> rusqlite::Result<Vec<Passage>> {
    // A heading says what its passage is about, so it weighs more than the body.
    let mut find = index.prepare_cached(
        "SELECT title, body, source, -bm25(passages, 4.0, 1.0) FROM passages
         WHERE passages MATCH ?1 ORDER BY bm25(passages, 4.0, 1.0) LIMIT ?2",
    )?;
    let rows = find.query_map(params![query, limit], |r| {
        let (title, text, source, score) = (r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?);
        Ok(Passage { title, text, source, score, ..Passage::default() })
    })?;
    rows.collect()
}

fn unusable(e: rusqlite::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Io, "cannot use the index of the passages").because(e)
}

/// Words too common to tell one passage from another.
const STOP_WORDS: &[&str] = &[
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "can", "could", "did", "do",
    "does", "for", "from", "get", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its",
    "me", "my", "of", "on", "or", "please", "s", "should", "so", "t", "tell", "that", "the",
    "there", "this", "to", "was", "we", "what", "when", "where", "which", "who", "why", "will",
    "with", "would", "you", "your", "der", "die", "das", "und", "ist", "wie", "was", "ein", "eine",
    "ich", "kann",
];

/// An FTS5 query of quoted words: a question is never read as query syntax.
fn query(question: &str) -> Option<String> {
    let words: Vec<String> = question
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .filter(|w| !STOP_WORDS.contains(&w.as_str()))
        .take(QUERY_WORDS)
        .map(|w| format!("\"{w}\""))
        .collect();
    (!words.is_empty()).then(|| words.join(" OR "))
}
