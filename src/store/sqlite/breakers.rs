//! Which providers are not asked. There are as many rows as models that are failing, and all of
//! them are written together.

use rusqlite::params;

use super::db::Sqlite;
use crate::store::breakers::KeptBreaker;
use crate::store::failure::StoreError;

impl Sqlite {
    pub(in crate::store) async fn breakers(&self) -> Result<Vec<KeptBreaker>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let sql = "SELECT provider, model, class, is_unusable, since_ms, until_ms, cooldown_ms
                       FROM breakers WHERE bot_id = ?1 ORDER BY provider, model";
            let mut rows = conn.prepare_cached(sql)?;
            let rows = rows.query_map([bot], |row| {
                Ok(KeptBreaker {
                    provider: row.get(0)?,
                    model: row.get(1)?,
                    class: row.get(2)?,
                    is_unusable: row.get(3)?,
                    since_ms: row.get(4)?,
                    until_ms: row.get(5)?,
                    cooldown_ms: row.get(6)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn keep_breakers(
        &self,
        breakers: Vec<KeptBreaker>,
    ) -> Result<(), StoreError> {
        let bot = self.bot();
        self.write(move |tx| {
            tx.prepare_cached("DELETE FROM breakers WHERE bot_id = ?1")?.execute([bot])?;
            let sql = "INSERT INTO breakers (bot_id, provider, model, class, is_unusable, since_ms,
                                             until_ms, cooldown_ms)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            for kept in &breakers {
                tx.prepare_cached(sql)?.execute(params![
                    bot,
                    kept.provider,
                    kept.model,
                    kept.class,
                    kept.is_unusable,
                    kept.since_ms,
                    kept.until_ms,
                    kept.cooldown_ms
                ])?;
            }
            Ok(())
        })
        .await
    }
}
