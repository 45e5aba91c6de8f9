//! Anthropic's Messages API, streamed (platform documentation: "Streaming Messages").
//!
//! Its OpenAI-compatible endpoint is by the vendor's own words not meant for production.

use std::fmt;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;

use super::descriptor::{Descriptor, Kind, ProviderSettings, Service};
use super::error_body::ErrorBody;
use super::failure::ProviderError;
use super::prompt;
use super::scrub::Scrubber;
use super::stream::{Dialect, Step, answer_events, count, json};
use super::{Answering, Provider, http};
use crate::model::conversation::{ChatRequest, Finished, Role, StopReason, Usage};

/// The version of the API that this file speaks.
const VERSION: &str = "2023-06-01";

/// Anthropic.
pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "anthropic",
    title: "Anthropic",
    summary: "Anthropic",
    kind: Kind::Service(Service {
        credential: "anthropic-api-key",
        key_variables: &["ANTHROPIC_API_KEY"],
        key_doc: "The key of Anthropic's API.",
        base_url: "https://api.anthropic.com",
        path: "/v1/messages",
        base_url_when: "For a proxy.",
        model: "claude-haiku-4-5",
        model_when: "To trade cost against quality.",
        is_self_hosted: false,
        servers: &[],
    }),
    build: |settings| Ok(Arc::new(Anthropic::new(settings)?)),
};

/// Anthropic's models.
pub struct Anthropic {
    shared: Arc<Shared>,
    model: String,
}

struct Shared {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    secrets: Arc<[SecretString]>,
}

impl Anthropic {
    /// Checks the settings and builds the client; nothing is sent.
    pub fn new(settings: ProviderSettings) -> Result<Self, ProviderError> {
        let mut url = http::base(&settings.base_url)?;
        let path = url.path().trim_end_matches('/').trim_end_matches("/messages");
        let path = format!("{}/v1/messages", path.trim_end_matches("/v1"));
        url.set_path(&path);
        let mut headers = http::headers();
        headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
        if let Some(key) = http::present(settings.api_key.as_ref()) {
            headers.insert("x-api-key", http::secret_header(key)?);
        }
        let shared = Shared {
            http: http::client(settings.read_timeout)?,
            secrets: http::secrets(settings.api_key, &url),
            url,
            headers,
        };
        Ok(Self { shared: Arc::new(shared), model: settings.model })
    }
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.shared.url.host_str().unwrap_or_default();
        f.debug_struct("Anthropic").field("model", &self.model).field("host", &host).finish()
    }
}

impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn answer(&self, ask: ChatRequest) -> Answering {
        let shared = Arc::clone(&self.shared);
        let model = ask.model.clone().unwrap_or_else(|| self.model.clone());
        stream::once(async move { shared.answer(ask, &model).await }).try_flatten().boxed()
    }
}

impl Shared {
    async fn answer(&self, ask: ChatRequest, model: &str) -> Result<Answering, ProviderError> {
        let prompt = Arc::new(prompt::compose(ask));
        let body = serde_json::to_vec(&request(&prompt, model));
        let body = body.map_err(|_| ProviderError::Unusable {
            setting: "the request",
            problem: "it cannot be written as json",
        })?;
        let scrubber = Scrubber { secrets: Arc::clone(&self.secrets), said: prompt };
        let (url, headers) = (self.url.clone(), self.headers.clone());
        let sent = http::post(&self.http, url, headers, body, &scrubber).await;
        let events = sent.map_err(|refused| refused.error)?;
        Ok(answer_events(events, Events::new(scrubber)))
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    system: &'a str,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

fn request<'a>(prompt: &'a ChatRequest, model: &'a str) -> Request<'a> {
    let messages = prompt.messages.iter().map(|message| {
        let role = match message.role {
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        // An answer that ends in a blank is refused where it comes last, and never needed.
        let text: String = message.texts().collect();
        Message { role, content: text.trim().to_owned() }
    });
    Request {
        model,
        max_tokens: prompt.max_output_tokens.max(1),
        stream: true,
        system: &prompt.system,
        messages: messages.collect(),
    }
}

/// Reads the events of a message, and a whole message from proxies that do not stream.
struct Events {
    scrubber: Scrubber,
    reason: Option<StopReason>,
    usage: Option<Usage>,
    model: Option<String>,
}

impl Events {
    fn new(scrubber: Scrubber) -> Self {
        Self { scrubber, reason: None, usage: None, model: None }
    }

    /// What is said about a message, in the event that begins it or in the message itself.
    fn about(&mut self, message: &Value) {
        if let Some(model) = message.get("model").and_then(Value::as_str) {
            self.model = Some(model.to_owned());
        }
        self.stopped(message);
        self.used(message.get("usage"));
    }

    fn stopped(&mut self, holder: &Value) {
        if let Some(word) = holder.get("stop_reason").and_then(Value::as_str) {
            self.reason = Some(stop_reason(word));
        }
    }

    /// Counts are cumulative, and an event names only some of them.
    fn used(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage.filter(|usage| usage.is_object()) else { return };
        let known = self.usage.get_or_insert_default();
        // What is read from or written to a cache is part of the prompt, but counted apart.
        let names = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];
        let input: u64 = names.iter().filter_map(|name| count(usage.get(*name))).sum();
        known.input_tokens = known.input_tokens.max(input);
        let output = count(usage.get("output_tokens")).unwrap_or_default();
        known.output_tokens = known.output_tokens.max(output);
    }
}

impl Dialect for Events {
    fn event(&mut self, data: &str) -> Result<Step, ProviderError> {
        let event = json(data)?;
        if let Some(error_body) = ErrorBody::within(&event) {
            return Err(error_body.in_stream(&self.scrubber));
        }
        let Some(kind) = event.get("type").and_then(Value::as_str) else {
            return Err(ProviderError::Garbage { what: "an event without a type" });
        };
        let text = match kind {
            "message_start" => {
                self.about(&event["message"]);
                String::new()
            }
            "content_block_start" => text_of(&event["content_block"], "text"),
            "content_block_delta" => text_of(&event["delta"], "text_delta"),
            "message_delta" => {
                self.stopped(&event["delta"]);
                self.used(event.get("usage"));
                String::new()
            }
            "message" => {
                self.about(&event);
                let blocks = event["content"].as_array().map(Vec::as_slice).unwrap_or_default();
                blocks.iter().map(|block| text_of(block, "text")).collect()
            }
            "message_stop" => return Ok(Step::Over),
            // Pings, ends of blocks, and whatever the vendor adds: unknown events may come.
            _ => String::new(),
        };
        Ok(Step::Text(text))
    }

    fn finished(&self) -> Option<Finished> {
        let reason = self.reason?;
        Some(Finished { reason, usage: self.usage, model: self.model.clone() })
    }
}

/// The text of a block or delta of this type; others are thinking, tools or new.
fn text_of(holder: &Value, kind: &str) -> String {
    if holder["type"] != kind {
        return String::new();
    }
    holder["text"].as_str().unwrap_or_default().to_owned()
}

fn stop_reason(word: &str) -> StopReason {
    match word {
        "end_turn" | "stop_sequence" => StopReason::End,
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "refusal" => StopReason::Filtered,
        _ => StopReason::Other,
    }
}
