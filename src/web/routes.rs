//! The routes, and the short answers among them.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::middleware;
use axum::routing::{get, post};
use serde_json::json;

use super::answer::{json_as, json_of, refusal, whole};
use super::guard::Guard;
use super::parts::Parts;
use super::stand::{self, Stand};
use super::view::Health;
use super::{accept, health, page, status};
use crate::model::limits;
use crate::supervise::exposition;
use crate::supervise::metrics::{self, Names};

type Shared = State<Arc<Stand>>;

/// All routes, behind the guard.
pub(super) fn router(parts: Parts, address: SocketAddr) -> Router {
    let guard = Guard::new(address, Arc::clone(&parts.admin_token));
    let stand = Arc::new(Stand { parts, guard });
    Router::new()
        .route("/", get(root))
        .route("/health", get(healthy))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics_of))
        .route("/bot/status", get(bot_status))
        .route("/bot/restart", post(bot_restart))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&stand), stand::stand))
        .layer(DefaultBodyLimit::max(limits::WEB_BODY_BYTES))
        .with_state(stand)
}

async fn root(State(stand): Shared, headers: HeaderMap) -> Response<Body> {
    let forms = ["application/json", "text/html"];
    let view = stand.view();
    let mut response = match accept::best(accepted(&headers), &forms) {
        "text/html" => whole("text/html; charset=utf-8", StatusCode::OK, page::html(&view)),
        _ => json_of(StatusCode::OK, &page::json(&view)),
    };
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("accept"));
    response
}

async fn healthy(State(stand): Shared, headers: HeaderMap) -> Response<Body> {
    let view = stand.view();
    let code = match view.health() {
        Health::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        Health::Healthy | Health::Degraded | Health::Unknown => StatusCode::OK,
    };
    let full = stand.guard.sees_all(&headers);
    json_as("application/health+json", code, &health::json(&view, full))
}

async fn ready(State(stand): Shared, headers: HeaderMap) -> Response<Body> {
    let reasons = stand.view().obstacles(stand.guard.sees_all(&headers));
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_of(code, &json!({"ready": reasons.is_empty(), "reasons": reasons}))
}

async fn metrics_of(State(stand): Shared, headers: HeaderMap) -> Response<Body> {
    let Parts { report_hub, vitals, about, commands, store_timings, .. } = &stand.parts;
    let timings = store_timings.as_ref().map(|ask| ask());
    let about = about.load();
    let names = Names {
        version: about.version,
        environment: &about.environment,
        provider: &about.provider,
        model: &about.model,
        commands,
    };
    let families = metrics::families(&names, vitals, &report_hub.report(), timings.as_ref());
    let forms = ["text/plain", "application/json"];
    let mut response = match accept::best(accepted(&headers), &forms) {
        "application/json" => json_of(StatusCode::OK, &exposition::json(&families)),
        _ => whole(exposition::TEXT, StatusCode::OK, exposition::text(&families)),
    };
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("accept"));
    response
}

async fn bot_status(State(stand): Shared) -> Response<Body> {
    json_of(StatusCode::OK, &status::json(&stand.view()))
}

async fn bot_restart(State(stand): Shared, headers: HeaderMap, body: Bytes) -> Response<Body> {
    // Read to its end within the limit, and not looked at.
    drop(body);
    if let Some(no) = stand.guard.refuses_to_act(&headers) {
        return no;
    }
    stand.parts.report_hub.ask_restart();
    tracing::warn!("a fresh intake was requested over HTTP");
    json_of(
        StatusCode::ACCEPTED,
        &json!({"accepted": true, "words": "polling restarts with fresh connections; waiting \
        work stays on disk"}),
    )
}

async fn unknown() -> Response<Body> {
    refusal(StatusCode::NOT_FOUND, "there is nothing at this path", "/ lists what there is")
}

async fn wrong_method() -> Response<Body> {
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not accept this method",
        "the header Allow lists the accepted methods",
    )
}

fn accepted(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok())
}
