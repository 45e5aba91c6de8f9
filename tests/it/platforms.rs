//! What hosting platforms and the systems that came before expect: their environment works as it stands, and
//! their collectors get a line for each event.

use serde_json::Value;

use crate::harness::{SOON, Stage};
use crate::overlap::free_port;
use crate::process::{Daemon, Output, command};

/// Starts with this environment and what leads to the simulator, and answers a message.
async fn works(block: &[(&str, &str)]) -> (Stage, Daemon) {
    let mut stage = Stage::new().await;
    let needed = ["KATANA_TELEGRAM_API_URL", "KATANA_STORE_PATH"];
    let other: Vec<String> = stage.settings().iter().map(|(key, _)| key.clone()).collect();
    for key in other.iter().filter(|key| !needed.contains(&key.as_str())) {
        stage.set(key, "");
    }
    let token = stage.sim.token().to_owned();
    // Who may chat is in none of these systems; the model is ours to simulate.
    stage.set("KATANA_BOT_ACCESS", "open");
    let model = stage.sim.openai_url();
    stage.set("KATANA_OPENAI_BASE_URL", &model);
    for (key, value) in block {
        stage.set(key, if *value == "TOKEN" { &token } else { value });
    }
    let bot = Daemon::start(&stage);
    stage.sim.say(5, "hello");
    let answered = stage.sim.wait_until(SOON, |sim| sim.bot_message_count() == 1).await;
    assert!(answered, "{}", bot.log());
    (stage, bot)
}

/// `print-config` with these settings.
fn effective(stage: &Stage) -> Output {
    let out = command(stage.settings()).arg("print-config").output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Output { code: out.status.code(), stdout: text(out.stdout), stderr: text(out.stderr) }
}

