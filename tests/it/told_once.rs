//! A state that goes on is in the log once, with its cause, and once when it is over. With the real binary.

use crate::harness::{Stage, eventually};
use crate::process::Daemon;

fn times(daemon: &Daemon, words: &str) -> usize {
    daemon.log().matches(words).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_named_once_with_its_host_and_its_end_with_the_number() {
    let stage = Stage::new().await;
    let mut daemon = Daemon::start(&stage);
    daemon.says("ready: Telegram answered").await;
    stage.sim.set_webhook_url("https://hook.example.org/its-own-secret");
    daemon
        .says("a webhook is set for this bot (hook.example.org), so Telegram refuses polls")
        .await;
    // Until the next poll is refused as well.
    tokio::time::sleep(std::time::Duration::from_millis(5_500)).await;
    stage.sim.set_webhook_url("");
    daemon.says("polling works again, after 2 failures within").await;
    assert_eq!(times(&daemon, "a webhook is set"), 1, "{}", daemon.log());
    assert!(!daemon.log().contains("its-own-secret"), "{}", daemon.log());
    daemon.signal("TERM");
    daemon.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_a_warning_once_for_each_cause() {
    let mut stage = Stage::new().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = closed.local_addr().expect("an address");
    drop(closed);
    stage.set("KATANA_TELEGRAM_API_URL", &format!("http://{address}"));
    stage.set("KATANA_LOG_LEVEL", "debug");
    let mut daemon = Daemon::start(&stage);
    daemon.says("cannot reach Telegram again").await;
    daemon.says("attempt=3").await;
    assert_eq!(times(&daemon, "ERROR"), 1, "{}", daemon.log());
    assert!(daemon.log().contains("cannot reach Telegram: "), "{}", daemon.log());
    assert!(daemon.log().contains("; trying again until it works"), "{}", daemon.log());
    daemon.signal("TERM");
    daemon.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_repeats_no_warning_that_was_given() {
    let mut stage = Stage::new().await;
    let file = stage.dir.path().join("katana-bot.toml");
    std::fs::write(&file, "").expect("written");
    stage.set("KATANA_CONFIG", &file.display().to_string());
    let mut daemon = Daemon::start(&stage);
    daemon.says("ready: Telegram answered").await;
    assert_eq!(times(&daemon, "everyone"), 1, "{}", daemon.log());
    daemon.signal("HUP");
    daemon.says("configuration read again").await;
    let again = || times(&daemon, "configuration read again") == 2;
    daemon.signal("HUP");
    assert!(eventually(again).await, "{}", daemon.log());
    assert_eq!(times(&daemon, "everyone"), 1, "{}", daemon.log());
    daemon.signal("TERM");
    daemon.ended().await;
}
