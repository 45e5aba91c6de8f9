//! Search by words, in what was prepared for it.

use rusqlite::params;

use super::Index;
use crate::store::failure::StoreError;
use crate::store::index::PassageId;

impl Index {
    /// The best passages for a query in FTS5's syntax, best first, at most `limit`. Larger is better.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn find_words(
        &self,
        query: String,
        limit: usize,
    ) -> Result<Vec<(PassageId, f64)>, StoreError> {
        self.read(move |conn| {
            let sql = "SELECT rowid, -bm25(words, 4.0, 1.0) FROM words WHERE words MATCH ?1
                ORDER BY bm25(words, 4.0, 1.0) LIMIT ?2";
            let mut find = conn.prepare_cached(sql)?;
            let found = find.query_map(params![query, limit], |row| {
                Ok((PassageId(row.get(0)?), row.get(1)?))
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }
}
