//! Retention: what is old is removed, a little at a time.

use rusqlite::params;

use super::columns::is_open;
use super::db::Sqlite;
use super::{history, pre_migration_backup};
use crate::model::access::Role;
use crate::model::limits;
use crate::store::failure::StoreError;
use crate::store::upkeep::{Keep, Swept};

/// A stranger's request is remembered for at least this long.
const STRANGER_DAYS: u64 = 30;

const DAY_MS: i64 = 24 * 3600 * 1000;

impl Sqlite {
    pub(in crate::store) async fn sweep(&self, keep: Keep) -> Result<Swept, StoreError> {
        let now = self.now_ms();
        pre_migration_backup::sweep(self.path(), now);
        let before = move |days: u64| {
            now.saturating_sub(i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(DAY_MS))
        };
        self.write(move |tx| {
            let remove = |sql: &str, horizon: i64| {
                tx.prepare_cached(sql)?.execute(params![horizon, limits::RETENTION_BATCH])
            };
            let mut swept = Swept::default();
            if keep.history_days > 0 {
                let horizon = before(keep.history_days);
                swept.messages = history::remove_old(tx, horizon, limits::RETENTION_BATCH)?;
            }
            swept.updates = remove(
                "DELETE FROM inbox WHERE seq IN (SELECT seq FROM inbox
                   WHERE done_ms < ?1 ORDER BY seq LIMIT ?2)",
                before(keep.done_days),
            )?;
            swept.parts = remove(
                concat!(
                    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE NOT ",
                    is_open!(),
                    " AND created_ms < ?1 ORDER BY id LIMIT ?2)"
                ),
                before(keep.done_days),
            )?;
            // Strangers who never came back; their next message makes them new strangers.
            tx.prepare_cached(
                "DELETE FROM users WHERE (bot_id, user_id) IN (SELECT bot_id, user_id FROM users
                   WHERE role = ?3 AND since_ms < ?1 LIMIT ?2)",
            )?
            .execute(params![
                before(keep.done_days.max(STRANGER_DAYS)),
                limits::RETENTION_BATCH,
                Role::Stranger.as_str()
            ])?;
            Ok(swept)
        })
        .await
    }
}
