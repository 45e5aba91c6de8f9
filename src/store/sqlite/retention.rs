//! Retention: what is old is removed, a little at a time.

use rusqlite::params;

use super::{Store, StoreError, pre_migration_backup};
use crate::model::limits;

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Exchanges, in days; 0 keeps them for ever.
    pub history_days: u64,
    /// Done updates and settled parts, in days.
    pub done_days: u64,
}

/// Rows removed in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Exchanges.
    pub exchanges: usize,
    /// Done updates.
    pub updates: usize,
    /// Settled parts.
    pub parts: usize,
}

impl Swept {
    /// Whether there may be more to remove.
    pub fn is_full(self) -> bool {
        [self.exchanges, self.updates, self.parts].contains(&limits::RETENTION_BATCH)
    }
}

/// A stranger's request is remembered for at least this long.
const STRANGER_DAYS: u64 = 30;

const DAY_MS: i64 = 24 * 3600 * 1000;

impl Store {
    /// Removes one small batch of everything that is older than `keep` says, also of bots whose
    /// token is no longer used here.
    ///
    /// # Errors
    /// When the commit fails; then nothing was removed.
    pub async fn sweep(&self, keep: Keep) -> Result<Swept, StoreError> {
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
                swept.exchanges = remove(
                    "DELETE FROM exchanges WHERE id IN (SELECT id FROM exchanges
                       WHERE at_ms < ?1 ORDER BY id LIMIT ?2)",
                    before(keep.history_days),
                )?;
            }
            swept.updates = remove(
                "DELETE FROM inbox WHERE seq IN (SELECT seq FROM inbox
                   WHERE done_ms < ?1 ORDER BY seq LIMIT ?2)",
                before(keep.done_days),
            )?;
            swept.parts = remove(
                "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox
                   WHERE state >= 2 AND created_ms < ?1 ORDER BY id LIMIT ?2)",
                before(keep.done_days),
            )?;
            // Strangers who never came back; their next message makes them new strangers.
            remove(
                "DELETE FROM users WHERE (bot_id, user_id) IN (SELECT bot_id, user_id FROM users
                   WHERE role = 'stranger' AND since_ms < ?1 LIMIT ?2)",
                before(keep.done_days.max(STRANGER_DAYS)),
            )?;
            Ok(swept)
        })
        .await
    }
}
