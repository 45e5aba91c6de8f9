//! The operator's own documents, cut into passages that can be searched.
//!
//! Invariants: the files are the truth; the index over them lives in memory and is built at each
//! start. Only what lies in the folder is read: a link that leads out of it may have been put there
//! to have the bot quote its own token.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hygiene::beneath::{Folder, Unreadable};

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

impl From<Unreadable> for KnowledgeError {
    fn from(Unreadable { path, source }: Unreadable) -> Self {
        Self::Read { path, source }
    }
}

/// The index over one folder.
#[derive(Debug)]
pub struct Knowledge {
    index: PassageIndex,
    titles: Vec<String>,
    left_out: Vec<PathBuf>,
}

impl Knowledge {
    /// Reads all `.md` and `.txt` files below `folder`, each once, cuts them into passages at
    /// headings, and indexes them.
    ///
    /// # Errors
    /// When the folder cannot be read. Single files that are too large or not UTF-8, and links that
    /// lead nowhere or out of the folder, are left out, see [`Knowledge::left_out`].
    pub fn open(folder: &Path) -> Result<Self, KnowledgeError> {
        let unreadable = |source| Unreadable { path: folder.to_owned(), source };
        let mut this = Self::empty()?;
        let is_document = |path: &Path| path.extension().is_some_and(|e| e == "md" || e == "txt");
        Folder::open(folder).map_err(unreadable)?.walk(
            is_document,
            |path, file| match document(file).filter(|_| this.index.len() < PASSAGES) {
                Some(text) => this.add(&path.to_string_lossy(), &text),
                None => {
                    this.left_out.push(folder.join(path));
                    Ok(())
                }
            },
        )?;
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

    /// Files that are too large, not UTF-8, or one too many, and links that lead nowhere or out of
    /// the folder.
    pub fn left_out(&self) -> &[PathBuf] {
        &self.left_out
    }
}

/// The text of a document, if it is one and not too large.
fn document(file: io::Result<File>) -> Option<String> {
    let mut text = String::new();
    let length = file.ok()?.take(FILE_BYTES + 1).read_to_string(&mut text).ok()?;
    (length as u64 <= FILE_BYTES).then_some(text)
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
