//! Going back to the version before, on a file that the newer one has migrated: it is started, and nothing is
//! lost. The newer version is made up: its migration is applied by hand, with what it would have recorded.

use std::path::PathBuf;
use std::time::Duration;

use katana::store::file::newest_schema;
use rusqlite::{Connection, params};

use crate::crash::Run;
use crate::harness::{SOON, Stage};
use crate::process::{Daemon, run};

/// What the next version might change.
const CHANGES: [&str; 4] = [
    "ALTER TABLE conversations ADD COLUMN title TEXT",
    "ALTER TABLE outbox ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE budgets (bot_id INTEGER NOT NULL, user_id INTEGER NOT NULL, spent INTEGER NOT NULL, PRIMARY KEY (bot_id, user_id)) WITHOUT ROWID",
    "CREATE INDEX inbox_received ON inbox (bot_id, received_ms) WHERE done_ms IS NULL",
];

fn database(stage: &Stage) -> PathBuf {
    stage.dir.path().join("katana.db")
}

/// Brings the file to the schema after ours, which names `works_from` as the oldest that can go on.
fn migrate(stage: &Stage, works_from: u32) {
    let conn = Connection::open(database(stage)).expect("it opens");
    for sql in CHANGES {
        conn.execute(sql, []).expect(sql);
    }
    let next = newest_schema() + 1;
    let applied =
        "INSERT INTO refinery_schema_history VALUES (?1, 'next', '2030-01-01T00:00:00Z', '7')";
    conn.execute(applied, [next]).expect("noted");
    let recorded = "INSERT INTO compatible (version, works_from, statements) VALUES (?1, ?2, ?3)";
    let statements = serde_json::to_string(&CHANGES).expect("JSON");
    conn.execute(recorded, params![next, works_from, statements]).expect("recorded");
}

async fn stopped(mut bot: Daemon) {
    bot.signal("TERM");
    assert!(bot.ended().await.success(), "{}", bot.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_works_under_load_on_a_file_that_names_it() {
    let stage = Stage::new().await;
    let mut messages = Run::on(stage.sim.clone(), 31);
    let before = Daemon::start(&stage);
    messages.say(200);
    assert!(messages.sim.wait_until(SOON, |sim| sim.bot_message_count() >= 50).await);
    messages.say(100);
    stopped(before).await;
    migrate(&stage, newest_schema());
    // Back again, killed on the way, and once more.
    messages.say(200);
    let mut back = Daemon::start(&stage);
    let seen = messages.sim.bot_message_count();
    assert!(
        messages.sim.wait_until(SOON, |sim| sim.bot_message_count() >= seen + 50).await,
        "{}",
        back.log()
    );
    back.signal("KILL");
    let _ = back.ended().await;
    messages.say(200);
    let back = Daemon::start(&stage);
    messages.say(300);
    assert!(messages.all_answered().await, "{}", back.log());
    messages.sim.wait_until(Duration::from_millis(500), |_| false).await;
    messages.compare();
    assert_eq!(messages.count, 1000);
    let doctor = run(&stage, &["doctor"]).await;
    assert!(doctor.stdout.contains("of a newer version, which this one can work on"), "{doctor:?}");
    stopped(back).await;
    // Its backups are of that schema, and go back in as well.
    let copy = stage.dir.path().join("copy").display().to_string();
    for args in [&["backup", &copy][..], &["restore", "--check", &copy]] {
        let out = run(&stage, args).await;
        assert_eq!(out.code, Some(0), "{out:?}");
    }
    let conn = Connection::open(database(&stage)).expect("it opens");
    let urgent = "SELECT count(*) FROM outbox WHERE urgency = 0";
    let kept: i64 = conn.query_row(urgent, [], |row| row.get(0)).expect("the column is there");
    assert_eq!(kept, 1000, "the newer version finds its own in each row");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_name_it_or_has_more_than_it_says_is_refused_and_untouched() {
    let next = newest_schema() + 1;
    for (works_from, more, why) in [
        (next, "", "is not for versions that know only"),
        (next - 1, "CREATE TABLE more (x INTEGER)", "its table more is not what schema"),
        (next - 1, "DROP TABLE compatible", "is not for versions that know only"),
    ] {
        let stage = Stage::new().await;
        let bot = Daemon::start(&stage);
        bot.says("ready: Telegram").await;
        stopped(bot).await;
        migrate(&stage, works_from);
        let conn = Connection::open(database(&stage)).expect("it opens");
        conn.execute_batch(more).expect(more);
        drop(conn);
        let old = std::fs::read(database(&stage)).expect("it can be read");
        let mut refused = Daemon::start(&stage);
        assert_eq!(refused.ended().await.code(), Some(78), "{}", refused.log());
        assert!(refused.log().contains(why), "{}", refused.log());
        assert!(std::fs::read(database(&stage)).expect("it can be read") == old, "{why}: touched");
    }
}
