//! What the command line asks of the process that keeps the index.

use rusqlite::{OptionalExtension, params};

use super::{Index, odd_row};
use crate::store::failure::StoreError;
use crate::store::index::{GenerationId, Request, Wanted};

impl Index {
    /// Leaves a request; answers its number.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn ask(&self, wanted: Wanted, now_ms: i64) -> Result<i64, StoreError> {
        self.write(move |conn| {
            let (name, generation) = match wanted {
                Wanted::Sync => ("sync", None),
                Wanted::Reindex => ("reindex", None),
                Wanted::Use(generation) => ("use", Some(generation.0)),
            };
            let sql = "INSERT INTO requests (wanted, generation, asked_ms) VALUES (?1, ?2, ?3)";
            conn.execute(sql, params![name, generation, now_ms])?;
            Ok(conn.last_insert_rowid())
        })
        .await
    }

    /// Requests that wait, the oldest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn asked(&self) -> Result<Vec<Request>, StoreError> {
        self.read(|conn| {
            let sql = "SELECT request_id, wanted, generation FROM requests WHERE is_done = 0
                ORDER BY request_id";
            let mut all = conn.prepare_cached(sql)?;
            let all = all.query_map([], |row| {
                let (id, generation): (i64, Option<i64>) = (row.get(0)?, row.get(2)?);
                Ok((id, row.get::<_, String>(1)?, generation))
            })?;
            let mut requests = Vec::new();
            for row in all {
                let (id, name, generation) = row?;
                let wanted = wanted(&name, generation).ok_or_else(|| odd_row("requests"))?;
                requests.push(Request { id, wanted, outcome: None });
            }
            Ok(requests)
        })
        .await
    }

    /// Notes the outcome of a request. Those that are done are forgotten, but the latest few.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn answered(
        &self,
        request: i64,
        outcome: Result<String, String>,
    ) -> Result<(), StoreError> {
        self.write(move |conn| {
            let (result, failure) = match outcome {
                Ok(done) => (Some(done), None),
                Err(why) => (None, Some(why)),
            };
            let sql = "UPDATE requests SET is_done = 1, result = ?2, failure = ?3
                WHERE request_id = ?1";
            conn.execute(sql, params![request, result, failure])?;
            let sql = "DELETE FROM requests WHERE is_done = 1 AND request_id < ?1 - 100";
            conn.execute(sql, [request])?;
            Ok(())
        })
        .await
    }

    /// The outcome of a request; `None` while it waits.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn outcome(
        &self,
        request: i64,
    ) -> Result<Option<Result<String, String>>, StoreError> {
        self.read(move |conn| {
            let sql = "SELECT is_done, result, failure FROM requests WHERE request_id = ?1";
            let found = conn.query_row(sql, [request], |row| {
                let (is_done, result): (bool, Option<String>) = (row.get(0)?, row.get(1)?);
                let failure: Option<String> = row.get(2)?;
                Ok(is_done.then(|| failure.map_or(Ok(result.unwrap_or_default()), Err)))
            });
            let lost = || Some(Err("the index was made again meanwhile".to_owned()));
            Ok(found.optional()?.unwrap_or_else(lost))
        })
        .await
    }
}

fn wanted(name: &str, generation: Option<i64>) -> Option<Wanted> {
    match (name, generation) {
        ("sync", _) => Some(Wanted::Sync),
        ("reindex", _) => Some(Wanted::Reindex),
        ("use", Some(generation)) => Some(Wanted::Use(GenerationId(generation))),
        _ => None,
    }
}
