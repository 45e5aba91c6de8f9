//! The watchdog, with the real binary: fed by progress, starved by a stage that hangs.

use std::time::Duration;

use botapi_sim::{Hold, HoldAt};

use crate::dead_disk::DeadDisk;
use crate::harness::{SOON, Stage, eventually};
use crate::notify::Ear;
use crate::process::Daemon;

#[tokio::test(flavor = "multi_thread")]
async fn watchdog_starves_when_a_stage_stalls() {
    let mut stage = Stage::new().await;
    let mut ear = Ear::listening(&mut stage);
    let heartbeat = stage.dir.path().join("heartbeat");
    stage
        .set("WATCHDOG_USEC", "1000000")
        .set("KATANA_WATCH_STALL_S", "2")
        .set("KATANA_WATCH_EVERY_S", "1")
        .set("KATANA_WATCH_HEARTBEAT_PATH", &heartbeat.display().to_string());
    let mut daemon = Daemon::start(&stage);
    ear.hears("READY=1").await;
    ear.forget();
    ear.hears("WATCHDOG=1").await;
    let Some(disk) = DeadDisk::under(&stage, daemon.id()).await else { return };
    ear.hears("WATCHDOG=trigger").await;
    ear.forget();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ear.count("WATCHDOG=1"), 0, "it is not fed while the stage hangs");
    daemon.says("loop is stalled").await;
    assert!(daemon.log().contains("stage=\"store\""), "{}", daemon.log());
    // The supervisor still turns, and the heartbeat names the trouble.
    let beat = || std::fs::read_to_string(&heartbeat).unwrap_or_default();
    let named = eventually(|| beat().contains("finding: stage_stalled failing")).await;
    assert!(named, "{}", beat());
    // The disk comes back before systemd has acted: everything goes on.
    drop(disk);
    ear.hears("WATCHDOG=1").await;
    let spoken = stage.sim.bot_message_count();
    stage.sim.say(7, "still there?");
    assert!(stage.sim.wait_until(SOON, |sim| sim.bot_message_count() > spoken).await);
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    assert!(beat().contains("verdict: stopped"), "{}", beat());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_elsewhere_does_not_starve_the_watchdog() {
    let mut stage = Stage::new().await;
    let mut ear = Ear::listening(&mut stage);
    stage
        .set("WATCHDOG_USEC", "1000000")
        .set("KATANA_WATCH_STALL_S", "2")
        .set("KATANA_WATCH_EVERY_S", "1")
        .set("KATANA_TELEGRAM_POLL_TIMEOUT_S", "1")
        .set("KATANA_TELEGRAM_POLL_DEADLINE_S", "2")
        .set("KATANA_WATCH_POLL_STALLED_S", "4");
    let mut daemon = Daemon::start(&stage);
    ear.hears("READY=1").await;
    let hold = stage.sim.hold(Hold::Method("getUpdates"), HoldAt::BeforeEffect);
    ear.hears("STATUS=failing: poll_stalled").await;
    ear.forget();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(ear.count("WATCHDOG=1") >= 4, "deaf, and alive: {:?}", ear.all());
    assert_eq!(ear.count("WATCHDOG=trigger"), 0);
    hold.release();
    ear.hears("STATUS=answering").await;
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0));
    stage.set("NOTIFY_SOCKET", "").start().await;
    stage.end().await;
}
