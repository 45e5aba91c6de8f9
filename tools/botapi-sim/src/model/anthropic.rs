//! The wire format of Anthropic's Messages API.

use bytes::Bytes;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use super::Event;
use super::script::{ModelFault, ModelRequest, Script, Vendor};

pub(super) fn error(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

pub(super) fn read(parts: &Parts, body: &Bytes) -> Result<ModelRequest, String> {
    if !parts.headers.contains_key("anthropic-version") {
        return Err("anthropic-version: header is required".to_owned());
    }
    let params: Value = serde_json::from_slice(body)
        .map_err(|_| "The request body is not valid JSON".to_owned())?;
    let model = params["model"].as_str().ok_or("model: Field required")?;
    if params["max_tokens"].as_u64().is_none_or(|max| max == 0) {
        return Err("max_tokens: Field required".to_owned());
    }
    let messages = match &params["messages"] {
        Value::Array(messages) if !messages.is_empty() => messages.clone(),
        Value::Array(_) => return Err("messages: at least one message is required".to_owned()),
        _ => return Err("messages: Field required".to_owned()),
    };
    for (i, message) in messages.iter().enumerate() {
        match message["role"].as_str() {
            Some("user") => {}
            Some("assistant") if i > 0 => {}
            Some("assistant") => {
                return Err("messages: first message must use the \"user\" role".to_owned());
            }
            Some("system") => {
                return Err(
                    "messages: Unexpected role \"system\". The Messages API accepts a top-level \
                     `system` parameter, not \"system\" as an input message role."
                        .to_owned(),
                );
            }
            _ => {
                return Err(format!("messages.{i}.role: Input should be 'user' or 'assistant'"));
            }
        }
        let empty = match &message["content"] {
            Value::String(text) => text.is_empty(),
            Value::Array(parts) => parts.is_empty(),
            _ => true,
        };
        if empty {
            return Err(format!("messages.{i}: all messages must have non-empty content"));
        }
    }
    Ok(ModelRequest {
        vendor: Vendor::Anthropic,
        model: model.to_owned(),
        messages,
        stream: params["stream"] == true,
        params,
    })
}

pub(super) fn whole(script: &Script) -> Value {
    json!({"id": "msg_sim", "type": "message", "role": "assistant", "model": script.request.model,
        "content": [{"type": "text", "text": script.text()}],
        "stop_reason": script.finish_reason("end_turn"), "stop_sequence": null,
        "usage": {"input_tokens": script.prompt_tokens, "output_tokens": script.completion_tokens}})
}

fn event(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap_or(""))
}

/// A stream: message_start, content_block_start, ping, deltas, content_block_stop, message_delta, message_stop.
pub(super) fn events(script: &Script) -> Vec<Event> {
    let start = json!({"type": "message_start", "message": {"id": "msg_sim", "type": "message",
        "role": "assistant", "model": script.request.model, "content": [], "stop_reason": null,
        "stop_sequence": null,
        "usage": {"input_tokens": script.prompt_tokens, "output_tokens": 1}}});
    let block = json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "text", "text": ""}});
    let mut events = vec![
        Event::now(event(&start)),
        Event::now(event(&block)),
        Event::now(event(&json!({"type": "ping"}))),
    ];
    for number in 0..script.thoughts() {
        let delta = json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "hm "}});
        events.push(Event::token(event(&delta)));
        if number == 0 {
            events.push(Event::now(event(&json!({"type": "something_new"}))));
        }
    }
    let wrong_after = script.wrong_after().unwrap_or(usize::MAX);
    for piece in script.pieces.iter().take(wrong_after) {
        let delta = json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": piece}});
        events.push(Event::token(event(&delta)));
    }
    match &script.fault {
        Some(ModelFault::CutAfter(_)) => {
            events
                .push(Event::now("event: content_block_delta\ndata: {\"type\":\"cont".to_owned()));
            events.push(Event::cut());
            return events;
        }
        Some(ModelFault::EndAfter(_)) => return events,
        Some(ModelFault::StallAfter(_)) => {
            events.push(Event::hang());
            return events;
        }
        Some(ModelFault::ErrorAfter(_)) => {
            events.push(Event::now(event(&error("overloaded_error", "Overloaded"))));
            return events;
        }
        _ => {}
    }
    let stop = json!({"type": "content_block_stop", "index": 0});
    let delta = json!({"type": "message_delta",
        "delta": {"stop_reason": script.finish_reason("end_turn"), "stop_sequence": null},
        "usage": {"output_tokens": script.completion_tokens}});
    for value in [stop, delta, json!({"type": "message_stop"})] {
        events.push(Event::now(event(&value)));
    }
    events
}
