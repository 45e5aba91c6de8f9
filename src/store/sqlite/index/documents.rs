//! Documents and their passages.
//!
//! Invariant: a document, its passages and their words change in one commit.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Index, odd_row};
use crate::store::failure::StoreError;
use crate::store::index::{
    DocumentId, Hash, IndexTotals, IndexedPassage, KnownDocument, NewDocument, NewPassage,
    PassageId, Put, Stamp,
};

impl Index {
    /// All documents, in order of their sources and paths.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn documents(&self) -> Result<Vec<KnownDocument>, StoreError> {
        self.read(documents).await
    }

    /// The same, on the caller's thread: for what is in memory, and for programs without a runtime.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn documents_now(&self) -> Result<Vec<KnownDocument>, StoreError> {
        self.read_now(documents)
    }

    /// Puts a document in, in the place of what it was before. Passages that it had already keep their
    /// numbers.
    ///
    /// # Errors
    /// When the index cannot be written; then nothing of it is stored.
    pub async fn put(&self, document: NewDocument) -> Result<Put, StoreError> {
        self.room(growth(&document)).await?;
        self.write(move |conn| put(conn, &document)).await
    }

    /// The same, on the caller's thread: for what is in memory.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn put_now(&self, document: &NewDocument) -> Result<Put, StoreError> {
        self.write_now(|conn| put(conn, document))
    }

    /// Notes that a document is as it was, though the file system says something else now.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn touch(&self, document: DocumentId, stamp: Stamp) -> Result<(), StoreError> {
        self.write(move |conn| {
            let sql = "UPDATE documents SET device = ?2, inode = ?3, size = ?4, modified_ns = ?5,
                changed_ns = ?6 WHERE document_id = ?1";
            let [device, inode, size, modified, changed] = numbers(stamp);
            let values = params![document.0, device, inode, size, modified, changed];
            conn.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
        .await
    }

    /// Notes that a document has another name now, and is otherwise as it was.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn renamed(
        &self,
        document: DocumentId,
        path: String,
        stamp: Stamp,
    ) -> Result<(), StoreError> {
        self.write(move |conn| {
            let sql = "UPDATE documents SET path = ?2, device = ?3, inode = ?4, size = ?5,
                modified_ns = ?6, changed_ns = ?7 WHERE document_id = ?1";
            let [device, inode, size, modified, changed] = numbers(stamp);
            let values = params![document.0, path, device, inode, size, modified, changed];
            conn.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
        .await
    }

    /// Removes documents with all that is known of them, in one commit; answers which passages went.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn remove(&self, documents: Vec<DocumentId>) -> Result<Vec<PassageId>, StoreError> {
        self.write(move |conn| {
            let mut gone = Vec::new();
            for document in &documents {
                let passages = passages_of(conn, *document)?;
                gone.extend(passages.into_iter().map(|known| known.id));
                let sql = "DELETE FROM documents WHERE document_id = ?1";
                conn.prepare_cached(sql)?.execute([document.0])?;
            }
            for passage in &gone {
                delete(conn, *passage)?;
            }
            Ok(gone)
        })
        .await
    }

    /// The passages of a document, in order.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn passages_of(&self, document: DocumentId) -> Result<Vec<PassageId>, StoreError> {
        self.read(move |conn| {
            Ok(passages_of(conn, document)?.into_iter().map(|known| known.id).collect())
        })
        .await
    }

    /// Has all documents read again at the next look, whatever the file system says.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn doubt_all(&self) -> Result<(), StoreError> {
        self.write(|conn| {
            conn.execute("UPDATE documents SET read_by = '', changed_ns = 0", [])?;
            Ok(())
        })
        .await
    }

    /// How much there is.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn totals(&self) -> Result<IndexTotals, StoreError> {
        self.read(|conn| {
            let sql = "SELECT count(*), count(problem), coalesce(sum(passages), 0),
                coalesce(sum(bytes), 0), (SELECT count(DISTINCT hash) FROM passages)
                FROM documents";
            let totals = conn.prepare_cached(sql)?.query_row([], |row| {
                let (all, unreadable): (u64, u64) = (row.get(0)?, row.get(1)?);
                let (passages, bytes, texts) = (row.get(2)?, row.get(3)?, row.get(4)?);
                let documents = all - unreadable;
                Ok(IndexTotals { documents, unreadable, passages, texts, bytes })
            })?;
            Ok(totals)
        })
        .await
    }

    /// The languages of the passages, with how many are in each, most first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn languages(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(|conn| {
            let sql = "SELECT language, count(*) AS many FROM passages WHERE language IS NOT NULL
                GROUP BY language ORDER BY many DESC, language";
            let mut all = conn.prepare_cached(sql)?;
            let all = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(all.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Passages by their numbers, in the order given; those that are gone are left out.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn passages(&self, wanted: &[PassageId]) -> Result<Vec<IndexedPassage>, StoreError> {
        let wanted = wanted.to_vec();
        self.read(move |conn| {
            let sql =
                "SELECT p.passage_id, d.source, d.path, d.title, p.title, p.anchor, p.page, p.text,
                p.language FROM passages p JOIN documents d USING (document_id)
                WHERE p.passage_id = ?1";
            let mut find = conn.prepare_cached(sql)?;
            let mut found = Vec::with_capacity(wanted.len());
            for id in wanted {
                found.extend(find.query_row([id.0], indexed).optional()?);
            }
            Ok(found)
        })
        .await
    }
}

