//! Backups from others: nothing in their schema is run, and none gets into the state.

use crate::backup::{at, state};
use crate::harness::{Stage, eventually};
use crate::process::{Daemon, run};
use crate::restore::{changed, restore};

/// What makes a backup run something when it is used, and what is said of it.
const HOSTILE: [(&str, &str, &str); 7] = [
    (
        "a trigger",
        "CREATE TRIGGER t AFTER INSERT ON inbox BEGIN
           INSERT INTO users (bot_id, user_id, role, name, since_ms) VALUES (1, 66, 'owner', 'Eve', 0);
         END",
        "its trigger t is not that of schema",
    ),
    ("a view", "CREATE VIEW v AS SELECT 1", "its view v is not that of schema"),
    (
        "a table that is a view without an end",
        "CREATE VIEW \"v\u{1b}[2J\" AS WITH RECURSIVE n (i) AS
           (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "its view v [2J is not that of schema",
    ),
    (
        "a generated column",
        "ALTER TABLE users ADD COLUMN g TEXT GENERATED ALWAYS AS (zeroblob(1000000000))",
        "its table users is not that of schema",
    ),
    (
        "an index on an expression",
        "CREATE INDEX x ON messages (length(zeroblob(id)))",
        "its index x is not that of schema",
    ),
    ("another column", "ALTER TABLE bots ADD COLUMN more TEXT", "its table bots is not that of schema"),
    ("another table", "CREATE TABLE more (a)", "its table more is not that of schema"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_runs_something_is_refused() {
    let stage = Stage::new().await;
    let path = state(&stage, 2).await;
    let old = std::fs::read(&path).expect("it can be read");
    let bad = at(&stage, "bad");
    for (name, sql, words) in HOSTILE {
        std::fs::write(&bad, changed(&path, sql)).expect("written");
        for more in [&["--check"][..], &[]] {
            let out = restore(&stage, &bad, more).await;
            assert_eq!(out.code, Some(69), "{name}: {out:?}");
            assert!(out.stderr.contains(words), "{name}: {out:?}");
        }
        assert!(std::fs::read(&path).expect("it can be read") == old, "{name}: it was touched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_whose_schema_runs_something_is_refused_at_the_start() {
    let stage = Stage::new().await;
    let path = state(&stage, 2).await;
    let good = std::fs::read(&path).expect("it can be read");
    for (name, sql, words) in HOSTILE {
        std::fs::write(&path, changed(&path, sql)).expect("written");
        let bad = std::fs::read(&path).expect("it can be read");
        let mut daemon = Daemon::start(&stage);
        assert_eq!(daemon.ended().await.code(), Some(78), "{name}: {}", daemon.log());
        assert!(daemon.log().contains(words), "{name}: {}", daemon.log());
        assert!(std::fs::read(&path).expect("it can be read") == bad, "{name}: it was touched");
        let users = run(&stage, &["users", "list"]).await;
        assert!(users.stderr.contains(words), "{name}: {users:?}");
        std::fs::write(&path, &good).expect("written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_the_state_is_being_opened_is_obeyed_at_once() {
    let stage = Stage::new().await;
    let path = state(&stage, 2).await;
    let holder = rusqlite::Connection::open(&path).expect("it opens");
    holder.pragma_update(None, "journal_mode", "DELETE").expect("set");
    holder.execute_batch("BEGIN EXCLUSIVE").expect("locked from now on");
    let lock = path.with_file_name("katana.db.lock");
    std::fs::remove_file(&lock).expect("the lock file of before");
    let mut daemon = Daemon::start(&stage);
    let _ = std::fs::remove_file(&lock);
    assert!(eventually(|| lock.exists()).await, "{}", daemon.log());
    daemon.signal("TERM");
    // Had it waited, it would say that the file is in use.
    assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
    daemon.says("stopped before startup was complete").await;
}
