//! Troubles with the provider: dead, hanging, slow.

use std::time::Duration;

use botapi_sim::ModelAnswer;
use katana::observe::finding::Kind;

use super::{Scenario, begin};
use crate::harness::{MODEL_KEY, Stage};
use crate::parrot::{Parrot, Said};
use crate::show::{Show, checker, scaled};
use crate::wire::{Line, Wire};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        (&[Kind::ProviderFailing], "refused", Box::pin(refused())),
        (&[Kind::ProviderFailing], "errors", Box::pin(errors())),
        (&[Kind::ProviderFailing], "hanging", Box::pin(hanging())),
        (&[Kind::QuestionsRefused], "too long", Box::pin(too_long())),
        (&[Kind::ProviderUnusable], "wrong key", Box::pin(wrong_key())),
        (&[Kind::BudgetExhausted], "budget", Box::pin(budget())),
        (&[Kind::CanaryFailing], "canary", Box::pin(canary())),
        (&[Kind::ProviderSlow], "slow", Box::pin(slow())),
        (&[Kind::ErrorRatio], "error ratio", Box::pin(error_ratio())),
        (&[Kind::InboxOld], "old inbox", Box::pin(inbox_old())),
        (&[Kind::BacklogFull], "full backlog", Box::pin(backlog_full())),
    ]
}

/// A green bot that asks the model behind this address.
async fn asking(stage: &mut Stage, url: &str, changes: &[(&str, &str)]) -> Show {
    stage.openai();
    stage
        .set("KATANA_OPENAI_BASE_URL", &format!("{url}/v1"))
        .set("KATANA_ANSWER_FIRST_TOKEN_TIMEOUT_S", "1");
    scaled(stage, changes);
    stage.sim.model().set_key(Some(MODEL_KEY));
    begin(stage).await
}

/// Three questions fail, each is answered with an honest word; then one works.
async fn fails_and_recovers<F: Future<Output = ()>>(stage: Stage, show: Show, repair: F) {
    for i in 0..3 {
        let said = stage.ask(5, &format!("{i}")).await;
        assert!(!said.starts_with("echo"), "{said}");
    }
    show.shows_only(Kind::ProviderFailing).await;
    let (code, said) = checker(show.heartbeat(), &[]).await;
    assert!(code == Some(0) && said.contains("provider_failing"), "{code:?} {said}");
    repair.await;
    assert_eq!(stage.ask(5, "again?").await, "echo: again?");
    show.green().await;
    stage.idle().await;
    assert_eq!(stage.sim.bot_messages(5).len(), 4, "each question has one answer");
    stage.end().await;
}

async fn refused() {
    let mut stage = Stage::new().await;
    let wire = Wire::to(&stage.sim.api_url()).await;
    let show = asking(&mut stage, &wire.url(), &[]).await;
    wire.fail(Line::Closed).await;
    fails_and_recovers(stage, show, wire.set(Line::Open)).await;
}

async fn errors() {
    let mut stage = Stage::new().await;
    let parrot = Parrot::before(&stage.sim.api_url()).await;
    let show = asking(&mut stage, &parrot.url(), &[]).await;
    parrot.says(|_| Some(Said::Answer(500, "application/json", "{\"error\":\"oops\"}".into())));
    fails_and_recovers(stage, show, async { parrot.steps_aside() }).await;
}

async fn hanging() {
    let mut stage = Stage::new().await;
    let parrot = Parrot::before(&stage.sim.api_url()).await;
    let show = asking(&mut stage, &parrot.url(), &[]).await;
    parrot.says(|_| Some(Said::Silence));
    fails_and_recovers(stage, show, async { parrot.steps_aside() }).await;
}

async fn too_long() {
    let mut stage = Stage::new().await;
    let parrot = Parrot::before(&stage.sim.api_url()).await;
    let show = asking(&mut stage, &parrot.url(), &[("KATANA_WATCH_EVENT_S", "10")]).await;
    let words = "{\"error\":{\"message\":\"maximum context length is 8192 tokens\"}}";
    parrot.says(|_| Some(Said::Answer(400, "application/json", words.into())));
    for _ in 0..3 {
        assert!(stage.ask(5, "hi").await.contains("too long"), "one chat is its own affair");
    }
    show.green().await;
    for user in [6, 7] {
        assert!(stage.ask(user, "hi").await.contains("too long"));
    }
    show.shows_only(Kind::QuestionsRefused).await;
    parrot.steps_aside();
    assert_eq!(stage.ask(5, "again?").await, "echo: again?");
    show.green().await;
    stage.end().await;
}

async fn wrong_key() {
    let mut stage = Stage::new().await;
    let url = stage.sim.api_url();
    let show = asking(&mut stage, &url, &[("KATANA_ANSWER_PROVIDER", "openai,echo")]).await;
    stage.sim.model().set_key(Some("sk-another-key-0123456789"));
    assert_eq!(stage.ask(5, "hi").await, "echo: hi", "the next provider answers");
    show.shows_only(Kind::ProviderUnusable).await;
    stage.sim.model().set_key(Some(MODEL_KEY));
    stage.app().reload(&stage.sources()).await;
    assert_eq!(stage.ask(5, "again?").await, "echo: again?");
    show.green().await;
    stage.end().await;
}

