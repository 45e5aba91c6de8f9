//! The settings that every connection to a state file or a backup has.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// What holds for each connection. The file may come from anywhere: nothing in its schema is run, no
/// statement can bypass SQLite's own bookkeeping, and each cell is checked before it is used
/// (sqlite.org/security.html). Statements stay prepared: without the stability guarantee of the query
/// planner, SQLite plans a statement again for each value bound to a range or a limit, which costs more
/// than running it.
pub(super) fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Ours has none of either.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.pragma_update(None, "cell_size_check", "ON")?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}
