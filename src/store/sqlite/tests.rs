//! The contract of the store on real files, and what only SQLite can show: damage, locks, marks.

use super::db::Sqlite;
use crate::model::conversation::{AnswerMetadata, ConversationId, Message, StopReason, Usage};
use crate::model::effect::{Continued, Effect};
use crate::model::ids::{BotId, ChatId, InboxSeq, UserId};
use crate::observe::clock::Clock;
use crate::store::contract::{Place, contract, finish, text};
use crate::store::*;

struct Folder(tempfile::TempDir);

impl Place for Folder {
    fn open(&self, bot: BotId, clock: Clock) -> Store {
        Store::open(&self.0.path().join("katana.db"), bot, clock).unwrap()
    }
}

contract!(Folder(tempfile::tempdir().unwrap()));

fn open_in(dir: &tempfile::TempDir, bot: i64) -> Store {
    Store::open(&dir.path().join("katana.db"), BotId(bot), Clock::manual(1_000_000)).unwrap()
}

#[tokio::test]
async fn one_failing_write_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&dir.path().join("katana.db"), BotId(1), Clock::system()).unwrap();
    let (begun, begins) = std::sync::mpsc::channel();
    let (go, goes) = std::sync::mpsc::channel::<()>();
    let goes = std::sync::Mutex::new(goes);
    // While it runs, all others gather for the next commit.
    let first = store.write(move |_| {
        // It may run again: then no one listens, and nothing is to be waited for.
        let _ = begun.send(());
        let _ = goes.lock().unwrap().recv();
        Ok(())
    });
    let probe = |good: bool| {
        store.write(move |tx| {
            tx.execute("UPDATE bots SET probes = probes + 1", [])?;
            if !good {
                tx.execute("SELECT nonsense FROM nowhere", [])?;
            }
            Ok(())
        })
    };
    let release = async move {
        begins.recv().unwrap();
        drop(go);
    };
    let accept = store.accept(vec![text(1, 5)], Some(2));
    let all = [true, false, true, true, false, false, true];
    let [a, b, c, d, e, f, g] = all.map(probe);
    let (_, a, b, c, accepted, d, e, f, g, _) =
        tokio::join!(first, a, b, c, accept, d, e, f, g, release);
    assert_eq!([a, b, c, d, e, f, g].map(|result: Result<(), StoreError>| result.is_ok()), all);
    assert_eq!(accepted.unwrap().stored.len(), 1);
    assert_eq!(store.next_offset().await.unwrap(), 2);
    let probes = |conn: &rusqlite::Connection| {
        Ok(conn.query_row("SELECT probes FROM bots", [], |r| r.get::<_, i64>(0))?)
    };
    assert_eq!(store.read(probes).await.unwrap(), 4);
}

#[tokio::test]
async fn a_look_up_that_would_wait_leaves_the_thread_of_the_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&dir.path().join("katana.db"), BotId(1), Clock::system()).unwrap();
    let here = std::thread::current().id();
    let thread = |_: &rusqlite::Connection| Ok(std::thread::current().id());
    assert_ne!(store.look_up(thread).await.unwrap(), here, "the file is opened for it");
    assert_eq!(store.look_up(thread).await.unwrap(), here);
    let locked = move |_: &rusqlite::Connection| match std::thread::current().id() {
        id if id == here => Err(StoreError::new(StoreErrorKind::Busy, "locked")),
        id => Ok(id),
    };
    assert_ne!(store.look_up(locked).await.unwrap(), here);
}

#[tokio::test]
async fn what_an_answer_cost_stands_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_in(&dir, 1);
    for (id, cost) in [(1, Some(1_234)), (2, None)] {
        let conversation = ConversationId { chat: ChatId(5), topic: 0 };
        let answer = AnswerMetadata { cost, ..AnswerMetadata::default() };
        let messages = vec![Message::user("q"), Message::assistant("a")];
        let turn = NewTurn {
            conversation,
            asked_by: InboxSeq(id),
            sender: UserId(5),
            quoted: Vec::new(),
            messages,
            answer,
        };
        store.accept(vec![text(id, 5)], Some(id + 1)).await.unwrap();
        let seq = InboxSeq(id);
        store.finish(Finish { turn: Some(turn), ..finish(seq, Vec::new()) }).await.unwrap();
    }
    let conn = rusqlite::Connection::open(dir.path().join("katana.db")).unwrap();
    let mut rows = conn.prepare("SELECT cost FROM answers ORDER BY message_id").unwrap();
    let costs = rows.query_map([], |r| r.get(0)).unwrap().collect::<Result<Vec<Option<u64>>, _>>();
    assert_eq!(costs.unwrap(), [Some(1_234), None]);
}

