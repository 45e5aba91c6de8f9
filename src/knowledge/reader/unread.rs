//! Why a document cannot be read.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unread {
    /// In words, with what to do about it.
    pub reason: String,
    /// Whether the same file may be read at the next look: what failed was the machine, not the document.
    pub is_passing: bool,
}

impl Unread {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_passing: false }
    }

    /// A failure of the machine: the same file may be read at the next look.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_passing: true }
    }
}

/// Works on a document that may be made to break what works on it; that costs this document only.
///
/// # Errors
/// When it broke down.
pub fn unbroken<T>(work: impl FnOnce() -> T) -> Result<T, Unread> {
    let broken = |_| Unread::new("what reads it broke down; please report this");
    catch_unwind(AssertUnwindSafe(work)).map_err(broken)
}
