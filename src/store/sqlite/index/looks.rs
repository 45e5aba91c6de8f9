//! The last look through the sources, for those who ask beside the process that looked.
//!
//! Invariant: a look that was cut off has no end, so that no one takes what it left for the whole.

use rusqlite::{OptionalExtension, params};

use super::Index;
use crate::store::failure::StoreError;
use crate::store::index::{LeftOut, Look};

impl Index {
    /// A look begins to change the index.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn look_begins(&self, now_ms: i64) -> Result<(), StoreError> {
        self.write(move |conn| {
            let sql = "INSERT INTO looks (look_id, begun_ms) VALUES (1, ?1)
                ON CONFLICT (look_id) DO UPDATE SET begun_ms = ?1, ended_ms = NULL";
            conn.prepare_cached(sql)?.execute([now_ms])?;
            Ok(())
        })
        .await
    }

    /// A look has ended, and left this out.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn look_ended(&self, now_ms: i64, left_out: LeftOut) -> Result<(), StoreError> {
        self.write(move |conn| {
            let LeftOut { unreadable, files, beyond } = left_out;
            let sql =
                "INSERT INTO looks (look_id, begun_ms, ended_ms, beyond) VALUES (1, ?1, ?1, ?2)
                ON CONFLICT (look_id) DO UPDATE SET ended_ms = ?1, beyond = ?2";
            conn.prepare_cached(sql)?.execute(params![now_ms, beyond])?;
            conn.execute("DELETE FROM left_out", [])?;
            let sql = "INSERT INTO left_out (source, what, files) VALUES (?1, ?2, ?3)";
            let mut put = conn.prepare_cached(sql)?;
            for (source, why) in unreadable {
                put.execute(params![Some(source), why, 0])?;
            }
            for (ending, files) in files {
                put.execute(params![None::<String>, ending, files])?;
            }
            Ok(())
        })
        .await
    }

    /// The last look that changed something; `None` before the first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn last_look(&self) -> Result<Option<Look>, StoreError> {
        self.read(|conn| {
            let sql = "SELECT begun_ms, ended_ms, beyond FROM looks";
            let look = conn.prepare_cached(sql)?.query_row([], |row| {
                let left_out = LeftOut { beyond: row.get(2)?, ..LeftOut::default() };
                Ok(Look { begun_ms: row.get(0)?, ended_ms: row.get(1)?, left_out })
            });
            let Some(mut look) = look.optional()? else { return Ok(None) };
            let sql = "SELECT source, what, files FROM left_out ORDER BY rowid";
            let mut all = conn.prepare_cached(sql)?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                let what: String = row.get(1)?;
                match row.get(0)? {
                    Some(source) => look.left_out.unreadable.push((source, what)),
                    None => drop(look.left_out.files.insert(what, row.get(2)?)),
                }
            }
            Ok(Some(look))
        })
        .await
    }
}