fn documents(conn: &Connection) -> Result<Vec<KnownDocument>, StoreError> {
    let sql = "SELECT document_id, source, path, device, inode, size, modified_ns, changed_ns,
                hash, read_by, title, problem, remark, passages, indexed_ms
                FROM documents ORDER BY source, path";
    let mut all = conn.prepare_cached(sql)?;
    let all = all.query_map([], known)?;
    Ok(all.collect::<Result<_, _>>()?)
}

fn known(row: &Row<'_>) -> rusqlite::Result<KnownDocument> {
    Ok(KnownDocument {
        id: DocumentId(row.get(0)?),
        source: row.get(1)?,
        path: row.get(2)?,
        stamp: Stamp {
            device: row.get::<_, i64>(3)?.cast_unsigned(),
            inode: row.get::<_, i64>(4)?.cast_unsigned(),
            size: row.get::<_, i64>(5)?.cast_unsigned(),
            modified_ns: row.get(6)?,
            changed_ns: row.get(7)?,
        },
        hash: row.get(8)?,
        read_by: row.get(9)?,
        title: row.get(10)?,
        problem: row.get(11)?,
        remark: row.get(12)?,
        passages: row.get(13)?,
        indexed_ms: row.get(14)?,
    })
}

fn indexed(row: &Row<'_>) -> rusqlite::Result<IndexedPassage> {
    Ok(IndexedPassage {
        id: PassageId(row.get(0)?),
        source: row.get(1)?,
        path: row.get(2)?,
        document_title: row.get(3)?,
        title: row.get(4)?,
        anchor: row.get(5)?,
        page: row.get(6)?,
        text: row.get(7)?,
        language: row.get(8)?,
    })
}

fn numbers(stamp: Stamp) -> [i64; 5] {
    let Stamp { device, inode, size, modified_ns, changed_ns } = stamp;
    let [device, inode, size] = [device, inode, size].map(u64::cast_signed);
    [device, inode, size, modified_ns, changed_ns]
}

/// How much a document may take at most: its text and its words, in the log and in the file.
fn growth(document: &NewDocument) -> u64 {
    let bytes = |passage: &NewPassage| (passage.text.len() + passage.title.len()) as u64;
    6 * document.passages.iter().map(bytes).sum::<u64>()
}

