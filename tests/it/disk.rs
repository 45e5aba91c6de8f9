//! A full disk: nothing is confirmed to Telegram, nothing is lost, and all goes on with space.

use std::time::Duration;

use botapi_sim::Sim;
use katana::pipeline::Polling;

use crate::harness::{SOON, Stage};
use crate::mount::Mount;

/// The highest offset that the bot has polled with.
fn confirmed(sim: &Sim) -> i64 {
    let polls = sim.log().into_iter().filter(|r| r.method == "getUpdates");
    polls.filter_map(|r| r.params["offset"].as_i64()).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_is_confirmed_and_nothing_is_lost() {
    let mut stage = Stage::new().await;
    let folder = stage.dir.path().join("small");
    let Some(mount) = Mount::new(&folder) else { return };
    stage.set("KATANA_STORE_PATH", &folder.join("katana.db").display().to_string());
    stage.start().await;
    assert_eq!(stage.ask(5, "before").await, "echo: before");
    stage.idle().await;

    let ballast = mount.fill();
    // Long enough to need room that is not there, whatever the log still holds, and too short to be
    // taken for a piece of a longer text.
    let long = "x".repeat(3900);
    let first = stage.sim.say(5, &format!("{long} 0")).update_id;
    for i in 1..60 {
        stage.sim.say(5 + i % 3, &format!("{long} {i}"));
    }
    stage.polling_becomes(Polling::Failing).await;
    assert!(stage.sim.pending() > 0, "Telegram still has what could not be stored");
    let stored = stage.store().next_offset().await.expect("reading needs no room");
    assert!(confirmed(&stage.sim) <= stored.max(first), "{} > {stored}", confirmed(&stage.sim));

    std::fs::remove_file(&ballast).expect("room again");
    let all = stage.sim.wait_until(SOON * 3, |sim| sim.bot_message_count() >= 61).await;
    assert!(all, "{} of 61", stage.sim.bot_message_count());
    for chat in 0..3 {
        let mut expected: Vec<_> =
            (0..20).map(|i| format!("echo: {long} {}", 3 * i + chat)).collect();
        if chat == 0 {
            expected.insert(0, "echo: before".into());
        }
        assert_eq!(stage.texts(5 + chat, expected.len()).await, expected);
    }
    stage.polling_becomes(Polling::Listening).await;
    stage.end().await;
    drop(mount);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_while_an_answer_is_written_loses_neither() {
    let mut stage = Stage::new().await;
    let folder = stage.dir.path().join("small");
    let Some(mount) = Mount::new(&folder) else { return };
    stage.openai().set("KATANA_STORE_PATH", &folder.join("katana.db").display().to_string());
    stage.start().await;
    assert_eq!(stage.ask(5, "before").await, "echo: before");
    stage.idle().await;
    let answer = "word ".repeat(4000);
    stage.sim.model().push(answer.as_str());
    stage.sim.model().set_pace(Duration::from_secs(1), Duration::ZERO);
    stage.sim.say(5, "a long answer, please");
    assert!(stage.sim.model().wait_calls(2, SOON).await);
    let ballast = mount.fill();
    // The commit of the answer fails until there is room.
    let failed =
        stage.sim.wait_until(Duration::from_secs(3), |sim| sim.bot_message_count() > 1).await;
    assert!(!failed, "nothing is sent that is not stored");
    std::fs::remove_file(&ballast).expect("room again");
    let all = stage.sim.wait_until(SOON, |sim| sim.bot_message_count() >= 6).await;
    assert!(all, "{}", stage.sim.bot_message_count());
    stage.idle().await;
    let said: String = stage.texts(5, 6).await[1..].join(" ");
    assert_eq!(said.split_whitespace().count(), 4000);
    assert_eq!(stage.sim.model().calls(), 2, "the answer is kept, not asked for again");
    stage.end().await;
    drop(mount);
}
