//! Working on a file that a newer version has migrated, so that going back to the release before is only
//! starting it.
//!
//! A migration says in its first line which schema's programs can still work on the file
//! (`-- works from schema 3`). The file then carries, for those programs, what the migration changed in the
//! schema: they apply that to the schema they know, and compare the result with the file.
//!
//! Invariants: a newer file is used only if its schema is, statement by statement, what this version knows
//! plus what is recorded; and only statements of a few forms are taken from a record, none of which SQLite
//! would ever run code for.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::{plain, schema, schema_objects};
use crate::store::failure::StoreError;

/// The first schema whose files have the table for records. Programs of older ones refuse every newer file.
const SINCE: u32 = 3;

/// How a migration begins that older programs can work after.
const WORKS_FROM: &str = "-- works from schema ";

/// Most statements of one migration, and how long they may be together.
const STATEMENTS: usize = 200;
const BYTES: usize = 100_000;

/// What older programs have to know of a migration.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    works_from: u32,
    statements: Vec<String>,
}

impl Record {
    fn of(sql: &str) -> Option<Self> {
        let works_from = sql.strip_prefix(WORKS_FROM)?.lines().next()?.trim().parse().ok()?;
        let changes =
            |one: &&str| ["CREATE", "ALTER", "DROP"].iter().any(|word| one.starts_with(word));
        let statements = sql.split(';').map(without_comments).filter(changes).map(str::to_owned);
        Some(Self { works_from, statements: statements.collect() })
    }
}

/// A statement without the comments and the space before it.
fn without_comments(statement: &str) -> &str {
    let mut rest = statement.trim();
    while rest.starts_with("--") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest.trim_start());
    }
    rest
}

/// Writes into the file what programs of older schemas have to know of the migrations of this one.
pub(super) fn record(conn: &Connection) -> Result<(), StoreError> {
    for (version, sql) in schema::all().into_iter().filter(|(version, _)| *version > SINCE) {
        if let Some(record) = Record::of(&sql) {
            put(conn, version, &record)?;
        }
    }
    Ok(())
}

fn put(conn: &Connection, version: u32, record: &Record) -> Result<(), StoreError> {
    let known = "SELECT 1 FROM compatible WHERE version = ?1";
    if conn.query_row(known, [version], |_| Ok(())).optional()?.is_some() {
        return Ok(());
    }
    let statements = serde_json::to_string(&record.statements);
    let statements = statements.map_err(|e| StoreError::row("compatible", e))?;
    let sql = "INSERT INTO compatible (version, works_from, statements) VALUES (?1, ?2, ?3)";
    conn.execute(sql, params![version, record.works_from, statements])?;
    Ok(())
}

/// Why this program cannot work on a file of this newer schema; `None` when it can.
pub(super) fn obstacle(conn: &Connection, version: u32) -> Result<Option<String>, StoreError> {
    let newest = schema::newest();
    let example = example()?;
    for one in newest + 1..=version {
        let record = match read(conn, one)? {
            Some(record) if record.works_from <= newest => record,
            _ => {
                return Ok(Some(format!(
                    "schema {one} is not for versions that know only {newest}"
                )));
            }
        };
        let length: usize = record.statements.iter().map(String::len).sum();
        let fits = record.statements.len() <= STATEMENTS && length <= BYTES;
        if !fits || !record.statements.iter().all(|sql| plain::is_plain(sql)) {
            return Ok(Some(format!("what schema {one} changed cannot be understood")));
        }
        for sql in &record.statements {
            if example.execute(sql, []).is_err() {
                return Ok(Some(format!("what schema {one} changed does not fit")));
            }
        }
    }
    let different = schema_objects::difference(&example, conn)?;
    Ok(different.map(|what| format!("its {what} is not what schema {version} recorded")))
}

/// An empty file of the newest schema that this version knows.
fn example() -> Result<Connection, StoreError> {
    let mut conn = Connection::open_in_memory()?;
    schema::migrate(&mut conn, Path::new(":memory:"))?;
    Ok(conn)
}

