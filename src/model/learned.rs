//! Documents that owners sent in a chat.

/// One that is to be kept; it takes the place of one with the same name.
#[derive(Clone, PartialEq, Eq)]
pub struct NewLearned {
    /// Its name, without folders.
    pub name: String,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub hash: [u8; 32],
    /// Passages that it was cut into.
    pub passages: u64,
    /// Its text, JSON of `extract::Document`.
    pub document: String,
}

impl std::fmt::Debug for NewLearned {
    /// Shows the size instead of the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, bytes, .. } = self;
        f.debug_struct("NewLearned")
            .field("name", name)
            .field("bytes", bytes)
            .finish_non_exhaustive()
    }
}

/// One that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedDocument {
    /// Its number, by which it is removed.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// When it was sent, Unix milliseconds.
    pub added_ms: i64,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub hash: Vec<u8>,
    /// Passages that it was cut into.
    pub passages: u64,
    /// Size of its text.
    pub text_bytes: u64,
}
