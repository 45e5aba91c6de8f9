//! What an operator asks of the machine: `status`, `doctor`, `check-config`, `users list`.

use std::os::unix::fs::PermissionsExt;

use heartbeat::{Finding, Heartbeat, Now, Severity, Verdict};
use serde_json::Value;

use crate::harness::{MODEL_KEY, OWNER, Stage, eventually};
use crate::process::{self, Daemon, Output};

/// A running daemon, and its settings with the port that it found.
async fn running() -> (Stage, Daemon) {
    let mut stage = Stage::new().await;
    let daemon = Daemon::start(&stage);
    daemon.says("ready: Telegram answered the first poll").await;
    daemon.says("answering HTTP requests").await;
    let log = daemon.log();
    let address = log.split("address=").nth(1).expect("the address is logged");
    let address = address.split_whitespace().next().expect("a word").to_owned();
    stage.set("KATANA_WEB_LISTEN", &address);
    let beat = stage.dir.path().join("heartbeat");
    assert!(eventually(|| beat.exists()).await, "the heartbeat is written");
    (stage, daemon)
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", output.stdout))
}

/// A heartbeat of this boot, so old, of this process.
fn beat(age_ms: u64, pid: u32, verdict: Verdict) -> Heartbeat {
    let now = Now::read();
    Heartbeat {
        time_ms: now.time_ms - i64::try_from(age_ms).expect("small"),
        boot_id: now.boot_id.expect("a boot id"),
        boot_ms: now.boot_ms.expect("an uptime").saturating_sub(age_ms),
        awake_ms: now.awake_ms.map(|ms| ms.saturating_sub(age_ms)),
        sequence: 7,
        pid,
        version: "0.1.0".into(),
        environment: "testing".into(),
        manager: None,
        verdict,
        findings: Vec::new(),
        ages: vec![("poll".into(), 2_000)],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_a_running_bot_and_of_one_that_was_stopped() {
    let (stage, mut daemon) = running().await;
    let out = process::run(&stage, &["status"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stdout.contains("katana-bot running, all is well"), "{}", out.stdout);
    for word in ["last poll", "waiting", "heartbeat", "endpoint", "by echo"] {
        assert!(out.stdout.contains(word), "{word}: {}", out.stdout);
    }
    assert!(!out.stdout.contains('\u{1b}') && !out.stdout.contains('✓'), "no terminal, no UTF-8");
    let said = json(&process::run(&stage, &["status", "--json"]).await);
    assert_eq!((&said["state"], &said["good"]), (&"ok".into(), &true.into()), "{said}");
    let (beat, status) = (&said["heartbeat"]["beat"], &said["endpoint"]["status"]);
    assert_eq!(beat["pid"], status["about"]["pid"]);
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    let out = process::run(&stage, &["status"]).await;
    assert_eq!(out.code, Some(1), "{out:?}");
    assert!(out.stdout.contains("not running: stopped cleanly at 20"), "{}", out.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_since_when_a_killed_bot_is_gone_without_any_configuration() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_TELEGRAM_TOKEN", "").set("KATANA_BOT_ACCESS", "nonsense");
    stage.set("KATANA_WEB_LISTEN", "off");
    let file = stage.dir.path().join("beat");
    let mut child = std::process::Command::new("true").spawn().expect("it starts");
    child.wait().expect("it ends");
    let gone = beat(20_000, child.id(), Verdict::Ok);
    heartbeat::write(&file, &gone).expect("written");
    let path = file.display().to_string();
    let out = process::run(&stage, &["status", "--file", &path]).await;
    assert_eq!(out.code, Some(1), "{out:?}");
    assert!(out.stdout.contains("katana-bot not running since 20"), "{}", out.stdout);
    assert!(out.stdout.contains("20 s ago"), "{}", out.stdout);
    std::fs::remove_file(&file).expect("removed");
    let out = process::run(&stage, &["status", "--file", &path]).await;
    assert!(out.stdout.contains("not running: the heartbeat file does not exist"), "{out:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_shows_findings_from_the_heartbeat_with_what_to_do() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_WEB_LISTEN", "off");
    let file = stage.dir.path().join("heartbeat");
    let finding = |name: &str, severity, text: &str| Finding {
        name: name.into(),
        severity,
        text: text.into(),
        impact: String::new(),
        first_step: String::new(),
    };
    let mut failing = beat(1_000, std::process::id(), Verdict::Failing);
    failing.findings = vec![
        finding("conflict", Severity::Failing, "another program takes this bot's updates"),
        finding("of_a_newer_version", Severity::Degraded, "odd"),
    ];
    heartbeat::write(&file, &failing).expect("written");
    let out = process::run(&stage, &["status"]).await;
    assert_eq!(out.code, Some(1), "{out:?}");
    for words in [
        "running, but people are not served",
        "x conflict: another program",
        "do: stop the other bot",
        "! of_a_newer_version: odd",
        "last poll  3 s ago",
    ] {
        assert!(out.stdout.contains(words), "{words}: {}", out.stdout);
    }
    let degraded = Heartbeat { verdict: Verdict::Degraded, ..failing };
    heartbeat::write(&file, &degraded).expect("written");
    assert_eq!(process::run(&stage, &["status"]).await.code, Some(0));
    let old = beat(300_000, std::process::id(), Verdict::Ok);
    heartbeat::write(&file, &old).expect("written");
    let out = process::run(&stage, &["status"]).await;
    assert_eq!(out.code, Some(1), "{out:?}");
    let hangs = format!("process {} hangs: it is there, but does not answer", std::process::id());
    assert!(out.stdout.contains(&hangs), "{}", out.stdout);
    assert!(out.stdout.contains("do: then `kill -KILL"), "{}", out.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_doctor_agree_on_a_bot_that_hangs() {
    let (stage, daemon) = running().await;
    daemon.signal("STOP");
    let hangs = format!("process {} hangs: a signal (SIGSTOP)", daemon.id());
    let said = process::run(&stage, &["status"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains(&hangs), "{}", said.stdout);
    for words in ["its last sign of life was at 20", "do: for a report, first: `", "do: then `"] {
        assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
    }
    let found = process::run(&stage, &["doctor"]).await;
    assert_eq!(found.code, Some(69), "{}", found.stdout);
    assert!(found.stdout.contains(&format!("x heartbeat      {hangs}")), "{}", found.stdout);
    assert!(!found.stdout.contains("another program has"), "{}", found.stdout);
    let json = json(&process::run(&stage, &["status", "--json"]).await);
    assert_eq!((&json["state"], &json["process"]), (&"hangs".into(), &daemon.id().into()));
    daemon.signal("CONT");
    assert_eq!(process::run(&stage, &["status"]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_id_alone_does_not_say_that_the_bot_is_gone() {
    let (stage, mut daemon) = running().await;
    let file = stage.config().config.watch.heartbeat_path;
    let text = std::fs::read_to_string(&file).expect("a heartbeat");
    let beat = Heartbeat::parse(&text).expect("a heartbeat");
    let elsewhere = Heartbeat { boot_id: "of-the-host".into(), ..beat };
    let other = stage.dir.path().join("elsewhere");
    heartbeat::write(&other, &elsewhere).expect("written");
    let path = other.display().to_string();
    let said = process::run(&stage, &["status", "--file", &path]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains("running, all is well"), "{}", said.stdout);
    assert!(said.stdout.contains("it hides the boot id"), "{}", said.stdout);
    daemon.signal("TERM");
    daemon.ended().await;
    let said = process::run(&stage, &["status", "--file", &path]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("not running"), "{}", said.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_a_running_bot_in_good_health() {
    let (mut stage, mut daemon) = running().await;
    stage.set("LC_ALL", "C.UTF-8");
    let out = process::run(&stage, &["doctor"]).await;
    assert_eq!(out.code, Some(0), "{}", out.stdout);
    for words in [
        "✓ configuration",
        "✓ state file",
        "belongs to @",
        "no webhook is set",
        "✓ clock          agrees with Telegram's",
        "katana-bot answers on 127.0.0.1:",
        "✓ heartbeat",
    ] {
        assert!(out.stdout.contains(words), "{words}: {}", out.stdout);
    }
    assert!(!out.stdout.contains(stage.sim.token()), "{}", out.stdout);
    daemon.signal("TERM");
    daemon.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_reports_what_is_wrong_inside_and_outside() {
    let mut stage = Stage::new().await;
    let secret = stage.dir.path().join("token");
    std::fs::write(&secret, stage.sim.token()).expect("written");
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o644)).expect("changed");
    stage.set("KATANA_TELEGRAM_TOKEN", "");
    stage.set("KATANA_TELEGRAM_TOKEN_FILE", &secret.display().to_string());
    let out = process::run(&stage, &["doctor"]).await;
    assert_eq!(out.code, Some(78), "{}", out.stdout);
    assert!(out.stdout.contains("x secrets") && out.stdout.contains("do: chmod 600"), "{out:?}");
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("changed");
    assert_eq!(process::run(&stage, &["doctor"]).await.code, Some(0));

    stage.set("KATANA_TELEGRAM_TOKEN_FILE", "");
    stage.set("KATANA_TELEGRAM_TOKEN", "42:not-the-one-of-this-bot");
    let said = json(&process::run(&stage, &["doctor", "--json"]).await);
    let checks = said["checks"].as_array().expect("checks");
    let token = checks.iter().find(|c| c["check"] == "token").expect("the token");
    assert_eq!(token["state"], "bad", "{said}");
    assert!(!said.to_string().contains("not-the-one"), "{said}");

    let token = stage.sim.token().to_owned();
    stage.set("KATANA_TELEGRAM_TOKEN", &token);
    // A first run leaves its mark: only a state file can be damaged, another file is refused.
    stage.start().await;
    assert!(stage.stop().await);
    let db = stage.dir.path().join("katana.db");
    std::fs::write(&db, [b"SQLite format 3\0".as_slice(), &[0xAB; 20_000]].concat()).expect("ok");
    std::fs::set_permissions(&db, PermissionsExt::from_mode(0o600)).expect("changed");
    let out = process::run(&stage, &["doctor"]).await;
    assert_eq!(out.code, Some(69), "{}", out.stdout);
    assert!(out.stdout.contains("is damaged"), "{}", out.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_the_provider_only_on_request() {
    let mut stage = Stage::new().await;
    stage.openai();
    let out = process::run(&stage, &["doctor"]).await;
    assert_eq!(out.code, Some(0), "{}", out.stdout);
    assert!(out.stdout.contains("reachable; no question was asked"), "{}", out.stdout);
    let out = process::run(&stage, &["doctor", "--ask-provider"]).await;
    assert_eq!(out.code, Some(0), "{}", out.stdout);
    assert!(out.stdout.contains("sim-model, with a key: answers, after"), "{}", out.stdout);
    stage.sim.model().set_key(Some(MODEL_KEY));
    stage.set("OPENAI_API_KEY", "sk-wrong-key-0123456789");
    let out = process::run(&stage, &["doctor", "--ask-provider"]).await;
    assert_eq!(out.code, Some(69), "{}", out.stdout);
    assert!(out.stdout.contains("do: the key is wrong"), "{}", out.stdout);
    assert!(!out.stdout.contains("sk-wrong") && !out.stdout.contains(MODEL_KEY), "{}", out.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_compares_the_models_with_the_servers_list() {
    let mut stage = Stage::new().await;
    stage.openai().set("KATANA_ANSWER_MODELS", "sim-large,sim-model");
    stage.sim.model().set_key(Some(MODEL_KEY));
    let out = process::run(&stage, &["doctor"]).await;
    assert_eq!(out.code, Some(0), "{}", out.stdout);
    assert!(out.stdout.contains("on the server's list of 3: sim-model, sim-large\n"), "{out:?}");
    stage.set("KATANA_ANSWER_MODELS", "sim-large,nosuch");
    let out = process::run(&stage, &["doctor"]).await;
    assert_eq!(out.code, Some(0), "some servers take other names, too: {}", out.stdout);
    assert!(out.stdout.contains("not on the server's list: nosuch\n"), "{}", out.stdout);
    assert!(out.stdout.contains("it lists sim-model, sim-small, sim-large"), "{}", out.stdout);
    assert_eq!(stage.sim.model().calls(), 0, "no question was asked");
    stage.set("OPENAI_API_KEY", "sk-wrong-key-0123456789");
    let out = process::run(&stage, &["doctor"]).await;
    assert_eq!(out.code, Some(69), "{}", out.stdout);
    assert!(out.stdout.contains("do: the key is wrong"), "{}", out.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_a_webhook_and_an_unreachable_server_without_their_addresses() {
    let mut stage = Stage::new().await;
    stage.sim.set_webhook_url("https://hook.example.org/its-own-secret");
    let out = process::run(&stage, &["doctor"]).await;
    assert_eq!(out.code, Some(69), "{}", out.stdout);
    assert!(out.stdout.contains("x polling") && out.stdout.contains("a webhook is set"), "{out:?}");
    assert!(!out.stdout.contains("its-own-secret"), "{}", out.stdout);
    // Bound and never accepted from; then gone.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = closed.local_addr().expect("an address");
    drop(closed);
    stage.set("KATANA_TELEGRAM_API_URL", &format!("http://{address}"));
    let out = process::run(&stage, &["doctor"]).await;
    assert_eq!(out.code, Some(69), "{}", out.stdout);
    assert!(out.stdout.contains("x token") && out.stdout.contains("cannot reach"), "{out:?}");
    assert!(!out.stdout.contains(stage.sim.token()), "{}", out.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_takes_the_name_of_one_of_several_bots() {
    let stage = Stage::new().await;
    let instance = ["--instance", "no-such-bot"];
    let file = stage.dir.path().join("backup.db").display().to_string();
    for command in
        [&["check-config"][..], &["print-config"], &["backup", &file], &["users", "list"]]
    {
        let out = process::run(&stage, &[&instance, command].concat()).await;
        assert_eq!(out.code, Some(78), "{command:?}: {out:?}");
        assert!(
            out.stderr.contains("/etc/katana-bot/no-such-bot.toml: the configuration"),
            "{out:?}"
        );
    }
    for (more, words) in [
        (&["--instance", "a", "--config", "b.toml"][..], "give either --instance or --config"),
        (&["--instance", "../a"], "letters, digits, _ and -"),
        (&["--instance", "katana-bot"], "is another configuration"),
    ] {
        let out = process::run(&stage, &[more, &["check-config"]].concat()).await;
        assert!(out.code == Some(64) && out.stderr.contains(words), "{out:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_bot_is_not_taken_for_an_instance_that_does_not_exist() {
    let (mut stage, daemon) = running().await;
    // On the port that the instance has by default, without a heartbeat of its own.
    let nowhere = stage.dir.path().join("nowhere").display().to_string();
    stage.set("KATANA_WATCH_HEARTBEAT_PATH", &nowhere);
    let out = process::run(&stage, &["--instance", "no-such-bot", "status"]).await;
    assert_eq!(out.code, Some(1), "{out:?}");
    let another = format!("another katana-bot answers there (process {})", daemon.id());
    for words in [
        "x katana-bot without a usable configuration: /etc/katana-bot/no-such-bot.toml: ",
        "do: check the name; `sudo katana-bot --instance no-such-bot setup`",
        &another,
    ] {
        assert!(out.stdout.contains(words), "{words}: {}", out.stdout);
    }
    assert!(!out.stdout.contains("all is well") && !out.stdout.contains(", up "), "{}", out.stdout);
    let said =
        json(&process::run(&stage, &["--instance", "no-such-bot", "status", "--json"]).await);
    assert_eq!((&said["good"], &said["state"]), (&false.into(), &"not running".into()), "{said}");
    let out = process::run(&stage, &["--instance", "no-such-bot", "doctor"]).await;
    assert!(out.stdout.contains("another katana-bot answers on 127.0.0.1:"), "{}", out.stdout);
    // The bot itself is found without a heartbeat.
    assert_eq!(process::run(&stage, &["doctor"]).await.code, Some(69));
    let out = process::run(&stage, &["status"]).await;
    assert!(out.stdout.contains(", up "), "{}", out.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_looks_at_the_disk_and_shows_warnings_beside_problems() {
    let mut stage = Stage::new().await;
    let folder = stage.dir.path().display().to_string();
    stage.set("KATANA_STORE_PATH", &folder).set("KATANA_KNOWLEDGE_DIR", &folder);
    let out = process::run(&stage, &["check-config"]).await;
    assert_eq!(out.code, Some(78), "{out:?}");
    for words in [
        "store.path: this is a folder, not a file",
        "Warnings:\nbot.access: everyone",
        "knowledge.dir: the folder has no usable document",
        "1 problem.",
    ] {
        assert!(out.stderr.contains(words), "{words}: {}", out.stderr);
    }
    std::fs::write(stage.dir.path().join("page.md"), "# A\n\nb\n").expect("written");
    std::fs::write(stage.dir.path().join("odd.txt"), [0xFF, 0xFE]).expect("written");
    stage.set("KATANA_STORE_PATH", &format!("{folder}/new/katana.db"));
    let out = process::run(&stage, &["check-config"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(
        !out.stderr.contains("no usable document"),
        "what is in the documents shows when they are read: {}",
        out.stderr
    );
    assert!(!stage.dir.path().join("new").exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_people_knows_those_of_the_configuration() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_BOT_ALLOW_USERS", "5");
    let out = process::run(&stage, &["users", "list"]).await;
    assert!(!out.stdout.contains("No one yet"), "{}", out.stdout);
    let rows: Vec<&str> = out.stdout.lines().skip(1).collect();
    assert!(rows[0].starts_with(&format!("{OWNER} ")) && rows[0].contains(" owner "), "{rows:?}");
    assert!(rows[0].contains("[bot.owners (environment KATANA_BOT_OWNERS)]"), "{rows:?}");
    assert!(rows[1].starts_with("5 ") && rows[1].contains(" member "), "{rows:?}");
    let said = json(&process::run(&stage, &["users", "list", "--json"]).await);
    assert_eq!(said[1]["from"], "bot.allow_users (environment KATANA_BOT_ALLOW_USERS)");
}