/// The record of a migration; `None` when there is none that can be read.
fn read(conn: &Connection, version: u32) -> Result<Option<Record>, StoreError> {
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'compatible'";
    if conn.query_row(table, [], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let sql = "SELECT works_from, statements FROM compatible WHERE version = ?1";
    let row = conn.query_row(sql, [version], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)));
    let Some((works_from, statements)) = row.optional().unwrap_or_default() else {
        return Ok(None);
    };
    let works_from = u32::try_from(works_from).unwrap_or(u32::MAX);
    let statements = serde_json::from_str(&statements).ok();
    Ok(statements.map(|statements| Record { works_from, statements }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schema of the previous release. With each release, it becomes the one that was released.
    const PREVIOUS: u32 = 2;

    const MADE_UP: &str = "-- works from schema 3
-- Titles of conversations.
ALTER TABLE conversations ADD COLUMN title TEXT;
UPDATE conversations SET title = 'none';
CREATE TABLE tags (
    id    INTEGER PRIMARY KEY,
    label TEXT NOT NULL DEFAULT 'none'
);
CREATE UNIQUE INDEX tags_label ON tags (label) WHERE label IS NOT NULL;
";

    /// A file of the newest schema after one more migration, as another program has left it.
    fn newer(sql: &str, recorded: Option<&Record>) -> (Connection, u32) {
        let conn = example().unwrap();
        conn.execute_batch(sql).unwrap();
        let version = schema::newest() + 1;
        if let Some(record) = recorded {
            put(&conn, version, record).unwrap();
            put(&conn, version, &Record { works_from: 0, statements: vec![] }).unwrap();
        }
        (conn, version)
    }

    fn refused(sql: &str, recorded: Option<&Record>, why: &str) {
        let (conn, version) = newer(sql, recorded);
        let said = obstacle(&conn, version).unwrap();
        assert!(said.as_ref().is_some_and(|said| said.contains(why)), "{said:?}: {sql}");
    }

    #[test]
    fn a_migration_that_names_this_schema_can_be_worked_after() {
        let record = Record::of(MADE_UP).unwrap();
        assert_eq!((record.works_from, record.statements.len()), (3, 3), "{record:?}");
        let (conn, version) = newer(MADE_UP, Some(&record));
        assert_eq!(obstacle(&conn, version).unwrap(), None);
        assert!(obstacle(&conn, version + 1).unwrap().is_some(), "the next one says nothing");
    }

    #[test]
    fn what_is_not_recorded_is_refused() {
        let record = Record::of(MADE_UP).unwrap();
        refused(MADE_UP, None, "is not for versions");
        refused("", Some(&record), "is not what schema");
        let more = format!("{MADE_UP} CREATE TABLE more (x INTEGER);");
        refused(&more, Some(&record), "its table more is not what schema");
        let trigger = "CREATE TRIGGER t AFTER INSERT ON inbox BEGIN DELETE FROM outbox; END;";
        refused(&format!("{MADE_UP} {trigger}"), Some(&record), "its trigger t is not");
        let later = Record { works_from: schema::newest() + 1, ..Record::of(MADE_UP).unwrap() };
        refused(MADE_UP, Some(&later), "is not for versions");
    }

    #[test]
    fn what_sqlite_would_run_is_refused_although_it_is_recorded() {
        for sql in [
            "CREATE TRIGGER t AFTER INSERT ON inbox BEGIN DELETE FROM outbox; END",
            "CREATE VIEW v AS SELECT 1",
            "ALTER TABLE bots ADD COLUMN g TEXT AS (hex(paused))",
            "CREATE INDEX i ON inbox (length(body))",
        ] {
            let record = Record { works_from: 3, statements: vec![sql.to_owned()] };
            refused(&format!("{sql};"), Some(&record), "cannot be understood");
        }
    }

    #[test]
    fn each_migration_can_be_gone_back_from_to_the_previous_release() {
        for (version, sql) in schema::all().into_iter().filter(|(version, _)| *version > SINCE) {
            let record =
                Record::of(&sql).unwrap_or_else(|| panic!("V{version}: write {WORKS_FROM}N first"));
            assert!(
                record.works_from <= PREVIOUS.max(SINCE),
                "V{version} locks the last release out"
            );
            assert!(
                record.statements.iter().all(|sql| plain::is_plain(sql)),
                "V{version}: {record:?}"
            );
        }
    }
}
