//! What all routes share, and what stands before each of them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::middleware::Next;

use super::answer::{redacted, refusal};
use super::guard::Guard;
use super::parts::Parts;
use super::view::View;
use crate::model::limits;

/// Headers of every answer: it is of this moment, only for this client, and must not be embedded.
const HEADERS: &[(&str, &str)] = &[
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'none'",
    ),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// What all answers are made from.
pub(super) struct Stand {
    pub parts: Parts,
    pub guard: Guard,
}

impl Stand {
    pub(super) fn view(&self) -> View<'_> {
        View::of(&self.parts)
    }
}

/// Stands before every route.
pub(super) async fn stand(
    State(stand): State<Arc<Stand>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let mut response =
        if let Some(no) = stand.guard.refuses_to_show(request.uri().path(), request.headers()) {
            no
        } else if announced(request.headers()) > limits::WEB_BODY_BYTES as u64 {
            refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too large",
                "send no body; nothing here reads one",
            )
        } else {
            next.run(request).await
        };
    response = redacted(response, &stand.parts.redactor).await;
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// How long the body is, as far as the headers say.
fn announced(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}
