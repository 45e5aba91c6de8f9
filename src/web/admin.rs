//! Routes for the operator and for Prometheus: `/`, `/metrics`, `/bot/status`, `/bot/restart`. They
//! answer on the loopback, or with the admin token.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::json;

use super::answer::{json_of, refusal, whole};
use super::parts::Parts;
use super::state::{Shared, WebState};
use super::{accept, page, status};
use crate::model::limits;
use crate::supervise::exposition;
use crate::supervise::metrics::{self, Names};

pub(super) fn routes() -> Router<Arc<WebState>> {
    Router::new()
        .route("/", get(root))
        .route("/metrics", get(metrics_of))
        .route("/bot/status", get(bot_status))
        .route("/bot/restart", post(bot_restart))
}

async fn root(State(state): Shared, headers: HeaderMap) -> Response<Body> {
    let forms = ["application/json", "text/html"];
    let view = state.view();
    let mut response = match accept::best(accepted(&headers), &forms) {
        "text/html" => whole("text/html; charset=utf-8", StatusCode::OK, page::html(&view)),
        _ => json_of(StatusCode::OK, &page::json(&view)),
    };
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("accept"));
    response
}

async fn metrics_of(State(state): Shared, headers: HeaderMap) -> Response<Body> {
    let Parts { report_hub, vitals, about, commands, store_timings, .. } = &state.parts;
    let timings = store_timings.as_ref().map(|ask| ask());
    let about = about.load();
    let names = Names {
        version: about.version,
        environment: &about.environment,
        provider: &about.provider,
        model: &about.model,
        commands,
        features: &about.features,
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

async fn bot_status(State(state): Shared) -> Response<Body> {
    json_of(StatusCode::OK, &status::json(&state.view()))
}

async fn bot_restart(State(state): Shared, request: Request) -> Response<Body> {
    // Before the body: only someone with the token is waited for.
    if let Some(no) = state.guard.refuses_to_act(request.headers()) {
        return no;
    }
    // Read to its end within the limit, and not looked at.
    let body = Bytes::from_request(request, &());
    match tokio::time::timeout(limits::WEB_BODY_TIMEOUT, body).await {
        Ok(Ok(_)) => {}
        Ok(Err(too_large)) => return too_large.into_response(),
        Err(_) => {
            let hint = "send no body; nothing here reads one";
            return refusal(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time", hint);
        }
    }
    state.parts.report_hub.ask_restart();
    tracing::warn!("a fresh intake was requested over HTTP");
    json_of(
        StatusCode::ACCEPTED,
        &json!({"accepted": true, "words": "polling restarts with fresh connections; waiting \
        work stays on disk"}),
    )
}

fn accepted(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok())
}
