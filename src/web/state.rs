//! What all routes share.

use std::sync::Arc;

use axum::extract::State;

use super::guard::Guard;
use super::parts::Parts;
use super::view::View;

/// What all answers are made from.
pub(super) struct WebState {
    pub parts: Parts,
    pub guard: Guard,
}

/// The same, as handlers take it.
pub(super) type Shared = State<Arc<WebState>>;

impl WebState {
    pub(super) fn view(&self) -> View<'_> {
        View::of(&self.parts)
    }
}