fn put(conn: &Connection, document: &NewDocument) -> Result<Put, StoreError> {
    let id = write(conn, document)?;
    let mut before: HashMap<Hash, Vec<Known>> = HashMap::new();
    // The first of several that are alike is the last here, and is taken first.
    for known in passages_of(conn, id)?.into_iter().rev() {
        before.entry(known.hash).or_default().push(known);
    }
    let mut put = Put { document: id, ..Put::default() };
    for (place, passage) in document.passages.iter().enumerate() {
        let place = i64::try_from(place).map_err(|_| odd_row("passages"))?;
        match before.get_mut(&passage.hash).and_then(Vec::pop) {
            Some(known) => {
                put.kept += 1;
                if !known.is_at(place, passage) {
                    keep(conn, known.id, place, passage)?;
                }
            }
            None => put.added.push(insert(conn, id, place, passage)?),
        }
    }
    put.removed = before.into_values().flatten().map(|known| known.id).collect();
    for passage in &put.removed {
        delete(conn, *passage)?;
    }
    Ok(put)
}

fn write(conn: &Connection, document: &NewDocument) -> Result<DocumentId, StoreError> {
    let sql =
        "INSERT INTO documents (source, path, title, device, inode, size, modified_ns, changed_ns,
        hash, read_by, problem, remark, passages, bytes, indexed_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
        ON CONFLICT (source, path) DO UPDATE SET title = ?3, device = ?4, inode = ?5, size = ?6,
        modified_ns = ?7, changed_ns = ?8, hash = ?9, read_by = ?10, problem = ?11, remark = ?12,
        passages = ?13, bytes = ?14, indexed_ms = ?15 RETURNING document_id";
    let [device, inode, size, modified, changed] = numbers(document.stamp);
    let bytes: usize = document.passages.iter().map(|p| p.title.len() + p.text.len()).sum();
    let values = params![
        document.source,
        document.path,
        document.title,
        device,
        inode,
        size,
        modified,
        changed,
        document.hash,
        document.read_by,
        document.problem,
        document.remark,
        document.passages.len(),
        bytes,
        document.indexed_ms,
    ];
    Ok(conn.prepare_cached(sql)?.query_row(values, |row| row.get(0)).map(DocumentId)?)
}

/// A passage that a document has already.
struct Known {
    id: PassageId,
    hash: Hash,
    place: i64,
    anchor: Option<String>,
    page: Option<u32>,
}

impl Known {
    fn is_at(&self, place: i64, passage: &NewPassage) -> bool {
        (self.place, &self.anchor, self.page) == (place, &passage.anchor, passage.page)
    }
}

fn passages_of(conn: &Connection, document: DocumentId) -> Result<Vec<Known>, StoreError> {
    let sql = "SELECT passage_id, hash, place, anchor, page FROM passages WHERE document_id = ?1
        ORDER BY place";
    let mut all = conn.prepare_cached(sql)?;
    let all = all.query_map([document.0], |row| {
        let (id, hash, place) = (PassageId(row.get(0)?), row.get(1)?, row.get(2)?);
        Ok(Known { id, hash, place, anchor: row.get(3)?, page: row.get(4)? })
    })?;
    Ok(all.collect::<Result<_, _>>()?)
}

fn keep(
    conn: &Connection,
    id: PassageId,
    place: i64,
    passage: &NewPassage,
) -> Result<(), StoreError> {
    let sql = "UPDATE passages SET place = ?2, anchor = ?3, page = ?4 WHERE passage_id = ?1";
    conn.prepare_cached(sql)?.execute(params![id.0, place, passage.anchor, passage.page])?;
    Ok(())
}

fn insert(
    conn: &Connection,
    document: DocumentId,
    place: i64,
    passage: &NewPassage,
) -> Result<PassageId, StoreError> {
    let sql = "INSERT INTO passages (document_id, place, title, anchor, page, text, language, hash)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let NewPassage { title, anchor, page, text, language, hash, .. } = passage;
    let values = params![document.0, place, title, anchor, page, text, language, hash];
    conn.prepare_cached(sql)?.execute(values)?;
    let id = PassageId(conn.last_insert_rowid());
    let sql = "INSERT INTO words (rowid, title, body) VALUES (?1, ?2, ?3)";
    conn.prepare_cached(sql)?.execute(params![id.0, passage.title_words, passage.text_words])?;
    Ok(id)
}

fn delete(conn: &Connection, passage: PassageId) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM passages WHERE passage_id = ?1")?.execute([passage.0])?;
    conn.prepare_cached("DELETE FROM words WHERE rowid = ?1")?.execute([passage.0])?;
    Ok(())
}
