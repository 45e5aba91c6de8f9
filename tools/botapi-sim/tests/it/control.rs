//! The simulator driven from another process.

use serde_json::{Value, json};

use crate::Bot;

#[tokio::test]
async fn control_sends_floods_and_reports() {
    let bot = Bot::start().await;
    let base = format!("{}/control", bot.sim.api_url());
    let post = async |path: &str, body: Value| {
        let response = bot.client.post(format!("{base}/{path}")).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let get = async |path: &str| {
        let response = bot.client.get(format!("{base}/{path}")).send().await.unwrap();
        response.json::<Value>().await.unwrap()
    };
    let (status, sent) = post("say", json!({"user_id": 7, "text": "hi"})).await;
    assert_eq!(status, 200);
    assert!(sent["update_id"].as_i64().unwrap() > 0);
    post("say", json!({"user_id": 7, "chat_id": -5, "text": "hi"})).await;
    assert_eq!(post("say", json!({"text": "without a person"})).await.0, 400);
    assert_eq!(post("nonsense", json!({})).await.0, 404);
    post("flood", json!({"updates": 10, "chats": 2, "text": "hi"})).await;
    bot.send(7, "answer").await;
    let state = get("state").await;
    assert_eq!(state["pending"], 12);
    assert_eq!(state["bot_messages"], 1);
    assert_eq!(state["calls"]["sendMessage"], 1);
    assert_eq!(state["latency"]["count"], 1);
    assert!(state["latency"]["p99_ms"].as_f64().unwrap() > 0.0);
    assert!(state["first_poll_unix_ms"].is_null());
    bot.ok("getUpdates", json!({})).await;
    let polled = get("state").await["first_poll_unix_ms"].as_f64().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() * 1000.0;
    assert!((now - polled).abs() < 10_000.0);
    post("reset", json!({})).await;
    assert_eq!(get("state").await["bot_messages"], 0);
    let transcript = get("transcript?chat_id=7").await;
    assert_eq!(transcript["7"][1]["text"], "answer");
    assert_eq!(get("transcript").await.as_object().unwrap().len(), 4);
    post("faults", json!({"rate": 1.0})).await;
    let mut wrong = 0;
    for _ in 0..20 {
        let answer = bot.client.get(bot.url("getMe")).send().await;
        wrong += i32::from(answer.is_err() || answer.is_ok_and(|answer| answer.status() != 200));
    }
    assert!(wrong > 3, "{wrong} of 20");
}

#[tokio::test]
async fn without_permission_there_is_no_control() {
    let bot = Bot::with(botapi_sim::Options::default()).await;
    let url = format!("{}/control/state", bot.sim.api_url());
    assert_eq!(bot.client.get(url).send().await.unwrap().status(), 404);
}
