//! Intake: whatever Telegram, the network or the disk do to polls, nothing is lost or doubled.

use std::time::{Duration, Instant};

use botapi_sim::{Fault, Hold, HoldAt, Options, Sim};
use katana::pipeline::Polling;
use serde_json::json;

use crate::harness::{OWNER, SOON, Stage, eventually_in};

/// The highest offset that the bot has ever polled with: what Telegram takes as confirmed.
fn confirmed(sim: &Sim) -> i64 {
    let polls = sim.log().into_iter().filter(|r| r.method == "getUpdates");
    polls.filter_map(|r| r.params["offset"].as_i64()).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_updates_in_a_batch_do_not_touch_the_good_ones() {
    let mut stage = Stage::new().await;
    let sim = stage.sim.clone();
    sim.say(5, "first");
    sim.inject(json!({"telepathy": {"from": {"id": 5}, "thought": [1, {"deep": null}]}}));
    sim.inject(json!({"message": "not an object"}));
    sim.inject(json!({"message": {"message_id": "no number", "chat": {"id": 5}}}));
    sim.inject(json!({}));
    sim.inject(json!({"callback_query": {"id": "7", "from": {"id": 5, "is_bot": false,
        "first_name": "A"}, "inline_message_id": "x"}}));
    sim.inject(json!({"message": {"message_id": 900_001, "date": 1, "aura": {"colour": "green"},
        "chat": {"id": 5, "type": "private", "mood": 3}, "text": "second",
        "from": {"id": 5, "is_bot": false, "first_name": "A", "planet": "Mars"}}}));
    sim.inject(json!({"message": {"message_id": 900_002, "date": 1, "text": "a bot",
        "chat": {"id": 5, "type": "private"}, "from": {"id": 9, "is_bot": true, "first_name": "B"}}}));
    sim.inject(json!({"message": {"message_id": 900_003, "date": 1,
        "chat": {"id": 5, "type": "hologram"}, "from": {"id": 5, "is_bot": false, "first_name": "A"}}}));
    sim.say(5, "third");
    stage.start().await;
    let texts = stage.texts(5, 3).await;
    assert_eq!(texts, ["echo: first", "echo: second", "echo: third"]);
    stage.idle().await;
    assert_eq!(stage.sim.bot_message_count(), 3);
    for (kind, count) in [
        ("telepathy", 1),
        ("undecodable_message", 2),
        ("empty", 1),
        ("callback_query_without_message", 1),
        ("message_of_bot", 1),
        ("message_in_hologram", 1),
    ] {
        assert_eq!(stage.counter("ignored", kind), count, "{kind}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_service_messages_and_edits_of_no_one_are_ignored_on_purpose() {
    let stage = Stage::running(&[]).await;
    let sim = &stage.sim;
    let sent = sim.say(5, "hello");
    stage.texts(5, 1).await;
    assert!(sim.edit(5, sent.message_id, "hello") > 0, "the bot asks for edits");
    sim.channel_post(-1_000_000_000_009, "news");
    sim.join(-77, 5, &[6]);
    stage.idle().await;
    assert_eq!(sim.bot_message_count(), 1);
    for kind in ["edited_without_change", "channel_post", "service_message"] {
        assert_eq!(stage.counter("ignored", kind), 1, "{kind}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_answered_politely_in_private() {
    let stage = Stage::running(&[]).await;
    stage.sim.photo(5, 5, "");
    stage.sim.voice(5, 5);
    let texts = stage.texts(5, 2).await;
    assert!(texts[0].starts_with("Sorry, I cannot read pictures"), "{texts:?}");
    assert!(texts[1].starts_with("Sorry, I cannot read voice messages"), "{texts:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_named_and_polling_recovers_when_it_is_gone() {
    let stage = Stage::running(&[]).await;
    stage.sim.set_webhook_url("https://example.org/hook");
    stage.polling_becomes(Polling::Conflict).await;
    stage.sim.set_webhook_url("");
    stage.polling_becomes(Polling::Listening).await;
    stage.sim.say(5, "without a hook");
    assert_eq!(stage.texts(5, 1).await, ["echo: without a hook"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_poller_is_named_and_polling_recovers_when_it_is_gone() {
    let stage = Stage::running(&[("KATANA_TELEGRAM_POLL_TIMEOUT_S", "2")]).await;
    let url = format!("{}/bot{}/getUpdates", stage.sim.api_url(), stage.sim.token());
    let other = tokio::spawn(async move {
        let http = reqwest::Client::new();
        loop {
            let body = json!({"timeout": 50}).to_string();
            let poll = http.post(&url).header("content-type", "application/json").body(body);
            let _ = poll.send().await;
        }
    });
    stage.polling_becomes(Polling::Conflict).await;
    other.abort();
    let _ = other.await;
    stage.polling_becomes(Polling::Listening).await;
    stage.sim.say(5, "alone again");
    assert_eq!(stage.texts(5, 1).await, ["echo: alone again"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_named_and_not_tried_hotly() {
    let mut stage = Stage::running(&[]).await;
    assert_eq!(stage.ask(5, "one").await, "echo: one");
    stage.idle().await;
    stage.sim.revoke_token();
    stage.polling_becomes(Polling::TokenRefused).await;
    let calls = |sim: &Sim| sim.calls("getUpdates") + sim.calls("getMe");
    let before = calls(&stage.sim);
    let again = stage.sim.wait_until(Duration::from_secs(3), |sim| calls(sim) > before).await;
    assert!(!again, "a refused token is tried again at once");
    // A new token comes with a restart.
    stage.sim.restore_token();
    stage.sim.say(5, "two");
    assert!(stage.stop().await);
    stage.start().await;
    assert_eq!(stage.texts(5, 2).await, ["echo: one", "echo: two"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_on_polls_is_obeyed() {
    let stage = Stage::running(&[]).await;
    stage.sim.wait_until(SOON, Sim::polling).await;
    let before = stage.sim.calls("getUpdates");
    stage.sim.fault_next("getUpdates", Fault::TooManyRequests(2));
    stage.sim.say(5, "one");
    let refused = stage.sim.wait_until(SOON, |sim| sim.calls("getUpdates") > before).await;
    assert!(refused);
    let begun = Instant::now();
    stage.sim.say(5, "two");
    assert_eq!(stage.texts(5, 2).await, ["echo: one", "echo: two"]);
    let waited = begun.elapsed();
    assert!(waited > Duration::from_millis(1900), "polled again after {waited:?}");
    assert_eq!(stage.app().pipeline().base.vitals.rate_limited.get(), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_recover_from_everything_the_network_does() {
    let stage = Stage::running(&[
        ("KATANA_TELEGRAM_POLL_TIMEOUT_S", "1"),
        ("KATANA_TELEGRAM_POLL_DEADLINE_S", "3"),
    ])
    .await;
    let faults = [
        Fault::ServerError,
        Fault::BadGateway,
        Fault::Reset,
        Fault::AnswerLost,
        Fault::AnswerCut,
        Fault::BlackHole,
        Fault::BlackHoleAfterEffect,
    ];
    let mut expected = Vec::new();
    for (i, fault) in faults.into_iter().enumerate() {
        stage.sim.fault_next("getUpdates", fault);
        stage.sim.say(5, &format!("{i}"));
        expected.push(format!("echo: {i}"));
        assert_eq!(stage.texts(5, i + 1).await, expected);
    }
    stage.polling_becomes(Polling::Listening).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offset_never_passes_an_uncommitted_update() {
    let mut stage = Stage::running(&[]).await;
    assert_eq!(stage.ask(5, "before").await, "echo: before");
    stage.idle().await;
    // Another process's transaction keeps the bot from committing.
    let path = stage.dir.path().join("katana.db");
    let thief = rusqlite::Connection::open(&path).expect("the file opens");
    thief.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
    let first = stage.sim.say(5, "one").update_id;
    stage.sim.say(5, "two");
    stage.polling_becomes(Polling::Failing).await;
    assert!(confirmed(&stage.sim) <= first, "{} confirms {first}", confirmed(&stage.sim));
    assert_eq!(stage.sim.pending(), 2, "both are still Telegram's");
    thief.execute_batch("ROLLBACK").expect("the lock is given back");
    assert_eq!(stage.texts(5, 3).await, ["echo: before", "echo: one", "echo: two"]);

    // The same over a stop: an answer that has not arrived confirms nothing.
    stage.idle().await;
    let hold = stage.sim.hold(Hold::Method("getUpdates"), HoldAt::AfterEffect);
    assert_eq!(stage.ask(5, "three").await, "echo: three"); // by the poll that waited already
    let last = stage.sim.say(5, "four").update_id;
    assert!(hold.wait_held(1, SOON).await);
    assert!(stage.stop().await);
    assert!(confirmed(&stage.sim) <= last);
    hold.release();
    stage.start().await;
    assert_eq!(stage.texts(5, 5).await[3..], ["echo: three", "echo: four"]);
    let stored = stage.store().next_offset().await.expect("the offset is read");
    assert!(confirmed(&stage.sim) <= stored);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backlog_bound_pauses_polling_and_drops_nothing() {
    let mut stage = Stage::new().await;
    stage.openai().unlimited().set("KATANA_PIPELINE_BACKLOG_MAX", "100");
    stage.sim.model().set_pace(Duration::from_millis(10), Duration::ZERO);
    stage.sim.flood(600, 4, "{n}");
    assert_eq!(stage.sim.pending(), 600);
    stage.start().await;
    stage.polling_becomes(Polling::Full).await;
    assert!(stage.sim.pending() >= 300, "Telegram keeps the rest: {}", stage.sim.pending());
    let all = stage.sim.wait_until(SOON * 2, |sim| sim.bot_message_count() >= 600).await;
    assert!(all, "{} of 600", stage.sim.bot_message_count());
    for chat in 0..4 {
        let numbers = (0..150).map(|i| format!("echo: {}", 1 + chat + 4 * i));
        assert_eq!(stage.texts(1001 + chat, 150).await, numbers.collect::<Vec<_>>());
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_bot_with_a_full_inbox_still_hears_resume() {
    let stage = Stage::running(&[("KATANA_PIPELINE_BACKLOG_MAX", "100")]).await;
    stage.ask(OWNER, "/pause").await;
    stage.sim.flood(250, 3, "{n}");
    let store = stage.store();
    let full = eventually_in(|| async { store.inbox_depth().await.unwrap().0 >= 100 }).await;
    assert!(full);
    stage.sim.say(OWNER, "/resume");
    let all = stage.sim.wait_until(SOON, |sim| sim.bot_message_count() >= 252).await;
    assert!(all, "{} of 252", stage.sim.bot_message_count());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_token_never_meets_the_old_offset_or_people() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_BOT_ACCESS", "closed").start().await;
    stage.sim.say(5, "let me in");
    stage.texts(5, 1).await;
    let code = stage.store().users().await.unwrap()[0].code.clone().expect("a pairing code");
    stage.sim.say(1000, &format!("/approve {code}"));
    assert!(stage.texts(5, 2).await[1].starts_with("Good news"));
    assert_eq!(stage.ask(5, "old bot").await, "echo: old bot");
    stage.idle().await;
    let old_offset = stage.store().next_offset().await.unwrap();
    assert!(stage.stop().await);

    let token = "7000000002:ANOTHER-bot-on-the-same-machine-00";
    let options = Options { seed: 2, token: token.into(), ..Options::default() };
    let other = Sim::start(options).await.expect("another simulator");
    let old = stage.replace_sim(other);
    stage.sim.say(5, "new bot");
    stage.start().await;
    let texts = stage.texts(5, 1).await;
    assert!(texts[0].contains("pairing code"), "people of the old bot are strangers: {texts:?}");
    stage.idle().await;
    let first = stage.sim.log().into_iter().find(|r| r.method == "getUpdates").expect("a poll");
    let offset = first.params["offset"].as_i64().unwrap_or(0);
    assert_eq!(offset, 0, "the old bot's was {old_offset}");
    assert!(stage.stop().await);

    let _new = stage.replace_sim(old);
    let said = stage.sim.bot_message_count();
    stage.sim.say(5, "back");
    stage.start().await;
    assert!(stage.sim.wait_until(SOON, |sim| sim.bot_message_count() > said).await);
    assert_eq!(stage.sim.bot_messages(5).last().expect("an answer").text, "echo: back");
    stage.idle().await;
    assert_eq!(stage.sim.bot_message_count(), said + 1, "nothing old is answered again");
    stage.end().await;
}
