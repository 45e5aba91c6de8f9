//! The simulated model servers.

use std::time::{Duration, Instant};

use botapi_sim::{ModelFault, Vendor};
use serde_json::{Value, json};

use crate::{Bot, SOON};

struct Got {
    status: u16,
    body: String,
    broken: bool,
    retry_after: Option<String>,
}

async fn ask(bot: &Bot, vendor: Vendor, extra: Value) -> Got {
    let mut body = json!({"model": "sim-small", "max_tokens": 100,
        "messages": [{"role": "user", "content": "hello there"}]});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    let request = match vendor {
        Vendor::OpenAi => bot
            .client
            .post(format!("{}/chat/completions", bot.sim.openai_url()))
            .header("authorization", "Bearer secret"),
        Vendor::Anthropic => bot
            .client
            .post(format!("{}/v1/messages", bot.sim.anthropic_url()))
            .header("x-api-key", "secret")
            .header("anthropic-version", "2023-06-01"),
    };
    let mut response = request.json(&body).send().await.unwrap();
    let mut got = Got {
        status: response.status().as_u16(),
        body: String::new(),
        broken: false,
        retry_after: response.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned()),
    };
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => got.body += &String::from_utf8_lossy(&chunk),
            Ok(None) => return got,
            Err(_) => {
                got.broken = true;
                return got;
            }
        }
    }
}

/// The JSON of every `data:` line.
fn data(body: &str) -> Vec<Value> {
    let lines = body.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|line| *line != "[DONE]").map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn openai_whole_and_streamed() {
    let bot = Bot::start().await;
    let got = ask(&bot, Vendor::OpenAi, json!({})).await;
    let whole: Value = serde_json::from_str(&got.body).unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "echo: hello there");
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    bot.sim.model().push("two words");
    let got = ask(
        &bot,
        Vendor::OpenAi,
        json!({"stream": true, "stream_options": {"include_usage": true}}),
    )
    .await;
    assert!(got.body.ends_with("data: [DONE]\n\n"));
    let chunks = data(&got.body);
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": null}));
    let text: String =
        chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "two words");
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[4]["choices"], json!([]));
    assert_eq!(chunks[4]["usage"]["completion_tokens"], 2);
    let requests = bot.sim.model().requests();
    assert_eq!(requests.len(), 2);
    assert_eq!((requests[1].stream, requests[1].last_user_text().as_str()), (true, "hello there"));
}

#[tokio::test]
async fn anthropic_whole_and_streamed() {
    let bot = Bot::start().await;
    bot.sim.model().respond_with(|request| {
        format!("{} says {}", request.system_text(), request.last_user_text())
    });
    let got = ask(&bot, Vendor::Anthropic, json!({"system": "Bob"})).await;
    let whole: Value = serde_json::from_str(&got.body).unwrap();
    assert_eq!(whole["content"][0]["text"], "Bob says hello there");
    let got = ask(&bot, Vendor::Anthropic, json!({"system": "Bob", "stream": true})).await;
    let events = data(&got.body);
    let kinds: Vec<_> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!(events[8]["delta"]["stop_reason"], "end_turn");
    assert_eq!(events[8]["usage"]["output_tokens"], 4);
    for line in ["event: message_start\n", "event: message_stop\n"] {
        assert!(got.body.contains(line));
    }
    assert_eq!(bot.sim.model().requests()[0].vendor, Vendor::Anthropic);
}

#[tokio::test]
async fn keys_and_bodies_are_judged_in_the_vendors_words() {
    let bot = Bot::start().await;
    let got = ask(&bot, Vendor::Anthropic, json!({"max_tokens": null})).await;
    assert_eq!(got.status, 400);
    assert!(got.body.contains("max_tokens: Field required"));
    let got =
        ask(&bot, Vendor::Anthropic, json!({"messages": [{"role": "system", "content": "x"}]}))
            .await;
    assert_eq!(got.status, 400);
    let got = ask(&bot, Vendor::OpenAi, json!({"messages": []})).await;
    assert_eq!(got.status, 400);
    bot.sim.model().set_key(Some("secret"));
    for vendor in [Vendor::OpenAi, Vendor::Anthropic] {
        assert_eq!(ask(&bot, vendor, json!({})).await.status, 200);
    }
    bot.sim.model().set_key(Some("another"));
    let got = ask(&bot, Vendor::OpenAi, json!({})).await;
    assert!(got.status == 401 && got.body.contains("invalid_api_key"));
    let got = ask(&bot, Vendor::Anthropic, json!({})).await;
    assert!(got.status == 401 && got.body.contains("authentication_error"));
    assert_eq!(bot.sim.model().calls(), 2, "refused requests do not reach the model");
}

