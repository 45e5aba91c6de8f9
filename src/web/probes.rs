//! Routes for probes: `/health`, `/live` and `/ready`. They answer everybody, in short to strangers.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use serde_json::json;

use super::answer::{json_as, json_of};
use super::health;
use super::state::{Shared, WebState};
use super::view::Health;

pub(super) fn routes() -> Router<Arc<WebState>> {
    let health = Router::new().route("/health", get(healthy));
    health.route("/live", get(live)).route("/ready", get(ready))
}

async fn healthy(State(state): Shared, headers: HeaderMap) -> Response<Body> {
    let view = state.view();
    let code = match view.health() {
        Health::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        Health::Healthy | Health::Degraded | Health::Unknown => StatusCode::OK,
    };
    let full = state.guard.sees_all(&headers);
    json_as("application/health+json", code, &health::json(&view, full))
}

async fn live(State(state): Shared, headers: HeaderMap) -> Response<Body> {
    reasoned("alive", &state.view().standstills(state.guard.sees_all(&headers)))
}

async fn ready(State(state): Shared, headers: HeaderMap) -> Response<Body> {
    reasoned("ready", &state.view().obstacles(state.guard.sees_all(&headers)))
}

/// 200 if nothing speaks against it, 503 with the reasons if something does.
fn reasoned(what: &str, reasons: &[String]) -> Response<Body> {
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_of(code, &json!({what: reasons.is_empty(), "reasons": reasons}))
}
