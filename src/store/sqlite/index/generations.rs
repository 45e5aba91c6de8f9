//! Generations: the vectors of one model, beside those of the one before it.
//!
//! Invariants: at most one is active and at most one is being built; a change between them is one commit, so
//! that a search finds one or the other.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Index, odd_row};
use crate::store::failure::StoreError;
use crate::store::index::{Embedding, Floor, Generation, GenerationId, GenerationState};

impl Index {
    /// All generations, the oldest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn generations(&self) -> Result<Vec<Generation>, StoreError> {
        self.read(|conn| {
            let sql =
                "SELECT generation_id, model, base_url, dimensions, query_prefix, passage_prefix,
                state, (SELECT count(*) FROM codes WHERE codes.generation_id = g.generation_id),
                begun_ms, activated_ms FROM generations g ORDER BY generation_id";
            let mut all = conn.prepare_cached(sql)?;
            let all = all.query_map([], generation)?.collect::<Result<Vec<_>, _>>()?;
            all.into_iter().map(|found| found.ok_or_else(|| odd_row("generations"))).collect()
        })
        .await
    }

    /// The generation that this model's vectors belong to: one that is there, or a new one that is being
    /// built. One that was being built of another model is dropped.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn begin_generation(
        &self,
        embedding: Embedding,
        now_ms: i64,
    ) -> Result<GenerationId, StoreError> {
        self.write(move |conn| {
            let Embedding { model, base_url, dimensions, query_prefix, passage_prefix } = embedding;
            // The server's own number of dimensions is known with the first vector.
            let sql =
                "SELECT generation_id, state FROM generations WHERE model = ?1 AND base_url = ?2
                AND (dimensions = ?3 OR ?3 = 0) AND query_prefix = ?4 AND passage_prefix = ?5
                ORDER BY state, generation_id DESC LIMIT 1";
            let wanted = params![model, base_url, dimensions, query_prefix, passage_prefix];
            let find = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
            let found = conn.prepare_cached(sql)?.query_row(wanted, find).optional()?;
            let others = "SELECT generation_id FROM generations WHERE state = 'building'";
            for other in ids(conn, others)? {
                if found.as_ref().is_none_or(|(id, _)| *id != other.0) {
                    drop_generation(conn, other)?;
                }
            }
            if let Some((id, state)) = found {
                if state == GenerationState::Old.name() {
                    let sql = "UPDATE generations SET state = 'building' WHERE generation_id = ?1";
                    conn.prepare_cached(sql)?.execute([id])?;
                }
                return Ok(GenerationId(id));
            }
            let sql = "INSERT INTO generations (model, base_url, dimensions, query_prefix,
                passage_prefix, state, begun_ms) VALUES (?1, ?2, ?3, ?4, ?5, 'building', ?6)";
            let values = params![model, base_url, dimensions, query_prefix, passage_prefix, now_ms];
            conn.prepare_cached(sql)?.execute(values)?;
            Ok(GenerationId(conn.last_insert_rowid()))
        })
        .await
    }

    /// Puts a generation to use, in the place of the active one. `false`: there is no such generation.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn activate(
        &self,
        generation: GenerationId,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        self.write(move |conn| {
            let sql = "SELECT 1 FROM generations WHERE generation_id = ?1";
            if conn.prepare_cached(sql)?.query_row([generation.0], |_| Ok(())).optional()?.is_none()
            {
                return Ok(false);
            }
            let sql = "UPDATE generations SET state = 'old' WHERE state = 'active'
                AND generation_id <> ?1";
            conn.prepare_cached(sql)?.execute([generation.0])?;
            let sql = "UPDATE generations SET state = 'active', activated_ms = ?2
                WHERE generation_id = ?1";
            conn.prepare_cached(sql)?.execute([generation.0, now_ms])?;
            Ok(true)
        })
        .await
    }

    /// How near passages must be, as far as that was learned while there were about as many vectors as now.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn floors(&self, generation: GenerationId) -> Result<Vec<Floor>, StoreError> {
        self.read(move |conn| {
            let sql = "SELECT language, near, likely FROM floors WHERE generation_id = ?1
                AND abs(of - (SELECT count(*) FROM codes WHERE generation_id = ?1)) * 4 <= of
                ORDER BY language";
            let mut all = conn.prepare_cached(sql)?;
            let all = all.query_map([generation.0], |row| {
                Ok(Floor { language: row.get(0)?, near: row.get(1)?, likely: row.get(2)? })
            })?;
            Ok(all.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Keeps what was learned, so that the next start does not ask for vectors to learn it again.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn keep_floor(
        &self,
        generation: GenerationId,
        floor: Floor,
    ) -> Result<(), StoreError> {
        self.write(move |conn| {
            let sql = "INSERT OR REPLACE INTO floors (generation_id, language, near, likely, of)
                SELECT generation_id, ?2, ?3, ?4, (SELECT count(*) FROM codes
                WHERE codes.generation_id = ?1) FROM generations WHERE generation_id = ?1";
            let values = params![generation.0, floor.language, floor.near, floor.likely];
            conn.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
        .await
    }

    /// Generations that were dropped here, and whose copies elsewhere are still to be: each with the time when it was
    /// begun.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn dropped(&self) -> Result<Vec<(GenerationId, i64)>, StoreError> {
        self.read(|conn| {
            let sql = "SELECT generation_id, begun_ms FROM dropped ORDER BY generation_id";
            let mut all = conn.prepare_cached(sql)?;
            let all = all.query_map([], |row| Ok((GenerationId(row.get(0)?), row.get(1)?)))?;
            Ok(all.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Notes that no copy of a dropped generation is left.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn dropped_everywhere(&self, generation: GenerationId) -> Result<(), StoreError> {
        self.write(move |conn| {
            conn.execute("DELETE FROM dropped WHERE generation_id = ?1", [generation.0])?;
            Ok(())
        })
        .await
    }

    /// Drops all old generations but the newest `kept`; answers which.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn prune(&self, kept: u32) -> Result<Vec<GenerationId>, StoreError> {
        self.write(move |conn| {
            let sql = "SELECT generation_id FROM generations WHERE state = 'old'
                ORDER BY activated_ms DESC, generation_id DESC";
            let old: Vec<_> = ids(conn, sql)?.into_iter().skip(kept as usize).collect();
            for generation in &old {
                drop_generation(conn, *generation)?;
            }
            Ok(old)
        })
        .await
    }
}

fn ids(conn: &Connection, sql: &str) -> Result<Vec<GenerationId>, StoreError> {
    let mut all = conn.prepare_cached(sql)?;
    let all = all.query_map([], |row| row.get(0).map(GenerationId))?;
    Ok(all.collect::<Result<_, _>>()?)
}

fn drop_generation(conn: &Connection, generation: GenerationId) -> Result<(), StoreError> {
    let sql = "DELETE FROM exact WHERE vector_id IN (SELECT vector_id FROM codes
        WHERE generation_id = ?1)";
    conn.prepare_cached(sql)?.execute([generation.0])?;
    for sql in [
        "DELETE FROM codes WHERE generation_id = ?1",
        "DELETE FROM floors WHERE generation_id = ?1",
        "INSERT OR IGNORE INTO dropped SELECT generation_id, begun_ms FROM generations
            WHERE generation_id = ?1 AND dimensions > 0",
        "DELETE FROM generations WHERE generation_id = ?1",
    ] {
        conn.prepare_cached(sql)?.execute([generation.0])?;
    }
    Ok(())
}

/// `None`: its state is none that there is.
fn generation(row: &Row<'_>) -> rusqlite::Result<Option<Generation>> {
    let state: String = row.get(6)?;
    let embedding = Embedding {
        model: row.get(1)?,
        base_url: row.get(2)?,
        dimensions: row.get(3)?,
        query_prefix: row.get(4)?,
        passage_prefix: row.get(5)?,
    };
    let (id, embedded, begun_ms) = (GenerationId(row.get(0)?), row.get(7)?, row.get(8)?);
    let activated_ms = row.get(9)?;
    let state = GenerationState::ALL.into_iter().find(|one| one.name() == state);
    Ok(state.map(|state| Generation { id, embedding, state, embedded, begun_ms, activated_ms }))
}
