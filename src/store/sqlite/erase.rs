//! Overwrites what deleted rows left behind in unused space.
//!
//! `secure_delete` overwrites a row where it lies. But when SQLite moves rows between pages, their old
//! copies stay in the space of a page that no row uses (`rebuildPage` in btree.c), where a later
//! deletion does not reach them. So after a deletion that people asked for, every page is looked at,
//! a few at a time, and what no row uses becomes zeros.
//!
//! The layout of a page is that of sqlite.org/fileformat2.html, 1.6.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior, params};

use crate::store::failure::StoreError;

/// Pages that are looked at in one step. A step takes about a millisecond, and writes wait for it.
const PAGES: u32 = 64;

/// The number of a page begins with the type of a tree page only from here on: more than 100 GB.
const PAGES_MAX: u32 = 0x0200_0000;

/// Whether a deletion was asked for whose traces have not been overwritten everywhere.
pub(super) fn is_due(conn: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM bots WHERE erasing)";
    Ok(conn.query_row(sql, [], |r| r.get(0))?)
}

/// Makes it due. For the transaction that deletes.
pub(super) fn request(tx: &Connection, bot: i64) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE bots SET erasing = 1 WHERE bot_id = ?1")?.execute([bot])?;
    Ok(())
}

/// Overwrites unused space in some pages from `first` on, in a commit of its own. Answers the page to
/// go on with; `None` when that was the last one.
pub(super) fn step(conn: &mut Connection, first: u32) -> Result<Option<u32>, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let count: u32 = tx.query_row("PRAGMA page_count", [], |r| r.get(0))?;
    let next = first.saturating_add(PAGES);
    for number in first..next.min(count.min(PAGES_MAX) + 1) {
        let sql = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";
        let mut page: Vec<u8> = tx.prepare_cached(sql)?.query_row([number], |r| r.get(0))?;
        if clear(&mut page, number == 1) {
            // SQLite refuses this where it defends the file against statements of others.
            tx.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)?;
            let sql = "UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1";
            let written = tx.prepare_cached(sql)?.execute(params![number, page]);
            tx.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
            written?;
        }
    }
    let is_last = next > count;
    if is_last {
        tx.execute("UPDATE bots SET erasing = 0 WHERE erasing", [])?;
    }
    tx.commit()?;
    Ok((!is_last).then_some(next))
}

/// All steps at once, if they are due. For a copy that is not used yet, of any version.
pub(super) fn wholly(conn: &mut Connection) -> Result<(), StoreError> {
    let column = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('bots') WHERE name = 'erasing')";
    let is_known: bool = conn.query_row(column, [], |r| r.get(0))?;
    if !is_known || !is_due(conn)? {
        return Ok(());
    }
    let mut next = Some(1);
    while let Some(page) = next {
        next = step(conn, page)?;
    }
    Ok(())
}

/// Overwrites what no cell of a tree page uses; whether there was anything. A page of another kind, or
/// one that contradicts itself, stays as it is.
fn clear(page: &mut [u8], is_first: bool) -> bool {
    let header = if is_first { 100 } else { 0 };
    let two = |page: &[u8], at: usize| {
        page.get(at..at + 2).map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
    };
    let (Some(kind), Some(mut free), Some(cells), Some(content)) = (
        page.get(header).copied(),
        two(page, header + 1),
        two(page, header + 3),
        two(page, header + 5),
    ) else {
        return false;
    };
    let length = match kind {
        2 | 5 => 12,
        10 | 13 => 8,
        _ => return false,
    };
    let content = if content == 0 { 65_536 } else { content };
    let mut cleared = zero(page, header + length + 2 * cells, content);
    // Each free block begins with the place of the next one and its own size.
    while free != 0 {
        let (Some(next), Some(size)) = (two(page, free), two(page, free + 2)) else { break };
        cleared |= zero(page, free + 4, free + size);
        if next <= free {
            break;
        }
        free = next;
    }
    cleared
}

