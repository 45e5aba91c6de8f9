//! `katana-bot backup`: the real binary beside the real daemon, killed, and without room.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use katana::model::conversation::{AnswerMetadata, Content, ConversationId, Message};
use katana::model::ids::{BotId, ChatId, InboxSeq, UpdateId, UserId};
use katana::model::message::{Update, UpdateEvent};
use katana::observe::clock::Clock;
use katana::store::{Contents, Finish, NewTurn, Pieces, Store, UpdateOutcome, file};
use rusqlite::Connection;

use crate::harness::{Stage, skipped};
use crate::mount::Mount;
use crate::process::{self, Daemon, Output};

/// A file in the stage's folder.
pub fn at(stage: &Stage, name: &str) -> PathBuf {
    stage.dir.path().join(name)
}

/// The bot of a stage.
pub fn bot(stage: &Stage) -> BotId {
    BotId(stage.config().config.telegram.token.bot_id().expect("an id"))
}

/// Makes the state file of a bot that does not run, with so many megabytes of conversation.
pub async fn state(stage: &Stage, megabytes: usize) -> PathBuf {
    let path = at(stage, "katana.db");
    let store = Store::open(&path, bot(stage), Clock::system()).expect("it opens");
    for n in 0..megabytes.max(1) {
        let text = |_| char::from(fastrand::u8(b'a'..=b'z'));
        let answer: String = (0..1_000_000).map(text).collect();
        turn(&store, n, format!("question {n}"), answer).await;
    }
    store.close().await;
    path
}

/// Stores a question with its answer, as number `n`.
async fn turn(store: &Store, n: usize, question: String, answer: String) {
    let id = UpdateId(i64::try_from(n).expect("a number"));
    let event = UpdateEvent::Ignored { kind: "test".into(), chat: None };
    store.accept(vec![Update { id, event }], Some(0)).await.expect("accepted");
    let seq = store.new_updates(InboxSeq(0), 1).await.expect("read")[0].seq;
    let turn = NewTurn {
        conversation: ConversationId { chat: ChatId(5), topic: 0 },
        asked_by: seq,
        sender: UserId(5),
        quoted: Vec::new(),
        messages: vec![Message::user(question), Message::assistant(answer)],
        answer: AnswerMetadata::default(),
    };
    let outcome = UpdateOutcome::Answered;
    let (effects, parts) = (Vec::new(), Vec::new());
    let (turn, first_attempt, keep_body) = (Some(turn), None, false);
    let pieces = Pieces::default();
    let finish = Finish { seq, outcome, keep_body, pieces, effects, turn, parts, first_attempt };
    store.finish(finish).await.expect("stored");
}

/// Replaces the text of every question, by a writer beside the bot.
pub fn rewrite(conn: &Connection, question: &str) {
    let content = serde_json::to_string(&Message::user(question).content).expect("JSON");
    conn.execute("UPDATE messages SET content = ?1 WHERE role = 'user'", [content])
        .expect("written");
}

/// The questions that a state file holds the answers to.
pub fn questions(path: &Path) -> BTreeSet<String> {
    let conn = Connection::open(path).expect("it opens");
    let sql = "SELECT content FROM messages q WHERE role = 'user'
               AND EXISTS (SELECT 1 FROM answers WHERE message_id = q.id + 1)";
    let mut rows = conn.prepare(sql).expect("the table");
    let rows = rows.query_map([], |r| r.get::<_, String>(0)).expect("rows");
    let text = |json: String| match serde_json::from_str::<Vec<Content>>(&json).as_deref() {
        Ok([Content::Text { text }]) => text.clone(),
        other => panic!("{json}: {other:?}"),
    };
    rows.map(|row| text(row.expect("a text"))).collect()
}

/// Runs `katana-bot backup` and wants it to work.
pub async fn backup(stage: &Stage, to: &Path) -> Output {
    let out = process::run(stage, &["backup", &to.display().to_string()]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    out
}

/// Names in the folder that begin so.
pub fn names(stage: &Stage, start: &str) -> Vec<String> {
    let entries = std::fs::read_dir(stage.dir.path()).expect("a folder").flatten();
    let mut names: Vec<String> =
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.starts_with(start));
    names.sort();
    names
}

