//! The simulator over real TCP: every rule that it claims to hold, each with a test that can fail.

#![allow(missing_docs, clippy::unwrap_used)]

mod access;
mod control;
mod edits;
mod faults;
mod menus;
mod models;
mod people;
mod polls;
mod sends;
mod typed;

use std::time::Duration;

use botapi_sim::{Limits, Options, Sim};
use serde_json::{Value, json};

/// Long enough for a busy machine.
pub const SOON: Duration = Duration::from_secs(10);

/// A bot that calls methods by hand.
pub struct Bot {
    pub sim: Sim,
    pub client: reqwest::Client,
}

impl Bot {
    /// A simulator without limits, and a bot for it.
    pub async fn start() -> Self {
        Self::with(Options { limits: Limits::off(), control: true, ..Options::default() }).await
    }

    pub async fn with(options: Options) -> Self {
        let sim = Sim::start(options).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { sim, client }
    }

    pub fn url(&self, method: &str) -> String {
        format!("{}/bot{}/{method}", self.sim.api_url(), self.sim.token())
    }

    /// One call with JSON; the HTTP status must be the error code.
    pub async fn call(&self, method: &str, params: Value) -> (u16, Value) {
        let response = self.client.post(self.url(method)).json(&params).send();
        let response = response.await.unwrap();
        let status = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["ok"], status == 200, "{body}");
        if status != 200 {
            assert_eq!(body["error_code"], status, "{body}");
        }
        (status, body)
    }

    /// The result of a call that must succeed.
    pub async fn ok(&self, method: &str, params: Value) -> Value {
        let (status, mut body) = self.call(method, params).await;
        assert_eq!(status, 200, "{method}: {body}");
        body["result"].take()
    }

    /// Status and description of a call that must be refused.
    pub async fn refused(&self, method: &str, params: Value) -> (u16, String) {
        let (status, body) = self.call(method, params).await;
        assert_ne!(status, 200, "{method} must be refused: {body}");
        (status, body["description"].as_str().unwrap().to_owned())
    }

    /// A call whose connection must break without a whole answer.
    pub async fn broken(&self, method: &str, params: Value) -> bool {
        let response = self.client.post(self.url(method)).json(&params).send();
        match response.await {
            Err(_) => true,
            Ok(response) => response.bytes().await.is_err(),
        }
    }

    pub async fn send(&self, chat_id: i64, text: &str) -> i64 {
        let sent = self.ok("sendMessage", json!({"chat_id": chat_id, "text": text})).await;
        sent["message_id"].as_i64().unwrap()
    }
}
