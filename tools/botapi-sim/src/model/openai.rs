//! The wire format of OpenAI-compatible servers: chat completions, embeddings, the list of models.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Event;
use super::script::{ModelFault, ModelRequest, Script, Vendor};

/// The width of simulated embeddings.
const DIMENSIONS: usize = 64;
/// All answers carry this date: nothing here depends on the time.
const CREATED: u64 = 1_790_000_000;

pub(super) fn read(body: &Bytes) -> Result<ModelRequest, String> {
    let params: Value = serde_json::from_slice(body)
        .map_err(|_| "We could not parse the JSON body of your request.".to_owned())?;
    let model = params["model"].as_str().ok_or("you must provide a model parameter")?;
    let messages = match &params["messages"] {
        Value::Array(messages) if !messages.is_empty() => messages.clone(),
        Value::Array(_) => {
            return Err(
                "Invalid 'messages': empty array. Expected an array with minimum length 1, \
                 but got an empty array instead."
                    .to_owned(),
            );
        }
        _ => return Err("Missing required parameter: 'messages'.".to_owned()),
    };
    for (i, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or("");
        if !["system", "developer", "user", "assistant", "tool"].contains(&role) {
            return Err(format!("Invalid value: '{role}'. (messages[{i}].role)"));
        }
    }
    Ok(ModelRequest {
        vendor: Vendor::OpenAi,
        model: model.to_owned(),
        messages,
        stream: params["stream"] == true,
        params,
    })
}

pub(super) fn error(kind: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
}

pub(super) fn wrong_key() -> Value {
    json!({"error": {"message": "Incorrect API key provided: sk-xx**xx. You can find your API key at \
        https://platform.openai.com/account/api-keys.", "type": "invalid_request_error",
        "param": null, "code": "invalid_api_key"}})
}

pub(super) fn no_key() -> Value {
    error(
        "invalid_request_error",
        "You didn't provide an API key. You need to provide your API key in an Authorization header \
         using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    )
}

/// What llama.cpp says about itself.
pub(super) fn props(context: usize) -> Value {
    json!({"default_generation_settings": {"n_ctx": context}, "total_slots": 1})
}

pub(super) fn models() -> Value {
    json!({"object": "list", "data": [
        {"id": "sim-model", "object": "model", "created": CREATED, "owned_by": "botapi-sim"},
        {"id": "sim-small", "object": "model", "created": CREATED, "owned_by": "botapi-sim"},
        {"id": "sim-large", "object": "model", "created": CREATED, "owned_by": "botapi-sim"},
    ]})
}

fn usage(script: &Script) -> Value {
    json!({"prompt_tokens": script.prompt_tokens, "completion_tokens": script.completion_tokens,
        "total_tokens": script.prompt_tokens + script.completion_tokens})
}

fn content(script: &Script, text: &str) -> Value {
    match script.fault {
        Some(ModelFault::ContentAsList) => json!([{"type": "text", "text": text}]),
        _ => Value::from(text),
    }
}

pub(super) fn whole(script: &Script) -> Value {
    json!({"id": "chatcmpl-sim", "object": "chat.completion", "created": CREATED,
        "model": script.request.model,
        "choices": [{"index": 0, "logprobs": null, "finish_reason": script.finish_reason("stop"),
            "message": {"role": "assistant", "content": content(script, &script.text()),
                "refusal": null}}],
        "usage": usage(script)})
}

fn chunk(script: &Script, choices: &Value) -> Value {
    json!({"id": "chatcmpl-sim", "object": "chat.completion.chunk", "created": CREATED,
        "model": script.request.model, "choices": choices})
}

fn line(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// A stream: the role, the pieces, the finish reason, the usage if asked for, `[DONE]`.
pub(super) fn events(script: &Script) -> Vec<Event> {
    let role = json!([{"index": 0, "delta": {"role": "assistant", "content": null},
        "finish_reason": null}]);
    let mut events = vec![Event::now(line(&chunk(script, &role)))];
    for _ in 0..script.comments() {
        events.push(Event::token(": PROCESSING\n\n".to_owned()));
    }
    for number in 0..script.thoughts() {
        let delta = json!([{"index": 0, "delta": {"reasoning_content": "hm "}}]);
        events.push(Event::token(line(&chunk(script, &delta))));
        if number == 0 {
            events.push(Event::now(line(&json!({"object": "something.new"}))));
        }
    }
    let wrong_after = script.wrong_after().unwrap_or(usize::MAX);
    for piece in script.pieces.iter().take(wrong_after) {
        let delta = json!([{"index": 0, "delta": {"content": content(script, piece)},
            "finish_reason": null}]);
        events.push(Event::token(line(&chunk(script, &delta))));
    }
    match &script.fault {
        Some(ModelFault::CutAfter(_)) => {
            events.push(Event::now("data: {\"id\":\"chatcmpl-sim\",\"cho".to_owned()));
            events.push(Event::cut());
            return events;
        }
        Some(ModelFault::EndAfter(_)) => return events,
        Some(ModelFault::StallAfter(_)) => {
            events.push(Event::hang());
            return events;
        }
        Some(ModelFault::ErrorAfter(_)) => {
            let error =
                error("server_error", "The server had an error while processing your request.");
            events.push(Event::now(line(&error)));
            return events;
        }
        _ => {}
    }
    let reason = match script.fault {
        Some(ModelFault::NoReason) => Value::Null,
        _ => Value::from(script.finish_reason("stop")),
    };
    let finish = json!([{"index": 0, "delta": {}, "finish_reason": reason}]);
    events.push(Event::now(line(&chunk(script, &finish))));
    if script.request.params["stream_options"]["include_usage"] == true {
        let mut last = chunk(script, &json!([]));
        last["usage"] = usage(script);
        events.push(Event::now(line(&last)));
    }
    events.push(Event::now("data: [DONE]\n\n".to_owned()));
    events
}

/// Embeddings of words: texts that share words are near each other, and the same text is the same vector.
pub(super) fn embeddings(body: &Bytes) -> (u16, Value) {
    let params: Value = serde_json::from_slice(body).unwrap_or_default();
    let inputs: Vec<&str> = match &params["input"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if inputs.is_empty() || inputs.iter().any(|text| text.is_empty()) {
        let error = error("invalid_request_error", "'$.input' is invalid.");
        return (400, error);
    }
    let words: usize = inputs.iter().map(|t| t.split_whitespace().count()).sum();
    let data: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": embed(text)}))
        .collect();
    let body = json!({"object": "list", "data": data, "model": params["model"],
        "usage": {"prompt_tokens": words, "total_tokens": words}});
    (200, body)
}

fn embed(text: &str) -> Vec<f64> {
    let mut vector = vec![0.0_f64; DIMENSIONS];
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        // FNV-1a: the same on every run and machine.
        let hash = word.to_lowercase().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let place = usize::try_from(hash % DIMENSIONS as u64).unwrap_or(0);
        vector[place] += if hash >> 63 == 0 { 1.0 } else { -1.0 };
    }
    let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm > 0.0 {
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    vector
}
