//! What SQLite and refinery say, in the words of the store.

use std::error::Error;
use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::store::backup_failure::BackupError;
use crate::store::failure::{StoreError, StoreErrorKind};

impl From<rusqlite::Error> for StoreError {
    fn from(e: rusqlite::Error) -> Self {
        let kind = kind_of(e.sqlite_error_code());
        Self::new(kind, "cannot read or write the state file").because(e)
    }
}

pub(super) fn kind_of(code: Option<ErrorCode>) -> StoreErrorKind {
    match code {
        Some(ErrorCode::DiskFull) => StoreErrorKind::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Busy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Io,
    }
}

/// A file whose schema cannot be brought to this version.
pub(super) fn schema(path: &Path, e: refinery::Error) -> StoreError {
    let mut cause: Option<&dyn Error> = Some(&e);
    let mut kind = StoreErrorKind::Schema;
    while let Some(inner) = cause {
        if let Some(sql) = inner.downcast_ref::<rusqlite::Error>() {
            let of_sql = kind_of(sql.sqlite_error_code());
            if matches!(of_sql, StoreErrorKind::Full | StoreErrorKind::Corrupt) {
                kind = of_sql;
            }
        }
        cause = inner.source();
    }
    let what = format!("cannot migrate the state file {} to this version", path.display());
    StoreError::new(kind, what).because(e)
}

/// No copy could be made before a migration.
pub(super) fn copy(path: &Path, e: BackupError) -> StoreError {
    let shown = path.display();
    let what = format!("cannot keep a copy of the state file {shown} before migrating it");
    let kind = if e.is_damage() { StoreErrorKind::Corrupt } else { StoreErrorKind::Copy };
    let hint = e.hint();
    StoreError::new(kind, what).because(e).with_hint(hint)
}

impl BackupError {
    /// What SQLite said about this file.
    pub(super) fn of_sqlite(path: &Path, e: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match e.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                Self::Write { path, source: io::ErrorKind::StorageFull.into() }
            }
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, why: e.to_string() },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::Read { path, source: io::Error::other(e.to_string()) }
            }
            _ => Self::Write { path, source: io::Error::other(e.to_string()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::StoreClass;
    use crate::model::failure::Classify;

    #[test]
    fn a_full_disk_is_named() {
        let full = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(13), None);
        let error = StoreError::from(full);
        assert_eq!((error.class(), error.is_corruption()), (StoreClass::DiskFull.into(), false));
        assert!(error.hint().starts_with("free some space"), "{}", error.hint());
    }
}
