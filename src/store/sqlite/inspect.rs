//! A look at the state file by somebody who only wants to know whether it is good.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::failure::StoreError;
use super::{Store, open, ownership, schema};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Size of the file, without its log.
    pub bytes: u64,
    /// The last migration that was applied; 0 in an empty file.
    pub schema: u32,
    /// Whether the file was small enough to be checked whole.
    pub is_checked: bool,
    /// What is wrong with it.
    pub damage: Option<String>,
}

impl Store {
    /// Looks at the file beside a running daemon, with a connection that cannot write. Files of
    /// more than `check_bytes` are not checked whole.
    ///
    /// # Errors
    /// When the file cannot be read. A damaged file is no error.
    pub fn inspect(path: &Path, check_bytes: u64) -> Result<Inspection, StoreError> {
        ownership::refuse_strange_link(path)?;
        let bytes = std::fs::metadata(path)
            .map_err(|source| StoreError::Open { path: path.to_owned(), source })?
            .len();
        let is_checked = bytes <= check_bytes;
        match look(path, is_checked) {
            Ok((schema, damage)) => Ok(Inspection { bytes, schema, is_checked, damage }),
            Err(e) if e.is_corruption() => {
                let damage = Some(crate::model::failure::chain(&e));
                Ok(Inspection { bytes, schema: 0, is_checked, damage })
            }
            Err(e) => Err(e),
        }
    }
}

fn look(path: &Path, check: bool) -> Result<(u32, Option<String>), StoreError> {
    let conn = open::connect_reading(path)?;
    let schema = schema(&conn)?;
    if !check {
        return Ok((schema, None));
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    Ok((schema, Some(verdict).filter(|verdict| verdict != "ok")))
}

/// The last migration that was applied; 0 when none was.
pub(super) fn schema(conn: &Connection) -> Result<u32, StoreError> {
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
    if conn.query_row(table, [schema::HISTORY], |_| Ok(())).optional()?.is_none() {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    Ok(conn.query_row(newest, [], |r| r.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::BotId;
    use crate::observe::clock::Clock;

    #[tokio::test]
    async fn a_good_file_and_a_damaged_one_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("katana.db");
        let store = Store::open(&path, BotId(42), Clock::system()).unwrap();
        let beside = Store::inspect(&path, u64::MAX).unwrap();
        assert_eq!((beside.schema, beside.damage), (super::super::newest_schema(), None));
        store.close().await;
        let small = Store::inspect(&path, 0).unwrap();
        assert!(!small.is_checked && small.damage.is_none());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4096..].fill(0xAB);
        std::fs::write(&path, bytes).unwrap();
        assert!(Store::inspect(&path, u64::MAX).unwrap().damage.is_some());
        assert!(Store::inspect(&dir.path().join("none"), 0).is_err());
    }
}
