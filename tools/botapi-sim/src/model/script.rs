//! What the simulated models will say, and what they were asked.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use super::bill::Bill;

/// How many requests are remembered.
const MAX_REQUESTS: usize = 10_000;

/// Whose wire format a request spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// `/v1/chat/completions`.
    OpenAi,
    /// `/v1/messages`.
    Anthropic,
}

/// One request to a model.
#[derive(Clone, Debug)]
pub struct ModelRequest {
    /// Whose wire format.
    pub vendor: Vendor,
    /// The model asked for.
    pub model: String,
    /// The messages, as sent.
    pub messages: Vec<Value>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The whole body.
    pub params: Value,
}

impl ModelRequest {
    /// The text of the last message of the role `user`; empty when there is none.
    #[must_use]
    pub fn last_user_text(&self) -> String {
        let last = self.messages.iter().rev().find(|message| message["role"] == "user");
        last.map(|message| text_of(&message["content"])).unwrap_or_default()
    }

    /// The system prompt, wherever the vendor keeps it; empty when there is none.
    #[must_use]
    pub fn system_text(&self) -> String {
        match self.vendor {
            Vendor::Anthropic => text_of(&self.params["system"]),
            Vendor::OpenAi => self
                .messages
                .iter()
                .find(|message| message["role"] == "system" || message["role"] == "developer")
                .map(|message| text_of(&message["content"]))
                .unwrap_or_default(),
        }
    }
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// One scripted answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelAnswer {
    /// The pieces of the stream; joined, they are the text.
    pub pieces: Vec<String>,
    /// Tokens of the prompt, as reported; `None` counts words.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer, as reported; `None` counts pieces.
    pub completion_tokens: Option<u64>,
}

impl From<&str> for ModelAnswer {
    /// One piece a word.
    fn from(text: &str) -> Self {
        Self {
            pieces: text.split_inclusive(' ').map(str::to_owned).collect(),
            prompt_tokens: None,
            completion_tokens: None,
        }
    }
}

impl From<String> for ModelAnswer {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// What goes wrong with one request to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelFault {
    /// This status, header and body instead of an answer.
    Status {
        /// HTTP status.
        status: u16,
        /// The `Retry-After` header: seconds or an HTTP date.
        retry_after: Option<String>,
        /// The content type of the body.
        content_type: &'static str,
        /// The body, as it is.
        body: String,
    },
    /// 200 with bytes that are not JSON.
    Garbage,
    /// 200 with a page of a proxy.
    Html,
    /// The stream (or the connection) breaks after so many pieces.
    CutAfter(usize),
    /// The stream ends in order after so many pieces, but without a finish reason or `[DONE]`.
    EndAfter(usize),
    /// An error object comes in the stream after so many pieces.
    ErrorAfter(usize),
    /// Nothing more comes after so many pieces; the connection stays open.
    StallAfter(usize),
    /// Another finish reason (stop reason) than usual.
    FinishReason(String),
    /// So many thoughts come before the answer, and one event of an undocumented kind.
    Thinks(usize),
    /// No finish reason, though the stream ends in order with `[DONE]`.
    NoReason,
    /// So many comment lines come before the answer, a pause between them.
    Comments(usize),
    /// The content is a list of parts instead of a string (OpenAI).
    ContentAsList,
    /// No answer at all, the connection stays open.
    Hang,
    /// The connection closes without an answer.
    Closed,
}

impl ModelFault {
    /// A status with a JSON body.
    #[must_use]
    pub fn status(status: u16, body: &str) -> Self {
        Self::Status {
            status,
            retry_after: None,
            content_type: "application/json",
            body: body.to_owned(),
        }
    }

    /// 429 with a `Retry-After` header, in OpenAI's words.
    #[must_use]
    pub fn rate_limited(retry_after: &str) -> Self {
        Self::Status {
            status: 429,
            retry_after: Some(retry_after.to_owned()),
            content_type: "application/json",
            body: r#"{"error":{"message":"Rate limit reached for requests","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#.to_owned(),
        }
    }
}

/// How fast a model speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelPace {
    /// Before the first token.
    pub first: Duration,
    /// Between tokens.
    pub between: Duration,
}

type Respond = Arc<dyn Fn(&ModelRequest) -> ModelAnswer + Send + Sync>;

#[derive(Default)]
struct Inner {
    key: Option<String>,
    pace: ModelPace,
    answers: VecDeque<ModelAnswer>,
    faults: VecDeque<ModelFault>,
    fault_always: Option<ModelFault>,
    /// Requests that are answered at once; those beyond wait for their turn.
    slots: Option<Arc<Semaphore>>,
    context: Option<usize>,
    respond: Option<Respond>,
    requests: VecDeque<ModelRequest>,
    billed: Bill,
    /// Texts that were embedded.
    embedded: usize,
}

/// The simulated model servers: one script for both vendors.
pub struct ModelServer {
    inner: Mutex<Inner>,
    calls: watch::Sender<u64>,
}

impl Default for ModelServer {
    fn default() -> Self {
        Self { inner: Mutex::default(), calls: watch::Sender::new(0) }
    }
}

impl fmt::Debug for ModelServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelServer({} calls)", self.calls())
    }
}

/// Everything that decides one answer.
pub(crate) struct Script {
    pub(crate) request: ModelRequest,
    pub(crate) pieces: Vec<String>,
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
    pub(crate) pace: ModelPace,
    pub(crate) fault: Option<ModelFault>,
}

impl Script {
    pub(crate) fn text(&self) -> String {
        self.pieces.concat()
    }

