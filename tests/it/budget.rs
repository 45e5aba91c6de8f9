//! Money cannot run away: what a question can cost is reserved before the model is asked, and what it did cost is
//! what the model's server would bill.

use std::path::Path;
use std::time::Duration;

use botapi_sim::{Limits, ModelAnswer, ModelFault};
use katana::model::budget::Scope;
use katana::store::Spending;
use serde_json::Value;

use crate::crash::{PATIENCE, Run, end, kill, log};
use crate::harness::{OWNER, SOON, Stage, eventually_in};
use crate::process;

/// A dollar for a million tokens of prompts, two for those of answers: a token costs a millionth or two.
const PRICES: [(&str, &str); 2] =
    [("KATANA_OPENAI_INPUT_USD_PER_MTOK", "1"), ("KATANA_OPENAI_OUTPUT_USD_PER_MTOK", "2")];

async fn stage(changes: &[(&str, &str)]) -> Stage {
    Stage::with_model(&[&PRICES[..], changes].concat()).await
}

/// What the model's server would charge, in millionths of a dollar.
fn bill(stage: &Stage) -> i64 {
    let billed = stage.sim.model().billed();
    i64::try_from(billed.prompt_tokens + 2 * billed.completion_tokens).expect("a small bill")
}

async fn spending(stage: &Stage, scope: Scope, of: i64) -> Spending {
    stage.store().flush().await.expect("it is stored");
    stage.store().spending(scope, of).await.expect("it is read")
}

