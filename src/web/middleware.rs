//! What every request passes before its route, and every answer after it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::middleware::{self, Next};

use super::answer::{redacted, refusal};
use super::state::WebState;

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

/// Before every route the guard; after it redaction and the headers.
pub(super) async fn protect(
    State(state): State<Arc<WebState>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let (guard, path, headers) = (&state.guard, request.uri().path(), request.headers());
    let refused = guard.refuses_host(request.version(), path, headers);
    let response = match refused.or_else(|| guard.refuses_to_show(path, headers)) {
        Some(refused) => refused,
        None => next.run(request).await,
    };
    let mut response = redacted(response, &state.parts.redactor).await;
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// These routes, which read at most so many bytes of a body.
pub(super) fn with_body_limit(
    routes: Router<Arc<WebState>>,
    bytes: usize,
) -> Router<Arc<WebState>> {
    let announced = middleware::from_fn(move |request: Request, next: Next| async move {
        if announced(request.headers()) > bytes as u64 {
            return refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too large",
                "send no body; nothing here reads one",
            );
        }
        next.run(request).await
    });
    routes.layer(announced).layer(DefaultBodyLimit::max(bytes))
}

/// How long the body is, as far as the headers say.
fn announced(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}
