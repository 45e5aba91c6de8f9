//! What the index of the documents holds, in words that name no database.
//!
//! Invariant: all of it can be made again from the documents. Numbers of passages are never given twice, so
//! that a copy of a vector that outlived its passage leads to nothing.

use std::collections::BTreeMap;

/// A document in the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(pub i64);

/// A passage in the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PassageId(pub i64);

/// Vectors of one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GenerationId(pub i64);

/// SHA-256 of a file, or of all that a passage's vector depends on.
pub type Hash = [u8; 32];

/// What a file system says of a file; while it says the same, the file is not read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The device that it lies on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When its content changed, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
    /// When anything about it changed; 0 when it had changed only just before it was read, so that another
    /// change could have the same time.
    pub changed_ns: i64,
}

/// A document as the index knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownDocument {
    /// Its number.
    pub id: DocumentId,
    /// The name of its source.
    pub source: String,
    /// Its path in the source.
    pub path: String,
    /// What the file system said when it was read.
    pub stamp: Stamp,
    /// Of its bytes.
    pub hash: Hash,
    /// What read and cut it, with the version of that.
    pub read_by: String,
    /// Its own title.
    pub title: Option<String>,
    /// Why nothing of it can be read.
    pub problem: Option<String>,
    /// What is worth knowing of how it was read.
    pub remark: Option<String>,
    /// How many passages it has.
    pub passages: u64,
    /// When it was read, in milliseconds since the Unix epoch.
    pub indexed_ms: i64,
}

/// A document to be put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewDocument {
    /// The name of its source.
    pub source: String,
    /// Its path in the source.
    pub path: String,
    /// Its own title.
    pub title: Option<String>,
    /// What the file system said before it was read.
    pub stamp: Stamp,
    /// Of its bytes.
    pub hash: Hash,
    /// What read and cut it, with the version of that.
    pub read_by: String,
    /// Its passages, in order; none where there is a problem.
    pub passages: Vec<NewPassage>,
    /// Why nothing of it can be read.
    pub problem: Option<String>,
    /// What is worth knowing of how it was read.
    pub remark: Option<String>,
    /// When it was read, in milliseconds since the Unix epoch.
    pub indexed_ms: i64,
}

/// A passage to be put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPassage {
    /// The headings above it.
    pub title: String,
    /// What a link to it ends with.
    pub anchor: Option<String>,
    /// The page that it begins on.
    pub page: Option<u32>,
    /// The passage itself, Markdown.
    pub text: String,
    /// Its language, where that is known (ISO 639-1).
    pub language: Option<String>,
    /// Of all that its vector depends on. A passage with a known hash keeps its number and its vector.
    pub hash: Hash,
    /// The words of its title, as they are searched.
    pub title_words: String,
    /// The words of its text, as they are searched.
    pub text_words: String,
}

/// What [`Index::put`](super::Index::put) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// The document.
    pub document: DocumentId,
    /// Passages that are new.
    pub added: Vec<PassageId>,
    /// Passages that are gone.
    pub removed: Vec<PassageId>,
    /// How many stayed.
    pub kept: usize,
}

/// A passage as it stands in the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexedPassage {
    /// Its number.
    pub id: PassageId,
    /// The name of its source.
    pub source: String,
    /// Its document's path in the source.
    pub path: String,
    /// Its document's own title.
    pub document_title: Option<String>,
    /// The headings above it.
    pub title: String,
    /// What a link to it ends with.
    pub anchor: Option<String>,
    /// The page that it begins on.
    pub page: Option<u32>,
    /// The passage itself, Markdown.
    pub text: String,
    /// Its language, where that is known.
    pub language: Option<String>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexTotals {
    /// Documents that can be read.
    pub documents: u64,
    /// Documents that cannot.
    pub unreadable: u64,
    /// Passages.
    pub passages: u64,
    /// Different texts of them, each of which gets one vector.
    pub texts: u64,
    /// Bytes of their text.
    pub bytes: u64,
}

/// The last look through the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// When it began, in milliseconds since the Unix epoch.
    pub begun_ms: i64,
    /// When it ended; `None` while it goes on, and when it was cut off.
    pub ended_ms: Option<i64>,
    /// What it left out.
    pub left_out: LeftOut,
}

/// What a look through the sources left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Sources, and folders of them, that cannot be read: the source's name, and the reason.
    pub unreadable: Vec<(String, String)>,
    /// Files that are not read, because their endings are not those of documents: each ending, and how many.
    pub files: BTreeMap<String, u64>,
    /// Documents beyond the bound.
    pub beyond: u64,
}

/// What makes vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Embedding {
    /// The model's name.
    pub model: String,
    /// Its server.
    pub base_url: String,
    /// Numbers in one vector; 0 until the first one is there.
    pub dimensions: u32,
    /// What stands before a question.
    pub query_prefix: String,
    /// What stands before a passage.
    pub passage_prefix: String,
}

/// How far a generation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationState {
    /// Its vectors are being made.
    Building,
    /// It is searched.
    Active,
    /// Another has taken its place.
    Old,
}

impl GenerationState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Building, Self::Active, Self::Old];

    /// Its name, as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Active => "active",
            Self::Old => "old",
        }
    }
}

/// Vectors of one model, and how far they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub id: GenerationId,
    /// What makes its vectors.
    pub embedding: Embedding,
    /// How far it is.
    pub state: GenerationState,
    /// Texts of passages that have a vector in it.
    pub embedded: u64,
    /// When it was begun, in milliseconds since the Unix epoch.
    pub begun_ms: i64,
    /// When it was put to use.
    pub activated_ms: Option<i64>,
}

/// How near a passage must be to a question in one language.
#[derive(Clone, Debug, PartialEq)]
pub struct Floor {
    /// The question's language (ISO 639-1).
    pub language: String,
    /// What is nearer than this has to do with the question.
    pub near: f32,
    /// What is not nearer than this has hardly anything to do with it, whatever its words.
    pub likely: f32,
}

/// The text of passages that have no vector yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToEmbed {
    /// What the vector is kept by.
    pub hash: Hash,
    /// The headings above it.
    pub title: String,
    /// The passage itself.
    pub text: String,
}

impl ToEmbed {
    /// What is embedded of it: its headings, which say what it is about, and its text.
    pub fn whole(&self) -> String {
        match self.title.is_empty() {
            true => self.text.clone(),
            false => format!("{}\n{}", self.title, self.text),
        }
    }
}

/// A vector in small: its direction is about `code * scale`, which has the length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCode {
    /// Whose.
    pub passage: PassageId,
    /// The name of its source.
    pub source: String,
    /// What a step of the code stands for.
    pub scale: f32,
    /// A step for each dimension.
    pub code: Vec<i8>,
}

/// What someone asks of the process that keeps the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Look for changes now.
    Sync,
    /// Read all documents again.
    Reindex,
    /// Put a generation to use.
    Use(GenerationId),
}

/// A request, and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub id: i64,
    /// What was asked.
    pub wanted: Wanted,
    /// Its outcome; `None` while it waits.
    pub outcome: Option<Result<String, String>>,
}
