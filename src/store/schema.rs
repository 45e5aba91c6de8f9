//! Bringing a state file to this version: forward only, in one step, checked against edits.

use std::path::Path;

use rusqlite::Connection;

use super::failure::StoreError;

mod embedded {
    refinery::embed_migrations!("src/store/migrations");
}

/// Applies the migrations that the file does not have yet.
///
/// # Errors
/// When the file was written by a newer version, or an applied migration was changed since.
pub(super) fn migrate(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    embedded::migrations::runner()
        .set_grouped(true)
        .run(conn)
        .map_err(|source| StoreError::Schema { path: path.to_owned(), source: Box::new(source) })?;
    Ok(())
}

/// The version that this program brings a file to.
pub fn newest() -> u32 {
    let all = embedded::migrations::runner();
    all.get_migrations().iter().map(|m| u32::try_from(m.version()).unwrap_or(0)).max().unwrap_or(0)
}
