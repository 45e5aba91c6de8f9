//! Unwanted ends, with the real binary: the next process reports them.

use crate::harness::{Stage, eventually};
use crate::process::Daemon;

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_again_and_again_is_failing_although_each_one_is_well() {
    let mut stage = Stage::new().await;
    let heartbeat = stage.dir.path().join("heartbeat");
    stage
        .set("KATANA_WATCH_EVERY_S", "1")
        .set("KATANA_WATCH_HEARTBEAT_PATH", &heartbeat.display().to_string());
    let beat = || std::fs::read_to_string(&heartbeat).unwrap_or_default();
    let by = |daemon: &Daemon, words: &str| {
        let text = beat();
        text.contains(&format!("\npid: {}\n", daemon.id())) && text.contains(words)
    };

    let mut daemon = Daemon::start(&stage);
    assert!(eventually(|| by(&daemon, "verdict: ok")).await, "{}", beat());
    for deaths in 1..=3 {
        // SIGKILL.
        drop(daemon);
        daemon = Daemon::start(&stage);
        let told = || by(&daemon, "finding: unclean_start degraded");
        assert!(eventually(told).await, "after {deaths} deaths: {}", beat());
        let looping = beat().contains("finding: crash_loop failing");
        assert_eq!(looping, deaths == 3, "after {deaths} deaths: {}", beat());
        assert!(by(&daemon, if looping { "verdict: failing" } else { "verdict: degraded" }));
    }

    // A clean stop does not count, and does not erase the others.
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    assert!(beat().contains("verdict: stopped"), "{}", beat());
    daemon = Daemon::start(&stage);
    assert!(eventually(|| by(&daemon, "finding: crash_loop failing")).await, "{}", beat());
    assert_eq!(beat().matches("age: unclean_start ").count(), 3, "{}", beat());
    assert!(!beat().contains("finding: unclean_start"), "the last end was clean: {}", beat());
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
}