async fn spent(stage: &Stage) -> i64 {
    spending(stage, Scope::Total, 0).await.day.cost.0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_reports_is_what_is_booked() {
    let stage = stage(&[]).await;
    for text in ["one", "two words", "a third question of some more words"] {
        stage.ask(5, text).await;
    }
    stage.idle().await;
    assert_eq!(spent(&stage).await, bill(&stage));
    assert_eq!(spending(&stage, Scope::User, 5).await.day.cost.0, bill(&stage));
    let said = stage.ask(5, "/usage").await;
    assert!(said.contains("for 3 calls") && said.contains("You"), "{said}");
    // A server that refuses bills nothing, and neither does the ledger book anything.
    let before = bill(&stage);
    stage.sim.model().fault_next(ModelFault::Status {
        status: 400,
        retry_after: None,
        content_type: "application/json",
        body: "{}".to_owned(),
    });
    stage.ask(5, "refused").await;
    stage.idle().await;
    assert_eq!((spent(&stage).await, bill(&stage)), (before, before));
    // A stream that breaks off reports nothing: all that it could cost counts.
    stage.sim.model().fault_next(ModelFault::CutAfter(1));
    stage.ask(5, "cut off").await;
    stage.idle().await;
    assert!(spent(&stage).await > bill(&stage), "{} {}", spent(&stage).await, bill(&stage));
    assert_eq!(spending(&stage, Scope::Total, 0).await.day.calls, 4);
    let usage = process::run(&stage, &["usage", "--by", "model", "--json"]).await;
    let usage: Value = serde_json::from_str(&usage.stdout).expect("JSON");
    assert_eq!(usage["total"]["cost_micro_usd"], spent(&stage).await);
    assert_eq!(usage["rows"][0]["model"], "openai/sim-model");
    let costs = stage.ask(OWNER, "/costs").await;
    assert!(costs.contains("By person") && costs.contains("openai/sim-model"), "{costs}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_counts_nothing_is_not_believed() {
    let stage = stage(&[]).await;
    let uncounted = ModelAnswer {
        completion_tokens: Some(0),
        prompt_tokens: Some(0),
        ..ModelAnswer::from("some words that no one counted")
    };
    stage.sim.model().push(uncounted);
    stage.ask(5, "how much is it?").await;
    stage.idle().await;
    assert!(spent(&stage).await > 1_000, "the most that it can cost: {}", spent(&stage).await);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_first_questions_at_once_stay_within_the_budget() {
    // Each may cost two thousandths of a dollar and a little; there is a hundredth.
    let limit = 10_000;
    let mut stage = Stage::new().await;
    stage.openai();
    for (key, value) in PRICES {
        stage.set(key, value);
    }
    stage
        .set("KATANA_BUDGET_TOTAL_USD_PER_DAY", "0.01")
        .set("KATANA_PIPELINE_ANSWERS_AT_ONCE", "100");
    stage.sim.model().set_pace(Duration::from_millis(100), Duration::from_millis(5));
    stage.sim.model().respond_with(|request| ModelAnswer {
        completion_tokens: request.params["max_tokens"].as_u64().map(|most| most.min(900)),
        ..ModelAnswer::from("a long answer")
    });
    stage.start().await;
    for user in 0..100 {
        stage.sim.say(3000 + user, "first question");
    }
    let all_answered = eventually_in(async || {
        assert!(spent(&stage).await <= limit, "{} at some time", spent(&stage).await);
        (0..100).all(|user| !stage.sim.bot_messages(3000 + user).is_empty())
    });
    assert!(all_answered.await, "{} are answered", stage.sim.bot_message_count());
    stage.idle().await;
    let (spent, bill) = (spent(&stage).await, bill(&stage));
    assert!(bill <= spent && spent <= limit, "{bill} {spent}");
    assert!(bill > limit / 2, "what is left is used: {bill}");
    let texts = (0..100).map(|user| stage.sim.bot_messages(3000 + user)[0].text.clone());
    let refused = texts.filter(|text| text.contains("what my answers may cost today")).count();
    assert_eq!(refused as u64, 100 - stage.sim.model().billed().calls);
    let said = stage.ask(5, "/usage").await;
    assert!(said.contains("The budget of all together is used up until"), "{said}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn worst_cases_refuse_no_one_while_nothing_is_spent() {
    // The answer that is configured would cost 0.2 dollars, and there is a thousandth.
    let stage = stage(&[
        ("KATANA_ANSWER_MAX_OUTPUT_TOKENS", "100000"),
        ("KATANA_BUDGET_USER_USD_PER_DAY", "0.001"),
    ])
    .await;
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    let asked = stage.sim.model().requests();
    let tokens = asked[0].params["max_tokens"].as_u64().expect("a bound");
    assert!((256..500).contains(&tokens), "{tokens}");
    // It did not take all of the budget with it.
    assert_eq!(stage.ask(5, "and again").await, "echo: and again");
    stage.idle().await;
    assert_eq!(spent(&stage).await, bill(&stage));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_budget_people_and_owners_hear_once_when_it_opens() {
    let stage = stage(&[("KATANA_BUDGET_USER_USD_PER_DAY", "0.0025")]).await;
    stage.ask(OWNER, "/start").await;
    let dear = ModelAnswer { completion_tokens: Some(1_023), ..ModelAnswer::from("long") };
    stage.sim.model().push(dear);
    stage.ask(5, "an expensive question").await;
    let said = stage.ask(5, "another one").await;
    let (first, later) = (said, stage.ask(5, "and another").await);
    assert!(first.contains("You have used up") && first.contains("00:00 UTC"), "{first}");
    assert!(later.starts_with("Nothing is left to spend until"), "{later}");
    assert_eq!(stage.sim.model().calls(), 1, "the model is not asked");
    // Another person has a budget of their own.
    assert_eq!(stage.ask(6, "hello").await, "echo: hello");
    assert!(stage.ask(5, "/status").await.contains("I am running"), "commands work");
    stage.idle().await;
    let to_owner = stage.sim.bot_messages(OWNER);
    let notices =
        to_owner.iter().filter(|message| message.text.contains("budget.user_usd_per_day"));
    assert_eq!(notices.count(), 1, "{to_owner:?}");
    let ledger = stage.counter("budget_refused", "user");
    assert_eq!(ledger, 2);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_money_is_short_a_provider_that_costs_nothing_answers() {
    let mut stage = Stage::new().await;
    let url = stage.sim.openai_url();
    stage.openai();
    for (key, value) in PRICES.into_iter().chain([
        ("KATANA_ANSWER_PROVIDER", "openai,free"),
        ("KATANA_PROVIDERS_FREE_KIND", "openai"),
        ("KATANA_PROVIDERS_FREE_BASE_URL", &url),
        ("KATANA_PROVIDERS_FREE_MODEL", "free-model"),
        ("KATANA_PROVIDERS_FREE_API_KEY", crate::harness::MODEL_KEY),
        ("KATANA_BUDGET_TOTAL_USD_PER_DAY", "0.0001"),
    ]) {
        stage.set(key, value);
    }
    stage.start().await;
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    let models = stage.sim.model().requests().into_iter().map(|request| request.model);
    assert_eq!(models.collect::<Vec<_>>(), ["free-model"]);
    assert_eq!(spent(&stage).await, 0);
    // Nothing is used up as long as everyone is answered.
    let money = &stage.app().pipeline().base.vitals.money;
    assert_eq!(money.refuses_until_ms.load(std::sync::atomic::Ordering::Relaxed), 0);
    stage.end().await;
}

fn kills() -> usize {
    match std::env::var("KATANA_BUDGET_KILLS") {
        Ok(text) => text.parse().expect("KATANA_BUDGET_KILLS is a number"),
        Err(_) => 8,
    }
}

/// What the ledger of a bot that does not run has: all costs, and those of calls that reported their usage.
fn ledger(path: &Path) -> (i64, i64, i64) {
    let conn = rusqlite::Connection::open(path).expect("the file opens");
    let sql = "SELECT coalesce(sum(cost), 0),
                      coalesce(sum(CASE WHEN input_tokens > 0 THEN cost END), 0),
                      coalesce(sum(CASE WHEN input_tokens > 0
                                   THEN input_tokens + 2 * output_tokens END), 0) FROM calls";
    let read =
        conn.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).expect("it is read");
    let sum = "SELECT coalesce(sum(cost), 0) FROM spent WHERE scope = 0";
    let sum: i64 = conn.query_row(sum, [], |r| r.get(0)).expect("it is read");
    assert_eq!(sum, read.0, "the sums are those of the calls");
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_the_ledger_is_never_below_the_bill() {
    let mut run = Run::new(23, Limits::off()).await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let paid = |run: &Run| {
        let billed = run.sim.model().billed();
        i64::try_from(billed.prompt_tokens + 2 * billed.completion_tokens).expect("a small bill")
    };
    run.sim.model().set_pace(Duration::from_millis(3), Duration::from_millis(1));
    for round in 0..kills() {
        run.say(8);
        let polls = run.sim.calls("getUpdates");
        let child = crate::crash::start_priced(&run.sim, dir.path(), &PRICES);
        let woke = run.sim.wait_until(PATIENCE, |sim| sim.calls("getUpdates") > polls).await;
        assert!(woke, "round {round}: no poll; log:\n{}", log(dir.path()));
        run.say(8);
        tokio::time::sleep(Duration::from_millis(run.dice.u64(1..150))).await;
        kill(child);
        let (all, reported, by_tokens) = ledger(&dir.path().join("katana.db"));
        assert!(all >= paid(&run), "round {round}: {all} is below the bill of {}", paid(&run));
        assert_eq!(reported, by_tokens, "round {round}");
    }
    let child = crate::crash::start_priced(&run.sim, dir.path(), &PRICES);
    assert!(run.all_answered().await, "log:\n{}", log(dir.path()));
    run.sim.wait_until(Duration::from_millis(300), |_| false).await;
    run.compare();
    end(child);
    let (all, reported, by_tokens) = ledger(&dir.path().join("katana.db"));
    assert_eq!(reported, by_tokens, "to the millionth");
    assert!(all >= paid(&run), "{all} is below the bill of {}", paid(&run));
    eprintln!("{} kills: {all} booked, {} billed", kills(), paid(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kills_the_ledger_is_the_bill() {
    let stage = stage(&[]).await;
    for number in 0..20 {
        stage.sim.say(100 + number % 5, &format!("question {number}"));
    }
    assert!(stage.sim.wait_until(SOON, |sim| sim.bot_message_count() >= 20).await);
    stage.idle().await;
    assert_eq!((spent(&stage).await, stage.sim.model().billed().calls), (bill(&stage), 20));
    stage.end().await;
}

/// Commits that twenty questions take, one after the other.
async fn commits_of_twenty(changes: &[(&str, &str)]) -> u64 {
    let stage = Stage::with_model(changes).await;
    let commits = || stage.store().timings().commit.counts.iter().sum::<u64>();
    stage.idle().await;
    let before = commits();
    for number in 0..20 {
        stage.ask(100 + number, "hello").await;
    }
    stage.idle().await;
    let count = commits() - before;
    stage.end().await;
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_costs_takes_one_commit_more() {
    let free = commits_of_twenty(&[]).await;
    let paid = commits_of_twenty(&PRICES).await;
    // A probe now and then is among them.
    assert!((15..=25).contains(&(paid - free)), "{free} without, {paid} with prices");
}
