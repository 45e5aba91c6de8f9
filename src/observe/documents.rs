//! How far the documents are.

/// What the bot knows of its documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DocumentsState {
    /// There are none.
    #[default]
    None,
    /// They are being read; questions wait.
    Reading,
    /// They are in use.
    Read {
        /// How many files.
        files: usize,
        /// Passages that they were cut into.
        passages: usize,
    },
    /// They could not be read at the start; questions are answered without them.
    Unreadable,
}

impl DocumentsState {
    /// Its name, as `/bot/status` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Reading => "reading",
            Self::Read { .. } => "read",
            Self::Unreadable => "unreadable",
        }
    }

    /// Files and passages in use.
    pub fn size(self) -> (usize, usize) {
        match self {
            Self::Read { files, passages } => (files, passages),
            Self::None | Self::Reading | Self::Unreadable => (0, 0),
        }
    }
}
