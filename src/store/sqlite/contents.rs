//! What is in a file that claims to be the state of a bot: verified first, then counted.
//!
//! Invariant: a file passes only if this version of Katana can go on with it, as it is or after the
//! migrations of the next start.

use std::path::Path;

use rusqlite::Connection;

use super::columns::is_open;
use super::schema_objects::oddity;
use super::{compatible, schema};
use crate::model::access::Role;
use crate::model::ids::BotId;
use crate::store::backup_failure::BackupError;
use crate::store::upkeep::{BotContents, Contents};

/// How thoroughly to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckLevel {
    /// Every page, every row, every index.
    Whole,
    /// Every page and every row. For a start that people wait for.
    Quick,
}

/// Verifies and counts. `named` is the file that complaints are about.
pub(super) fn examine(
    conn: &Connection,
    named: &Path,
    care: CheckLevel,
) -> Result<Contents, BackupError> {
    let fail = |e| BackupError::of_sqlite(named, e);
    // What the schema says first: checking the rows would run what is in it.
    let version = schema::version(conn).map_err(fail)?;
    fits(conn, named, version)?;
    let check = match care {
        CheckLevel::Whole => "PRAGMA integrity_check(1)",
        CheckLevel::Quick => "PRAGMA quick_check(1)",
    };
    let verdict: String = conn.query_row(check, [], |r| r.get(0)).map_err(fail)?;
    if verdict != "ok" {
        return Err(BackupError::damaged(named, verdict));
    }
    let pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes = conn.query_row(pages, [], |r| r.get(0)).map_err(fail)?;
    Ok(Contents { bytes, schema: version, bots: count(conn, version).map_err(fail)? })
}

/// Whether this program can go on with the file.
fn fits(conn: &Connection, named: &Path, version: u32) -> Result<(), BackupError> {
    let path = || named.to_owned();
    if version == 0 {
        return Err(BackupError::Foreign { path: path() });
    }
    let newest = schema::newest();
    let fail = |e| BackupError::of_sqlite(named, e);
    if !schema::is_ours(conn).map_err(fail)? {
        return Err(BackupError::Foreign { path: path() });
    }
    if version > newest {
        return match compatible::obstacle(conn, version)? {
            None => Ok(()),
            Some(_) => Err(BackupError::Newer { path: path(), version, newest }),
        };
    }
    match oddity(conn, version)? {
        None => Ok(()),
        Some(why) => Err(BackupError::damaged(named, why)),
    }
}

fn count(conn: &Connection, version: u32) -> rusqlite::Result<Vec<BotContents>> {
    // Up to schema 2, a turn was one row.
    let turns = if version < 3 { "exchanges" } else { "answers" };
    let mut rows = conn.prepare(&format!(
        "SELECT bot_id,
           (SELECT count(*) FROM users u WHERE u.bot_id = b.bot_id AND u.role <> ?1),
           (SELECT count(*) FROM {turns} t WHERE t.bot_id = b.bot_id),
           (SELECT count(*) FROM inbox i WHERE i.bot_id = b.bot_id AND i.done_ms IS NULL),
           (SELECT count(*) FROM outbox o WHERE o.bot_id = b.bot_id AND {}),
           (SELECT max(received_ms) FROM inbox i WHERE i.bot_id = b.bot_id)
         FROM bots b ORDER BY bot_id",
        is_open!()
    ))?;
    let rows = rows.query_map([Role::Stranger.as_str()], |r| {
        Ok(BotContents {
            bot: BotId(r.get(0)?),
            people: r.get(1)?,
            turns: r.get(2)?,
            waiting: r.get(3)?,
            unsent: r.get(4)?,
            newest_ms: r.get(5)?,
        })
    })?;
    rows.collect()
}
