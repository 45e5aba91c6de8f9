//! Vectors: the exact numbers, and a code of one byte a dimension that is held in memory.
//!
//! Invariants: a vector belongs to a text, not to a passage: the same text is embedded once. It is stored
//! with its code in one commit.

use rusqlite::{Connection, OptionalExtension, Row, params};
use vecscan::Code;

use super::Index;
use crate::store::failure::{StoreError, StoreErrorKind};
use crate::store::index::{GenerationId, Hash, PassageId, StoredCode, ToEmbed};

impl Index {
    /// Texts of passages that have no vector in this generation, at most `limit`.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn without_vector(
        &self,
        generation: GenerationId,
        limit: usize,
    ) -> Result<Vec<ToEmbed>, StoreError> {
        self.without_vector_after(generation, None, limit).await
    }

    /// The same beyond a hash, so that many are found without looking at each again and again.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn without_vector_after(
        &self,
        generation: GenerationId,
        after: Option<Hash>,
        limit: usize,
    ) -> Result<Vec<ToEmbed>, StoreError> {
        self.read(move |conn| {
            let sql = "SELECT p.hash, p.title, p.text FROM passages p WHERE p.hash > ?3
                AND NOT EXISTS (SELECT 1 FROM codes c WHERE c.generation_id = ?1
                AND c.hash = p.hash) GROUP BY p.hash ORDER BY p.hash LIMIT ?2";
            let mut all = conn.prepare_cached(sql)?;
            let after = after.as_ref().map_or(&[][..], |hash| &hash[..]);
            let all = all.query_map(params![generation.0, limit, after], |row| {
                Ok(ToEmbed { hash: row.get(0)?, title: row.get(1)?, text: row.get(2)? })
            })?;
            Ok(all.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Stores vectors. The first ones of a generation say how many dimensions it has.
    ///
    /// # Errors
    /// When the index cannot be written, or the generation is gone.
    pub async fn put_vectors(
        &self,
        generation: GenerationId,
        vectors: Vec<(Hash, Vec<f32>)>,
    ) -> Result<(), StoreError> {
        // Each number as it is, and in small, in the log and in the file.
        let numbers = vectors.iter().map(|(_, vector)| vector.len() as u64).sum::<u64>();
        self.room(12 * numbers).await?;
        self.write(move |conn| {
            let Some((_, first)) = vectors.first() else { return Ok(()) };
            let sql = "UPDATE generations SET dimensions = ?2 WHERE generation_id = ?1
                AND dimensions IN (0, ?2)";
            let known = conn.execute(sql, params![generation.0, first.len()])?;
            if known == 0 {
                let what = "the vectors have another length than those before, or their generation is gone";
                let hint = "if the server has another model now, name it in embeddings.model";
                return Err(StoreError::new(StoreErrorKind::Row, what).with_hint(hint));
            }
            for (hash, numbers) in &vectors {
                put(conn, generation, hash, numbers)?;
            }
            Ok(())
        })
        .await
    }

    /// Passages that have a vector, in order of their numbers.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn with_vector(
        &self,
        generation: GenerationId,
    ) -> Result<Vec<PassageId>, StoreError> {
        self.read(move |conn| {
            let sql = "SELECT p.passage_id FROM passages p INDEXED BY passages_by_hash
                WHERE EXISTS (SELECT 1 FROM codes c WHERE c.generation_id = ?1
                AND c.hash = p.hash) ORDER BY p.hash";
            let mut all = conn.prepare_cached(sql)?;
            let all = all.query_map([generation.0], |row| row.get(0).map(PassageId))?;
            let mut all = all.collect::<Result<Vec<_>, _>>()?;
            all.sort();
            Ok(all)
        })
        .await
    }

    /// The codes of these passages; those without one are left out.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn codes_of(
        &self,
        generation: GenerationId,
        passages: Vec<PassageId>,
    ) -> Result<Vec<StoredCode>, StoreError> {
        self.read(move |conn| {
            let sql = "SELECT p.passage_id, d.source, c.scale, c.code FROM passages p
                JOIN documents d ON d.document_id = p.document_id
                JOIN codes c ON c.generation_id = ?1 AND c.hash = p.hash
                WHERE p.passage_id = ?2";
            let mut find = conn.prepare_cached(sql)?;
            let mut found = Vec::with_capacity(passages.len());
            for passage in passages {
                found.extend(find.query_row([generation.0, passage.0], stored).optional()?);
            }
            Ok(found)
        })
        .await
    }

    /// The codes of all passages in the order of their hashes, of `limit` hashes after one, with the last of those;
    /// `None` when there are no more.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn codes_after(
        &self,
        generation: GenerationId,
        after: Option<Hash>,
        limit: usize,
    ) -> Result<Option<(Hash, Vec<StoredCode>)>, StoreError> {
        self.read(move |conn| {
            // A hash is never empty.
            let after = after.map(Vec::from).unwrap_or_default();
            let sql = "SELECT hash FROM codes WHERE generation_id = ?1 AND hash > ?2
                ORDER BY hash LIMIT 1 OFFSET ?3";
            let at = |offset: usize| {
                let mut find = conn.prepare_cached(sql)?;
                let found = find.query_row(params![generation.0, after, offset], |row| row.get(0));
                found.optional()
            };
            let last: Option<Hash> = match at(limit.saturating_sub(1))? {
                Some(last) => Some(last),
                None => {
                    let sql = "SELECT max(hash) FROM codes WHERE generation_id = ?1 AND hash > ?2";
                    let mut find = conn.prepare_cached(sql)?;
                    find.query_row(params![generation.0, after], |row| row.get(0))?
                }
            };
            let Some(last) = last else { return Ok(None) };
            let sql = "SELECT p.passage_id, d.source, c.scale, c.code FROM codes c
                CROSS JOIN passages p ON p.hash = c.hash
                CROSS JOIN documents d ON d.document_id = p.document_id
                WHERE c.generation_id = ?1 AND c.hash > ?2 AND c.hash <= ?3";
            let mut all = conn.prepare_cached(sql)?;
            let all = all.query_map(params![generation.0, after, last], stored)?;
            Ok(Some((last, all.collect::<Result<_, _>>()?)))
        })
        .await
    }

    /// The exact vectors of passages; those without one are left out.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn exact(
        &self,
        generation: GenerationId,
        passages: &[PassageId],
    ) -> Result<Vec<(PassageId, Vec<f32>)>, StoreError> {
        let passages = passages.to_vec();
        self.read(move |conn| {
            let sql = "SELECT e.numbers FROM passages p JOIN codes c ON c.generation_id = ?1
                AND c.hash = p.hash JOIN exact e ON e.vector_id = c.vector_id
                WHERE p.passage_id = ?2";
            let mut find = conn.prepare_cached(sql)?;
            let mut found = Vec::with_capacity(passages.len());
            for passage in passages {
                let bytes: Option<Vec<u8>> =
                    find.query_row([generation.0, passage.0], |row| row.get(0)).optional()?;
                found.extend(bytes.map(|bytes| (passage, numbers(&bytes))));
            }
            Ok(found)
        })
        .await
    }

    /// Drops vectors of texts that no passage has any more; answers how many.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn drop_unused_vectors(&self) -> Result<usize, StoreError> {
        self.write(|conn| {
            let unused = "SELECT vector_id FROM codes WHERE NOT EXISTS (SELECT 1 FROM passages
                WHERE passages.hash = codes.hash)";
            conn.execute(&format!("DELETE FROM exact WHERE vector_id IN ({unused})"), [])?;
            Ok(conn.execute(&format!("DELETE FROM codes WHERE vector_id IN ({unused})"), [])?)
        })
        .await
    }
}

