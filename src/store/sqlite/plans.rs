//! How SQLite carries out each statement that the contract of the store runs: by a key or an index, and
//! never by reading or sorting a whole table, so that nothing becomes slower with what is kept.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::db::Sqlite;
use crate::model::ids::{BotId, UserId};
use crate::model::limits;
use crate::observe::clock::Clock;
use crate::store::upkeep::Keep;

/// How many questions are in the file whose plans are looked at.
const ROWS: &str = "KATANA_PLAN_ROWS";

/// Every statement that was run on a state file by this process.
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Plans that read a whole table, and why they may.
const ALLOWED: [(&str, &str); 4] = [
    ("SCAN sqlite_dbpage VIRTUAL TABLE INDEX 1:", "one page by its number"),
    ("SCAN each_chat", "one row for each chat, which the index gives"),
    ("SCAN bots", "one row for each account that ever used the file"),
    ("SCAN CONSTANT ROW", "no table"),
];

/// Notes what runs on this connection from now on.
pub(super) fn watched(mut conn: Connection) -> Connection {
    let note = |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(_, sql) = event {
            SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(sql.to_owned());
        }
    };
    conn.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note)).unwrap();
    conn
}

/// What the bot runs again and again: not what happens once at an opening, such as migrations.
fn of_the_bot() -> Vec<String> {
    let verbs = ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"];
    let once = ["sqlite_master", "refinery_schema_history", "pragma_", "nonsense"];
    let migrations = ["V1__start", "V2__probe", "V3__messages"].map(|name| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite/migrations");
        std::fs::read_to_string(folder.join(name).with_extension("sql")).unwrap()
    });
    let seen = SEEN.lock().unwrap();
    let is_verb = |sql: &str| verbs.iter().any(|verb| sql.trim_start().starts_with(verb));
    let is_once = |sql: &str| {
        once.iter().any(|part| sql.contains(part)) || migrations.iter().any(|m| m.contains(sql))
    };
    seen.iter().filter(|sql| is_verb(sql) && !is_once(sql)).cloned().collect()
}

fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let count = explain.parameter_count();
    let nothing = rusqlite::params_from_iter(std::iter::repeat_n(1, count));
    let rows = explain.query_map(nothing, |row| row.get(3)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Fills a file with so many answered questions of a few people, in many chats.
fn fill(path: &Path, rows: u64) {
    let sql = include_str!("../../../tests/bench/grown.sql");
    let sql = sql.replace("ROWS", &rows.to_string()).replace("BOT", "1");
    let mut conn = Connection::open(path).unwrap();
    let tx = conn.transaction().unwrap();
    tx.execute_batch(&sql).unwrap();
    tx.commit().unwrap();
}

#[tokio::test]
async fn no_statement_reads_or_sorts_a_whole_table() {
    super::tests::all().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    let db = Sqlite::open(&path, BotId(1), Clock::system()).unwrap();
    let rows = std::env::var(ROWS).map_or(2_000, |rows| rows.parse().unwrap());
    fill(&path, rows);
    let conn = Connection::open(&path).unwrap();
    let statements = of_the_bot();
    assert!(statements.len() > 50, "of {} statements, few were run", statements.len());
    let mut wrong = Vec::new();
    for sql in statements {
        for step in plan(&conn, &sql) {
            let reads_all = step.starts_with("SCAN") && !step.contains("(subquery-");
            let is_allowed = ALLOWED.iter().any(|(plan, _)| step.starts_with(plan));
            if reads_all && !is_allowed || step.contains("TEMP B-TREE") {
                wrong.push(format!("{step}: {sql}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} statements:\n{}", wrong.len(), wrong.join("\n"));
    db.close().await;
}

/// How many turns there are in how many chats, as it is kept and as it is counted.
async fn figures(db: &Sqlite) -> (u64, u64) {
    // Not by the store: counting is what it does not do.
    let conn = Connection::open(db.path()).unwrap();
    let sql = "SELECT count(*), coalesce(sum(input_tokens), 0) FROM answers";
    let counted = conn.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    let totals = db.totals().await.unwrap();
    assert_eq!((totals.turns, totals.input_tokens), counted);
    (totals.turns, totals.chats)
}

#[tokio::test]
async fn the_figures_of_the_history_follow_what_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    let clock = Clock::manual(1_000);
    let db = Sqlite::open(&path, BotId(1), clock.clone()).unwrap();
    fill(&path, 2_000);
    assert_eq!(figures(&db).await, (2_000, 1_000));
    // A few commits of a person's, not one long one.
    let mut commits = 0;
    while db.forget_some(UserId(3)).await.unwrap() {
        commits += 1;
    }
    assert_eq!(commits, 500 / limits::FORGET_BATCH);
    assert_eq!(figures(&db).await, (1_500, 750));
    assert_eq!(db.turns_of(UserId(3)).await.unwrap(), 0);
    // Of the rest, half is older than a day.
    clock.advance(24 * 3600 * 1000);
    let keep = Keep { history_days: 1, done_days: 1 };
    let mut removed = 0;
    loop {
        let swept = db.sweep(keep).await.unwrap();
        removed += swept.messages;
        if !swept.is_full() {
            break;
        }
    }
    assert_eq!(removed, 2 * 749, "a message of that very millisecond is not older");
    assert_eq!(figures(&db).await.0, 751);
    db.close().await;
}

/// A clock that was far ahead for a while leaves rows that seem young for years, in front of all others.
#[tokio::test]
async fn rows_of_a_wrong_clock_do_not_keep_those_behind_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    let clock = Clock::manual(10 * 24 * 3600 * 1000);
    let db = Sqlite::open(&path, BotId(1), clock.clone()).unwrap();
    let (window, behind) = (limits::RETENTION_WINDOW, 5);
    fill(&path, (2 * window + behind) as u64);
    let conn = Connection::open(&path).unwrap();
    conn.execute("UPDATE inbox SET done_ms = 9000000000000 WHERE seq <= ?1", [2 * window]).unwrap();
    let keep = Keep { history_days: 0, done_days: 1 };
    let mut updates = 0;
    for _ in 0..3 {
        updates += db.sweep(keep).await.unwrap().updates;
    }
    assert_eq!(updates, behind - 1, "the last row stays");
    db.close().await;
}
