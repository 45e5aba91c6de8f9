//! getUpdates.

use std::time::{Duration, Instant};

use botapi_sim::ChatKind;
use serde_json::{Value, json};

use crate::{Bot, SOON};

fn ids(updates: &Value) -> Vec<i64> {
    let list = updates.as_array().unwrap().iter();
    list.map(|update| update["update_id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn updates_stay_until_confirmed() {
    let bot = Bot::start().await;
    let first = bot.sim.say(7, "one").update_id;
    assert_eq!(bot.sim.say(7, "two").update_id, first + 1, "ids grow by one");
    let updates = bot.ok("getUpdates", json!({"limit": 1})).await;
    assert_eq!(ids(&updates), [first]);
    assert_eq!(updates[0]["message"]["text"], "one");
    assert_eq!(updates[0]["message"]["from"]["id"], 7);
    assert_eq!(bot.sim.pending(), 2, "nothing is confirmed yet");
    let updates = bot.ok("getUpdates", json!({"offset": first + 1})).await;
    assert_eq!(ids(&updates), [first + 1]);
    assert_eq!(bot.sim.pending(), 1);
    bot.ok("getUpdates", json!({"offset": first + 2})).await;
    assert_eq!(bot.sim.pending(), 0);
}

#[tokio::test]
async fn a_waiting_poll_is_answered_by_an_update() {
    let bot = Bot::start().await;
    let sim = bot.sim.clone();
    let poll = tokio::spawn(async move { bot.ok("getUpdates", json!({"timeout": 50})).await });
    assert!(sim.wait_until(SOON, botapi_sim::Sim::polling).await);
    assert!(sim.first_poll_at().is_some());
    sim.say(7, "hello");
    let updates = tokio::time::timeout(SOON, poll).await.unwrap().unwrap();
    assert_eq!(updates[0]["message"]["text"], "hello");
    assert!(!sim.polling());
}

#[tokio::test]
async fn a_waiting_poll_ends_empty_at_its_timeout() {
    let bot = Bot::start().await;
    let start = Instant::now();
    assert_eq!(bot.ok("getUpdates", json!({"timeout": 1})).await, json!([]));
    assert!(start.elapsed() >= Duration::from_millis(950));
}

#[tokio::test]
async fn a_newer_poll_ends_the_older_one() {
    let bot = std::sync::Arc::new(Bot::start().await);
    let older = std::sync::Arc::clone(&bot);
    let older =
        tokio::spawn(async move { older.refused("getUpdates", json!({"timeout": 50})).await });
    assert!(bot.sim.wait_until(SOON, botapi_sim::Sim::polling).await);
    let newer = std::sync::Arc::clone(&bot);
    let newer =
        tokio::spawn(
            async move { newer.ok("getUpdates", json!({"timeout": 50, "offset": 1})).await },
        );
    let (status, words) = tokio::time::timeout(SOON, older).await.unwrap().unwrap();
    assert_eq!(status, 409);
    assert_eq!(
        words,
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    );
    bot.sim.say(7, "for the newer one");
    assert_eq!(newer.await.unwrap().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_webhook_forbids_polling() {
    let bot = Bot::start().await;
    let (status, words) = bot.refused("setWebhook", json!({"url": "http://a.b"})).await;
    assert_eq!(status, 400, "{words}");
    bot.ok("setWebhook", json!({"url": "https://example.org/hook"})).await;
    bot.sim.say(7, "waits");
    let (status, words) = bot.refused("getUpdates", json!({})).await;
    assert_eq!(status, 409);
    assert!(words.starts_with("Conflict: can't use getUpdates method while webhook is active"));
    let info = bot.ok("getWebhookInfo", json!({})).await;
    assert_eq!(info["pending_update_count"], 1);
    assert_eq!(info["url"], "https://example.org/hook");
    bot.ok("deleteWebhook", json!({})).await;
    assert_eq!(bot.ok("getUpdates", json!({})).await.as_array().unwrap().len(), 1);
    bot.ok("deleteWebhook", json!({"drop_pending_updates": true})).await;
    assert_eq!(bot.sim.pending(), 0);
}

#[tokio::test]
async fn setting_a_webhook_ends_a_waiting_poll() {
    let bot = Bot::start().await;
    let sim = bot.sim.clone();
    let poll = tokio::spawn(async move { bot.refused("getUpdates", json!({"timeout": 50})).await });
    assert!(sim.wait_until(SOON, botapi_sim::Sim::polling).await);
    sim.set_webhook_url("https://example.org/");
    let (status, words) = tokio::time::timeout(SOON, poll).await.unwrap().unwrap();
    assert_eq!((status, words.as_str()), (409, "Conflict: terminated by setWebhook request"));
}

#[tokio::test]
async fn a_revoked_token_ends_a_waiting_poll() {
    let bot = Bot::start().await;
    let sim = bot.sim.clone();
    let poll = tokio::spawn(async move { bot.refused("getUpdates", json!({"timeout": 50})).await });
    assert!(sim.wait_until(SOON, botapi_sim::Sim::polling).await);
    sim.revoke_token();
    let ended = tokio::time::timeout(SOON, poll).await.unwrap().unwrap();
    assert_eq!(ended, (401, "Unauthorized".to_owned()));
}

#[tokio::test]
async fn a_reissued_token_takes_the_place_of_the_old_one() {
    let bot = Bot::start().await;
    let token = bot.sim.reissue_token();
    assert_ne!(token, bot.sim.token());
    assert_eq!(bot.refused("getMe", json!({})).await, (401, "Unauthorized".to_owned()));
    let url = format!("{}/bot{token}/getMe", bot.sim.api_url());
    let me: serde_json::Value = bot.client.post(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(me["result"]["id"], bot.sim.bot_id());
}

#[tokio::test]
async fn the_same_offset_again_waits_and_gets_one() {
    let bot = Bot::start().await;
    bot.sim.say(7, "one");
    let next = bot.sim.say(7, "two").update_id + 1;
    assert_eq!(bot.ok("getUpdates", json!({})).await.as_array().unwrap().len(), 2);
    assert_eq!(bot.ok("getUpdates", json!({})).await.as_array().unwrap().len(), 1);
    bot.sim.advance(Duration::from_secs(3));
    assert_eq!(bot.ok("getUpdates", json!({})).await.as_array().unwrap().len(), 2);
    bot.ok("getUpdates", json!({"offset": next})).await;
    let start = Instant::now();
    bot.ok("getUpdates", json!({"offset": next})).await;
    assert!(start.elapsed() > Duration::from_secs(2), "a poll without timeout is made to wait");
}

#[tokio::test]
async fn updates_expire_after_a_day() {
    let bot = Bot::start().await;
    bot.sim.say(7, "old");
    bot.sim.advance(Duration::from_secs(23 * 3600));
    bot.sim.say(7, "young");
    bot.sim.advance(Duration::from_secs(2 * 3600));
    let updates = bot.ok("getUpdates", json!({})).await;
    assert_eq!(updates.as_array().unwrap().len(), 1);
    assert_eq!(updates[0]["message"]["text"], "young");
}

#[tokio::test]
async fn kinds_are_remembered_and_filtered() {
    let bot = Bot::start().await;
    bot.ok("getUpdates", json!({"allowed_updates": ["channel_post"]})).await;
    assert_eq!(bot.sim.say(7, "not wanted").update_id, 0);
    bot.sim.group(-1_000_000_000_005, "News", ChatKind::Channel);
    assert_ne!(bot.sim.channel_post(-1_000_000_000_005, "wanted").update_id, 0);
    bot.sim.advance(Duration::from_secs(4));
    let updates = bot.ok("getUpdates", json!({"offset": -1})).await;
    let next = ids(&updates)[0] + 1;
    assert_eq!(updates[0]["channel_post"]["sender_chat"]["title"], "News");
    bot.sim.inject(json!({"brand_new_kind": {}}));
    let updates = bot.ok("getUpdates", json!({"offset": next})).await;
    assert_eq!(ids(&updates), [next], "raw updates are not filtered and get an id");
}

#[tokio::test]
async fn repeated_conflicts_are_paced() {
    let bot = Bot::start().await;
    bot.sim.set_webhook_url("https://example.org/");
    let start = Instant::now();
    assert_eq!(bot.refused("getUpdates", json!({})).await.0, 409);
    assert!(start.elapsed() < Duration::from_secs(2), "the first at once");
    let start = Instant::now();
    assert_eq!(bot.refused("getUpdates", json!({})).await.0, 409);
    assert!(start.elapsed() > Duration::from_secs(2), "the next 3 s late");
}
