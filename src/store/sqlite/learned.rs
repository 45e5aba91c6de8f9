//! Documents that owners sent in a chat, as their extracted text.

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::watch;

use super::db::Sqlite;
use crate::model::learned::{LearnedDocument, NewLearned};
use crate::store::failure::StoreError;

/// Keeps a document in place of one with the same name.
pub(super) fn learn(
    tx: &Connection,
    bot: i64,
    now: i64,
    new: &NewLearned,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO learned (bot_id, name, added_ms, bytes, hash, passages, document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (bot_id, name) DO UPDATE SET
           added_ms = excluded.added_ms, bytes = excluded.bytes, hash = excluded.hash,
           passages = excluded.passages, document = excluded.document",
    )?
    .execute(params![bot, new.name, now, new.bytes, new.hash, new.passages, new.document])?;
    Ok(())
}

/// Removes a document.
pub(super) fn unlearn(tx: &Connection, bot: i64, id: i64) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM learned WHERE id = ?2 AND bot_id = ?1")?
        .execute(params![bot, id])?;
    Ok(())
}

impl Sqlite {
    pub(in crate::store) fn learned_changes(&self) -> watch::Receiver<u64> {
        self.learned_changes.subscribe()
    }

    pub(in crate::store) fn learned_changed(&self) {
        self.learned_changes.send_modify(|changes| *changes += 1);
    }

    pub(in crate::store) fn had_learned(&self) -> bool {
        self.had_learned
    }

    pub(in crate::store) async fn learned_documents(
        &self,
    ) -> Result<Vec<LearnedDocument>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT id, name, added_ms, bytes, hash, passages, octet_length(document)
                 FROM learned WHERE bot_id = ?1 ORDER BY name",
            )?;
            let rows = find.query_map([bot], |r| {
                Ok(LearnedDocument {
                    id: r.get(0)?,
                    name: r.get(1)?,
                    added_ms: r.get(2)?,
                    bytes: r.get(3)?,
                    hash: r.get(4)?,
                    passages: r.get(5)?,
                    text_bytes: r.get(6)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn learned_document(
        &self,
        id: i64,
    ) -> Result<Option<String>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find =
                conn.prepare_cached("SELECT document FROM learned WHERE id = ?2 AND bot_id = ?1")?;
            Ok(find.query_row(params![bot, id], |r| r.get(0)).optional()?)
        })
        .await
    }
}
