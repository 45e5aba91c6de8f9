//! Delivery: paced, in order, each message once, whatever happens to the calls.

use std::time::{Duration, Instant};

use botapi_sim::{Fault, Faults, Hold, HoldAt, Limits, Options, Sim};

use crate::harness::{SOON, Stage};

/// How many `sendMessage` calls ended with this status.
fn sends(sim: &Sim, status: u16) -> u64 {
    sim.outcomes().get("sendMessage").and_then(|m| m.get(&status)).copied().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paced_burst_never_meets_a_refusal() {
    let options = Options { limits: Limits::real(), ..Options::default() };
    let mut stage = Stage::with(options).await;
    stage.set("KATANA_DELIVERY_PACE", "true").set("KATANA_BOT_ALLOW_CHATS", "-700");
    for i in 0..5 {
        for chat in 5..15 {
            stage.sim.say(chat, &format!("{i}"));
        }
        stage.sim.say_in(-700, 5, &format!("@katana_sim_bot {i}"));
    }
    let begun = Instant::now();
    stage.start().await;
    for chat in 5..15 {
        assert_eq!(
            stage.texts(chat, 5).await,
            (0..5).map(|i| format!("echo: {i}")).collect::<Vec<_>>()
        );
    }
    stage.texts(-700, 5).await;
    stage.idle().await;
    assert!(begun.elapsed() > Duration::from_millis(1500), "a burst of three, then one a second");
    assert_eq!(sends(&stage.sim, 429), 0, "{:?}", stage.sim.outcomes());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_pace_refusals_are_obeyed_and_nothing_is_lost() {
    let options = Options { limits: Limits::real(), ..Options::default() };
    let mut stage = Stage::with(options).await;
    for i in 0..8 {
        stage.sim.say(5, &format!("{i}"));
    }
    stage.start().await;
    assert_eq!(stage.texts(5, 8).await, (0..8).map(|i| format!("echo: {i}")).collect::<Vec<_>>());
    let refused = sends(&stage.sim, 429);
    assert!((1..=8).contains(&refused), "each 429 is waited out: {refused}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_parks_only_that_chat() {
    let stage = Stage::running(&[]).await;
    let hold = stage.sim.hold(Hold::Chat("sendMessage", 5), HoldAt::BeforeEffect);
    stage.sim.fault_next("sendMessage", Fault::TooManyRequests(3));
    stage.sim.say(5, "parked");
    assert!(hold.wait_held(1, SOON).await);
    let begun = Instant::now();
    hold.release();
    stage.sim.say(5, "behind it");
    for i in 0..20 {
        let text = format!("{i}");
        assert_eq!(stage.ask(6, &text).await, format!("echo: {text}"));
    }
    assert!(stage.sim.bot_messages(5).is_empty(), "the parked chat waits its three seconds");
    assert_eq!(stage.texts(5, 2).await, ["echo: parked", "echo: behind it"]);
    assert!(begun.elapsed() >= Duration::from_secs(3));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_blocks_the_bot_loses_only_their_replies_and_may_come_back() {
    let stage = Stage::running(&[]).await;
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    let hold = stage.sim.hold(Hold::Chat("sendMessage", 5), HoldAt::BeforeEffect);
    stage.sim.say(5, "one");
    stage.sim.say(5, "two");
    assert!(hold.wait_held(1, SOON).await);
    stage.sim.block(5);
    hold.release();
    stage.idle().await;
    assert_eq!(stage.sim.bot_messages(5).len(), 1);
    assert_eq!(sends(&stage.sim, 403), 1, "the second is not even tried, or was not ready yet");
    assert!(stage.store().chat(katana::model::ids::ChatId(5)).await.unwrap().absent);
    stage.sim.unblock(5);
    assert_eq!(stage.ask(5, "back").await, "echo: back");
    assert!(!stage.store().chat(katana::model::ids::ChatId(5)).await.unwrap().absent);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_errors_are_tried_again_in_order() {
    let stage = Stage::running(&[]).await;
    for _ in 0..2 {
        stage.sim.fault_next("sendMessage", Fault::ServerError);
    }
    stage.sim.say(5, "one");
    stage.sim.say(5, "two");
    assert_eq!(stage.texts(5, 2).await, ["echo: one", "echo: two"]);
    stage.idle().await;
    assert_eq!(sends(&stage.sim, 500), 2);
    assert_eq!(sends(&stage.sim, 200), 2);
    stage.end().await;
}

/// One fault on a send, then the outcome: exactly one copy, and order kept.
async fn one_copy_after(fault: Fault) -> Stage {
    let stage = Stage::running(&[("KATANA_TELEGRAM_SEND_TIMEOUT_S", "1")]).await;
    assert_eq!(stage.ask(5, "before").await, "echo: before");
    stage.idle().await;
    stage.sim.fault_next("sendMessage", fault);
    stage.sim.say(5, "doubtful");
    stage.sim.say(5, "next");
    assert_eq!(stage.texts(5, 3).await, ["echo: before", "echo: doubtful", "echo: next"]);
    stage.idle().await;
    assert_eq!(stage.sim.bot_messages(5).len(), 3);
    assert_eq!(stage.app().pipeline().base.vitals.possible_duplicates.get(), 0);
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_sends_are_reconciled_before_resend() {
    for fault in [Fault::AnswerLost, Fault::AnswerCut, Fault::BlackHoleAfterEffect] {
        let stage = one_copy_after(fault).await;
        let vitals = &stage.app().pipeline().base.vitals;
        assert_eq!((vitals.reconciled_arrived.get(), vitals.reconciled_lost.get()), (1, 0));
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_surely_did_not_arrive_is_sent_again_once() {
    for fault in [Fault::Reset, Fault::BlackHole, Fault::BadGateway] {
        let stage = one_copy_after(fault).await;
        let vitals = &stage.app().pipeline().base.vitals;
        assert_eq!((vitals.reconciled_arrived.get(), vitals.reconciled_lost.get()), (0, 1));
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_in_doubt_is_reconciled_after_a_restart_too() {
    let mut stage = Stage::running(&[("KATANA_TELEGRAM_SEND_TIMEOUT_S", "1")]).await;
    assert_eq!(stage.ask(5, "before").await, "echo: before");
    stage.idle().await;
    let answers = stage.sim.hold(Hold::Method("editMessageText"), HoldAt::BeforeEffect);
    stage.sim.fault_next("sendMessage", Fault::AnswerLost);
    stage.sim.say(5, "doubtful");
    assert!(answers.wait_held(1, SOON).await, "the reconciler asks");
    let app = stage.app.take().expect("it runs");
    assert!(!app.stop(Duration::ZERO).await, "it is stopped in the middle");
    drop(answers);
    stage.sim.say(5, "next");
    stage.start().await;
    assert_eq!(stage.texts(5, 3).await, ["echo: before", "echo: doubtful", "echo: next"]);
    stage.idle().await;
    assert_eq!(stage.sim.bot_messages(5).len(), 3);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_call_in_ten_failing_nothing_is_lost_doubled_or_swapped() {
    let mut stage = Stage::new().await;
    stage.sim.set_faults(Faults::everything(0.1));
    stage.sim.flood(300, 20, "{n}");
    stage.start().await;
    let all = stage.sim.wait_until(SOON * 3, |sim| sim.bot_message_count() >= 300).await;
    assert!(all, "{} of 300", stage.sim.bot_message_count());
    stage.sim.set_faults(Faults::none());
    stage.idle().await;
    for chat in 0..20 {
        let numbers = (0..15).map(|i| format!("echo: {}", 1 + chat + 20 * i));
        assert_eq!(stage.texts(1001 + chat, 15).await, numbers.collect::<Vec<_>>());
        assert_eq!(stage.sim.bot_messages(1001 + chat).len(), 15);
    }
    stage.end().await;
}
