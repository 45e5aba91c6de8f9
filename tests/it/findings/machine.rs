//! Troubles of the machine: disk, store, memory, clock.

use std::time::Duration;

use heartbeat::{Now, Reason, State};
use katana::app::reload::Reloaded;
use katana::observe::clock::Clock;
use katana::observe::finding::Kind;
use tokio_util::sync::CancellationToken;

use super::{Scenario, begin, ends_well, watched};
use crate::harness::{SOON, Stage, eventually};
use crate::mount::Mount;
use crate::show::{Show, scaled};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        (&[Kind::StoreSlow], "slow store", Box::pin(slow_store())),
        (&[Kind::StoreFailing, Kind::DiskFull], "full disk", Box::pin(full_disk())),
        (&[], "heartbeat on a full disk", Box::pin(heartbeat_on_a_full_disk())),
        (&[Kind::StoreFailing], "locked store", Box::pin(locked_store())),
        (&[Kind::StoreCorrupt], "damaged store", Box::pin(damaged_store())),
        (
            &[Kind::RssHigh, Kind::MemoryHigh, Kind::DiskFull],
            "figures of the machine",
            Box::pin(figures()),
        ),
        (&[Kind::ClockJumped], "clock jumps", Box::pin(clock_jumps())),
    ]
}

/// Another process's transaction on the state file.
fn thief(stage: &Stage) -> rusqlite::Connection {
    let path = stage.dir.path().join("katana.db");
    let thief = rusqlite::Connection::open(path).expect("the file opens");
    thief.busy_timeout(SOON).expect("a timeout");
    thief
}