#[tokio::test]
async fn an_answer_that_was_cut_goes_on_as_one_exchange() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_in(&dir, 1);
    let here = ConversationId { chat: ChatId(5), topic: 0 };
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    let seq = store.new_updates(InboxSeq(0), 1).await.unwrap()[0].seq;
    let usage = Some(Usage { input_tokens: 10, output_tokens: 1, ..Usage::default() });
    let cut = AnswerMetadata { usage, stop_reason: StopReason::Length, ..Default::default() };
    let turn = NewTurn {
        conversation: here,
        asked_by: seq,
        sender: UserId(5),
        quoted: vec![(UserId(6), Message::user("quoted"))],
        messages: vec![Message::user("q"), Message::assistant("first")],
        answer: cut,
    };
    store.finish(Finish { turn: Some(turn), ..finish(seq, Vec::new()) }).await.unwrap();
    let cut = store.cut_answer(seq).await.unwrap().unwrap();
    assert_eq!((cut.text().as_str(), cut.asker), ("first", Some(UserId(5))));
    let more = AnswerMetadata { usage, ..Default::default() };
    let continued = Continued { answer: cut.answer, text: "first and second".to_owned(), more };
    store.apply(vec![Effect::Continue(continued.clone())]).await.unwrap();
    assert_eq!(store.cut_answer(seq).await.unwrap(), None, "it is complete");
    let kept = store.history(here, 5).await.unwrap();
    assert_eq!((kept.len(), kept[0].messages.len()), (1, 3));
    assert_eq!(kept[0].messages[2], Message::assistant("first and second"));
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.turns, totals.input_tokens, totals.output_tokens), (1, 20, 2));
    store.apply(vec![Effect::Forget(UserId(6)), Effect::Continue(continued)]).await.unwrap();
    assert!(store.history(here, 5).await.unwrap().is_empty(), "the quoted one is forgotten");
    assert_eq!(store.totals().await.unwrap().input_tokens, 0, "nothing is counted any more");
}

#[test]
fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open_in(&dir, 1);
    let second = Store::open(&dir.path().join("katana.db"), BotId(1), Clock::system());
    assert_eq!(second.err().map(|e| e.kind()), Some(StoreErrorKind::InUse));
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    let store = open_in(&dir, 1);
    assert!(store.set_aside().is_none());
    store.close().await;
    drop(store);

    // The first page is gone, and with it all that a database says of itself.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..4096].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let store = open_in(&dir, 1);
    let aside = store.set_aside().unwrap().to_owned();
    assert_eq!(std::fs::read(aside).unwrap(), bytes);
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    store.close().await;
    drop(store);

    // Damage in the middle of a real file.
    let mut bytes = std::fs::read(&path).unwrap();
    let page = 4096;
    for byte in bytes.iter_mut().skip(page).take(3 * page) {
        *byte = 0x5a;
    }
    std::fs::write(&path, &bytes).unwrap();
    let store = open_in(&dir, 1);
    assert!(store.set_aside().is_some());
}

/// Damages every page behind the first one of a file in use, its log included.
pub fn damage(path: &std::path::Path) {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let pages = std::fs::metadata(path).unwrap().len() as usize - 4096;
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![0xAB; pages], 4096).unwrap();
}

async fn is_set_aside(dir: &tempfile::TempDir) -> bool {
    let store = open_in(dir, 1);
    store.close().await;
    store.set_aside().is_some()
}

