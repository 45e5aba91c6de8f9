//! Answers in their forms: JSON, text, and refusals that say what to do.

use std::borrow::Cow;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use hygiene::Redactor;
use serde_json::{Value, json};

/// JSON with another content type than usual, such as `application/health+json`.
pub(super) fn json_as(kind: &'static str, status: StatusCode, value: &Value) -> Response<Body> {
    let mut text = format!("{value:#}");
    text.push('\n');
    whole(kind, status, text)
}

/// JSON.
pub(super) fn json_of(status: StatusCode, value: &Value) -> Response<Body> {
    json_as("application/json", status, value)
}

/// A refusal: what is wrong, and what to do about it.
pub(super) fn refusal(status: StatusCode, error: &str, hint: &str) -> Response<Body> {
    json_of(status, &json!({"error": error, "hint": hint}))
}

/// A whole text.
pub(super) fn whole(kind: &'static str, status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The same answer without loaded secrets. Every body here is a text in memory.
pub(super) async fn redacted(response: Response<Body>, redactor: &Redactor) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    match redactor.redact(&String::from_utf8_lossy(&bytes)) {
        Cow::Borrowed(_) => Response::from_parts(head, bytes.into()),
        Cow::Owned(clean) => {
            head.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(head, clean.into())
        }
    }
}