fn has(stage: &Stage, lines: &[&str]) {
    let out = effective(stage);
    for line in lines {
        assert!(out.stdout.contains(line), "{line} expected in:\n{}{}", out.stdout, out.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_block_of_a_bot_with_a_heartbeat_works() {
    let (stage, bot) = works(&[
        ("KATANA_TELEGRAM_TOKEN", "TOKEN"),
        ("OPENAI_API_KEY", "sk-0123456789abcdef"),
        ("LOG_LEVEL", "INFO"),
    ])
    .await;
    has(&stage, &["provider = \"openai\"", "level = \"info\""]);
    assert!(!bot.log().contains("no effect"), "{}", bot.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_block_of_a_production_on_railway_works() {
    let port = free_port().to_string();
    let (stage, bot) = works(&[
        ("TELEGRAM_BOT_TOKEN", "TOKEN"),
        ("AI_PROVIDER", "google_gemini"),
        ("AI_MODEL_NAME", "gemini-2.0-flash"),
        ("GOOGLE_API_KEY", "AIza-0123456789abcdef"),
        ("RAILWAY_ENVIRONMENT", "production"),
        ("LOG_LEVEL", "INFO"),
        ("MONITORING_ENABLED", "true"),
        ("PORT", &port),
    ])
    .await;
    let listen = format!("listen = \"0.0.0.0:{port}\"");
    has(&stage, &["provider = \"openai\"", "model = \"gemini-2.0-flash\"", &listen]);
    has(&stage, &["environment = \"production\""]);
    assert!(!bot.log().contains("no effect"), "{}", bot.log());
    let health = reqwest::get(format!("http://127.0.0.1:{port}/health")).await.expect("an answer");
    assert_eq!(health.status().as_u16(), 200);
    // Without the stand-in for the model, it is Google's own server.
    let mut alone = stage;
    alone.set("KATANA_OPENAI_BASE_URL", "");
    has(&alone, &["base_url = \"https://generativelanguage.googleapis.com/v1beta/openai\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_block_of_a_testing_environment_works() {
    let (mut stage, bot) = works(&[
        ("TELEGRAM_BOT_TOKEN", "TOKEN"),
        ("AI_PROVIDER", "ollama"),
        ("AI_MODEL_NAME", "llama3.2"),
        ("GOOGLE_API_KEY", "dummy-key"),
        ("ENVIRONMENT", "testing"),
        ("LOG_LEVEL", "WARNING"),
        ("MONITORING_ENABLED", "false"),
    ])
    .await;
    has(&stage, &["model = \"llama3.2\"", "environment = \"testing\"", "level = \"warning\""]);
    bot.says("no effect has MONITORING_ENABLED").await;
    stage.set("KATANA_OPENAI_BASE_URL", "");
    has(&stage, &["base_url = \"http://127.0.0.1:11434/v1\"", "api_key is not set"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_block_of_a_platform_with_a_web_service_works_and_says_once_what_has_no_meaning() {
    let (stage, bot) = works(&[
        ("TELEGRAM_BOT_TOKEN", "TOKEN"),
        ("TELEGRAM_WEBHOOK_URL", "https://bot.example.org/webhook"),
        ("WEBHOOK_SECRET", "hook-secret-0123456789"),
        ("DATABASE_URL", "postgresql://user:hunter2hunter2@db.example.org/vehicles"),
        ("OPENAI_API_KEY", "sk-0123456789abcdef"),
        ("ENVIRONMENT", "production"),
        ("SENTRY_DSN", "http://0123456789abcdef@127.0.0.1:9/1"),
    ])
    .await;
    has(&stage, &["provider = \"openai\"", "environment = \"production\""]);
    bot.says("no effect has DATABASE_URL, TELEGRAM_WEBHOOK_URL, WEBHOOK_SECRET").await;
    let log = bot.log();
    assert_eq!(log.matches("no effect has").count(), 1, "{log}");
    assert!(log.contains("store.path") && log.contains("updates are polled"), "{log}");
    assert!(!log.contains("hunter2") && !log.contains("hook-secret"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_block_of_a_bot_with_retrieval_works_as_it_is() {
    let (stage, bot) = works(&[
        ("TELEGRAM_TOKEN", "TOKEN"),
        ("OPENAI_API_KEY", "sk-0123456789abcdef"),
        ("DEFAULT_MODEL", "gpt-4o-mini"),
        ("MAX_HISTORY_TURNS", "5"),
        ("HTTP_TIMEOUT", "30"),
        ("QDRANT_URL", "http://qdrant:6333"),
        ("ML_API_URL", "http://ml:8000"),
        ("EMBEDDING_CACHE_SIZE", "1000"),
    ])
    .await;
    has(&stage, &["model = \"gpt-4o-mini\"", "max_history_turns = 5", "timeout_s = 30"]);
    has(&stage, &["base_url = \"http://ml:8000\"", "cache_entries = 1000"]);
    has(&stage, &["url = \"http://qdrant:6333\""]);
    assert_eq!(bot.log().matches("no effect has").count(), 0, "{}", bot.log());
}

/// Each line of standard error, which is an object.
fn events(log: &str) -> Vec<Value> {
    let event = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    log.lines().map(event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_json_all_of_standard_error_is_one_object_a_line() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_LOG_FORMAT", "json");
    let mut bot = Daemon::start(&stage);
    bot.says("ready: Telegram").await;
    stage.sim.say(5, "a line\nand another");
    assert!(stage.sim.wait_until(SOON, |sim| sim.bot_message_count() == 1).await);
    bot.signal("TERM");
    assert!(bot.ended().await.success());
    let all = events(&bot.log());
    let one = |message: &str| {
        let found = all.iter().find(|event| event["message"] == message);
        found.unwrap_or_else(|| panic!("{message} expected in {all:?}"))
    };
    assert_eq!(one("message received")["CHAT_ID"], 5);
    assert_eq!(one("stopped; nothing was lost")["level"], "info");
    assert!(all.iter().all(|event| event["target"].is_string() && event["timestamp"].is_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_json_a_refused_start_is_one_object_a_line_too() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_LOG_FORMAT", "json").set("KATANA_BOT_ACCESS", "opne");
    let mut bot = Daemon::start(&stage);
    assert_eq!(bot.ended().await.code(), Some(78));
    let all = events(&bot.log());
    assert!(all.iter().any(|event| event["KEY"] == "bot.access"), "{all:?}");
    stage.set("KATANA_BOT_ACCESS", "open").set("KATANA_STORE_PATH", "/proc/none/katana.db");
    let mut bot = Daemon::start(&stage);
    assert_eq!(bot.ended().await.code(), Some(69), "{}", bot.log());
    let all = events(&bot.log());
    let last = all.last().expect("a line");
    assert!(last["HINT"].as_str().is_some_and(|hint| hint.contains("store.path")), "{last}");
}
