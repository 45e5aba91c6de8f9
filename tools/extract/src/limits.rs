//! How much is read, and why something cannot be.

use std::fmt;

/// Bounds of one document.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Size of the file, in bytes.
    pub file: u64,
    /// What is kept of it, in bytes; the rest is left out with a remark.
    pub text: usize,
    /// What all parts of an archive hold, in bytes.
    pub inflated: u64,
    /// How many times its size a part of an archive may grow.
    pub ratio: u64,
    /// Entries of an archive.
    pub entries: usize,
    /// Elements within each other.
    pub depth: usize,
    /// Pages; the rest is left out with a remark.
    pub pages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file: 64 << 20,
            text: 16 << 20,
            inflated: 100 << 20,
            ratio: 100,
            entries: 10_000,
            depth: 512,
            pages: 10_000,
        }
    }
}

/// Why a document cannot be read. Shown, it says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file is larger than what is read.
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Its ending promises text, but it holds something else.
    NotText,
    /// It has pages, but no text.
    NoText,
    /// It is encrypted.
    Encrypted,
    /// It grows beyond what a document needs.
    Bomb(&'static str),
    /// It is not what its ending says.
    Another {
        /// What it should be.
        expected: &'static str,
        /// What to do, where it is known what it is.
        remedy: &'static str,
    },
    /// It is damaged.
    Damaged(&'static str),
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { size, limit } => {
                let (size, limit) = (size.div_ceil(1 << 20), limit >> 20);
                write!(f, "it has {size} MB, and at most {limit} MB are read; split it")
            }
            Self::NotText => f.write_str(
                "it is not text, although its name says so; rename it, or save it as UTF-8",
            ),
            Self::NoText => f.write_str(
                "it has no text, only pictures of it; run OCR over it, for example with ocrmypdf",
            ),
            Self::Encrypted => f.write_str("it is protected by a password; save it without one"),
            Self::Bomb(what) => {
                write!(f, "{what}, as in an archive made to fill a disk; save it again")
            }
            Self::Another { expected, remedy } => write!(f, "it is not {expected}; {remedy}"),
            Self::Damaged(what) => write!(f, "it is damaged: {what}; save it again"),
        }
    }
}