fn zero(page: &mut [u8], from: usize, to: usize) -> bool {
    let Some(unused) = page.get_mut(from..to) else { return false };
    let has_traces = unused.iter().any(|&byte| byte != 0);
    if has_traces {
        unused.fill(0);
    }
    has_traces
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::model::conversation::{AnswerMetadata, ConversationId, Message};
    use crate::model::effect::Effect;
    use crate::model::ids::{BotId, ChatId, InboxSeq, UserId};
    use crate::observe::clock::Clock;
    use crate::store::contract::{finish, text};
    use crate::store::sqlite::file;
    use crate::store::{Finish, NewPart, NewTurn, PartExtra, Store};

    /// What one person says: unique, and of that length.
    fn words(user: i64, id: usize, length: usize) -> String {
        format!("<{user}:{id}>").repeat(length / 6 + 1)
    }

    async fn say(store: &Store, user: i64, id: usize, length: usize) {
        let at = i64::try_from(id).unwrap() + 1;
        store.accept(vec![text(at, user)], Some(at + 1)).await.unwrap();
        let seq = store.new_updates(InboxSeq(0), 100).await.unwrap().last().unwrap().seq;
        let said = words(user, id, length);
        let turn = NewTurn {
            conversation: ConversationId { chat: ChatId(user), topic: 0 },
            asked_by: seq,
            sender: UserId(user),
            quoted: Vec::new(),
            messages: vec![Message::user(said.clone()), Message::assistant(said.clone())],
            answer: AnswerMetadata::default(),
        };
        let parts = vec![NewPart {
            chat: ChatId(user),
            rich: crate::model::text::Rich::plain(&said),
            extra: PartExtra::default(),
        }];
        store.finish(Finish { turn: Some(turn), ..finish(seq, parts) }).await.unwrap();
    }

    /// Whose words are in a file, as `grep` would find them.
    fn found(path: &Path, user: i64) -> bool {
        let bytes = std::fs::read(path).unwrap_or_default();
        let mark = format!("<{user}:");
        bytes.windows(mark.len()).any(|part| part == mark.as_bytes())
    }

    async fn forgets(dir: &Path, said: &[(i64, usize)]) {
        let path = dir.join("katana.db");
        let store = Store::open(&path, BotId(1), Clock::system()).unwrap();
        for (id, (user, length)) in said.iter().enumerate() {
            say(&store, *user, id, *length).await;
        }
        while store.forget_some(UserId(1)).await.unwrap() {}
        store.apply(vec![Effect::Forget(UserId(1))]).await.unwrap();
        store.close().await;
        let copy = dir.join("backup.db");
        file::backup(&path, &copy, true).unwrap();
        for name in ["katana.db", "katana.db-wal", "backup.db"] {
            assert!(!found(&dir.join(name), 1), "{name} has forgotten words");
        }
        for user in 2..4 {
            let has_spoken = said.iter().any(|(who, _)| *who == user);
            assert_eq!(found(&path, user), has_spoken);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 200, failure_persistence: None, ..Default::default()
        })]

        #[test]
        fn nothing_of_what_was_forgotten_is_in_the_file_its_log_or_a_backup(
            said in prop::collection::vec(
                (1i64..4, prop_oneof![4 => 1usize..300, 1 => 300usize..9_000]), 1..60,
            ),
        ) {
            let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(forgets(dir.path(), &said));
        }
    }

    #[tokio::test]
    async fn a_backup_that_comes_before_the_last_step_has_no_forgotten_words_either() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("katana.db"), dir.path().join("backup.db"));
        Store::open(&path, BotId(1), Clock::system()).unwrap().close().await;
        let conn = Connection::open(&path).unwrap();
        conn.pragma_update(None, "secure_delete", "OFF").unwrap();
        conn.execute("UPDATE bots SET claim_code = ?1", [words(1, 7, 600)]).unwrap();
        conn.execute("UPDATE bots SET claim_code = NULL, erasing = 1", []).unwrap();
        drop(conn);
        assert!(found(&path, 1), "nothing to erase");
        file::backup(&path, &copy, false).unwrap();
        assert!(!found(&copy, 1));
    }

    #[test]
    fn pages_of_other_kinds_stay_as_they_are() {
        for start in [[0u8, 0, 0, 0, 0, 0, 0, 0], [13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]] {
            let mut page = vec![7u8; 4096];
            page[..8].copy_from_slice(&start);
            let before = page.clone();
            assert!(!clear(&mut page, false));
            assert_eq!(page, before);
        }
    }
}
