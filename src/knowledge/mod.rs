//! The operator's own documents, cut into passages that can be searched.
//!
//! Invariants: the files are the truth; the index over them lives in memory and is built at each
//! start. Files, passages and all of them together have bounds, and what is beyond them is named. Only what lies in the folder is read: a link that leads out of it may have been put there
//! to have the bot quote its own token.

pub mod cut;
mod embedder;
mod embedding;
pub mod reader;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hygiene::beneath::{Folder, Unreadable};

pub use self::embedder::{EmbedError, Embedder, EmbedderSettings};
pub use self::embedding::{Embedding, EmbeddingError, Step};
use crate::model::conversation::Passage;
use crate::store::{PassageIndex, StoreError};

/// Files larger than this are left out and named: a passage index is not an archive.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Passages in one index at most.
const PASSAGES: usize = 50_000;

/// Passages of one file at most; the rest of it is left out and named.
const FILE_PASSAGES: usize = 10_000;

/// Text in one index at most, in bytes: it is in memory, and its words are there once more.
const TEXT_BYTES: usize = 32 * 1024 * 1024;

/// A text without headings is worth a remark from this many passages on.
const REMARKABLE: usize = 4;

/// Remarks that are kept at most.
const REMARKS: usize = 100;

/// What is worth knowing of a file that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Which file, relative to the folder.
    pub file: String,
    /// What.
    pub kind: RemarkKind,
}

/// What is worth knowing of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemarkKind {
    /// It has no headings, so it was cut by its length, into so many passages.
    NoHeadings(usize),
    /// So many of its headings are too long to be one, and were read as text.
    LongHeadings(usize),
    /// It has more passages than are kept of one file or of all; so many are.
    CutShort(usize),
}

impl fmt::Display for RemarkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeadings(passages) => {
                write!(f, "it has no headings, so it is cut by length into {passages} passages")
            }
            Self::LongHeadings(count) => {
                write!(f, "{count} of its headings are too long and are read as text")
            }
            Self::CutShort(passages) => {
                write!(f, "it is too long: only its first {passages} passages are used")
            }
        }
    }
}

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
    remarks: Vec<Remark>,
    /// Bytes of text in the index.
    bytes: usize,
}

impl Knowledge {
    /// Reads all `.md` and `.txt` files below `folder`, each once, cuts them into passages at
    /// headings and by length, and indexes them.
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
            |path, file| match document(file).filter(|_| this.has_room()) {
                Some(text) => this.add(&path.to_string_lossy(), &text),
                None => {
                    this.left_out.push(folder.join(path));
                    Ok(())
                }
            },
        )?;
        Ok(this)
    }

    /// Looks whether a folder can be opened.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(folder: &Path) -> Result<(), KnowledgeError> {
        let unreadable = |source| KnowledgeError::Read { path: folder.to_owned(), source };
        Folder::open(folder).map(drop).map_err(unreadable)
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
        let index = PassageIndex::new()?;
        let (titles, left_out, remarks) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { index, titles, left_out, remarks, bytes: 0 })
    }

    fn has_room(&self) -> bool {
        self.index.len() < PASSAGES && self.bytes < TEXT_BYTES
    }

    fn add(&mut self, source: &str, text: &str) -> Result<(), KnowledgeError> {
        let limit = FILE_PASSAGES.min(PASSAGES - self.index.len().min(PASSAGES));
        let document = reader::markdown(text);
        let cut = cut::passages(&document, limit);
        let is_short = cut.is_short;
        let pieces: Vec<(String, String)> =
            cut.pieces.into_iter().map(|piece| (piece.title(), piece.text)).collect();
        self.index.add(source, &pieces)?;
        self.bytes += pieces.iter().map(|(title, text)| title.len() + text.len()).sum::<usize>();
        let title = document.title.map(|title| cut::shortened(&title));
        self.titles.push(title.unwrap_or_else(|| source.to_owned()));
        let passages = pieces.len();
        let is_bare = cut.headings == 0 && passages >= REMARKABLE;
        let kinds = [
            is_bare.then_some(RemarkKind::NoHeadings(passages)),
            (cut.long_headings > 0).then_some(RemarkKind::LongHeadings(cut.long_headings)),
            is_short.then_some(RemarkKind::CutShort(passages)),
        ];
        let room = REMARKS - self.remarks.len().min(REMARKS);
        let remark = |kind| Remark { file: source.to_owned(), kind };
        self.remarks.extend(kinds.into_iter().flatten().map(remark).take(room));
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

    /// What is worth knowing of the files that are used, of the first hundred.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
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
        assert_eq!(found[0].title, "Install › Token");
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

    #[tokio::test]
    async fn a_plain_text_is_found_by_its_part_and_remarked_upon() {
        let dir = folder();
        let filler = "Some line about nothing in particular, of the usual length.\n".repeat(1500);
        let text = format!("{filler}The zebra lives in box 7.\n{filler}");
        std::fs::write(dir.path().join("manual.txt"), text).unwrap();
        let headings = format!("# {}\n\n## Usual\n\nx", "h".repeat(100_000));
        std::fs::write(dir.path().join("headings.md"), headings).unwrap();
        let knowledge = Knowledge::open(dir.path()).unwrap();
        let found = knowledge.search("Where does the zebra live?", 3).await.unwrap();
        assert!(found[0].text.contains("box 7"));
        assert!(found[0].text.len() < 2000, "{}", found[0].text.len());
        let mut remarks = knowledge.remarks().to_vec();
        remarks.sort_by(|a, b| a.file.cmp(&b.file));
        assert_eq!(remarks[0].kind, RemarkKind::LongHeadings(1));
        assert!(matches!(remarks[1].kind, RemarkKind::NoHeadings(100..)), "{remarks:?}");
        assert_eq!(remarks.len(), 2);
        assert!(knowledge.titles().iter().all(|title| title.chars().count() <= 201));
    }

    #[test]
    fn a_file_of_headings_alone_cannot_fill_the_index() {
        let dir = folder();
        std::fs::write(dir.path().join("many.md"), "## a\nx\n".repeat(30_000)).unwrap();
        let knowledge = Knowledge::open(dir.path()).unwrap();
        assert_eq!(knowledge.size(), (2, FILE_PASSAGES + 2));
        assert_eq!(knowledge.remarks()[0].kind, RemarkKind::CutShort(FILE_PASSAGES));
    }
}