#[tokio::test]
async fn a_file_is_known_by_any_of_three_marks_and_refused_without() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    let lock = dir.path().join("katana.db.lock");
    let refused = || {
        let opened = Store::open(&path, BotId(1), Clock::manual(1));
        opened.err().map(|e| e.kind()) == Some(StoreErrorKind::WrongFile)
    };
    // An empty file is a new one.
    std::fs::write(&path, "").unwrap();
    open_in(&dir, 1).close().await;
    let whole = std::fs::read(&path).unwrap();
    let damaged = |keep: std::ops::Range<usize>| {
        let mut bytes = vec![0; whole.len()];
        bytes[keep.clone()].copy_from_slice(&whole[keep]);
        std::fs::write(&path, bytes).unwrap();
    };
    std::fs::remove_file(&lock).unwrap();
    // By its header alone.
    damaged(0..100);
    assert!(is_set_aside(&dir).await);
    // By nothing.
    std::fs::remove_file(&lock).unwrap();
    damaged(4096..whole.len());
    assert!(refused() && !lock.exists());
    // By the lock file alone.
    std::fs::remove_file(&path).unwrap();
    open_in(&dir, 1).close().await;
    damaged(0..0);
    assert!(is_set_aside(&dir).await);
    // By the tables that 0.2 made.
    std::fs::remove_file(&lock).unwrap();
    std::fs::write(&path, &whole).unwrap();
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.pragma_update(None, "application_id", 0).unwrap();
    drop(conn);
    assert!(!is_set_aside(&dir).await);
    // A database of another program.
    std::fs::remove_file(&lock).unwrap();
    std::fs::remove_file(&path).unwrap();
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE bots (name TEXT); INSERT INTO bots VALUES ('x')").unwrap();
    drop(conn);
    let foreign = std::fs::read(&path).unwrap();
    assert!(refused() && Store::visit(&path, BotId(1), Clock::manual(1)).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), foreign);
    assert!(!lock.exists());
}

/// Everything in a folder: names, contents, when they were changed.
fn everything(dir: &std::path::Path) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let about = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        let changed = entry.metadata().unwrap().modified().unwrap();
        (name, std::fs::read(entry.path()).unwrap(), changed)
    };
    let mut all: Vec<_> = entries.map(about).collect();
    all.sort();
    all
}

/// A database of another program with a write-ahead log, still in use.
fn foreign(path: &std::path::Path) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(path).unwrap();
    let _: String = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0)).unwrap();
    conn.execute_batch("CREATE TABLE bots (name TEXT); INSERT INTO bots VALUES ('x')").unwrap();
    conn
}

#[tokio::test]
async fn nothing_is_written_beside_a_database_of_another_program() {
    for logs in [&[][..], &["-wal"], &["-wal", "-shm"]] {
        for is_marked in [false, true] {
            let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let (path, used) = (dir.path().join("katana.db"), elsewhere.path().join("x.db"));
            if is_marked {
                // It lies where a state file was once.
                open_in(&dir, 1).close().await;
                std::fs::remove_file(&path).unwrap();
            }
            let conn = foreign(&used);
            if logs.is_empty() {
                drop(conn);
                std::fs::copy(&used, &path).unwrap();
            } else {
                for suffix in [&[""], logs].concat() {
                    let name = |path| hygiene::atomic::sibling(path, suffix);
                    std::fs::copy(name(&used), name(&path)).unwrap();
                }
            }
            let before = everything(dir.path());
            let case = format!("{logs:?}, marked: {is_marked}");
            for opened in [
                Store::open(&path, BotId(1), Clock::manual(1)),
                Store::visit(&path, BotId(1), Clock::manual(1)),
            ] {
                let kind = opened.err().map(|e| e.kind());
                assert_eq!(kind, Some(StoreErrorKind::WrongFile), "{case}");
            }
            assert!(file::inspect(&path, u64::MAX).is_err(), "{case}");
            assert!(before == everything(dir.path()), "{case}: {:?}", names(dir.path()));
        }
    }
}

fn names(dir: &std::path::Path) -> Vec<String> {
    everything(dir).into_iter().map(|(name, ..)| name).collect()
}

#[test]
fn a_state_file_whose_rows_are_all_in_its_log_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    let mut conn = rusqlite::Connection::open(&path).unwrap();
    let _: String = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0)).unwrap();
    // 0.2 was killed before its log was first folded into the file.
    super::schema::migrate_to(&mut conn, 2).unwrap();
    assert!(super::identity::check(&path).unwrap());
}

