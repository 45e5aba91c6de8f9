//! What can go wrong with the state file, and what to do about it.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use super::backup_failure::BackupError;
use crate::model::failure::{Blame, Classify, RetryPolicy};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or file cannot be created, opened or written.
    #[error("cannot open the state file {path}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something lies under the name of one of our files that must not be touched.
    #[error("cannot use {path}: {why}")]
    Obstacle {
        /// Which name.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another process holds the file.
    #[error("the state file {path} is in use by another katana-bot")]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The file was written by a newer Katana, or its migrations were changed.
    #[error("cannot bring the state file {path} to this version")]
    Schema {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<refinery::Error>,
    },
    /// Nothing is migrated without a copy, and the copy cannot be made.
    #[error("cannot keep a copy of the state file {path} before bringing it to this version")]
    Keep {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<BackupError>,
    },
    /// SQLite said no.
    #[error("cannot read or write the state file")]
    Sqlite(#[from] rusqlite::Error),
    /// A commit of other writes failed, and this one was part of it.
    #[error("cannot commit to the state file: {why}")]
    Commit {
        /// What SQLite said.
        why: String,
        /// The same as its code.
        code: Option<ErrorCode>,
    },
    /// A row does not hold what it should.
    #[error("state file: a row of {table} cannot be read")]
    Row {
        /// Where it stands.
        table: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The store was closed while the call was waiting.
    #[error("the state file was closed")]
    Closed,
}

impl StoreError {
    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Open { .. } => {
                "check that the folder exists and belongs to the user katana-bot runs as, or set store.path (KATANA_STORE_PATH)"
            }
            Self::Obstacle { .. } => {
                "nothing was written; see what it is and who put it there (ls -l), then remove it"
            }
            Self::InUse { .. } => {
                "stop the other process first, or give this one its own file with store.path (KATANA_STORE_PATH)"
            }
            Self::Schema { .. } => {
                "install the version that wrote the file, or restore a backup made before the upgrade"
            }
            Self::Keep { source, .. } => source.hint(),
            _ if self.is_full_disk() => "make room on the disk that holds the state file",
            Self::Sqlite(_) | Self::Commit { .. } | Self::Row { .. } => {
                "check free space and the health of the disk that holds the state file"
            }
            Self::Closed => "nothing: the bot is stopping",
        }
    }

    /// Whether the file itself is damaged.
    pub fn is_corruption(&self) -> bool {
        if let Self::Keep { source, .. } = self {
            return source.is_damage();
        }
        matches!(self.code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }

    fn is_full_disk(&self) -> bool {
        self.code() == Some(ErrorCode::DiskFull)
    }

    /// What SQLite said.
    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Commit { code, .. } => *code,
            Self::Sqlite(e) => e.sqlite_error_code(),
            Self::Schema { source, .. } => {
                let mut cause: Option<&dyn std::error::Error> = Some(source.as_ref());
                let mut found = None;
                while let Some(e) = cause {
                    if let Some(sql) = e.downcast_ref::<rusqlite::Error>() {
                        found = sql.sqlite_error_code();
                    }
                    cause = e.source();
                }
                found
            }
            _ => None,
        }
    }
}

impl Classify for StoreError {
    fn retry_policy(&self) -> RetryPolicy {
        match self {
            Self::Closed | Self::Row { .. } => RetryPolicy::Never,
            _ => RetryPolicy::Backoff,
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::InUse { .. } | Self::Schema { .. } | Self::Row { .. } | Self::Closed => Blame::Us,
            _ => Blame::Disk,
        }
    }

    fn class(&self) -> &'static str {
        match self {
            // Whoever is told of it should not have to look for the disk first.
            _ if self.is_full_disk() => "disk_full",
            Self::Open { .. } | Self::Obstacle { .. } => "open",
            Self::InUse { .. } => "in_use",
            Self::Schema { .. } => "schema",
            Self::Keep { .. } => "keep",
            Self::Sqlite(_) => "sqlite",
            Self::Commit { .. } => "commit",
            Self::Row { .. } => "row",
            Self::Closed => "closed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named() {
        let full = || rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(13), None);
        let code = full().sqlite_error_code();
        for error in [StoreError::Sqlite(full()), StoreError::Commit { why: "full".into(), code }] {
            assert_eq!((error.class(), error.is_corruption()), ("disk_full", false));
            assert!(error.hint().starts_with("make room"), "{}", error.hint());
        }
        let other = StoreError::Commit { why: "interrupted".into(), code: None };
        assert_eq!(other.class(), "commit");
    }
}
