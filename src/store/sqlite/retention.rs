//! Retention: what is old is removed, a little at a time.

use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, params};

use super::columns::is_open;
use super::db::{Progress, Sqlite};
use super::{history, ledger, pre_migration_backup};
use crate::model::access::Role;
use crate::model::budget;
use crate::model::limits;
use crate::store::failure::StoreError;
use crate::store::upkeep::{Keep, Swept};

/// A stranger's request is remembered for at least this long.
const STRANGER_DAYS: u64 = 30;

/// What was spent is kept for a year and the month before it.
const MONEY_DAYS: i64 = 400;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Old rows, by their keys.
struct Old {
    turns: Vec<i64>,
    updates: Vec<i64>,
    parts: Vec<i64>,
    strangers: Vec<(i64, i64)>,
}

impl Sqlite {
    pub(in crate::store) async fn sweep(&self, keep: Keep) -> Result<Swept, StoreError> {
        let now = self.now_ms();
        pre_migration_backup::sweep(self.path(), now);
        let before = move |days: u64| {
            now.saturating_sub(i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(DAY_MS))
        };
        let history = (keep.history_days > 0).then(|| before(keep.history_days));
        let (done, quiet) = (before(keep.done_days), before(keep.done_days.max(STRANGER_DAYS)));
        let progress = Arc::clone(&self.swept);
        // They are looked for beside the writer, which then takes each by its key.
        let old = self.read(move |conn| {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            find(conn, &mut progress, history, done, quiet)
        });
        let old = old.await?;
        self.write(move |tx| {
            let mut swept = Swept::default();
            for turn in &old.turns {
                swept.messages += history::remove_old(tx, *turn, history.unwrap_or(i64::MIN))?;
            }
            for update in &old.updates {
                let sql =
                    "UPDATE inbox SET body = '' WHERE seq = ?1 AND done_ms < ?2 AND body <> ''";
                tx.prepare_cached(sql)?.execute([*update, done])?;
            }
            // The last row stays, without its text: its number is the highest, and is not used again.
            let sql = "DELETE FROM inbox WHERE seq = ?1 AND done_ms < ?2
                         AND seq < (SELECT max(seq) FROM inbox)";
            for update in &old.updates {
                swept.updates += tx.prepare_cached(sql)?.execute([*update, done])?;
            }
            let sql = concat!(
                "DELETE FROM outbox WHERE id = ?1 AND created_ms < ?2
                   AND id < (SELECT max(id) FROM outbox) AND NOT ",
                is_open!()
            );
            for part in &old.parts {
                swept.parts += tx.prepare_cached(sql)?.execute([*part, done])?;
            }
            let first = budget::day_of(now) - MONEY_DAYS;
            swept.calls = ledger::sweep(tx, first, now, limits::RETENTION_BATCH)?;
            // Strangers who never came back; their next message makes them new strangers.
            let sql = "DELETE FROM users WHERE bot_id = ?1 AND user_id = ?2 AND role = ?3
                         AND since_ms < ?4";
            for (bot, user) in &old.strangers {
                tx.prepare_cached(sql)?.execute(params![
                    bot,
                    user,
                    Role::Stranger.as_str(),
                    quiet
                ])?;
            }
            Ok(swept)
        })
        .await
    }
}

fn find(
    conn: &Connection,
    progress: &mut Progress,
    history: Option<i64>,
    done: i64,
    quiet: i64,
) -> Result<Old, StoreError> {
    let turns = "SELECT id, at_ms < ?3 AND id = turn_id FROM messages WHERE id > ?1
                 ORDER BY id LIMIT ?2";
    let updates = "SELECT seq, coalesce(done_ms < ?3, 0) FROM inbox WHERE seq > ?1
                   ORDER BY seq LIMIT ?2";
    let parts = concat!(
        "SELECT id, created_ms < ?3 AND NOT ",
        is_open!(),
        " FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2"
    );
    let strangers = "SELECT bot_id, user_id FROM users WHERE role = ?1 AND since_ms < ?2 LIMIT ?3";
    let mut strangers = conn.prepare_cached(strangers)?;
    let key = params![Role::Stranger.as_str(), quiet, limits::RETENTION_BATCH];
    let strangers = strangers.query_map(key, |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(Old {
        turns: match history {
            Some(horizon) => old_rows(conn, turns, &mut progress.messages, horizon)?,
            None => Vec::new(),
        },
        updates: old_rows(conn, updates, &mut progress.updates, done)?,
        parts: old_rows(conn, parts, &mut progress.parts, done)?,
        strangers: strangers.collect::<Result<_, _>>()?,
    })
}

/// Keys of old rows: of the lowest numbers, and of some that follow `progress`.
fn old_rows(
    conn: &Connection,
    sql: &str,
    progress: &mut i64,
    horizon: i64,
) -> Result<Vec<i64>, StoreError> {
    let mut old = Vec::new();
    let reached = window(conn, sql, 0, horizon, &mut old)?;
    if old.len() < limits::RETENTION_BATCH {
        // From the beginning again when the end is reached.
        *progress = match reached {
            Some(reached) => {
                let from = reached.max(*progress);
                window(conn, sql, from, horizon, &mut old)?.unwrap_or(0)
            }
            None => 0,
        };
    }
    Ok(old)
}

/// Adds the keys of the old ones among the rows after a key; answers where it ended, unless the table
/// ended there, too.
fn window(
    conn: &Connection,
    sql: &str,
    after: i64,
    horizon: i64,
    old: &mut Vec<i64>,
) -> Result<Option<i64>, StoreError> {
    let mut find = conn.prepare_cached(sql)?;
    let mut rows = find.query(params![after, limits::RETENTION_WINDOW, horizon])?;
    let (mut last, mut count) = (after, 0);
    while let Some(row) = rows.next()? {
        (last, count) = (row.get(0)?, count + 1);
        if row.get(1)? {
            old.push(last);
            if old.len() >= limits::RETENTION_BATCH {
                return Ok(Some(last));
            }
        }
    }
    Ok((count >= limits::RETENTION_WINDOW).then_some(last))
}