#[tokio::test]
async fn a_log_whose_file_is_gone_is_set_aside_and_never_deleted() {
    for remove in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("katana.db");
        let store = open_in(&dir, 1);
        store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
        // As after a kill, with everything in the log.
        let log = std::fs::read(dir.path().join("katana.db-wal")).unwrap();
        store.close().await;
        drop(store);
        if remove {
            std::fs::remove_file(&path).unwrap();
        } else {
            std::fs::write(&path, "").unwrap();
        }
        std::fs::write(dir.path().join("katana.db-wal"), &log).unwrap();
        let visited = Store::visit(&path, BotId(1), Clock::manual(1));
        assert!(visited.is_err());
        let store = open_in(&dir, 1);
        let aside = store.set_aside().unwrap().to_owned();
        assert_eq!(std::fs::read(hygiene::atomic::sibling(&aside, "-wal")).unwrap(), log);
        store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
        store.close().await;
    }
}

#[test]
fn a_log_of_another_program_keeps_the_bot_from_its_place() {
    for log in ["katana.db-wal", "katana.db-journal"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("katana.db");
        std::fs::write(dir.path().join(log), "what another program has not written yet").unwrap();
        std::fs::write(&path, "").unwrap();
        let before = everything(dir.path());
        let opened = Store::open(&path, BotId(1), Clock::manual(1));
        assert_eq!(opened.err().map(|e| e.kind()), Some(StoreErrorKind::WrongFile), "{log}");
        assert!(before == everything(dir.path()), "{log}: {:?}", names(dir.path()));
    }
}

#[test]
fn the_lock_is_where_a_link_leads_before_the_file_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (link, real) = (dir.path().join("link.db"), dir.path().join("real"));
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink("real/katana.db", &link).unwrap();
    let _first = Store::open(&link, BotId(1), Clock::system()).unwrap();
    assert!(real.join("katana.db.lock").exists() && !dir.path().join("link.db.lock").exists());
    for path in [&link, &real.join("katana.db")] {
        let second = Store::open(path, BotId(1), Clock::system());
        assert_eq!(second.err().map(|e| e.kind()), Some(StoreErrorKind::InUse));
    }
    let endless = dir.path().join("endless.db");
    std::os::unix::fs::symlink("endless.db", &endless).unwrap();
    assert!(Store::open(&endless, BotId(1), Clock::system()).is_err());
}

#[tokio::test]
async fn a_lock_file_with_other_words_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let lock = dir.path().join("katana.db.lock");
    std::fs::write(&lock, b"\xff\xfe 4711").unwrap();
    open_in(&dir, 1).close().await;
    assert_eq!(std::fs::read(&lock).unwrap(), b"\xff\xfe 4711");
    // A mark that was cut is written again.
    std::fs::write(&lock, "The file beside").unwrap();
    open_in(&dir, 1).close().await;
    assert!(std::fs::read_to_string(&lock).unwrap().ends_with("katana-bot.\n"));
    // The mark is a precaution: without it the bot still runs.
    super::identity::leave_mark(&std::fs::File::open(&lock).unwrap());
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    drop(open_in(&dir, 1));
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
         VALUES (999, 'later', '2030-01-01T00:00:00Z', '1')",
        [],
    )
    .unwrap();
    drop(conn);
    let refused = Store::open(&path, BotId(1), Clock::system());
    assert_eq!(refused.err().map(|e| e.kind()), Some(StoreErrorKind::Schema));
}

#[tokio::test]
async fn a_statement_without_an_end_does_not_keep_the_store_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&dir.path().join("katana.db"), BotId(1), Clock::system()).unwrap();
    let endless = store.write(|tx| {
        let sql =
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        Ok(tx.query_row(sql, [], |r| r.get::<_, i64>(0))?)
    });
    let (outcome, ()) = tokio::join!(endless, store.close());
    let why = crate::model::failure::chain(&outcome.unwrap_err());
    assert!(why.contains("interrupted"), "{why}");
}
