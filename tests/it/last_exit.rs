//! `last-exit`: why the daemon ended, for those who cannot read its journal. With the real binary.

use heartbeat::LastExit;

use crate::harness::{Stage, eventually};
use crate::process::{self, Daemon};

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_file_is_left_with_key_and_line_until_the_bot_serves() {
    let mut stage = Stage::new().await;
    let beat = stage.config().config.watch.heartbeat_path;
    let file = stage.dir.path().join("katana-bot.toml");
    let path = file.display().to_string();
    std::fs::write(&file, "# ours\n[bot]\nacces = \"secret-word\"\n").expect("written");
    stage.set("KATANA_CONFIG", &path);
    assert_eq!(process::run(&stage, &["run"]).await.code, Some(78));
    let exit = LastExit::read(&beat).expect("it is written down");
    assert_eq!((exit.exit_code, exit.line), (Some(78), Some(3)), "{exit:?}");
    assert_eq!((exit.key.as_deref(), exit.file.as_deref()), (Some("bot.acces"), Some(&*path)));
    assert!(exit.reason.starts_with("there is no such key") && exit.time_ms().is_some());
    let text = std::fs::read_to_string(LastExit::path(&beat)).expect("the file");
    assert!(!text.contains("secret-word"), "{text}");

    let said = process::run(&stage, &["status"]).await;
    let why = format!("exit status 78: bot.acces: there is no such key ({path}:3)");
    assert!(said.stdout.contains(&why), "{}", said.stdout);
    assert!(said.stdout.contains("katana-bot check-config"), "{}", said.stdout);
    assert_eq!(said.code, Some(1));
    let json = process::run(&stage, &["status", "--json"]).await.stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["last_exit"]["version"], &json["last_exit"]["line"]), (&1.into(), &3.into()));

    std::fs::write(&file, "# right\n").expect("written");
    let mut daemon = Daemon::start(&stage);
    daemon.says("ready: Telegram answered").await;
    assert!(eventually(|| !LastExit::path(&beat).exists()).await, "a bot that serves removes it");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    assert_eq!(LastExit::read(&beat), None, "a clean stop leaves none");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_at_the_start_and_what_systemd_saw_are_left_too() {
    let mut stage = Stage::new().await;
    let beat = stage.dir.path().join("run/heartbeat");
    std::fs::create_dir(stage.dir.path().join("run")).expect("a folder");
    stage.set("KATANA_WATCH_HEARTBEAT_PATH", &beat.display().to_string());
    let state = stage.config().config.store.path;
    std::fs::write(&state, "not a state file, but a text that someone wrote\n").expect("written");
    assert_eq!(process::run(&stage, &["run"]).await.code, Some(78));
    let exit = LastExit::read(&beat).expect("it is written down");
    assert_eq!((exit.exit_code, exit.key.as_deref()), (Some(78), None));
    assert!(exit.reason.contains("state file"), "{exit:?}");

    let end = |result: &str, code: &str, status: &str| {
        let of = [("SERVICE_RESULT", result), ("EXIT_CODE", code), ("EXIT_STATUS", status)];
        of.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let own = exit.reason.clone();
    for (result, code, status, how, words) in [
        ("exit-code", "exited", "78", "exit status 78", own.as_str()),
        ("watchdog", "killed", "ABRT", "SIGABRT", "watchdog"),
        ("oom-kill", "killed", "KILL", "SIGKILL", "ran out of memory"),
        ("exit-code", "exited", "203", "exit status 203", "could not be started"),
    ] {
        for (name, value) in end(result, code, status) {
            stage.set(&name, &value);
        }
        assert_eq!(process::run(&stage, &["record-exit"]).await.code, Some(0));
        let exit = LastExit::read(&beat).expect("it is written down");
        assert!(exit.how() == how && exit.reason.contains(words), "{exit:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_checks_the_file_without_the_secrets() {
    let mut stage = Stage::new().await;
    let file = stage.dir.path().join("katana-bot.toml");
    stage.set("KATANA_CONFIG", &file.display().to_string());
    // What ExecReload= sees: credentials that only ExecStart= may read.
    stage.set("KATANA_TELEGRAM_TOKEN", "").set("CREDENTIALS_DIRECTORY", "/nowhere");
    let check = ["check-config", "--without-secrets"];
    for (text, code, words) in [
        ("[log]\nlevel = \"debug\"\n", 0, ""),
        ("[log]\nlevel = 5\n", 78, "log.level: the value"),
        ("[telegram]\ntoken = \"1:secret\"\n", 78, "a secret in the configuration file"),
    ] {
        std::fs::write(&file, text).expect("written");
        let out = process::run(&stage, &check).await;
        assert_eq!(out.code, Some(code), "{text}: {out:?}");
        assert!(out.stderr.contains(words), "{out:?}");
    }
    assert_eq!(process::run(&stage, &["check-config"]).await.code, Some(78));
}
