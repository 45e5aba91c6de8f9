//! The last look through the sources, for those who ask beside the process that looked.
//!
//! Invariant: a look that was cut off has no end, so that no one takes what it left for the whole. The end of the one
//! before stays in its row, and is before its beginning.

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
                ON CONFLICT (look_id) DO UPDATE SET begun_ms = ?1, ended_ms = min(ended_ms, ?1 - 1)";
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
                ON CONFLICT (look_id) DO UPDATE SET ended_ms = max(begun_ms, ?1), beyond = ?2";
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

    /// Whether any look has ended, on the caller's thread.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn has_been_looked_through_now(&self) -> Result<bool, StoreError> {
        self.read_now(|conn| {
            let sql = "SELECT EXISTS (SELECT 1 FROM looks WHERE ended_ms IS NOT NULL)";
            Ok(conn.query_row(sql, [], |row| row.get(0))?)
        })
    }

    /// The last look that changed something; `None` before the first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn last_look(&self) -> Result<Option<Look>, StoreError> {
        self.read(|conn| {
            let sql =
                "SELECT begun_ms, iif(ended_ms >= begun_ms, ended_ms, NULL), beyond FROM looks";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_look_that_was_cut_off_has_no_end_and_the_one_before_had_one() {
        let index = Index::in_memory().unwrap();
        let ended = async || index.last_look().await.unwrap().and_then(|look| look.ended_ms);
        let is_through = || index.has_been_looked_through_now().unwrap();
        assert!(!is_through());
        index.look_begins(5).await.unwrap();
        assert_eq!((ended().await, is_through()), (None, false));
        index.look_ended(8, LeftOut::default()).await.unwrap();
        assert_eq!((ended().await, is_through()), (Some(8), true));
        // Also where the clock stood still, or went back.
        for begun in [8, 3] {
            index.look_begins(begun).await.unwrap();
            assert_eq!((ended().await, is_through()), (None, true));
        }
        index.look_ended(2, LeftOut::default()).await.unwrap();
        assert_eq!(ended().await, Some(3));
    }
}
