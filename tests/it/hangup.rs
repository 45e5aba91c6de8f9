//! SIGHUP and the real binary: the configuration file and secrets on disk are read again.

use std::path::PathBuf;

use botapi_sim::{Hold, HoldAt};

use crate::harness::{OWNER, SOON, Stage, eventually};
use crate::notify::Ear;
use crate::process::Daemon;

const READY: &str = "ready: Telegram answered the first poll";

/// A stage whose daemon reads a configuration file and its token from files.
struct Files {
    stage: Stage,
    config: PathBuf,
    token: PathBuf,
}

impl Files {
    async fn new() -> Self {
        let mut stage = Stage::new().await;
        let (config, token) =
            (stage.dir.path().join("katana-bot.toml"), stage.dir.path().join("token"));
        std::fs::write(&token, stage.sim.token()).expect("the token's file");
        stage
            .set("KATANA_TELEGRAM_TOKEN", "")
            .set("KATANA_TELEGRAM_TOKEN_FILE", &token.display().to_string())
            .set("KATANA_CONFIG", &config.display().to_string());
        // The environment would win over the file.
        for key in ["KATANA_BOT_ACCESS", "KATANA_ANSWER_PROVIDER"] {
            stage.set(key, "");
        }
        let files = Self { stage, config, token };
        files.write("");
        files
    }

    /// The configuration file: open, echo, and more.
    fn write(&self, more: &str) {
        let base = "answer.provider = \"echo\"\n";
        std::fs::write(&self.config, format!("{base}{more}")).expect("the configuration file");
    }

    fn rotate(&self) -> String {
        let token = self.stage.sim.reissue_token();
        std::fs::write(&self.token, &token).expect("the token's file");
        token
    }

