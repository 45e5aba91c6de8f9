//! The operator's own documents, searchable: a full-text index held in memory.
//!
//! The files are the truth; the index is built from them at each start.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, params};

use crate::model::conversation::Passage;

/// Files larger than this are left out and named: a passage index is no archive.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Passages in one index at most.
const PASSAGES: usize = 50_000;

/// Words of a question that are searched for at most.
const QUERY_WORDS: usize = 32;

/// A knowledge folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The index cannot be built.
    #[error("cannot index the knowledge folder")]
    Index(#[from] rusqlite::Error),
}

/// The index over one folder.
#[derive(Debug)]
pub struct Knowledge {
    index: Mutex<Connection>,
    titles: Vec<String>,
    passages: usize,
    left_out: Vec<PathBuf>,
}

impl Knowledge {
    /// Reads all `.md` and `.txt` files below `folder`, cuts them into passages at headings, and
    /// indexes them.
    ///
    /// # Errors
    /// When the folder cannot be read. Single files that are too large or not UTF-8 are left out,
    /// see [`Knowledge::left_out`].
    pub fn open(folder: &Path) -> Result<Self, KnowledgeError> {
        let mut paths = Vec::new();
        collect(folder, &mut paths, 0)?;
        paths.sort();
        let mut this = Self::empty()?;
        for path in paths {
            this.add_file(folder, path)?;
        }
        Ok(this)
    }

    /// Indexes pages that come with the program, each a name and its text.
    ///
    /// # Errors
    /// When the index cannot be built.
    pub fn of_pages(pages: &[(&str, &str)]) -> Result<Self, KnowledgeError> {
        let mut this = Self::empty()?;
        for (source, text) in pages {
            this.add(source, text)?;
        }
        Ok(this)
    }

    fn empty() -> Result<Self, KnowledgeError> {
        let conn = Connection::open_in_memory()?;
        conn.execute_batch(
            "CREATE VIRTUAL TABLE passages USING fts5(
               title, body, source UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2')",
        )?;
        Ok(Self { index: Mutex::new(conn), titles: Vec::new(), passages: 0, left_out: Vec::new() })
    }

    fn add_file(&mut self, folder: &Path, path: PathBuf) -> Result<(), KnowledgeError> {
        let small = std::fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= FILE_BYTES);
        let text = if small { std::fs::read_to_string(&path).ok() } else { None };
        let Some(text) = text.filter(|_| self.passages < PASSAGES) else {
            self.left_out.push(path);
            return Ok(());
        };
        let source = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        self.add(&source, &text)
    }

    fn add(&mut self, source: &str, text: &str) -> Result<(), KnowledgeError> {
        let index = self.index.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut insert = index
            .prepare_cached("INSERT INTO passages (title, body, source) VALUES (?1, ?2, ?3)")?;
        for (title, body) in cut(text) {
            insert.execute(params![title, body, source])?;
            self.passages += 1;
        }
        let heading = text.lines().find_map(|l| l.strip_prefix("# ")).map(str::trim);
        self.titles.push(heading.unwrap_or(source).to_owned());
        Ok(())
    }

    /// The best passages for a question, best first, at most `limit`.
    ///
    /// # Errors
    /// When the index fails.
    pub fn search(&self, question: &str, limit: usize) -> Result<Vec<Passage>, KnowledgeError> {
        let Some(query) = query(question) else { return Ok(Vec::new()) };
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        // A heading says what its passage is about, so it weighs more than the body.
        let mut find = index.prepare_cached(
            "SELECT title, body, source, -bm25(passages, 4.0, 1.0) FROM passages
             WHERE passages MATCH ?1 ORDER BY bm25(passages, 4.0, 1.0) LIMIT ?2",
        )?;
        let rows = find.query_map(params![query, limit], |r| {
            Ok(Passage { title: r.get(0)?, text: r.get(1)?, source: r.get(2)?, score: r.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Files and passages in the index.
    pub fn size(&self) -> (usize, usize) {
        (self.titles.len(), self.passages)
    }

    /// What the files are about: their first headings, or their names.
    pub fn titles(&self) -> &[String] {
        &self.titles
    }

    /// Files that are too large, or not UTF-8, or one too many.
    pub fn left_out(&self) -> &[PathBuf] {
        &self.left_out
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>, depth: usize) -> Result<(), KnowledgeError> {
    let fail = |source| KnowledgeError::Read { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        // A bound on depth, because a link may lead back up.
        if path.is_dir() && depth < 8 {
            collect(&path, found, depth + 1)?;
        } else if path.extension().is_some_and(|e| e == "md" || e == "txt") {
            found.push(path);
        }
    }
    Ok(())
}

/// Cuts a document at its Markdown headings; code blocks stay whole.
fn cut(text: &str) -> Vec<(String, String)> {
    let mut passages: Vec<(String, String)> = Vec::new();
    let (mut title, mut body, mut fenced) = (String::new(), String::new(), false);
    let mut document = String::new();
    let mut keep = |title: &str, body: &mut String| {
        let text = body.trim();
        if !text.is_empty() {
            passages.push((title.to_owned(), text.to_owned()));
        }
        body.clear();
    };
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && line.starts_with('#') {
            keep(&title, &mut body);
            let heading = line.trim_start_matches('#').trim();
            if line.starts_with("# ") && document.is_empty() {
                heading.clone_into(&mut document);
            }
            title = if document.is_empty() || document == heading {
                heading.to_owned()
            } else {
                format!("{document} – {heading}")
            };
        } else {
            body.push_str(line);
            body.push('\n');
        }
    }
    keep(&title, &mut body);
    passages
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

/// An FTS5 query of quoted words: a question is never taken for query syntax.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let doc =
            "# Install\n\nUse apt.\n\n## Token\n\nAsk BotFather.\n```\n# not a heading\n```\n";
        std::fs::write(dir.path().join("install.md"), doc).unwrap();
        std::fs::write(dir.path().join("binary.md"), [0xff, 0xfe, 0x00]).unwrap();
        dir
    }

    #[test]
    fn finds_the_passage_and_names_its_source() {
        let dir = folder();
        let knowledge = Knowledge::open(dir.path()).unwrap();
        assert_eq!(knowledge.size(), (1, 2));
        assert_eq!(knowledge.left_out().len(), 1);
        let found = knowledge.search("How do I get a token?", 3).unwrap();
        assert_eq!(found[0].title, "Install – Token");
        assert_eq!(found[0].source, "install.md");
        assert!(found[0].text.contains("# not a heading"));
    }

    #[test]
    fn a_question_is_never_query_syntax() {
        let dir = folder();
        let knowledge = Knowledge::open(dir.path()).unwrap();
        for odd in ["what's", "\"", "a AND (", "NEAR(", "*", "title:x", "", "🙂", "-token"] {
            knowledge.search(odd, 3).unwrap();
        }
        assert!(knowledge.search("zebra", 3).unwrap().is_empty());
    }
}