fn put(
    conn: &Connection,
    generation: GenerationId,
    hash: &Hash,
    numbers: &[f32],
) -> Result<(), StoreError> {
    let Code { scale, bytes } = Code::of(numbers);
    let code: Vec<u8> = bytes.into_iter().map(i8::cast_unsigned).collect();
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let sql = "SELECT vector_id FROM codes WHERE generation_id = ?1 AND hash = ?2";
    let known = conn.prepare_cached(sql)?.query_row(params![generation.0, hash], |row| row.get(0));
    let known: Option<i64> = known.optional()?;
    let sql = "INSERT OR REPLACE INTO exact (vector_id, numbers) VALUES (?1, ?2)";
    conn.prepare_cached(sql)?.execute(params![known, bytes])?;
    let id = known.unwrap_or_else(|| conn.last_insert_rowid());
    let sql = "INSERT OR REPLACE INTO codes (generation_id, hash, vector_id, scale, code)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    conn.prepare_cached(sql)?.execute(params![generation.0, hash, id, scale, code])?;
    Ok(())
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredCode> {
    let code: Vec<u8> = row.get(3)?;
    Ok(StoredCode {
        passage: PassageId(row.get(0)?),
        source: row.get(1)?,
        scale: row.get(2)?,
        code: code.into_iter().map(u8::cast_signed).collect(),
    })
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}
