//! `katana-bot restore`: good backups, bad ones, and a kill in the middle.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use katana::model::ids::BotId;
use katana::observe::clock::Clock;
use katana::store::Store;
use rusqlite::Connection;

use crate::backup::{at, backup, bot, good, names, questions, rewrite, state};
use crate::harness::{Stage, skipped};
use crate::mount::Mount;
use crate::process::{self, Daemon, Output};

mod first {
    refinery::embed_migrations!("src/store/sqlite/migrations");
}

pub async fn restore(stage: &Stage, from: &Path, more: &[&str]) -> Output {
    let from = from.display().to_string();
    process::run(stage, &[&["restore", from.as_str()], more].concat()).await
}

/// A state file of schema 1.
fn of_schema_one(path: &Path, bot: BotId) {
    let mut conn = Connection::open(path).expect("it opens");
    let runner = first::migrations::runner().set_target(refinery::Target::Version(1));
    runner.run(&mut conn).expect("migrated");
    conn.execute("INSERT INTO bots (bot_id, next_offset) VALUES (?1, 0)", [bot.0]).expect("a bot");
    let _: String = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0)).expect("WAL");
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_twice_the_old_states_are_kept_and_can_come_back() {
    let stage = Stage::new().await;
    let path = state(&stage, 1).await;
    let file = at(&stage, "copy");
    backup(&stage, &file).await;
    let conn = Connection::open(&path).expect("it opens");
    conn.execute_batch("DELETE FROM messages; DELETE FROM answers;").expect("deleted");
    drop(conn);

    let out = restore(&stage, &file, &[]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stdout.contains("exchanges: 1") && out.stdout.contains("systemctl start"));
    assert_eq!(good(&path).bots[0].turns, 1);
    let kept = names(&stage, "katana.db.before-restore-");
    assert_eq!(kept.len(), 1);
    assert!(out.stdout.contains(&kept[0]), "{out:?}");
    assert_eq!(good(&at(&stage, &kept[0])).bots[0].turns, 0);

    let out = restore(&stage, &at(&stage, &kept[0]), &["--json"]).await;
    let said: serde_json::Value = serde_json::from_str(&out.stdout).expect("JSON");
    assert_eq!(said["bots"][0]["exchanges"], 0, "{said}");
    assert_eq!(good(&path).bots[0].turns, 0);
    assert_eq!(names(&stage, "katana.db.before-restore-").len(), 2);
    let second = said["kept"].as_str().expect("a name");
    assert_eq!(good(Path::new(second)).bots[0].turns, 1);
    assert_eq!(names(&stage, "katana.db.restoring"), Vec::<String>::new());
    good(&file);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_file_is_gone_is_kept_too() {
    let stage = Stage::new().await;
    let path = state(&stage, 1).await;
    let file = at(&stage, "copy");
    backup(&stage, &file).await;
    for write in [|_: &Path| Ok(()), |path: &Path| std::fs::write(path, "")] {
        std::fs::remove_file(&path).expect("removed");
        write(Path::new(&path)).expect("empty");
        std::fs::write(at(&stage, "katana.db-wal"), "the last words").expect("written");
        let out = restore(&stage, &file, &["--json"]).await;
        let said: serde_json::Value = serde_json::from_str(&out.stdout).expect("JSON");
        let kept = said["kept"].as_str().expect("a name");
        assert_eq!(std::fs::read(kept).expect("kept"), b"the last words");
        assert_eq!(good(&path).bots[0].turns, 1);
        std::fs::remove_file(kept).expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_not_folded_is_kept_with_the_old_state_and_never_meets_the_new_one() {
    let stage = Stage::new().await;
    let path = state(&stage, 1).await;
    let file = at(&stage, "copy");
    backup(&stage, &file).await;
    // A reader is active: the log cannot be emptied, and the last row is only there.
    let reader = Connection::open(&path).expect("it opens");
    reader.execute_batch("BEGIN; SELECT count(*) FROM messages;").expect("reading");
    let writer = Connection::open(&path).expect("it opens");
    rewrite(&writer, "newer");
    assert!(at(&stage, "katana.db-wal").metadata().expect("a log").len() > 0);
    let out = restore(&stage, &file, &[]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    drop((reader, writer));
    let question = |path: &Path| questions(path).pop_first().expect("a row");
    assert_eq!(question(&path), "question 0");
    let kept = names(&stage, "katana.db.before-restore-");
    assert_eq!(question(&at(&stage, &kept[0])), "newer", "{kept:?}");
}

/// The bytes of a database after a statement; of a new one, if there is no such file.
pub fn changed(file: &Path, sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy");
    if file.exists() {
        std::fs::copy(file, &copy).expect("copied");
    }
    let conn = Connection::open(&copy).expect("it opens");
    conn.execute(sql, []).expect("the statement runs");
    drop(conn);
    std::fs::read(&copy).expect("it can be read")
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_backups_are_refused_and_the_old_state_is_untouched() {
    let mut stage = Stage::new().await;
    let path = state(&stage, 2).await;
    let file = at(&stage, "copy");
    backup(&stage, &file).await;
    let old = std::fs::read(&path).expect("it can be read");
    let bytes = std::fs::read(&file).expect("it can be read");
    let bad = at(&stage, "bad");
    let third = bytes.len() / 3;
    let mut broken = bytes.clone();
    broken[third..third + 9000].fill(0xAB);
    let newer = changed(
        &file,
        "INSERT INTO refinery_schema_history SELECT 900, 'later', applied_on, checksum
         FROM refinery_schema_history LIMIT 1",
    );
    let edited = changed(&file, "UPDATE refinery_schema_history SET checksum = '1'");
    let lacking = changed(&file, "DROP INDEX inbox_new");
    let other = changed(&at(&stage, "not-there"), "CREATE TABLE bots (bot_id INTEGER)");
    for (name, bytes, code, words) in [
        ("truncated", &bytes[..third], 69, "damaged"),
        ("cut at a page", &bytes[..bytes.len() - 4096], 69, "damaged"),
        ("cut by a byte", &bytes[..bytes.len() - 1], 69, "damaged: it has "),
        ("cut by ten bytes", &bytes[..bytes.len() - 10], 69, "damaged: it has "),
        ("cut by a hundred bytes", &bytes[..bytes.len() - 100], 69, "damaged: it has "),
        ("longer", &[&bytes[..], &[0]].concat()[..], 69, "damaged: it has "),
        ("overwritten", &broken[..], 69, "damaged"),
        ("empty", &[][..], 69, "not a state file of katana-bot"),
        (
            "text",
            &b"a letter to a friend, of some length, but no database"[..],
            69,
            "not a state file",
        ),
        ("another database", &other[..], 69, "not a state file of katana-bot"),
        ("edited", &edited[..], 69, "not a state file of katana-bot"),
        ("an index is gone", &lacking[..], 69, "its index inbox_new is not that of schema"),
        ("newer", &newer[..], 78, "newer version (schema 900"),
    ] {
        std::fs::write(&bad, bytes).expect("written");
        for more in [&["--check"][..], &[]] {
            let out = restore(&stage, &bad, more).await;
            assert_eq!(out.code, Some(code), "{name}: {out:?}");
            assert!(out.stderr.contains(words) && out.stderr.contains("hint: "), "{name}: {out:?}");
        }
        assert!(std::fs::read(&path).expect("it can be read") == old, "{name}: it was touched");
    }
    let out = restore(&stage, &at(&stage, "none"), &[]).await;
    assert_eq!(out.code, Some(69), "{out:?}");
    // A backup of another bot, knowingly or not.
    stage.set("KATANA_TELEGRAM_TOKEN", "77:another-token-of-another-bot");
    let out = restore(&stage, &file, &[]).await;
    assert_eq!(out.code, Some(78), "{out:?}");
    assert!(
        out.stderr.contains("no data of bot 77, only of bot ")
            && !out.stderr.contains("another-token")
    );
    assert!(std::fs::read(&path).expect("it can be read") == old);
    let begun = names(&stage, "katana.db.");
    assert_eq!(begun, ["katana.db.lock"], "nothing is left");
    assert_eq!(restore(&stage, &file, &["--other-bot"]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_bot_is_never_restored_over() {
    let stage = Stage::new().await;
    let file = at(&stage, "copy");
    let mut daemon = Daemon::start(&stage);
    daemon.says("ready: Telegram answered the first poll").await;
    backup(&stage, &file).await;
    let out = restore(&stage, &file, &[]).await;
    assert_eq!(out.code, Some(75), "{out:?}");
    assert!(out.stderr.contains("in use") && out.stderr.contains("systemctl stop"), "{out:?}");
    assert_eq!(restore(&stage, &file, &["--check"]).await.code, Some(0));
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    assert_eq!(restore(&stage, &file, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_restore_leaves_the_whole_old_state_or_the_whole_new_one() {
    let stage = Stage::new().await;
    let path = state(&stage, 30).await;
    let file = at(&stage, "copy");
    backup(&stage, &file).await;
    let small = at(&stage, "small");
    std::fs::copy(&file, &small).expect("copied");
    let conn = Connection::open(&small).expect("it opens");
    conn.execute_batch(
        "DELETE FROM messages WHERE turn_id > 20; DELETE FROM answers WHERE message_id > 20;",
    )
    .expect("deleted");
    drop(conn);
    let (mut dice, mut olds, mut news) = (fastrand::Rng::with_seed(4), 0, 0);
    for round in 0..24 {
        let (from, new, old) = if round % 2 == 0 { (&small, 10, 30) } else { (&file, 30, 10) };
        let now = good(&path).bots[0].turns;
        let mut command = process::command(stage.settings());
        command.arg("restore").arg(from).stdout(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        tokio::time::sleep(Duration::from_millis(dice.u64(1..250))).await;
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
        match good(&path).bots[0].turns {
            n if n == new && now != new => news += 1,
            n if n == now => olds += 1,
            n => panic!("{n} exchanges, neither {new} nor {old}"),
        }
    }
    eprintln!("killed: {olds} times before, {news} times after");
    assert!(olds > 0, "no kill landed in the middle");
    assert_eq!(restore(&stage, &file, &[]).await.code, Some(0));
    assert_eq!(names(&stage, "katana.db.restoring"), Vec::<String>::new());
    let store = Store::open(&path, bot(&stage), Clock::system()).expect("it opens");
    assert!(store.set_aside().is_none());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_state_is_restored_as_it_is_and_migrated_by_the_next_start() {
    let stage = Stage::new().await;
    let (old, path) = (at(&stage, "old"), at(&stage, "katana.db"));
    of_schema_one(&old, bot(&stage));
    let out = restore(&stage, &old, &[]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stdout.contains("1; the next start migrates it to "), "{out:?}");
    assert_eq!(good(&path).schema, 1);
    let newest = katana::store::file::newest_schema();
    let copy = format!("katana.db.before-v{newest}");
    let mut daemon = Daemon::start(&stage);
    daemon.says("the old one was kept as ").await;
    assert!(daemon.log().contains(&copy), "{}", daemon.log());
    daemon.says("ready: Telegram answered the first poll").await;
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    assert_eq!(good(&path).schema, newest);
    assert_eq!(good(&at(&stage, &copy)).schema, 1);
    let mut again = Daemon::start(&stage);
    again.says("ready: Telegram answered the first poll").await;
    assert!(!again.log().contains("the old one was kept as"), "only when something is migrated");
    again.signal("TERM");
    again.ended().await;
    assert_eq!(names(&stage, "katana.db.before-"), [copy]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_a_copy_nothing_is_migrated() {
    let mut stage = Stage::new().await;
    let folder = at(&stage, "small");
    let Some(mount) = Mount::new(&folder) else { return };
    let path = folder.join("katana.db");
    of_schema_one(&path, bot(&stage));
    let conn = Connection::open(&path).expect("it opens");
    let sql = "INSERT INTO exchanges (bot_id, chat_id, user_id, question, answer, provider, at_ms,
                 duration_ms) VALUES (1, 5, 5, '', hex(zeroblob(1000000)), 'echo', 1, 1)";
    conn.execute(sql, []).expect(sql);
    drop(conn);
    // Room to open the file, and not for another one.
    let ballast = mount.fill();
    let room = std::fs::OpenOptions::new().write(true).open(&ballast).expect("it opens");
    let size = ballast.metadata().expect("it is there").len();
    room.set_len(size - 500_000).expect("shorter");
    drop(room);
    stage.set("KATANA_STORE_PATH", &path.display().to_string());
    let mut daemon = Daemon::start(&stage);
    assert_eq!(daemon.ended().await.code(), Some(69), "{}", daemon.log());
    assert!(
        daemon.log().contains("cannot keep a copy") && daemon.log().contains("free some space")
    );
    std::fs::remove_file(ballast).expect("room again");
    assert_eq!(good(&path).schema, 1);
    let mut daemon = Daemon::start(&stage);
    daemon.says("the old one was kept as ").await;
    daemon.signal("TERM");
    daemon.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn root_restores_for_the_user_of_the_bot() {
    let stage = Stage::new().await;
    let path = state(&stage, 1).await;
    let file = at(&stage, "copy");
    backup(&stage, &file).await;
    let (user, group) = (61_234, 61_235);
    if chown(&path, Some(user), Some(group)).is_err() {
        skipped("files cannot be given away: the tests do not run as root");
        return;
    }
    assert_eq!(restore(&stage, &file, &[]).await.code, Some(0));
    for name in ["katana.db", "katana.db.lock"] {
        let about = at(&stage, name).metadata().expect("it is there");
        assert_eq!((about.uid(), about.gid()), (user, group), "{name}");
        assert_eq!(about.mode() & 0o777, 0o600, "{name}");
    }
    // The first restore on a new machine: there is only the folder.
    std::fs::remove_file(&path).expect("removed");
    chown(stage.dir.path(), Some(user), Some(group)).expect("given away");
    assert_eq!(restore(&stage, &file, &[]).await.code, Some(0));
    assert_eq!(path.metadata().expect("it is there").uid(), user);
}

/// A restore that was killed after it had parted the old file from its log.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_cut_is_undone_by_the_next_start() {
    let stage = Stage::new().await;
    let path = state(&stage, 1).await;
    let conn = Connection::open(&path).expect("it opens");
    rewrite(&conn, "only in the log");
    // As a kill leaves it: the last connection to close would fold the log into the file.
    let cut = at(&stage, "cut");
    std::fs::create_dir(&cut).expect("a folder");
    let cut = cut.join("katana.db");
    std::fs::copy(&path, &cut).expect("copied");
    let kept = cut.with_file_name("katana.db.before-restore-20261121T000000Z");
    std::fs::hard_link(&cut, &kept).expect("a second name");
    let log = cut.with_file_name("katana.db.before-restore-20261121T000000Z-wal");
    std::fs::copy(at(&stage, "katana.db-wal"), &log).expect("copied");
    drop(conn);
    for _ in 0..2 {
        let store = Store::open(&cut, bot(&stage), Clock::system()).expect("it opens");
        store.close().await;
        let conn = Connection::open(&cut).expect("it opens");
        let question = questions(&cut).pop_first().expect("a row");
        assert_eq!(question, "only in the log");
        assert!(!kept.exists() && !log.exists(), "it is in use again");
        // What is written later stays.
        rewrite(&conn, &question);
    }
}

/// Another user's folder, where root works. `None` when the tests do not run as root.
fn folder_of_another_user(stage: &mut Stage) -> Option<std::path::PathBuf> {
    let folder = at(stage, "state");
    std::fs::create_dir(&folder).expect("a folder");
    if chown(&folder, Some(65_534), Some(65_534)).is_err() {
        skipped("folders cannot be given away: the tests do not run as root");
        return None;
    }
    stage.set("KATANA_STORE_PATH", &folder.join("katana.db").display().to_string());
    Some(folder)
}

/// What a user may put into the folder of their bot, to make root change a file of root's.
struct Trap {
    stage: Stage,
    file: PathBuf,
    folder: PathBuf,
    secret: PathBuf,
}

impl Trap {
    /// Nothing where this machine has no such folder.
    async fn new() -> Option<Self> {
        let mut stage = Stage::new().await;
        state(&stage, 1).await;
        let file = at(&stage, "copy");
        backup(&stage, &file).await;
        let folder = folder_of_another_user(&mut stage)?;
        let secret = at(&stage, "secret");
        std::fs::write(&secret, "of root").expect("written");
        Some(Self { stage, file, folder, secret })
    }

    fn put(&self, kind: &str, name: &Path) {
        match kind {
            "soft" => {
                std::os::unix::fs::symlink(&self.secret, name).expect("a link");
                std::os::unix::fs::lchown(name, Some(65_534), Some(65_534)).expect("given away");
            }
            "hard" => std::fs::hard_link(&self.secret, name).expect("a link"),
            "pipe" => {
                let made = std::process::Command::new("mkfifo").arg(name).status();
                assert!(made.expect("mkfifo").success());
            }
            _ => {
                std::fs::write(name, "").expect("written");
                chown(name, Some(1234), Some(1234)).expect("given away");
            }
        }
    }

    fn is_untouched(&self, what: &str) {
        let about = self.secret.symlink_metadata().expect("it is there");
        assert_eq!((about.uid(), about.is_file()), (0, true), "{what}");
        assert_eq!(std::fs::read_to_string(&self.secret).expect("text"), "of root", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn root_follows_no_link_and_touches_no_stranger_in_the_folder_of_the_bot() {
    let Some(trap) = Trap::new().await else { return };
    let Trap { stage, file, folder, .. } = &trap;
    for name in ["katana.db.lock", "katana.db.restoring", "katana.db"] {
        for kind in ["soft", "hard", "pipe", "foreign"] {
            // The state file itself may have a second name, and shows who the bot is.
            if name == "katana.db" && matches!(kind, "hard" | "foreign") {
                continue;
            }
            let what = format!("{kind} {name}");
            trap.put(kind, &folder.join(name));
            let out = restore(stage, file, &[]).await;
            assert_eq!(out.code, Some(69), "{what}: {out:?}");
            assert!(out.stderr.contains("cannot use ") && out.stderr.contains("hint: "), "{out:?}");
            trap.is_untouched(&what);
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                std::fs::remove_file(entry.path()).expect("removed");
            }
        }
    }
    // Nor do those who only look: the state of another bot is not this one's.
    let elsewhere = at(stage, "elsewhere.db");
    std::fs::copy(file, &elsewhere).expect("copied");
    std::os::unix::fs::symlink(&elsewhere, folder.join("katana.db")).expect("a link");
    std::os::unix::fs::lchown(folder.join("katana.db"), Some(65_534), None).expect("given away");
    let copy = at(stage, "another-copy").display().to_string();
    for args in [&["users", "list"][..], &["backup", copy.as_str()], &["doctor"]] {
        let out = process::run(stage, args).await;
        assert_ne!(out.code, Some(0), "{args:?}: {out:?}");
        let said = format!("{}{}", out.stdout, out.stderr);
        assert!(said.contains("a symbolic link of another user"), "{args:?}: {said}");
    }
    assert!(!Path::new(&copy).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn root_trusts_no_file_beside_the_state_of_the_bot() {
    let Some(trap) = Trap::new().await else { return };
    let Trap { stage, file, folder, .. } = &trap;
    assert_eq!(restore(stage, file, &[]).await.code, Some(0));
    // A journal names files that SQLite would remove as root.
    let journal = folder.join("katana.db-journal");
    trap.put("foreign", &journal);
    let out = process::run(stage, &["users", "list"]).await;
    assert!(out.code == Some(69) && out.stderr.contains("rollback journal"), "{out:?}");
    std::fs::remove_file(&journal).expect("no one else removed it");
    let outgoing = folder.join("katana.db.outgoing");
    trap.put("soft", &outgoing);
    let out = process::run(stage, &["backup", "-"]).await;
    assert_eq!((out.code, out.stdout.len()), (Some(69), 0), "{}", out.stderr);
    trap.is_untouched("outgoing");
    // What the bot's user left itself is in no one's way.
    std::fs::remove_file(&outgoing).expect("removed");
    for name in ["katana.db.outgoing", "katana.db.restoring"] {
        std::fs::write(folder.join(name), "stale").expect("written");
        chown(folder.join(name), Some(65_534), Some(65_534)).expect("given away");
    }
    let out = process::command(stage.settings()).args(["backup", "-"]).output().expect("it runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(restore(stage, file, &[]).await.code, Some(0));
    let about = folder.join("katana.db").metadata().expect("it is there");
    assert_eq!((about.uid(), about.mode() & 0o777), (65_534, 0o600));
    assert!(!outgoing.exists() && !folder.join("katana.db.restoring").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_is_refused_at_once() {
    let stage = Stage::new().await;
    state(&stage, 1).await;
    let pipe = at(&stage, "pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    for from in [pipe.as_path(), Path::new("/dev/null")] {
        for more in [&["--check"][..], &[]] {
            let out = restore(&stage, from, more).await;
            assert_eq!(out.code, Some(64), "{out:?}");
            assert!(out.stderr.contains("not a regular file") && out.stderr.contains("hint: "));
        }
    }
    let holder = Store::open(&at(&stage, "katana.db"), bot(&stage), Clock::system());
    let out = restore(&stage, &pipe, &[]).await;
    assert_eq!(out.code, Some(64), "before the lock: {out:?}");
    holder.expect("it opens").close().await;
}