    /// After how many pieces the stream goes wrong.
    pub(crate) fn wrong_after(&self) -> Option<usize> {
        match self.fault {
            Some(
                ModelFault::CutAfter(count)
                | ModelFault::EndAfter(count)
                | ModelFault::ErrorAfter(count)
                | ModelFault::StallAfter(count),
            ) => Some(count),
            _ => None,
        }
    }

    /// How many comments come before the answer.
    pub(crate) fn comments(&self) -> usize {
        match self.fault {
            Some(ModelFault::Comments(count)) => count,
            _ => 0,
        }
    }

    /// How many thoughts come before the answer.
    pub(crate) fn thoughts(&self) -> usize {
        match self.fault {
            Some(ModelFault::Thinks(count)) => count,
            _ => 0,
        }
    }

    pub(crate) fn finish_reason<'a>(&'a self, usual: &'a str) -> &'a str {
        match &self.fault {
            Some(ModelFault::FinishReason(reason)) => reason,
            _ => usual,
        }
    }
}

impl ModelServer {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an answer; requests take them in order.
    pub fn push(&self, answer: impl Into<ModelAnswer>) {
        self.lock().answers.push_back(answer.into());
    }

    /// Answers by a function when no answer is queued. Without one, models echo the last user text.
    pub fn respond_with<A: Into<ModelAnswer>>(
        &self,
        respond: impl Fn(&ModelRequest) -> A + Send + Sync + 'static,
    ) {
        self.lock().respond = Some(Arc::new(move |request| respond(request).into()));
    }

    /// Sets how fast models speak.
    pub fn set_pace(&self, first: Duration, between: Duration) {
        self.lock().pace = ModelPace { first, between };
    }

    /// Meets the next request with a fault; several queue up, one a request.
    pub fn fault_next(&self, fault: ModelFault) {
        self.lock().faults.push_back(fault);
    }

    /// Meets every request with a fault from now on; `None` ends that.
    pub fn fault_always(&self, fault: Option<ModelFault>) {
        self.lock().fault_always = fault;
    }

    /// Answers so many requests at once, as a server with so many slots; others wait in its queue.
    pub fn set_slots(&self, slots: usize) {
        self.lock().slots = Some(Arc::new(Semaphore::new(slots)));
    }

    pub(crate) fn slots(&self) -> Option<Arc<Semaphore>> {
        self.lock().slots.clone()
    }

    /// Says in `/props`, as llama.cpp does, that a slot has so many tokens; without that, there is no such
    /// page.
    pub fn set_context(&self, tokens: usize) {
        self.lock().context = Some(tokens);
    }

    pub(crate) fn context(&self) -> Option<usize> {
        self.lock().context
    }

    /// Requires this key from now on (`Authorization: Bearer` or `x-api-key`); `None` takes any.
    pub fn set_key(&self, key: Option<&str>) {
        self.lock().key = key.map(str::to_owned);
    }

    pub(crate) fn key(&self) -> Option<String> {
        self.lock().key.clone()
    }

    /// The requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.lock().requests.iter().cloned().collect()
    }

    /// What a vendor would charge for so far.
    #[must_use]
    pub fn billed(&self) -> Bill {
        self.lock().billed
    }

    /// How many texts were embedded.
    #[must_use]
    pub fn embedded(&self) -> usize {
        self.lock().embedded
    }

    pub(crate) fn embeds(&self, texts: usize) {
        self.lock().embedded += texts;
    }

    /// How many requests were well formed and authorised.
    #[must_use]
    pub fn calls(&self) -> u64 {
        *self.calls.borrow()
    }

    /// Waits until there were at least `count` requests; false when `deadline` passes first.
    pub async fn wait_calls(&self, count: u64, deadline: Duration) -> bool {
        let mut calls = self.calls.subscribe();
        tokio::time::timeout(deadline, calls.wait_for(|seen| *seen >= count))
            .await
            .is_ok_and(|seen| seen.is_ok())
    }

    /// Takes the next answer and fault for a request. A fault that lets no text through leaves the
    /// queued answer for the next request.
    pub(crate) fn next(&self, request: ModelRequest) -> Script {
        let mut inner = self.lock();
        let fault = inner.faults.pop_front().or_else(|| inner.fault_always.clone());
        let silent = matches!(
            fault,
            Some(
                ModelFault::Status { .. }
                    | ModelFault::Garbage
                    | ModelFault::Html
                    | ModelFault::Hang
                    | ModelFault::Closed
            )
        );
        let queued = if silent { None } else { inner.answers.pop_front() };
        let respond = inner.respond.clone();
        let pace = inner.pace;
        if inner.requests.len() >= MAX_REQUESTS {
            inner.requests.pop_front();
        }
        inner.requests.push_back(request.clone());
        drop(inner);
        self.calls.send_modify(|calls| *calls += 1);
        let answer = queued.unwrap_or_else(|| match respond {
            Some(respond) => respond(&request),
            None => ModelAnswer::from(format!("echo: {}", request.last_user_text())),
        });
        let words: usize = request
            .messages
            .iter()
            .map(|message| text_of(&message["content"]).split_whitespace().count())
            .sum();
        let prompt_tokens = answer.prompt_tokens.unwrap_or(words as u64);
        let completion_tokens = answer.completion_tokens.unwrap_or(answer.pieces.len() as u64);
        if !silent {
            self.lock().billed.add(prompt_tokens, completion_tokens);
        }
        Script { prompt_tokens, completion_tokens, pieces: answer.pieces, request, pace, fault }
    }
}