async fn budget() {
    let mut stage = Stage::new().await;
    let url = stage.sim.api_url();
    let changes = [
        ("KATANA_OPENAI_INPUT_USD_PER_MTOK", "1"),
        ("KATANA_OPENAI_OUTPUT_USD_PER_MTOK", "2"),
        ("KATANA_BUDGET_TOTAL_USD_PER_DAY", "0.0025"),
    ];
    let show = asking(&mut stage, &url, &changes).await;
    let dear = ModelAnswer { completion_tokens: Some(1_023), ..ModelAnswer::from("long") };
    stage.sim.model().push(dear);
    stage.ask(5, "an expensive question").await;
    assert!(stage.ask(5, "another one").await.contains("what my answers may cost today"));
    show.shows_only(Kind::BudgetExhausted).await;
    stage.set("KATANA_BUDGET_TOTAL_USD_PER_DAY", "off");
    stage.app().reload(&stage.sources()).await;
    assert_eq!(stage.ask(5, "again?").await, "echo: again?");
    show.green().await;
    stage.end().await;
}

async fn canary() {
    let mut stage = Stage::new().await;
    let url = stage.sim.api_url();
    let changes = [
        ("KATANA_CANARY_QUESTION", "Heron"),
        ("KATANA_CANARY_EXPECT", "heron"),
        ("KATANA_CANARY_EVERY_S", "1"),
    ];
    let show = asking(&mut stage, &url, &changes).await;
    stage.sim.model().respond_with(|_| "stork");
    show.shows_only(Kind::CanaryFailing).await;
    stage.sim.model().respond_with(|_| "a heron");
    show.green().await;
    stage.end().await;
}

async fn slow() {
    let mut stage = Stage::new().await;
    let url = stage.sim.api_url();
    let show = asking(&mut stage, &url, &[("KATANA_WATCH_PROVIDER_SLOW_S", "0.4")]).await;
    stage.sim.model().set_pace(Duration::from_millis(800), Duration::ZERO);
    for user in 5..10 {
        stage.sim.say(user, "slow");
    }
    show.shows_only(Kind::ProviderSlow).await;
    stage.sim.model().set_pace(Duration::ZERO, Duration::ZERO);
    for i in 0..20 {
        assert_eq!(stage.ask(20, &format!("{i}")).await, format!("echo: {i}"));
    }
    show.green().await;
    for user in 5..10 {
        assert_eq!(stage.texts(user, 1).await, ["echo: slow"]);
    }
    stage.end().await;
}

async fn error_ratio() {
    let mut stage = Stage::new().await;
    let parrot = Parrot::before(&stage.sim.api_url()).await;
    let changes = [("KATANA_WATCH_ERROR_RATIO", "0.2"), ("KATANA_WATCH_PROVIDER_FAILURES", "1000")];
    let show = asking(&mut stage, &parrot.url(), &changes).await;
    parrot.says(|_| Some(Said::Answer(500, "application/json", "{\"error\":\"oops\"}".into())));
    for user in 5..25 {
        stage.sim.say(user, "broken");
    }
    show.shows_only(Kind::ErrorRatio).await;
    parrot.steps_aside();
    stage.idle().await;
    for i in 0..50 {
        assert_eq!(stage.ask(50, &format!("{i}")).await, format!("echo: {i}"));
    }
    show.green().await;
    for user in 5..25 {
        assert_eq!(stage.sim.bot_messages(user).len(), 1);
    }
    stage.end().await;
}

async fn inbox_old() {
    let mut stage = Stage::new().await;
    let url = stage.sim.api_url();
    let changes =
        [("KATANA_WATCH_INBOX_AGE_S", "2"), ("KATANA_ANSWER_FIRST_TOKEN_TIMEOUT_S", "30")];
    let show = asking(&mut stage, &url, &changes).await;
    stage.sim.model().set_pace(Duration::from_secs(6), Duration::ZERO);
    for i in 0..3 {
        stage.sim.say(5, &format!("{i}"));
    }
    show.shows_only(Kind::InboxOld).await;
    stage.sim.model().set_pace(Duration::ZERO, Duration::ZERO);
    super::ends_well(stage, &show, 5, &["echo: 0", "echo: 1", "echo: 2"]).await;
}

async fn backlog_full() {
    let mut stage = Stage::new().await;
    let url = stage.sim.api_url();
    let show = asking(&mut stage, &url, &[("KATANA_PIPELINE_BACKLOG_MAX", "100")]).await;
    stage.sim.model().set_pace(Duration::from_millis(600), Duration::ZERO);
    stage.sim.flood(400, 4, "{n}");
    show.shows_only(Kind::BacklogFull).await;
    stage.sim.model().set_pace(Duration::ZERO, Duration::ZERO);
    for chat in 0..4 {
        let expected: Vec<_> = (0..100).map(|i| format!("echo: {}", 1 + chat + 4 * i)).collect();
        assert_eq!(stage.texts(1001 + chat, 100).await, expected);
    }
    stage.idle().await;
    show.green().await;
    assert_eq!(stage.sim.bot_message_count(), 400);
    stage.end().await;
}
