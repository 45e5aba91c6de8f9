//! A look at the state file, to see whether it is good.

use std::path::Path;

use super::{compatible, identity, open, ownership, schema, schema_objects};
use crate::store::failure::StoreError;
use crate::store::upkeep::Inspection;

/// Looks at the file beside a running daemon, with a connection that cannot write. Files of more
/// than `check_bytes` are not checked whole.
///
/// # Errors
/// When the file cannot be read. A damaged file is not an error.
pub fn inspect(path: &Path, check_bytes: u64) -> Result<Inspection, StoreError> {
    ownership::refuse_strange_link(path)?;
    let about = std::fs::metadata(path).map_err(|source| StoreError::open(path, source))?;
    let bytes = about.len();
    identity::check(path)?;
    let is_checked = bytes <= check_bytes;
    match look(path, is_checked) {
        Ok((schema, damage, can_work)) => {
            Ok(Inspection { bytes, schema, can_work, is_checked, damage })
        }
        Err(e) if e.is_corruption() => {
            let damage = Some(crate::model::failure::chain(&e));
            Ok(Inspection { bytes, schema: 0, can_work: false, is_checked, damage })
        }
        Err(e) => Err(e),
    }
}

/// Its schema, its damage, and whether this version can work on it.
fn look(path: &Path, check: bool) -> Result<(u32, Option<String>, bool), StoreError> {
    let conn = open::connect_reading(path)?;
    let schema = schema::version(&conn)?;
    if (1..=schema::newest()).contains(&schema)
        && let Some(oddity) = schema_objects::oddity(&conn, schema)?
    {
        return Ok((schema, Some(oddity), false));
    }
    let can_work = schema <= schema::newest() || compatible::obstacle(&conn, schema)?.is_none();
    if !check {
        return Ok((schema, None, can_work));
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    Ok((schema, Some(verdict).filter(|verdict| verdict != "ok"), can_work))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::BotId;
    use crate::observe::clock::Clock;
    use crate::store::Store;

    #[tokio::test]
    async fn a_good_file_and_a_damaged_one_are_distinguished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("katana.db");
        let store = Store::open(&path, BotId(42), Clock::system()).unwrap();
        let beside = inspect(&path, u64::MAX).unwrap();
        assert_eq!((beside.schema, beside.damage), (schema::newest(), None));
        store.close().await;
        let small = inspect(&path, 0).unwrap();
        assert!(!small.is_checked && small.damage.is_none());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4096..].fill(0xAB);
        std::fs::write(&path, bytes).unwrap();
        assert!(inspect(&path, u64::MAX).unwrap().damage.is_some());
        assert!(inspect(&dir.path().join("none"), 0).is_err());
    }
}