#[tokio::test]
async fn faults_hit_one_request() {
    let bot = Bot::start().await;
    let model = bot.sim.model();
    let stream = json!({"stream": true});
    model.fault_next(ModelFault::rate_limited("7"));
    let got = ask(&bot, Vendor::OpenAi, stream.clone()).await;
    assert_eq!((got.status, got.retry_after.as_deref()), (429, Some("7")));
    model.fault_next(ModelFault::Html);
    assert!(ask(&bot, Vendor::OpenAi, json!({})).await.body.contains("<html>"));
    model.fault_next(ModelFault::Garbage);
    assert!(
        serde_json::from_str::<Value>(&ask(&bot, Vendor::OpenAi, json!({})).await.body).is_err()
    );
    for vendor in [Vendor::OpenAi, Vendor::Anthropic] {
        model.fault_next(ModelFault::CutAfter(1));
        let got = ask(&bot, vendor, stream.clone()).await;
        assert!(
            got.broken && got.body.contains("echo: ") && !got.body.contains("hello"),
            "{}",
            got.body
        );
        model.fault_next(ModelFault::EndAfter(1));
        let got = ask(&bot, vendor, stream.clone()).await;
        assert!(!got.broken && !got.body.contains("stop\"") && !got.body.contains("[DONE]"));
        model.fault_next(ModelFault::ErrorAfter(1));
        let got = ask(&bot, vendor, stream.clone()).await;
        assert!(data(&got.body).last().unwrap()["error"]["message"].is_string());
        model.fault_next(ModelFault::FinishReason("tired".to_owned()));
        assert!(ask(&bot, vendor, stream.clone()).await.body.contains("\"tired\""));
    }
    model.fault_next(ModelFault::ContentAsList);
    let got = ask(&bot, Vendor::OpenAi, json!({})).await;
    assert!(
        serde_json::from_str::<Value>(&got.body).unwrap()["choices"][0]["message"]["content"]
            .is_array()
    );
    assert_eq!(ask(&bot, Vendor::OpenAi, json!({})).await.status, 200);
}

#[tokio::test]
async fn hanging_and_stalling_keep_the_connection() {
    let bot = Bot::start().await;
    for fault in [ModelFault::Hang, ModelFault::StallAfter(1)] {
        bot.sim.model().fault_next(fault);
        let asked = ask(&bot, Vendor::OpenAi, json!({"stream": true}));
        assert!(tokio::time::timeout(Duration::from_millis(150), asked).await.is_err());
    }
    assert!(bot.sim.model().wait_calls(2, SOON).await);
    tokio::time::timeout(SOON, bot.sim.clone().stop()).await.unwrap();
}

#[tokio::test]
async fn models_speak_at_their_pace() {
    let bot = Bot::start().await;
    bot.sim.model().set_pace(Duration::from_millis(60), Duration::from_millis(20));
    for stream in [true, false] {
        let start = Instant::now();
        ask(&bot, Vendor::OpenAi, json!({"stream": stream})).await;
        assert!(start.elapsed() >= Duration::from_millis(100), "stream {stream}");
    }
}

#[tokio::test]
async fn embeddings_know_equal_from_different() {
    let bot = Bot::start().await;
    let url = format!("{}/embeddings", bot.sim.openai_url());
    let input = json!({"model": "m", "input": ["a red cat", "A red cat!", "quarterly report"]});
    let body: Value = bot.client.post(url).json(&input).send().await.unwrap().json().await.unwrap();
    let vector = |i: usize| -> Vec<f64> {
        let list = body["data"][i]["embedding"].as_array().unwrap().iter();
        list.map(|x| x.as_f64().unwrap()).collect()
    };
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    assert!(near(&vector(0), &vector(1)) > 0.999);
    assert!(near(&vector(0), &vector(2)) < 0.5);
    let models = format!("{}/models", bot.sim.openai_url());
    assert_eq!(bot.client.get(models).send().await.unwrap().status(), 200);
}
