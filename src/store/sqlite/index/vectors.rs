//! Vectors: the exact numbers, and a code of one byte a dimension that is held in memory.
//!
//! Invariants: a vector belongs to a text, not to a passage: the same text is embedded once. It is stored
//! with its code in one commit.

use rusqlite::{Connection, OptionalExtension, params};
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

    /// Codes of passages that have a vector, in order of their numbers, after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn vectors(
        &self,
        generation: GenerationId,
        after: PassageId,
        limit: usize,
    ) -> Result<Vec<StoredCode>, StoreError> {
        self.read(move |conn| {
            let sql = "SELECT p.passage_id, d.source, c.scale, c.code FROM passages p
                JOIN documents d ON d.document_id = p.document_id
                JOIN codes c ON c.generation_id = ?1 AND c.hash = p.hash
                WHERE p.passage_id > ?2 ORDER BY p.passage_id LIMIT ?3";
            let mut all = conn.prepare_cached(sql)?;
            let all = all.query_map(params![generation.0, after.0, limit], |row| {
                let code: Vec<u8> = row.get(3)?;
                Ok(StoredCode {
                    passage: PassageId(row.get(0)?),
                    source: row.get(1)?,
                    scale: row.get(2)?,
                    code: code.into_iter().map(u8::cast_signed).collect(),
                })
            })?;
            Ok(all.collect::<Result<_, _>>()?)
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
    let sql = "INSERT INTO codes (generation_id, hash, scale, code) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (generation_id, hash) DO UPDATE SET scale = ?3, code = ?4 RETURNING vector_id";
    let values = params![generation.0, hash, scale, code];
    let id: i64 = conn.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let sql = "INSERT OR REPLACE INTO exact (vector_id, numbers) VALUES (?1, ?2)";
    conn.prepare_cached(sql)?.execute(params![id, bytes])?;
    Ok(())
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}
