//! `[canary]`: the bot's own question is asked when no one else has had an answer for a while.

use std::time::Duration;

use botapi_sim::{ModelFault, ModelRequest};
use katana::app::reload::Reloaded;
use katana::observe::canary::CanaryState;

use crate::harness::{OWNER, SOON, Stage, eventually};
use crate::parrot::{Parrot, Said};

const QUESTION: &str = "the word of the day is Heron";

async fn stage(every_s: &str, changes: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::new().await;
    stage.openai().set("KATANA_CANARY_QUESTION", QUESTION).set("KATANA_CANARY_EXPECT", "heron");
    stage.set("KATANA_CANARY_EVERY_S", every_s);
    for (key, value) in changes {
        stage.set(key, value);
    }
    stage.start().await;
    stage
}

/// How often the canary question was asked.
fn asked(stage: &Stage) -> usize {
    canaries(stage).len()
}

fn canaries(stage: &Stage) -> Vec<ModelRequest> {
    let requests = stage.sim.model().requests().into_iter();
    requests.filter(|request| request.last_user_text().contains(QUESTION)).collect()
}

fn state(stage: &Stage) -> CanaryState {
    stage.app().pipeline().base.vitals.canary().state
}

async fn becomes(stage: &Stage, wanted: CanaryState) {
    let is_so = eventually(|| state(stage) == wanted).await;
    assert!(is_so, "{wanted:?} expected, it is {:?}", state(stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_when_no_one_had_an_answer_for_a_while_and_costs_little() {
    let stage = stage("2", &[("KATANA_ANSWER_MAX_OUTPUT_TOKENS", "16")]).await;
    becomes(&stage, CanaryState::Passed).await;
    for number in 0..8 {
        stage.ask(5, &format!("{number}")).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(asked(&stage), 1, "people had answers all the time");
    assert!(eventually(|| asked(&stage) >= 3).await);
    let first = canaries(&stage).swap_remove(0).params;
    assert_eq!((&first["reasoning_effort"], &first["max_tokens"]), (&"none".into(), &512.into()));
    // An owner who paused the bot does not want it to ask.
    stage.ask(OWNER, "/pause").await;
    let before = asked(&stage);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(asked(&stage) <= before + 1, "one may have been on its way");
    stage.ask(OWNER, "/resume").await;
    // Nothing of it was sent or kept.
    assert!(stage.sim.bot_messages(0).is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_counted_and_a_persons_answer_supersedes_a_failure() {
    let stage = stage("1", &[]).await;
    becomes(&stage, CanaryState::Passed).await;
    stage.sim.model().fault_always(Some(ModelFault::status(400, "{}")));
    assert!(eventually(|| stage.counter("canary", "unanswered") >= 2).await);
    assert!(matches!(state(&stage), CanaryState::Unanswered(_)), "{:?}", state(&stage));
    stage.sim.model().fault_always(None);
    becomes(&stage, CanaryState::Passed).await;
    stage.sim.model().respond_with(|_| "stork");
    becomes(&stage, CanaryState::Wrong).await;
    stage.ask(5, "plum?").await;
    assert_eq!(state(&stage), CanaryState::Wrong, "an answer need not be right");
    stage.sim.model().respond_with(|_| "the HERON");
    becomes(&stage, CanaryState::Passed).await;
    stage.end().await;

    let stage = self::stage("0", &[]).await;
    becomes(&stage, CanaryState::Passed).await;
    let vitals = &stage.app().pipeline().base.vitals;
    let failed = vitals.canary().then(CanaryState::Unanswered("server"), vitals.now_ms());
    vitals.canary.store(std::sync::Arc::new(failed));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(asked(&stage), 1, "after a start only");
    stage.ask(5, "plum?").await;
    becomes(&stage, CanaryState::Superseded).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_the_question_and_takes_it_away() {
    let mut stage = stage("0", &[]).await;
    becomes(&stage, CanaryState::Passed).await;
    stage.set("KATANA_CANARY_EXPECT", "bittern");
    assert!(matches!(stage.app().reload(&stage.sources()).await, Reloaded::Applied { .. }));
    becomes(&stage, CanaryState::Wrong).await;
    assert_eq!(asked(&stage), 2);
    stage.set("KATANA_CANARY_QUESTION", "");
    stage.app().reload(&stage.sources()).await;
    becomes(&stage, CanaryState::None).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_refuse_to_think_less_are_asked_without_that() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"message":"Unrecognized request argument supplied: reasoning_effort"}}"#,
        ),
        (422, r#"{"detail":[{"type":"extra_forbidden","msg":"Extra inputs are not permitted"}]}"#),
        (400, r#"{"error":{"message":"Supported values of reasoning_effort are: 'low', 'high'"}}"#),
    ] {
        let mut stage = Stage::new().await;
        let parrot = Parrot::before(&stage.sim.openai_url()).await;
        parrot.says(move |asked| {
            let takes = !asked.body.contains("reasoning_effort")
                || body.contains("'low'") && asked.body.contains(r#""reasoning_effort":"low""#);
            (!takes).then(|| Said::Answer(status, "application/json", body.to_owned()))
        });
        let url = format!("{}/v1", parrot.url());
        stage.openai().set("KATANA_OPENAI_BASE_URL", &url);
        stage.set("KATANA_CANARY_QUESTION", QUESTION).set("KATANA_CANARY_EXPECT", "heron");
        stage.start().await;
        becomes(&stage, CanaryState::Passed).await;
        assert_eq!(asked(&stage), 1, "{body}");
        let model = stage.sim.model();
        assert!(stage.sim.wait_until(SOON, |_| model.calls() == 1).await);
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_money_it_is_not_asked_and_that_is_not_an_outage() {
    let prices = [
        ("KATANA_OPENAI_INPUT_USD_PER_MTOK", "1000"),
        ("KATANA_OPENAI_OUTPUT_USD_PER_MTOK", "1000"),
    ];
    let stage = stage("1", &prices).await;
    assert!(eventually(|| stage.counter("canary", "over_budget") >= 2).await);
    let canary = stage.app().pipeline().base.vitals.canary();
    assert_eq!((canary.state, canary.failures), (CanaryState::Unanswered("over_budget"), 0));
    assert_eq!(stage.sim.model().calls(), 0);
    assert_eq!(stage.ask(5, "plum?").await, "echo: plum?", "the budget of all has room");
    becomes(&stage, CanaryState::Superseded).await;
    stage.end().await;
}
