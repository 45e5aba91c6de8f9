//! The operator's own documents, cut into passages that can be searched.
//!
//! Invariant: the files are the truth; the index over them lives in memory and is built at each
//! start.

use std::path::{Path, PathBuf};

use crate::model::conversation::Passage;
use crate::store::{PassageIndex, StoreError};

/// Files larger than this are left out and named: a passage index is not an archive.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Passages in one index at most.
const PASSAGES: usize = 50_000;

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
    Index(#[from] StoreError),
}

/// The index over one folder.
#[derive(Debug)]
pub struct Knowledge {
    index: PassageIndex,
    titles: Vec<String>,
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
        Ok(Self { index: PassageIndex::new()?, titles: Vec::new(), left_out: Vec::new() })
    }

    fn add_file(&mut self, folder: &Path, path: PathBuf) -> Result<(), KnowledgeError> {
        let small = std::fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= FILE_BYTES);
        let text = if small { std::fs::read_to_string(&path).ok() } else { None };
        let Some(text) = text.filter(|_| self.index.len() < PASSAGES) else {
            self.left_out.push(path);
            return Ok(());
        };
        let source = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        self.add(&source, &text)
    }

    fn add(&mut self, source: &str, text: &str) -> Result<(), KnowledgeError> {
        self.index.add(source, &cut(text))?;
        let heading = text.lines().find_map(|l| l.strip_prefix("# ")).map(str::trim);
        self.titles.push(heading.unwrap_or(source).to_owned());
        Ok(())
    }

    /// The best passages for a question, best first, at most `limit`.
    ///
    /// # Errors
    /// When the index fails.
    pub async fn search(
        &self,
        question: &str,
        limit: usize,
    ) -> Result<Vec<Passage>, KnowledgeError> {
        Ok(self.index.search(question, limit).await?)
    }

    /// Files and passages in the index.
    pub fn size(&self) -> (usize, usize) {
        (self.titles.len(), self.index.len())
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

    #[tokio::test]
    async fn finds_the_passage_and_names_its_source() {
        let dir = folder();
        let knowledge = Knowledge::open(dir.path()).unwrap();
        assert_eq!(knowledge.size(), (1, 2));
        assert_eq!(knowledge.left_out().len(), 1);
        let found = knowledge.search("How do I get a token?", 3).await.unwrap();
        assert_eq!(found[0].title, "Install – Token");
        assert_eq!(found[0].source, "install.md");
        assert!(found[0].text.contains("# not a heading"));
    }

    #[tokio::test]
    async fn a_question_is_never_query_syntax() {
        let dir = folder();
        let knowledge = Knowledge::open(dir.path()).unwrap();
        for odd in ["what's", "\"", "a AND (", "NEAR(", "*", "title:x", "", "🙂", "-token"] {
            knowledge.search(odd, 3).await.unwrap();
        }
        assert!(knowledge.search("zebra", 3).await.unwrap().is_empty());
    }
}
