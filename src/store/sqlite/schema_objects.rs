//! What the schema of a state file has to be: every table, index, trigger and view, with the statement that
//! made it.
//!
//! Invariant: `schema_objects.jsonl` is what the migrations make, for each version; a test compares the two.
//! Applying the migrations at each start would take longer than everything else before the first poll.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::store::failure::{StoreError, StoreErrorKind};

/// A line for each object of each version, as [`Object`] reads it.
const EXPECTED: &str = include_str!("schema_objects.jsonl");

/// A table, an index, a view or a trigger, with the statement that made it.
#[derive(PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
struct Object {
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

/// What the file's schema has or lacks, compared with what the migrations up to `version` make.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn oddity(conn: &Connection, version: u32) -> Result<Option<String>, StoreError> {
    let different = first_difference(&expected(version)?, &objects(conn)?);
    Ok(different.map(|what| format!("its {what} is not that of schema {version}")))
}

/// The first object that only one of the files has, or has in another form.
pub(super) fn difference(one: &Connection, other: &Connection) -> rusqlite::Result<Option<String>> {
    Ok(first_difference(&objects(one)?, &objects(other)?))
}

fn first_difference(one: &BTreeSet<Object>, other: &BTreeSet<Object>) -> Option<String> {
    let Object { kind, name, .. } = one.symmetric_difference(other).next()?;
    Some(format!("{kind} {}", hygiene::line::one_line(name, 60)))
}

/// The objects of this version.
fn expected(version: u32) -> Result<BTreeSet<Object>, StoreError> {
    let start = format!("{version} ");
    let lines = EXPECTED.lines().filter_map(|line| line.strip_prefix(&start));
    lines.map(serde_json::from_str).collect::<Result<_, _>>().map_err(|e| {
        StoreError::new(StoreErrorKind::Schema, "the schema of this version is not known")
            .because(e.to_string())
    })
}

/// All that the file's schema has. Each trigger, view, generated column or index on an expression is a
/// program that SQLite would run.
fn objects(conn: &Connection) -> rusqlite::Result<BTreeSet<Object>> {
    let mut rows = conn.prepare("SELECT type, name, tbl_name, sql FROM sqlite_master")?;
    let rows = rows.query_map([], |r| {
        Ok(Object { kind: r.get(0)?, name: r.get(1)?, table: r.get(2)?, sql: r.get(3)? })
    })?;
    rows.filter(|row| !row.as_ref().is_ok_and(is_statistics)).collect()
}

/// Whether SQLite's ANALYZE made it, which an administrator may run.
fn is_statistics(object: &Object) -> bool {
    object.sql.as_deref() == Some("CREATE TABLE sqlite_stat1(tbl,idx,stat)")
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "writes a file of the sources")]
    fn what_is_expected_is_what_the_migrations_make() {
        let mut made = String::new();
        for version in 1..=schema::newest() {
            let mut conn = Connection::open_in_memory().unwrap();
            schema::migrate_to(&mut conn, version).unwrap();
            for object in objects(&conn).unwrap() {
                made += &format!("{version} {}\n", serde_json::to_string(&object).unwrap());
            }
            if std::env::var_os("KATANA_TEST_WRITE").is_none() {
                assert_eq!(oddity(&conn, version).unwrap(), None);
                conn.execute_batch("CREATE VIEW v AS SELECT 1").unwrap();
                let why = oddity(&conn, version).unwrap();
                assert_eq!(
                    why.as_deref(),
                    Some(&*format!("its view v is not that of schema {version}"))
                );
            }
        }
        if std::env::var_os("KATANA_TEST_WRITE").is_some() {
            let path =
                concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/sqlite/schema_objects.jsonl");
            std::fs::write(path, &made).unwrap();
        } else {
            assert!(made == EXPECTED, "KATANA_TEST_WRITE=1 cargo test --lib schema_objects");
        }
    }
}