    /// Stops the daemon; a new one, in process, finds nothing to do. Gives the daemon's log.
    async fn end(mut self, mut daemon: Daemon) -> String {
        daemon.signal("TERM");
        assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
        let log = daemon.log();
        self.stage.set("KATANA_CONFIG", "").set("KATANA_ANSWER_PROVIDER", "echo");
        self.stage.set("NOTIFY_SOCKET", "").start().await;
        self.stage.end().await;
        log
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_file_is_in_effect_after_sighup() {
    let files = Files::new().await;
    let daemon = Daemon::start(&files.stage);
    daemon.says(READY).await;
    assert!(files.stage.ask(5, "may I?").await.contains("pairing code"));
    // Nothing is asked in channels.
    let ignored = |n: i64| files.stage.sim.channel_post(-1_000_000_000_007, &format!("post {n}"));
    ignored(1);
    files.stage.ask(OWNER, "/status").await;
    assert!(!daemon.log().contains("DEBUG"), "{}", daemon.log());
    files.write("bot.access = \"open\"\nlog.level = \"debug\"\nlog.format = \"journal\"\n");
    daemon.signal("HUP");
    daemon.says("configuration read again").await;
    daemon.says("changed: bot.access; the new value is in effect").await;
    daemon.says("changed: log.level; the new value is in effect").await;
    for (before, question) in ["and now?", "and again?", "and at last?"].iter().enumerate() {
        assert_eq!(files.stage.ask(5, question).await, format!("echo: {question}"));
        let logged = || daemon.log().matches("provider answered").count();
        assert!(eventually(|| logged() == before + 1).await, "{}", daemon.log());
    }
    daemon.says("needs a restart: log.format, because the log is open").await;
    ignored(2);
    daemon.says("DEBUG update ignored").await;
    files.end(daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_is_used_and_neither_of_both_is_logged() {
    let files = Files::new().await;
    files.write("bot.access = \"open\"\nlog.level = \"trace\"\n");
    let daemon = Daemon::start(&files.stage);
    daemon.says(READY).await;
    assert_eq!(files.stage.ask(5, "before").await, "echo: before");
    let new = files.rotate();
    daemon.says("Telegram refuses the token").await;
    files.stage.sim.say(5, "meanwhile");
    daemon.signal("HUP");
    daemon.says("changed: telegram.token; the new value is in effect").await;
    assert_eq!(files.stage.texts(5, 2).await[1], "echo: meanwhile");
    let log = daemon.log();
    for token in [new.as_str(), files.stage.sim.token()] {
        let (_, secret) = token.split_once(':').expect("a token");
        assert_eq!(log.lines().find(|line| line.contains(secret)), None);
    }
    files.end(daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_leaves_the_bot_as_it_is() {
    let files = Files::new().await;
    files.write("bot.access = \"open\"\n");
    let daemon = Daemon::start(&files.stage);
    daemon.says(READY).await;
    files.write("bot.access = \"opne\"\ntelegram.token = \"4711:misplaced-secret-AAAAAAAA\"\n");
    daemon.signal("HUP");
    daemon.says("the new configuration is refused, the old one stays in effect").await;
    let log = daemon.log();
    for key in ["key=\"bot.access\"", "key=\"telegram.token\""] {
        assert!(log.lines().any(|l| l.contains("problem in the new") && l.contains(key)), "{log}");
    }
    assert!(!log.contains("misplaced-secret") && !log.contains("opne"), "{log}");
    assert_eq!(files.stage.ask(5, "still there?").await, "echo: still there?");
    files.write("bot.access = \"open\"\nbot.owners = [77]\n");
    files.stage.sim.say(77, "hello");
    daemon.signal("HUP");
    daemon.says("configuration read again").await;
    assert_eq!(files.stage.ask(5, "and now?").await, "echo: and now?");
    files.end(daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_stuck_on_a_revoked_token_goes_on_with_the_new_one() {
    let files = Files::new().await;
    let new = files.stage.sim.reissue_token();
    let daemon = Daemon::start(&files.stage);
    daemon.says("Telegram refuses the token").await;
    std::fs::write(&files.token, new).expect("the token's file");
    files.write("bot.access = \"open\"\nlifecycle.grace_s = 7\n");
    let begun = std::time::Instant::now();
    daemon.signal("HUP");
    daemon.says(READY).await;
    assert!(begun.elapsed() < SOON, "the pause after a refusal is a minute");
    assert_eq!(files.stage.ask(5, "awake?").await, "echo: awake?");
    let log = files.end(daemon).await;
    assert!(log.contains("stopping: no new updates are accepted grace_s=7"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reload_is_reported_to_systemd_but_none_before_the_bot_is_ready() {
    let mut files = Files::new().await;
    let mut ear = Ear::listening(&mut files.stage);
    let hold = files.stage.sim.hold(Hold::Method("getUpdates"), HoldAt::AfterEffect);
    let daemon = Daemon::start(&files.stage);
    assert!(hold.wait_held(1, SOON).await);
    daemon.signal("HUP");
    daemon.says("configuration read again").await;
    hold.release();
    ear.hears("READY=1").await;
    assert_eq!(ear.count("RELOADING=1"), 0, "{:?}", ear.all());
    let bad = ("bot.access = \"opne\"\n", "configuration refused: bot.access: ");
    for (file, status) in [bad, ("", "STATUS=answering")] {
        files.write(file);
        ear.forget();
        daemon.signal("HUP");
        ear.hears("READY=1").await;
        let said: Vec<_> = ear.all().iter().filter(|s| !s.starts_with("STATUS=")).collect();
        let [reloading, ready] = said.as_slice() else { panic!("{said:?}") };
        assert!(reloading.contains("RELOADING=1"), "{reloading}");
        let time = reloading.lines().find_map(|l| l.strip_prefix("MONOTONIC_USEC="));
        assert!(time.is_some_and(|t| t.parse::<u64>().is_ok()), "{reloading}");
        assert!(ready.contains(status), "{ready}");
    }
    // What stays is a finding, until a good reload.
    files.write("bot.access = \"opne\"\n");
    daemon.signal("HUP");
    ear.hears("degraded: config_rejected").await;
    files.write("");
    ear.forget();
    daemon.signal("HUP");
    ear.hears("STATUS=answering").await;
    files.end(daemon).await;
}
