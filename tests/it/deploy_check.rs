//! `katana-bot deploy-check`: it ends well only when the new instance has shown that it works, and says why not.

use std::time::{Duration, Instant};

use botapi_sim::ModelFault;
use serde_json::Value;

use crate::harness::{SOON, Stage};
use crate::overlap::free_port;
use crate::process::{Daemon, Output, command, run};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A stage with a model and a canary question.
async fn stage() -> (Stage, String) {
    let mut stage = Stage::new().await;
    let port = free_port();
    stage.openai().set("KATANA_WEB_LISTEN", &format!("127.0.0.1:{port}"));
    stage.set("KATANA_CANARY_QUESTION", "the word of the day is Heron");
    stage.set("KATANA_CANARY_EXPECT", "hERON");
    (stage, format!("http://127.0.0.1:{port}"))
}

/// `deploy-check` of this address: what it says as JSON, and its exit code.
async fn check(stage: &Stage, url: &str, more: &[&str]) -> (Value, Output) {
    let out = run(stage, &[&["deploy-check", "--json", "--url", url], more].concat()).await;
    let json = serde_json::from_str(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
    (json, out)
}

fn reason(json: &Value) -> &str {
    json["reason"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_works_is_waited_for_and_nothing_is_sent() {
    let (stage, url) = stage().await;
    let waiting = check(&stage, &url, &["--timeout", "20s", "--expect-version", VERSION]);
    let starting = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        Daemon::start(&stage)
    };
    let ((json, out), bot) = tokio::join!(waiting, starting);
    assert_eq!((json["ok"].as_bool(), out.code), (Some(true), Some(0)), "{out:?}\n{}", bot.log());
    assert_eq!(stage.sim.model().calls(), 1, "it is asked once");
    assert_eq!(stage.sim.calls("sendMessage"), 0);
    // As often as people like.
    for _ in 0..3 {
        let out = run(&stage, &["deploy-check", "--url", &url]).await;
        assert_eq!(out.code, Some(0), "{out:?}");
        assert!(out.stdout.contains("the canary question was answered as expected"), "{out:?}");
    }
    assert_eq!(stage.sim.model().calls(), 1);
    assert!(!bot.log().contains("Heron"), "{}", bot.log());
    // The question of a person is the first of its chat.
    stage.sim.say(5, "hello");
    assert!(stage.sim.wait_until(SOON, |sim| sim.bot_message_count() == 1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_a_wrong_answer_and_no_answer_are_named() {
    let (mut stage, url) = stage().await;
    let (json, out) = check(&stage, &url, &["--timeout", "1s"]).await;
    assert_eq!(out.code, Some(69), "{out:?}");
    assert!(reason(&json).contains("does not answer"), "{json}");

    stage.sim.model().fault_next(ModelFault::Html);
    let mut bot = Daemon::start(&stage);
    bot.says("the canary question got no answer").await;
    let begun = Instant::now();
    let (json, out) = check(&stage, &url, &["--expect-version", VERSION]).await;
    assert_eq!(out.code, Some(69), "{out:?}");
    assert!(reason(&json).contains("not answered as expected (unanswered: "), "{json}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it does not wait for what will not come");
    let (json, out) = check(&stage, &url, &["--without-canary"]).await;
    assert_eq!((json["ok"].as_bool(), out.code), (Some(true), Some(0)), "{out:?}");
    let (json, out) = check(&stage, &url, &["--timeout", "1s", "--expect-version", "9.9.9"]).await;
    assert_eq!(out.code, Some(69), "{out:?}");
    assert_eq!(reason(&json), format!("version {VERSION} answers, not 9.9.9"));
    bot.signal("TERM");
    assert!(bot.ended().await.success());

    stage.set("KATANA_CANARY_EXPECT", "bittern");
    let bot = Daemon::start(&stage);
    bot.says("does not contain canary.expect").await;
    let (json, _) = check(&stage, &url, &["--timeout", "1s"]).await;
    assert!(reason(&json).contains("not answered as expected (wrong)"), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_used_up_rolls_nothing_back() {
    let (mut stage, url) = stage().await;
    stage.set("KATANA_OPENAI_INPUT_USD_PER_MTOK", "1000");
    stage.set("KATANA_OPENAI_OUTPUT_USD_PER_MTOK", "1000");
    let bot = Daemon::start(&stage);
    bot.says("its budget is used up").await;
    let out = run(&stage, &["deploy-check", "--url", &url, "--expect-version", VERSION]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stdout.contains("the canary question was not asked"), "{out:?}");
    assert_eq!(stage.sim.model().calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_polls_or_without_a_canary_does_not_pass() {
    let (mut stage, url) = stage().await;
    stage.set("KATANA_CANARY_QUESTION", "").set("KATANA_CANARY_EXPECT", "");
    let mut bot = Daemon::start(&stage);
    bot.says("ready: Telegram").await;
    let (json, out) = check(&stage, &url, &["--timeout", "1s"]).await;
    assert_eq!(out.code, Some(69), "{out:?}");
    assert!(reason(&json).contains("no canary question is configured"), "{json}");
    bot.signal("TERM");
    assert!(bot.ended().await.success());

    stage.sim.set_webhook_url("https://example.org/hook");
    let _bot = Daemon::start(&stage);
    let (json, out) = check(&stage, &url, &["--timeout", "2s", "--without-canary"]).await;
    assert_eq!(out.code, Some(69), "{out:?}");
    assert!(reason(&json).contains("Telegram has not answered a poll yet"), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_no_version_and_the_token_shows_it() {
    let (mut stage, _) = stage().await;
    let port = free_port();
    let (token, listen) = ("an-admin-token-of-some-length", format!("0.0.0.0:{port}"));
    stage.set("KATANA_WEB_LISTEN", &listen).set("KATANA_WEB_ADMIN_TOKEN", token);
    let bot = Daemon::start(&stage);
    bot.says("the canary question was answered as expected").await;
    let url = format!("http://127.0.0.1:{port}");
    let args = ["deploy-check", "--url", &url, "--timeout", "1s", "--expect-version", VERSION];
    let as_stranger = command(&[]).args(args).output().expect("it runs");
    let said = String::from_utf8_lossy(&as_stranger.stderr).into_owned();
    assert_eq!(as_stranger.status.code(), Some(69), "{said}");
    assert!(said.contains("KATANA_WEB_ADMIN_TOKEN"), "{said}");
    let out = run(&stage, &args).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    // What strangers see is enough for the rest.
    let without = command(&[]).args(&args[..5]).output().expect("it runs");
    assert_eq!(without.status.code(), Some(0), "{without:?}");
}
