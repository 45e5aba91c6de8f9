//! All routes. Each purpose has a router with limits of its own, and all are behind the same guard.
//!
//! A router with another purpose, such as a webhook or a console, is merged here, too. What it has
//! to bring for connections that stay open is in `docs/decisions/0007-watching.md`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::middleware;

use super::answer::refusal;
use super::guard::Guard;
use super::middleware::{protect, with_body_limit};
use super::parts::Parts;
use super::state::WebState;
use super::{admin, probes};
use crate::model::limits;

/// All routes, behind the guard.
pub(super) fn router(parts: Parts, address: SocketAddr) -> Router {
    let guard = Guard::new(address, Arc::clone(&parts.admin_token));
    let state = Arc::new(WebState { parts, guard });
    Router::new()
        .merge(with_body_limit(probes::routes(), limits::WEB_BODY_BYTES))
        .merge(with_body_limit(admin::routes(), limits::WEB_BODY_BYTES))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), protect))
        .with_state(state)
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
