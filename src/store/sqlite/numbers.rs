//! Numbers of messages, counted by the process that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;

/// Numbers of messages. None is ever given twice, also when the latest messages were deleted.
#[derive(Clone, Debug, Default)]
pub(super) struct MessageNumbers(Arc<AtomicI64>);

impl MessageNumbers {
    /// Goes on after all that a file knows of.
    pub(super) fn after(conn: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT max(coalesce((SELECT max(id) FROM messages), 0),
                              coalesce((SELECT max(after_turn) FROM conversations), 0))";
        let last: i64 = conn.query_row(sql, [], |r| r.get(0))?;
        Ok(Self(Arc::new(AtomicI64::new(last + 1))))
    }

    /// So many that follow each other; answers the first.
    pub(super) fn take(&self, count: usize) -> i64 {
        self.0.fetch_add(i64::try_from(count).unwrap_or(i64::MAX), Ordering::Relaxed)
    }
}
