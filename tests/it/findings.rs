//! Each trouble that has a name: it is found, everything that is shown says so, and when it ends all
//! is green again and every message that was said meanwhile has been answered exactly once.
//!
//! Times are scaled down ([`crate::show`]): polls hold for 1 s (50 s) and are given up after 3 s
//! (60 s), the bot counts as deaf after 4 s (75 s), verdicts are formed each second (5 s), and the
//! patience of findings is a twentieth. The scenarios of one group run side by side.

mod daemon;
mod documents;
mod machine;
mod provider;
mod telegram;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use katana::observe::finding::Kind;
use tokio::task::JoinSet;

use crate::harness::Stage;
use crate::show::{Show, build_checker, scaled};

/// One scenario: which findings it shows, its name, and itself.
type Scenario = (&'static [Kind], &'static str, Pin<Box<dyn Future<Output = ()> + Send>>);

/// Findings without a scenario here, and where they are shown.
const ELSEWHERE: &[(Kind, &str)] = &[
    (Kind::PossibleDuplicate, "tests/it/delivery.rs makes one; src/supervise/tests.rs judges it"),
    (Kind::UpdateGivenUp, "no way is known to make one from outside; src/supervise/tests.rs"),
    (Kind::UpdatesStuck, "tests/it/odd_server.rs"),
    (Kind::CrashLoop, "tests/it/restarts.rs"),
    (Kind::UncleanStart, "tests/it/restarts.rs"),
    (
        Kind::PriceUnknown,
        "needs a vendor's own server; tests/unit/booking.rs, src/supervise/tests.rs",
    ),
    (Kind::PricesOld, "needs a vendor's own server; src/supervise/tests.rs"),
    (Kind::CpuHigh, "needs minutes of a busy machine; src/supervise/tests.rs"),
];

fn all() -> Vec<Scenario> {
    let outside = [telegram::scenarios(), provider::scenarios(), documents::scenarios()];
    let inside = [machine::scenarios(), daemon::scenarios()];
    outside.into_iter().chain(inside).flatten().collect()
}

/// Runs scenarios side by side and fails with the names of those that failed.
async fn together(scenarios: Vec<Scenario>) {
    // Findings do not wait for it to be built.
    build_checker().await;
    let only = std::env::var("KATANA_TEST_ONLY").unwrap_or_default();
    let mut running = JoinSet::new();
    for (_, name, scenario) in scenarios.into_iter().filter(|(_, name, _)| name.contains(&only)) {
        running.spawn(async move { (name, tokio::spawn(scenario).await) });
    }
    let mut failed = Vec::new();
    while let Some(ended) = running.join_next().await {
        let (name, outcome) = ended.expect("a scenario's name");
        if let Err(e) = outcome {
            let words = e.into_panic();
            let words = words.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("{name}: {words}"));
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n\n"));
}

/// A bot with scaled times that is green, and what it shows.
async fn watched(changes: &[(&str, &str)]) -> (Stage, Show) {
    let mut stage = Stage::new().await;
    scaled(&mut stage, changes);
    let show = begin(&mut stage).await;
    (stage, show)
}

/// Starts the bot of a stage and waits until it is green.
async fn begin(stage: &mut Stage) -> Show {
    stage.start().await;
    let show = Show::of(stage);
    show.green().await;
    show
}

/// All is green, these are the bot's only messages in the chat, and nothing is left.
async fn ends_well(stage: Stage, show: &Show, chat: i64, texts: &[&str]) {
    assert_eq!(stage.texts(chat, texts.len()).await, texts);
    stage.idle().await;
    show.green().await;
    let said: Vec<_> = stage.sim.bot_messages(chat).into_iter().map(|m| m.text).collect();
    assert_eq!(said, texts, "answered exactly once");
    stage.end().await;
}

/// A moment for something to be done twice, or wrongly.
async fn a_while() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_with_telegram_is_found_and_its_end_too() {
    together(telegram::scenarios()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_with_the_provider_is_found_and_its_end_too() {
    together(provider::scenarios()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_with_the_documents_is_found_and_its_end_too() {
    together(documents::scenarios()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_with_the_machine_is_found_and_its_end_too() {
    together(machine::scenarios()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_of_the_process_is_found_and_its_end_too() {
    together(daemon::scenarios()).await;
}

#[tokio::test]
async fn every_finding_has_a_scenario() {
    let shown: BTreeSet<Kind> = all().iter().flat_map(|(kinds, ..)| kinds.to_vec()).collect();
    let elsewhere: BTreeSet<Kind> = ELSEWHERE.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(shown.intersection(&elsewhere).collect::<Vec<_>>(), Vec::<&Kind>::new());
    let missing: Vec<_> =
        Kind::ALL.iter().filter(|k| !shown.contains(k) && !elsewhere.contains(k)).collect();
    assert!(missing.is_empty(), "no scenario shows {missing:?}");
}
