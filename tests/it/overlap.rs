//! A platform starts the new instance before it stops the old one, on the same state: the new one waits for
//! it, and whatever ends the old one, every message is answered once.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::crash::Run;
use crate::harness::{SOON, Stage, eventually, eventually_in};
use crate::mount::HungMount;
use crate::process::Daemon;

/// Status and body of the answer.
async fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The next instance, which waits for the state.
async fn next(stage: &mut Stage) -> (Daemon, u16) {
    let port = free_port();
    stage.set("KATANA_WEB_LISTEN", &format!("127.0.0.1:{port}"));
    let daemon = Daemon::start(stage);
    let waits = eventually_in(|| async {
        let Some((status, body)) = get(port, "/health").await else { return false };
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        status == 200 && body["phase"] == "starting"
    });
    assert!(waits.await, "{}", daemon.log());
    let (status, body) = get(port, "/ready").await.expect("an answer");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("another katana-bot still works on the state file"), "{body}");
    (daemon, port)
}

/// Stops the old one by `signal` while people write, and compares the transcript in the end.
async fn hand_over(signal: &str, settings: &[(&str, &str)], seed: u64) {
    let mut stage = Stage::new().await;
    stage.set("KATANA_STORE_LOCK_WAIT_S", "60");
    for (key, value) in settings {
        stage.set(key, value);
    }
    let mut run = Run::on(stage.sim.clone(), seed);
    let mut old = Daemon::start(&stage);
    old.says("ready: Telegram").await;
    let (mut new, port) = next(&mut stage).await;
    run.say(400);
    assert!(run.sim.wait_until(SOON, |sim| sim.bot_message_count() >= 50).await);
    run.say(300);
    let begun = Instant::now();
    old.signal(signal);
    run.say(300);
    let _ = old.ended().await;
    let ended = begun.elapsed();
    new.says("ready: Telegram").await;
    let ready = begun.elapsed();
    assert!(run.all_answered().await, "old:\n{}\nnew:\n{}", old.log(), new.log());
    let serves = || async { get(port, "/ready").await.is_some_and(|(status, _)| status == 200) };
    assert!(eventually_in(serves).await, "{}", new.log());
    // A doubled answer would come after the last one.
    run.sim.wait_until(Duration::from_millis(500), |_| false).await;
    run.compare();
    assert_eq!(run.count, 1000);
    eprintln!("{signal}: the old one ended after {ended:?}, the new one was ready after {ready:?}");
    assert!(ready < Duration::from_secs(10), "{ready:?}");
    new.signal("TERM");
    assert!(new.ended().await.success(), "{}", new.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_while_the_next_one_waits_nothing_is_lost_or_doubled() {
    hand_over("TERM", &[], 21).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_next_one_waits_nothing_is_lost_or_doubled() {
    hand_over("KILL", &[], 22).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_with_five_seconds_while_the_next_one_waits_nothing_is_lost_or_doubled() {
    hand_over("INT", &[("KATANA_LIFECYCLE_GRACE_S", "4")], 23).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_poll_ends_within_a_second_and_the_process_within_its_grace() {
    for signal in ["TERM", "INT"] {
        let mut stage = Stage::new().await;
        stage.openai().set("KATANA_LIFECYCLE_GRACE_S", "3");
        let mut bot = Daemon::start(&stage);
        stage.sim.model().set_pace(Duration::from_secs(60), Duration::ZERO);
        stage.sim.say(5, "a long question");
        assert!(stage.sim.model().wait_calls(1, SOON).await, "{}", bot.log());
        assert!(stage.sim.wait_until(SOON, botapi_sim::Sim::polling).await);
        let begun = Instant::now();
        bot.signal(signal);
        assert!(eventually(|| !stage.sim.polling()).await);
        assert!(begun.elapsed() < Duration::from_secs(1), "{signal}: {:?}", begun.elapsed());
        assert!(bot.ended().await.success(), "{}", bot.log());
        assert!(begun.elapsed() < Duration::from_secs(5), "{signal}: {:?}", begun.elapsed());
        assert!(bot.log().contains("nothing was lost"), "{}", bot.log());
        stage.sim.model().set_pace(Duration::ZERO, Duration::ZERO);
        let bot = Daemon::start(&stage);
        let answered = stage.sim.wait_until(SOON, |sim| sim.bot_message_count() == 1).await;
        assert!(answered, "{}", bot.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_ends_at_once_when_asked_to_and_is_refused_in_the_end() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_STORE_LOCK_WAIT_S", "60");
    let old = Daemon::start(&stage);
    old.says("ready: Telegram").await;
    let (mut new, _) = next(&mut stage).await;
    let begun = Instant::now();
    new.signal("TERM");
    assert!(new.ended().await.success(), "{}", new.log());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(new.log().contains("nothing was lost"), "{}", new.log());
    for (wait_s, at_least) in [("0", 0), ("1", 1)] {
        stage.set("KATANA_STORE_LOCK_WAIT_S", wait_s);
        let begun = Instant::now();
        let mut new = Daemon::start(&stage);
        assert_eq!(new.ended().await.code(), Some(75), "{}", new.log());
        assert!(begun.elapsed() >= Duration::from_secs(at_least), "{}", new.log());
    }
    stage.sim.say(5, "still there?");
    assert!(stage.sim.wait_until(SOON, |sim| sim.bot_message_count() == 1).await, "{}", old.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_while_the_state_file_takes_long_to_open() {
    let mut stage = Stage::new().await;
    let at = stage.dir.path().join("hung");
    let Some(mount) = HungMount::new(&at) else { return };
    let port = free_port();
    stage.set("KATANA_STORE_PATH", at.join("katana.db").to_str().expect("a path"));
    stage.set("KATANA_WEB_LISTEN", &format!("127.0.0.1:{port}"));
    let mut daemon = Daemon::start(&stage);
    let waits = || async {
        let ready = get(port, "/ready").await;
        ready.is_some_and(|(status, said)| status == 503 && said.contains("checked or migrated"))
    };
    assert!(eventually_in(waits).await, "{}", daemon.log());
    assert_eq!(get(port, "/live").await.map(|(status, _)| status), Some(200));
    drop(mount);
    assert_eq!(daemon.ended().await.code(), Some(69), "{}", daemon.log());
}
