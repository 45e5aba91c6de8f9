//! What can go wrong with the state, and what to do about it, in words that name no database.

use std::error::Error;
use std::io;
use std::path::Path;

use crate::model::class::{FailureClass, StoreClass};
use crate::model::failure::{Blame, Classify, RetryPolicy};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct StoreError {
    kind: StoreErrorKind,
    what: String,
    hint: Option<&'static str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The folder or file cannot be created, opened or written.
    Open,
    /// Something that must not be touched lies under the name of one of our files.
    Obstacle,
    /// The file is not the state of a bot.
    WrongFile,
    /// Another process works on the state.
    InUse,
    /// The state was written by a newer Katana, or its migrations were changed.
    Schema,
    /// Nothing is migrated without a copy, and the copy cannot be made.
    Copy,
    /// The disk has no room.
    Full,
    /// Another program kept the state locked for too long.
    Busy,
    /// The state itself is damaged.
    Corrupt,
    /// Reading, writing or committing failed for another reason.
    Io,
    /// A row does not hold what it should.
    Row,
    /// The store was closed while the call was waiting.
    Closed,
}

impl StoreError {
    pub(super) fn new(kind: StoreErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hint: None, source: None }
    }

    /// A file that cannot be opened.
    pub(super) fn open(path: &Path, source: io::Error) -> Self {
        let what = format!("cannot open the state file {}", path.display());
        Self::new(StoreErrorKind::Open, what).because(source)
    }

    /// A name that must not be touched.
    pub(super) fn obstacle(path: &Path, why: &str) -> Self {
        Self::new(StoreErrorKind::Obstacle, format!("cannot use {}: {why}", path.display()))
    }

    /// A row of `table` that cannot be read or written.
    pub(super) fn row(table: &str, source: serde_json::Error) -> Self {
        let what = format!("state file: a row of {table} cannot be read");
        Self::new(StoreErrorKind::Row, what).because(source)
    }

    pub(super) fn closed() -> Self {
        Self::new(StoreErrorKind::Closed, "the state file was closed")
    }

    #[must_use]
    pub(super) fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    #[must_use]
    pub(super) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        self.hint.unwrap_or(match self.kind {
            StoreErrorKind::Open => {
                "check that the folder exists and belongs to the user katana-bot runs as, or set store.path (KATANA_STORE_PATH)"
            }
            StoreErrorKind::Obstacle => {
                "nothing was written; see what it is and who put it there (ls -l), then remove it"
            }
            StoreErrorKind::WrongFile => {
                "nothing was changed; name another file with store.path (KATANA_STORE_PATH), or \
                move this file away"
            }
            StoreErrorKind::InUse => {
                "stop the other process first, or give this one its own file with store.path (KATANA_STORE_PATH)"
            }
            StoreErrorKind::Schema => {
                "install the version that wrote the file, or restore a backup made before the upgrade"
            }
            StoreErrorKind::Full => "free some space on the disk that holds the state file",
            StoreErrorKind::Copy
            | StoreErrorKind::Busy
            | StoreErrorKind::Corrupt
            | StoreErrorKind::Io
            | StoreErrorKind::Row => {
                "check free space and the health of the disk that holds the state file"
            }
            StoreErrorKind::Closed => "nothing: the bot is stopping",
        })
    }

    /// Whether the file belongs to something else, and must stay as it is.
    pub fn is_foreign(&self) -> bool {
        self.kind == StoreErrorKind::WrongFile
    }

    /// Whether the state itself is damaged.
    pub fn is_corruption(&self) -> bool {
        self.kind == StoreErrorKind::Corrupt
    }
}

impl Classify for StoreError {
    fn retry_policy(&self) -> RetryPolicy {
        match self.kind {
            StoreErrorKind::WrongFile | StoreErrorKind::Closed | StoreErrorKind::Row => {
                RetryPolicy::Never
            }
            _ => RetryPolicy::Backoff,
        }
    }

    fn blame(&self) -> Blame {
        match self.kind {
            StoreErrorKind::WrongFile
            | StoreErrorKind::InUse
            | StoreErrorKind::Schema
            | StoreErrorKind::Row
            | StoreErrorKind::Closed => Blame::Us,
            _ => Blame::Disk,
        }
    }

    fn class(&self) -> FailureClass {
        let class = match self.kind {
            StoreErrorKind::Open | StoreErrorKind::Obstacle => StoreClass::Open,
            StoreErrorKind::WrongFile => StoreClass::WrongFile,
            StoreErrorKind::InUse => StoreClass::InUse,
            StoreErrorKind::Schema => StoreClass::Schema,
            StoreErrorKind::Copy => StoreClass::Copy,
            StoreErrorKind::Full => StoreClass::DiskFull,
            StoreErrorKind::Busy => StoreClass::Busy,
            StoreErrorKind::Corrupt => StoreClass::Corrupt,
            StoreErrorKind::Io => StoreClass::Io,
            StoreErrorKind::Row => StoreClass::Row,
            StoreErrorKind::Closed => StoreClass::Closed,
        };
        class.into()
    }
}