/// A disk that takes a third of a second for a commit, as far as the bot can tell.
async fn slow_store() {
    let (stage, show) = watched(&[("KATANA_WATCH_COMMIT_SLOW_MS", "60")]).await;
    let (thief, enough) = (thief(&stage), CancellationToken::new());
    // A scenario that fails must not wait for it for ever.
    let slow = enough.clone().drop_guard();
    let stealing = tokio::task::spawn_blocking(move || {
        while !enough.is_cancelled() {
            thief.execute_batch("BEGIN IMMEDIATE").expect("the lock is free at times");
            std::thread::sleep(Duration::from_millis(300));
            thief.execute_batch("ROLLBACK").expect("the lock is given back");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    for user in 5..25 {
        assert_eq!(stage.ask(user, "meanwhile").await, "echo: meanwhile");
    }
    show.shows_only(Kind::StoreSlow).await;
    drop(slow);
    stealing.await.expect("no panic");
    // Averages of five minutes forget slowly; quick commits make up for the slow ones. Messages that
    // come together share a commit, so these come one after another.
    for round in 0..10 {
        for user in 30..60 {
            assert_eq!(stage.ask(user, &format!("{round}")).await, format!("echo: {round}"));
        }
    }
    show.green().await;
    for user in 5..25 {
        assert_eq!(stage.sim.bot_messages(user).len(), 1);
    }
    assert_eq!(stage.sim.bot_message_count(), 320);
    stage.end().await;
}

/// A bot whose state lies on a small disk of its own.
async fn on_small_disk(heartbeat_too: bool) -> Option<(Stage, Show, Mount)> {
    let mut stage = Stage::new().await;
    let folder = stage.dir.path().join("small");
    let mount = Mount::new(&folder)?;
    let elsewhere = stage.dir.path().join("heartbeat").display().to_string();
    scaled(&mut stage, &[("KATANA_WATCH_DISK_RATIO", "0.9")]);
    stage.set("KATANA_STORE_PATH", &folder.join("katana.db").display().to_string());
    if !heartbeat_too {
        // As packaged: /run is not the disk of the state.
        stage.set("KATANA_WATCH_HEARTBEAT_PATH", &elsewhere);
    }
    let show = begin(&mut stage).await;
    Some((stage, show, mount))
}

async fn full_disk() {
    let Some((stage, show, mount)) = on_small_disk(false).await else { return };
    let ballast = mount.fill();
    // Long enough to need room that is not there, whatever the log still holds, and too short to be
    // taken for a piece of a longer text.
    let long = "x".repeat(3900);
    for i in 0..60 {
        stage.sim.say(5 + i % 3, &format!("{long} {i}"));
    }
    show.shows(Kind::StoreFailing).await;
    show.shows(Kind::DiskFull).await;
    std::fs::remove_file(&ballast).expect("room again");
    for chat in 0..3 {
        let expected: Vec<_> = (0..20).map(|i| format!("echo: {long} {}", 3 * i + chat)).collect();
        assert_eq!(stage.texts(5 + chat, 20).await, expected);
    }
    stage.idle().await;
    show.green().await;
    assert_eq!(stage.sim.bot_message_count(), 60);
    stage.end().await;
}

/// A heartbeat that cannot be written is taken away, so that the checker notices at once.
async fn heartbeat_on_a_full_disk() {
    let Some((stage, show, mount)) = on_small_disk(true).await else { return };
    let ballast = mount.fill();
    let gone = || show.judged(&Now::read());
    assert!(eventually(|| gone().reason == Reason::Missing).await, "{:?}", gone());
    assert_eq!(gone().state, State::Critical);
    std::fs::remove_file(&ballast).expect("room again");
    show.green().await;
    stage.end().await;
}

/// Commits that wait for another process's lock for too long fail.
async fn locked_store() {
    let (stage, show) = watched(&[]).await;
    let thief = thief(&stage);
    thief.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
    stage.sim.say(5, "meanwhile");
    show.shows(Kind::StoreFailing).await;
    thief.execute_batch("ROLLBACK").expect("the lock is given back");
    ends_well(stage, &show, 5, &["echo: meanwhile"]).await;
}

async fn damaged_store() {
    let mut stage = Stage::new().await;
    scaled(&mut stage, &[]);
    let path = stage.dir.path().join("katana.db");
    // A first run leaves its mark: only a state file is set aside.
    stage.start().await;
    assert!(stage.stop().await);
    let garbage = [b"SQLite format 3\0".as_slice(), &[0xAB; 20_000]].concat();
    std::fs::write(&path, garbage).expect("a file");
    stage.sim.say(5, "meanwhile");
    stage.start().await;
    let show = Show::of(&stage);
    show.shows_only(Kind::StoreCorrupt).await;
    assert_eq!(stage.texts(5, 1).await, ["echo: meanwhile"]);
    stage.idle().await;
    // It is reported for a day, or until an operator restarts the bot.
    assert!(stage.stop().await);
    let show = begin(&mut stage).await;
    ends_well(stage, &show, 5, &["echo: meanwhile"]).await;
}

/// The figures are real; what is too much is not.
async fn figures() {
    let changes = [("KATANA_WATCH_RSS_WARN_MB", "100000"), ("KATANA_WATCH_DISK_RATIO", "1.0")];
    let (mut stage, show) = watched(&changes).await;
    for (key, low, high, kind) in [
        ("KATANA_WATCH_RSS_WARN_MB", "1", "100000", Kind::RssHigh),
        ("KATANA_WATCH_MEMORY_RATIO", "0.01", "1.0", Kind::MemoryHigh),
        ("KATANA_WATCH_DISK_RATIO", "0.01", "1.0", Kind::DiskFull),
    ] {
        stage.set(key, low);
        let reloaded = stage.app().reload(&stage.sources()).await;
        assert!(matches!(reloaded, Reloaded::Applied { .. }), "{reloaded:?}");
        show.shows_only(kind).await;
        assert_eq!(stage.ask(5, kind.name()).await, format!("echo: {}", kind.name()));
        stage.set(key, high);
        stage.app().reload(&stage.sources()).await;
        show.green().await;
    }
    stage.end().await;
}

/// The time of day jumps by a day, forth and back: that is reported, and has no other effect. The
/// heartbeat is judged by the time since boot, so it is fresh for a checker on either side.
async fn clock_jumps() {
    const DAY_MS: i64 = 86_400_000;
    let mut stage = Stage::new().await;
    scaled(&mut stage, &[("KATANA_WATCH_PATIENCE", "0.02")]);
    stage.clock = Clock::manual(Now::read().time_ms);
    let show = begin(&mut stage).await;
    let mut expected = Vec::new();
    for (i, jump_ms) in [DAY_MS, -DAY_MS, -DAY_MS, DAY_MS].into_iter().enumerate() {
        let before = show.judged(&Now::read()).heartbeat.expect("a heartbeat").sequence;
        stage.sim.say(5, &format!("{i}"));
        stage.clock.advance(jump_ms);
        show.shows_only(Kind::ClockJumped).await;
        for seen_from in [-DAY_MS, 0, DAY_MS] {
            let now = Now::read();
            let judged = show.judged(&Now { time_ms: now.time_ms + seen_from, ..now });
            assert_eq!((judged.state, judged.reason), (State::Warning, Reason::Degraded));
            let age_ms = judged.age_ms.expect("an age");
            assert!(age_ms < 10_000, "{age_ms} ms old, seen from {seen_from}");
        }
        expected.push(format!("echo: {i}"));
        assert_eq!(stage.texts(5, i + 1).await, expected);
        show.green().await;
        let after = show.judged(&Now::read()).heartbeat.expect("a heartbeat").sequence;
        assert!(after > before, "{after} after {before}");
    }
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    ends_well(stage, &show, 5, &expected).await;
}
