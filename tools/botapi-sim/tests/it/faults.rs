//! Faults and holds.

use std::time::{Duration, Instant};

use botapi_sim::{Class, Fault, Faults, Hold, HoldAt, Limits, Options};
use serde_json::json;

use crate::{Bot, SOON};

async fn talking() -> Bot {
    let bot = Bot::start().await;
    bot.sim.say(7, "hi");
    bot
}

#[tokio::test]
async fn refusals_have_no_effect() {
    let bot = talking().await;
    let send = json!({"chat_id": 7, "text": "x"});
    bot.sim.fault_next("sendMessage", Fault::ServerError);
    bot.sim.fault_next("sendMessage", Fault::TooManyRequests(86_400));
    assert_eq!(bot.call("sendMessage", send.clone()).await.0, 500);
    let (status, body) = bot.call("sendMessage", send.clone()).await;
    assert_eq!((status, &body["parameters"]["retry_after"]), (429, &json!(86_400)));
    bot.sim.fault_next("sendMessage", Fault::BadGateway);
    let response = bot.client.post(bot.url("sendMessage")).json(&send).send().await.unwrap();
    assert_eq!(response.status(), 502);
    assert!(response.text().await.unwrap().starts_with("<html>"));
    bot.sim.fault_next("sendMessage", Fault::Reset);
    assert!(bot.broken("sendMessage", send.clone()).await);
    assert!(bot.sim.bot_messages(7).is_empty());
    bot.ok("sendMessage", send).await;
    let outcomes = &bot.sim.outcomes()["sendMessage"];
    assert_eq!(format!("{outcomes:?}"), "{0: 1, 200: 1, 429: 1, 500: 1, 502: 1}");
}

#[tokio::test]
async fn lost_answers_have_their_effect() {
    let bot = talking().await;
    let send = json!({"chat_id": 7, "text": "x"});
    bot.sim.fault_next("sendMessage", Fault::AnswerLost);
    assert!(bot.broken("sendMessage", send.clone()).await);
    assert_eq!(bot.sim.bot_messages(7).len(), 1);
    bot.sim.fault_next("sendMessage", Fault::AnswerCut);
    let cut = bot.client.post(bot.url("sendMessage")).json(&send).send().await.unwrap();
    assert_eq!(cut.status(), 200, "the head arrives");
    assert!(cut.bytes().await.is_err(), "the body does not");
    assert_eq!(bot.sim.bot_messages(7).len(), 2);
    bot.sim.fault_next("getUpdates", Fault::AnswerLost);
    assert!(bot.broken("getUpdates", json!({})).await);
    assert_eq!(bot.sim.pending(), 1);
}

#[tokio::test]
async fn delays_come_before_or_after_the_effect() {
    let bot = talking().await;
    let span = Duration::from_millis(150)..Duration::from_millis(200);
    for (fault, early) in [(Fault::DelayBefore(span.clone()), 0), (Fault::DelayAfter(span), 2)] {
        bot.sim.fault_next("sendMessage", fault);
        let start = Instant::now();
        let send = bot.send(7, "x");
        tokio::pin!(send);
        assert!(tokio::time::timeout(Duration::from_millis(75), &mut send).await.is_err());
        assert_eq!(bot.sim.bot_messages(7).len(), early);
        send.await;
        assert!(start.elapsed() >= Duration::from_millis(150));
    }
}

#[tokio::test]
async fn black_holes_are_bounded() {
    let bot =
        Bot::with(Options { black_hole: Duration::from_millis(200), ..Options::default() }).await;
    bot.sim.say(7, "hi");
    let send = json!({"chat_id": 7, "text": "x"});
    for (fault, count) in [(Fault::BlackHole, 0), (Fault::BlackHoleAfterEffect, 1)] {
        bot.sim.fault_next("sendMessage", fault);
        let start = Instant::now();
        assert!(bot.broken("sendMessage", send.clone()).await);
        assert!(start.elapsed() >= Duration::from_millis(200));
        assert_eq!(bot.sim.bot_messages(7).len(), count);
    }
}

#[tokio::test]
async fn dice_meet_their_class_only() {
    let bot = Bot::with(Options {
        limits: Limits::off(),
        faults: Faults::none().on(Class::Sends, Fault::ServerError, 1.0),
        ..Options::default()
    })
    .await;
    bot.sim.say(7, "hi");
    assert_eq!(bot.call("sendMessage", json!({"chat_id": 7, "text": "x"})).await.0, 500);
    bot.ok("getUpdates", json!({})).await;
    bot.ok("getMe", json!({})).await;
    bot.sim.set_faults(Faults::none());
    bot.send(7, "x").await;
}

#[tokio::test]
async fn a_hold_before_the_effect_keeps_it_from_happening() {
    let bot = talking().await;
    let hold = bot.sim.hold(Hold::Method("sendMessage"), HoldAt::BeforeEffect);
    let other = bot.sim.hold(Hold::Chat("sendMessage", 8), HoldAt::BeforeEffect);
    let send = bot.send(7, "held");
    tokio::pin!(send);
    tokio::select! {
        _ = &mut send => panic!("must be held"),
        held = hold.wait_held(1, SOON) => assert!(held),
    }
    assert_eq!((hold.held(), other.arrived()), (1, 0));
    assert!(bot.sim.bot_messages(7).is_empty());
    hold.release();
    send.await;
    assert_eq!(bot.sim.bot_messages(7).len(), 1);
    bot.send(7, "not held any more").await;
}

#[tokio::test]
async fn a_client_that_leaves_a_hold_takes_its_request_back() {
    let bot = talking().await;
    let hold = bot.sim.hold(Hold::Any, HoldAt::BeforeEffect);
    {
        let send = bot.send(7, "gone");
        tokio::pin!(send);
        tokio::select! {
            _ = &mut send => panic!("must be held"),
            held = hold.wait_held(1, SOON) => assert!(held),
        }
    }
    let start = Instant::now();
    while hold.held() > 0 {
        assert!(start.elapsed() < SOON, "the server must notice that the client left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    hold.release();
    assert_eq!(bot.send(7, "x").await, bot.sim.transcript(7)[1].message_id);
    assert_eq!(bot.sim.bot_messages(7).len(), 1);
}

#[tokio::test]
async fn a_hold_after_the_effect_keeps_the_answer_back() {
    let bot = talking().await;
    let hold = bot.sim.hold(Hold::Chat("sendMessage", 7), HoldAt::AfterEffect);
    {
        let send = bot.send(7, "arrived");
        tokio::pin!(send);
        tokio::select! {
            _ = &mut send => panic!("must be held"),
            held = hold.wait_held(1, SOON) => assert!(held),
        }
    }
    assert_eq!(bot.sim.bot_messages(7).len(), 1, "the effect is there though the client left");
    drop(hold);
    assert!(
        !bot.sim.hold(Hold::Any, HoldAt::AfterEffect).wait_held(1, Duration::from_millis(20)).await
    );
}

#[tokio::test]
async fn stopping_ends_what_waits() {
    let bot = Bot::start().await;
    let Bot { sim, client } = bot;
    let url = format!("{}/bot{}/getUpdates?timeout=50", sim.api_url(), sim.token());
    let asked = client.clone();
    let waiting = tokio::spawn({
        let url = url.clone();
        async move { asked.get(url).send().await.is_err() }
    });
    assert!(sim.wait_until(SOON, |sim| sim.calls("getUpdates") == 1).await);
    tokio::time::timeout(SOON, sim.stop()).await.unwrap();
    assert!(waiting.await.unwrap());
    assert!(client.get(url).send().await.is_err());
}
