//! Simulated model servers: OpenAI-compatible and Anthropic, streaming or not, scripted or echoing.

mod anthropic;
mod bill;
mod openai;
mod script;

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Either, StreamBody};
use hyper::Method;
use hyper::body::Frame;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

pub use bill::Bill;
pub(crate) use script::Script;
pub use script::{ModelAnswer, ModelFault, ModelPace, ModelRequest, ModelServer, Vendor};

use crate::server::{Answer, respond};

/// How long a hanging model keeps a client at most.
const HANG: std::time::Duration = std::time::Duration::from_secs(600);

/// Answers one request to `/v1/…`.
pub(crate) async fn answer(server: &ModelServer, parts: &Parts, body: &Bytes) -> Answer {
    let (vendor, path) = match parts.uri.path() {
        path @ "/v1/messages" => (Vendor::Anthropic, path),
        path => (Vendor::OpenAi, path),
    };
    if let Err((status, error)) = authorized(server, vendor, parts) {
        return Ok(json(status, &error));
    }
    match (&parts.method, path) {
        (&Method::GET, "/props") => Ok(match server.context() {
            Some(tokens) => json(200, &openai::props(tokens)),
            None => json(404, &openai::error("not_found_error", "File Not Found")),
        }),
        (&Method::GET, "/v1/models") => Ok(json(200, &openai::models())),
        (&Method::POST, "/v1/embeddings") => {
            let (status, body) = openai::embeddings(body);
            server.embeds(body["data"].as_array().map_or(0, Vec::len));
            Ok(json(status, &body))
        }
        (&Method::POST, "/v1/chat/completions") => match openai::read(body) {
            Ok(request) => play(server.next(request), slot(server).await).await,
            Err(why) => Ok(json(400, &openai::error("invalid_request_error", &why))),
        },
        (&Method::POST, "/v1/messages") => match anthropic::read(parts, body) {
            Ok(request) => play(server.next(request), slot(server).await).await,
            Err(why) => Ok(json(400, &anthropic::error("invalid_request_error", &why))),
        },
        _ => Ok(json(404, &openai::error("invalid_request_error", "unknown path"))),
    }
}

fn authorized(server: &ModelServer, vendor: Vendor, parts: &Parts) -> Result<(), (u16, Value)> {
    let Some(key) = server.key() else {
        return Ok(());
    };
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    match vendor {
        Vendor::OpenAi => match header("authorization").and_then(|v| v.strip_prefix("Bearer ")) {
            Some(given) if given == key => Ok(()),
            Some(_) => Err((401, openai::wrong_key())),
            None => Err((401, openai::no_key())),
        },
        Vendor::Anthropic if header("x-api-key") == Some(&key) => Ok(()),
        Vendor::Anthropic => {
            Err((401, anthropic::error("authentication_error", "invalid x-api-key")))
        }
    }
}

/// A place at the server, where it has only some.
async fn slot(server: &ModelServer) -> Option<OwnedSemaphorePermit> {
    server.slots()?.acquire_owned().await.ok()
}

/// Plays a script: the answer with its pace and its fault. A slot is kept until the answer is complete
/// or the client has left.
async fn play(script: Script, slot: Option<OwnedSemaphorePermit>) -> Answer {
    let pace = script.pace;
    match &script.fault {
        Some(ModelFault::Hang) => {
            tokio::time::sleep(HANG).await;
            return Err(io::Error::other("hung on purpose"));
        }
        Some(ModelFault::Closed) => return Err(io::Error::other("closed on purpose")),
        Some(ModelFault::Status { status, retry_after, content_type, body }) => {
            let mut response = respond(*status, content_type, Bytes::from(body.clone()));
            if let Some(value) =
                retry_after.as_ref().and_then(|value| HeaderValue::from_str(value).ok())
            {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
            return Ok(response);
        }
        Some(ModelFault::Garbage) => {
            let noise = Bytes::from_static(b"{\"id\": \"x\", \"choices\": [{\xff\xfe");
            return Ok(respond(200, "application/json", noise));
        }
        Some(ModelFault::Html) => {
            let page = Bytes::from_static(b"<html><body>Please log in to the proxy</body></html>");
            return Ok(respond(200, "text/html", page));
        }
        _ => {}
    }
    let pieces = u32::try_from(script.pieces.len()).unwrap_or(u32::MAX);
    if !script.request.stream {
        tokio::time::sleep(pace.first + pace.between * pieces).await;
        let body = match script.request.vendor {
            Vendor::OpenAi => openai::whole(&script),
            Vendor::Anthropic => anthropic::whole(&script),
        };
        if matches!(script.fault, Some(ModelFault::CutAfter(_))) {
            return Err(io::Error::other("cut on purpose"));
        }
        return Ok(json(200, &body));
    }
    let events = match script.request.vendor {
        Vendor::OpenAi => openai::events(&script),
        Vendor::Anthropic => anthropic::events(&script),
    };
    Ok(streamed(events, pace, slot))
}

/// One step of a stream: `paced` steps wait as long as a token takes.
pub(crate) struct Event {
    /// Raw bytes, or an end without warning.
    bytes: Option<String>,
    paced: bool,
    hang: bool,
}

impl Event {
    /// Bytes that leave at once.
    fn now(bytes: String) -> Self {
        Self { bytes: Some(bytes), paced: false, hang: false }
    }

    /// Bytes that take the time of a token.
    fn token(bytes: String) -> Self {
        Self { paced: true, ..Self::now(bytes) }
    }

    /// The connection breaks here.
    fn cut() -> Self {
        Self { bytes: None, paced: false, hang: false }
    }

    /// Nothing more comes, and the connection stays.
    fn hang() -> Self {
        Self { hang: true, ..Self::cut() }
    }
}

fn streamed(
    events: Vec<Event>,
    pace: ModelPace,
    slot: Option<OwnedSemaphorePermit>,
) -> hyper::Response<crate::server::Body> {
    let mut first = true;
    let timed: Vec<_> = events
        .into_iter()
        .map(|event| {
            let delay = match (event.hang, event.paced) {
                (true, _) => HANG,
                (_, false) => std::time::Duration::ZERO,
                (_, true) if std::mem::take(&mut first) => pace.first,
                (_, true) => pace.between,
            };
            (delay, event.bytes)
        })
        .collect();
    let body = stream::iter(timed).then(|(delay, bytes)| async move {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match bytes {
            Some(bytes) => Ok(Frame::data(Bytes::from(bytes))),
            None => {
                tokio::task::yield_now().await; // lets what came before leave first
                Err(io::Error::other("cut on purpose"))
            }
        }
    });
    // The slot is free when the stream is dropped.
    let body = body.inspect(move |_| {
        let _ = &slot;
    });
    let mut response = respond(200, "text/event-stream", Bytes::new());
    response
        .headers_mut()
        .insert(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-cache"));
    *response.body_mut() = Either::Right(StreamBody::new(body).boxed_unsync());
    response
}

fn json(status: u16, body: &Value) -> hyper::Response<crate::server::Body> {
    respond(status, "application/json", Bytes::from(body.to_string()))
}