/// What is in a good backup.
pub fn good(path: &Path) -> Contents {
    file::examine(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_everything_that_was_committed_before_it() {
    let mut stage = Stage::new().await;
    let mut daemon = Daemon::start(&stage);
    daemon.says("ready: Telegram answered the first poll").await;
    let sim = stage.sim.clone();
    let load = tokio::spawn(async move {
        for n in 0.. {
            sim.say(2000 + n % 20, &format!("message {n}"));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    for round in 0..5_u64 {
        let more = stage.sim.bot_message_count() + 40;
        let moved =
            stage.sim.wait_until(Duration::from_secs(60), |s| s.bot_message_count() >= more);
        assert!(moved.await, "no load:\n{}", daemon.log());
        // What Telegram has was committed before it was sent.
        let before: BTreeSet<String> = (2000..2020)
            .flat_map(|chat| stage.sim.bot_messages(chat))
            .filter_map(|m| m.text.strip_prefix("echo: ").map(str::to_owned))
            .collect();
        let file = at(&stage, &format!("backup-{round}"));
        let out = backup(&stage, &file).await;
        assert!(out.stdout.contains("verified:\n") && out.stdout.contains("newest message 20"));
        let elsewhere = at(&stage, &format!("elsewhere-{round}/katana.db"));
        let home = stage.settings().iter().find(|(k, _)| k == "KATANA_STORE_PATH").cloned();
        stage.set("KATANA_STORE_PATH", &elsewhere.display().to_string());
        let out = process::run(&stage, &["restore", &file.display().to_string()]).await;
        assert_eq!(out.code, Some(0), "{out:?}");
        stage.set("KATANA_STORE_PATH", &home.expect("it is set").1);
        let restored = questions(&elsewhere);
        let missing: Vec<_> = before.difference(&restored).collect();
        assert!(missing.is_empty() && before.len() >= 40, "round {round}: {missing:?}");
    }
    load.abort();
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    // The bot goes on from a backup.
    stage.set("KATANA_STORE_PATH", &at(&stage, "elsewhere-4/katana.db").display().to_string());
    stage.start().await;
    stage.ask(7, "still there?").await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_one_private_file_and_replaces_nothing_by_itself() {
    let stage = Stage::new().await;
    let state = state(&stage, 1).await;
    let file = at(&stage, "copy");
    let out = backup(&stage, &file).await;
    assert!(out.stdout.contains("exchanges: 1") && out.stdout.contains("schema"), "{out:?}");
    let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(names(&stage, "copy"), ["copy"], "no log and no scratch file beside it");
    let first = std::fs::read(&file).expect("it can be read");

    let name = file.display().to_string();
    let out = process::run(&stage, &["backup", &name]).await;
    assert_eq!(out.code, Some(64), "{out:?}");
    assert!(out.stderr.contains("already") && out.stderr.contains("--force"), "{out:?}");
    assert_eq!(std::fs::read(&file).expect("it can be read"), first);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).expect("changed");
    let out = process::run(&stage, &["backup", &name, "--force", "--json"]).await;
    let said: serde_json::Value = serde_json::from_str(&out.stdout).expect("JSON");
    assert_eq!((&said["bots"][0]["exchanges"], &said["file"]), (&1.into(), &name.into()));
    assert_eq!(said["bytes"], std::fs::metadata(&file).expect("it is there").len());
    let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let state = state.display().to_string();
    let folder = stage.dir.path().display().to_string();
    for to in [&state, &format!("{state}-wal"), &folder, &format!("{folder}/none/copy")] {
        // While it is open, the state has a log.
        let open = Connection::open(&state).expect("it opens");
        open.execute("UPDATE bots SET probes = probes + 1", []).expect("written");
        let out = process::run(&stage, &["backup", "--force", to]).await;
        assert!(
            matches!(out.code, Some(64 | 69)) && out.stderr.contains("hint: "),
            "{to}: {out:?}"
        );
    }
    good(Path::new(&state));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_down_a_pipe() {
    let stage = Stage::new().await;
    state(&stage, 1).await;
    let file = at(&stage, "piped");
    let mut command = process::command(stage.settings());
    let out = std::fs::File::create(&file).expect("a file");
    let done = command.args(["backup", "-"]).stdout(out).stderr(Stdio::piped()).output();
    let done = done.expect("it runs");
    let report = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success() && report.contains("exchanges: 1"), "{report}");
    assert_eq!(good(&file).bots[0].turns, 1);
    assert_eq!(names(&stage, "katana.db.outgoing"), Vec::<String>::new());
    // Without a token or anything else but the place of the state.
    let store = at(&stage, "katana.db");
    let bare = [("KATANA_STORE_PATH".to_owned(), store.display().to_string())];
    let to = at(&stage, "bare");
    let done = process::command(&bare).arg("backup").arg(&to).output().expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    good(&to);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backup_leaves_no_half_file_under_its_name() {
    let stage = Stage::new().await;
    state(&stage, 40).await;
    let file = at(&stage, "copy");
    let (mut dice, mut cut) = (fastrand::Rng::with_seed(9), 0);
    for _ in 0..25 {
        let mut command = process::command(stage.settings());
        command.arg("backup").arg(&file).stdout(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        tokio::time::sleep(Duration::from_millis(dice.u64(1..250))).await;
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
        if file.exists() {
            assert_eq!(good(&file).bots[0].turns, 40);
            std::fs::remove_file(&file).expect("removed");
        } else if at(&stage, "copy.partial").exists() {
            cut += 1;
        }
    }
    assert!(cut > 0, "no kill landed in the middle");
    backup(&stage, &file).await;
    assert_eq!(names(&stage, "copy"), ["copy"], "what the killed ones left is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named_and_leaves_nothing() {
    let stage = Stage::new().await;
    state(&stage, 20).await;
    let folder = at(&stage, "small");
    let Some(mount) = Mount::new(&folder) else { return };
    let file = folder.join("copy").display().to_string();
    let out = process::run(&stage, &["backup", &file]).await;
    assert_eq!(out.code, Some(69), "{out:?}");
    assert!(
        out.stderr.contains("cannot write ") && out.stderr.contains("free some space"),
        "{out:?}"
    );
    let left = std::fs::read_dir(&folder).expect("a folder").count();
    assert_eq!(left, 0, "nothing is left");
    drop(mount);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_backups_to_one_name_do_not_mix() {
    let stage = Stage::new().await;
    state(&stage, 30).await;
    let file = at(&stage, "copy");
    let start = || {
        let mut command = process::command(stage.settings());
        command.args(["backup", "--force"]).arg(&file).stdout(Stdio::null());
        command.stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let both = [start(), start()];
    for child in both {
        let done = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let beaten = done.status.code() == Some(75) && said.contains("being written");
        assert!(done.status.success() || beaten, "{said}");
    }
    assert_eq!(good(&file).bots[0].turns, 30);
    assert_eq!(names(&stage, "copy"), ["copy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_file_of_another_user_is_not_written_to() {
    let stage = Stage::new().await;
    state(&stage, 1).await;
    let (file, partial) = (at(&stage, "copy"), at(&stage, "copy.partial"));
    std::fs::write(&partial, "theirs").expect("written");
    if chown(&partial, Some(65_534), Some(65_534)).is_err() {
        skipped("files cannot be given away: the tests do not run as root");
        return;
    }
    let name = file.display().to_string();
    let out = process::run(&stage, &["backup", &name]).await;
    assert_eq!(out.code, Some(69), "{out:?}");
    assert!(out.stderr.contains("belongs to another user"), "{out:?}");
    assert_eq!(std::fs::read_to_string(&partial).expect("text"), "theirs");
    assert!(!file.exists());
    // One of ours, whatever its mode, makes no backup that others can read meanwhile.
    chown(&partial, Some(0), Some(0)).expect("taken back");
    std::fs::set_permissions(&partial, PermissionsExt::from_mode(0o666)).expect("changed");
    let reader = std::fs::File::open(&partial).expect("it opens");
    backup(&stage, &file).await;
    assert_eq!(reader.metadata().expect("still open").nlink(), 0, "a new file was made");
    let about = std::fs::metadata(&file).expect("it is there");
    assert_eq!((about.uid(), about.mode() & 0o777), (0, 0o600));
}

#[tokio::test(flavor = "multi_thread")]
async fn force_replaces_files_and_nothing_else() {
    let stage = Stage::new().await;
    state(&stage, 1).await;
    let (pipe, link) = (at(&stage, "pipe"), at(&stage, "link"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let (nowhere, to_pipe) = (at(&stage, "nowhere"), at(&stage, "to-pipe"));
    std::os::unix::fs::symlink("/nonexistent/file", &nowhere).expect("a link");
    std::os::unix::fs::symlink(&pipe, &to_pipe).expect("a link");
    // Not /dev/null: a program that fails this test replaces it.
    let node = at(&stage, "null");
    let made = std::process::Command::new("mknod").arg(&node).args(["c", "1", "3"]).status();
    if !made.expect("mknod").success() {
        skipped("no device can be made: the tests do not run as root");
    }
    for name in [&pipe, &to_pipe, &nowhere, &node] {
        let Ok(before) = name.symlink_metadata() else { continue };
        for more in [&[][..], &["--force"]] {
            let to = name.display().to_string();
            let out = process::run(&stage, &[&["backup", to.as_str()], more].concat()).await;
            assert_eq!(out.code, Some(64), "{to}: {out:?}");
            assert!(out.stderr.contains("cannot ") && out.stderr.contains("hint: "), "{out:?}");
            assert!(!out.stderr.contains("--force"), "{out:?}");
        }
        let after = name.symlink_metadata().expect("it is there");
        assert_eq!((after.ino(), after.mode()), (before.ino(), before.mode()), "{name:?}");
    }
    // The file behind a link is replaced, in its own folder.
    let folder = at(&stage, "elsewhere");
    std::fs::create_dir(&folder).expect("a folder");
    let file = folder.join("real");
    std::fs::write(&file, "old").expect("written");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    let to = link.display().to_string();
    assert_eq!(process::run(&stage, &["backup", &to]).await.code, Some(64));
    let out = process::run(&stage, &["backup", &to, "--force"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(link.is_symlink());
    assert_eq!(good(&file).bots[0].turns, 1);
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1, "no scratch file");
}
