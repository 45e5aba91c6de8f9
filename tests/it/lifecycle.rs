//! The real binary: how it starts, stops, refuses, and what it reports to systemd.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use botapi_sim::{Fault, Faults, Hold, HoldAt, ModelFault};

use crate::harness::{MODEL_KEY, SOON, Stage};
use crate::process::{self, Daemon};

const READY: &str = "ready: Telegram answered the first poll";

#[tokio::test(flavor = "multi_thread")]
async fn a_gentle_stop_finishes_the_running_answer_and_exits_with_0() {
    let mut stage = Stage::new().await;
    stage.openai();
    let mut daemon = Daemon::start(&stage);
    daemon.says(READY).await;
    stage.sim.model().set_pace(Duration::from_millis(800), Duration::ZERO);
    stage.sim.say(5, "slow");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    daemon.signal("TERM");
    daemon.says("stopping").await;
    assert_eq!(daemon.ended().await.code(), Some(0));
    assert_eq!(stage.texts(5, 1).await, ["echo: slow"]);
    let log = daemon.log();
    let last = log.lines().last().expect("a last line");
    assert!(last.contains("stopped; nothing was lost"), "{last}");
    // What the next process finds is nothing.
    stage.start().await;
    stage.idle().await;
    assert_eq!(stage.sim.bot_message_count(), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_outlives_the_grace_is_given_after_the_next_start() {
    let mut stage = Stage::new().await;
    stage.openai().set("KATANA_LIFECYCLE_GRACE_S", "1");
    let mut daemon = Daemon::start(&stage);
    daemon.says(READY).await;
    stage.sim.model().fault_next(ModelFault::Hang);
    stage.sim.say(5, "endless");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    let log = daemon.log();
    assert!(log.lines().last().expect("a line").contains("nothing was lost"), "{log}");
    stage.start().await;
    assert_eq!(stage.texts(5, 1).await, ["echo: endless"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once_and_not_with_0() {
    let mut stage = Stage::new().await;
    stage.openai();
    let mut daemon = Daemon::start(&stage);
    daemon.says(READY).await;
    stage.sim.model().fault_next(ModelFault::Hang);
    stage.sim.say(5, "endless");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    daemon.signal("TERM");
    daemon.says("stopping: no new updates are accepted").await;
    let begun = Instant::now();
    daemon.signal("INT");
    assert_eq!(daemon.ended().await.code(), Some(75));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    stage.start().await;
    assert_eq!(stage.texts(5, 1).await, ["echo: endless"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_telegram_answers_is_clean_too() {
    let mut stage = Stage::new().await;
    let hold = stage.sim.hold(Hold::Method("getMe"), HoldAt::BeforeEffect);
    let mut daemon = Daemon::start(&stage);
    assert!(hold.wait_held(1, SOON).await);
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    let beat = stage.config().config.watch.heartbeat_path;
    let beat = std::fs::read_to_string(beat).expect("a heartbeat");
    assert!(beat.contains("verdict: stopped"), "{beat}");
    drop(hold);
    stage.start().await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_file_is_refused() {
    let stage = Stage::running(&[]).await;
    let second = process::run(&stage, &["run"]).await;
    assert_eq!(second.code, Some(75), "{}", second.stderr);
    assert!(second.stderr.contains("is in use by another katana-bot"), "{}", second.stderr);
    assert!(second.stderr.contains("hint: stop the other process first"), "{}", second.stderr);
    assert_eq!(stage.ask(5, "still here?").await, "echo: still here?");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_configuration_is_reported_whole_and_without_secrets() {
    let mut stage = Stage::new().await;
    stage
        .set("KATANA_TELEGRAM_TOKEN", "this-is-NOT-a-token-but-secret")
        .set("KATANA_TELEGRAM_POLL_TIMEOUT_S", "99")
        .set("KATANA_BOT_ACCESS", "opne");
    for args in [&["run"][..], &["check-config"]] {
        let out = process::run(&stage, args).await;
        assert_eq!(out.code, Some(78), "{}", out.stderr);
        for key in ["telegram.token", "telegram.poll_timeout_s", "bot.access"] {
            assert!(out.stderr.contains(key), "{key}: {}", out.stderr);
        }
        assert!(!out.stderr.contains("NOT-a-token"), "{}", out.stderr);
        assert!(!out.stdout.contains("NOT-a-token"), "{}", out.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_that_cannot_be_written_is_said() {
    let mut stage = Stage::new().await;
    // Root may write anywhere, but not make a folder in a file.
    let file = stage.dir.path().join("file");
    std::fs::write(&file, "").expect("a file");
    stage.set("KATANA_STORE_PATH", &file.join("katana.db").display().to_string());
    let out = process::run(&stage, &["run"]).await;
    assert_eq!(out.code, Some(69), "{}", out.stderr);
    assert!(out.stderr.contains("cannot open the state file"), "{}", out.stderr);
    assert!(out.stderr.contains("hint: check that the folder exists"), "{}", out.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_state_file_is_set_aside_and_said() {
    let mut stage = Stage::new().await;
    let path = stage.dir.path().join("katana.db");
    stage.start().await;
    assert!(stage.stop().await);
    // What says that it is a database is gone; the lock file still says whose it is.
    let mut garbage = std::fs::read(&path).expect("a file");
    garbage[..4096].fill(0);
    std::fs::write(&path, &garbage).expect("a file");
    let mut daemon = Daemon::start(&stage);
    daemon.says(READY).await;
    daemon.says("the state file was damaged; it was set aside").await;
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    let files = std::fs::read_dir(stage.dir.path()).expect("the folder");
    let mut names = files.map(|f| f.expect("a file").path());
    let aside = names.find(|p| p.to_string_lossy().contains("katana.db.corrupt-"));
    assert_eq!(std::fs::read(aside.expect("it is kept")).expect("it can be read"), garbage);
    stage.start().await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_something_else_is_refused_and_untouched() {
    let mut stage = Stage::new().await;
    let (letter, link) = (stage.dir.path().join("letter.txt"), stage.dir.path().join("link"));
    std::fs::write(&letter, "Dear editor, this is not a database.").expect("a file");
    std::os::unix::fs::symlink(&letter, &link).expect("a link");
    let fifo = stage.dir.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs");
    assert!(made.success());
    let before = || {
        let entries = std::fs::read_dir(stage.dir.path()).expect("the folder").flatten();
        entries.map(|e| e.file_name()).collect::<std::collections::BTreeSet<_>>()
    };
    let there = before();
    for (path, why) in [
        (&letter, "it is not the state file of a katana-bot"),
        (&link, "it is not the state file of a katana-bot"),
        (&fifo, "it is not a regular file"),
        (&stage.dir.path().to_owned(), "it is not a regular file"),
    ] {
        let path = path.display().to_string();
        let mut settings = stage.settings().to_vec();
        settings.push(("KATANA_STORE_PATH".into(), path.clone()));
        let out = process::command(&settings).arg("run").output().expect("it runs");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(78), "{path}: {said}");
        assert!(said.contains(why) && said.contains("store.path"), "{path}: {said}");
    }
    assert_eq!(before(), there, "nothing is written beside it");
    assert_eq!(std::fs::read(&letter).expect("a file"), b"Dear editor, this is not a database.");
    stage.start().await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_gets_ready_only_after_the_first_poll_was_answered() {
    let mut stage = Stage::new().await;
    let path = stage.dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(SOON)).expect("a timeout");
    let hear = || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("a message from the daemon");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    stage.set("NOTIFY_SOCKET", &path.display().to_string());
    let hold = stage.sim.hold(Hold::Method("getUpdates"), HoldAt::AfterEffect);
    let mut daemon = Daemon::start(&stage);
    assert!(hold.wait_held(1, SOON).await);
    let mut heard = hear();
    while !heard.contains("STATUS=connecting to Telegram") {
        assert!(!heard.contains("READY=1"), "before the first poll was answered: {heard}");
        heard = hear();
    }
    socket.set_nonblocking(true).expect("a socket");
    let mut buffer = [0; 4096];
    while let Ok(length) = socket.recv(&mut buffer) {
        let early = String::from_utf8_lossy(&buffer[..length]);
        assert!(!early.contains("READY=1"), "before the first poll was answered: {early}");
    }
    socket.set_nonblocking(false).expect("a socket");
    hold.release();
    while !heard.contains("READY=1") {
        heard = hear();
    }
    assert!(heard.contains("STATUS=answering"), "{heard}");
    daemon.signal("TERM");
    while !heard.contains("STOPPING=1") {
        heard = hear();
    }
    assert_eq!(daemon.ended().await.code(), Some(0));
    stage.set("NOTIFY_SOCKET", "").start().await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_never_reach_a_sink() {
    let mut stage = Stage::new().await;
    stage.openai().set("LOG_LEVEL", "debug");
    stage.sim.set_faults(Faults::everything(0.25));
    let token = stage.sim.token().to_owned();
    let model = stage.sim.model();
    model.fault_next(ModelFault::status(
        401,
        &format!(r#"{{"error":{{"message":"bad key {MODEL_KEY}"}}}}"#),
    ));
    model.fault_next(ModelFault::status(500, &format!("token {token} key {MODEL_KEY}")));
    model.fault_next(ModelFault::Html);
    model.fault_next(ModelFault::Closed);
    stage.sim.fault_next("getUpdates", Fault::AnswerCut);
    let mut daemon = Daemon::start(&stage);
    for i in 0..20 {
        stage.sim.say(5 + i, &format!("message {i}"));
    }
    let all = stage.sim.wait_until(SOON * 3, |sim| sim.bot_message_count() >= 20).await;
    assert!(all, "{} of 20\n{}", stage.sim.bot_message_count(), daemon.log());
    stage.sim.revoke_token();
    daemon.says("Telegram refuses the token").await;
    daemon.signal("TERM");
    daemon.signal("TERM");
    daemon.ended().await;
    let log = daemon.log();
    assert!(log.contains("poll failed") && log.contains("provider failed"), "faults are logged");
    let (_, tail) = token.split_once(':').expect("a token");
    for secret in [tail, MODEL_KEY] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None);
    }
    for text in ["message 1", "echo:"] {
        assert!(!log.contains(text), "what people say is logged: {text}");
    }
    stage.sim.restore_token();
    stage.sim.set_faults(Faults::none());
    stage.start().await;
    stage.end().await;
}
