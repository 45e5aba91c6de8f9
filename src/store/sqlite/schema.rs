//! Bringing a state file to this version: forward only, in one step, checked against edits.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::failure;
use crate::store::failure::StoreError;

mod embedded {
    // Cargo builds this again after a change of one of these files only if the source names them.
    const _: [&str; 3] = [
        include_str!("migrations/V1__start.sql"),
        include_str!("migrations/V2__probe.sql"),
        include_str!("migrations/V3__messages.sql"),
    ];

    refinery::embed_migrations!("src/store/sqlite/migrations");
}

/// Applies the migrations that the file does not have yet.
///
/// # Errors
/// When an applied migration was changed since.
pub(super) fn migrate(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    if version(conn)? > newest() {
        // It was looked at before: this version can work on it as it is.
        return Ok(());
    }
    let runner = embedded::migrations::runner().set_grouped(true);
    runner.run(conn).map_err(|e| failure::schema(path, e))?;
    Ok(())
}

/// Each migration with its number, oldest first.
pub(super) fn all() -> Vec<(u32, String)> {
    let runner = embedded::migrations::runner();
    let one = |m: &refinery::Migration| {
        (u32::try_from(m.version()).unwrap_or(0), m.sql().unwrap_or_default().to_owned())
    };
    runner.get_migrations().iter().map(one).collect()
}

/// "Katn", in the header of every state file since schema 3.
pub(super) const APPLICATION_ID: i32 = 0x4b61_746e;

/// Where applied migrations are recorded.
pub(super) const HISTORY: &str = "refinery_schema_history";

/// The last migration that was applied; 0 when none was.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<u32> {
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
    if conn.query_row(table, [HISTORY], |_| Ok(())).optional()?.is_none() {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    conn.query_row(newest, [], |r| r.get(0))
}

/// Whether each migration that the file has is one of ours, unchanged, or newer than all of ours.
pub(super) fn is_ours(conn: &Connection) -> rusqlite::Result<bool> {
    let runner = embedded::migrations::runner();
    let ours = runner.get_migrations();
    let sql = "SELECT version, name, checksum FROM refinery_schema_history";
    let mut rows = conn.prepare(sql)?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (version, name): (i64, String) = (row.get(0)?, row.get(1)?);
        let checksum: String = row.get(2)?;
        let known = |m: &&refinery::Migration| {
            i64::from(m.version()) == version
                && m.name() == name
                && m.checksum().to_string() == checksum
        };
        if version <= i64::from(newest()) && ours.iter().find(known).is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Brings an empty database to an older version.
#[cfg(test)]
pub(super) fn migrate_to(conn: &mut Connection, version: u32) -> Result<(), StoreError> {
    let target = refinery::Target::Version(i32::try_from(version).unwrap_or(i32::MAX));
    let runner = embedded::migrations::runner().set_target(target);
    runner.run(conn).map_err(|e| failure::schema(Path::new(":memory:"), e))?;
    Ok(())
}

/// The version that this program brings a file to.
pub fn newest() -> u32 {
    let all = embedded::migrations::runner();
    all.get_migrations().iter().map(|m| u32::try_from(m.version()).unwrap_or(0)).max().unwrap_or(0)
}
