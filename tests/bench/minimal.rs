//! The bar: a bot that answers the same and stores nothing. What it saves is what durability costs.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// Sends on their way at once, as many as Katana allows itself.
const SENDS_AT_ONCE: usize = 256;

/// Says to this very program that it is the minimal bot.
pub(crate) const URL: &str = "KATANA_BENCH_MINIMAL_URL";

/// Where to poll: the base URL with the token.
pub(crate) struct Target(String);

impl Target {
    /// Set when this process was started as the minimal bot.
    pub(crate) fn from_env() -> Option<Self> {
        std::env::var(URL).ok().map(Self)
    }
}

/// Polls and answers, a task per update, until it is killed.
pub(crate) async fn poll(target: &Target) {
    let polls = reqwest::Client::new();
    let sends = reqwest::Client::builder().tcp_nodelay(true).build().expect("a client");
    let room = Arc::new(Semaphore::new(SENDS_AT_ONCE));
    let mut offset = 0;
    let mut timeout = 0;
    loop {
        let ask = json!({"offset": offset, "limit": 100, "timeout": timeout});
        let asked = polls.post(format!("{}/getUpdates", target.0)).json(&ask).send().await;
        let answer: Value = match asked {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        timeout = 50;
        for update in answer["result"].as_array().into_iter().flatten() {
            offset = update["update_id"].as_i64().unwrap_or(offset) + 1;
            let Some(text) = update["message"]["text"].as_str() else { continue };
            let reply = json!({
                "chat_id": update["message"]["chat"]["id"], "text": format!("echo: {text}")
            });
            let request = sends.post(format!("{}/sendMessage", target.0)).json(&reply);
            let permit = Arc::clone(&room).acquire_owned().await.expect("never closed");
            tokio::spawn(async move {
                if let Ok(answer) = request.send().await {
                    let _ = answer.bytes().await;
                }
                drop(permit);
            });
        }
    }
}
