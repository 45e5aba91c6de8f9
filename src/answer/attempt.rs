//! One request to one provider: the only place where a provider is asked for an answer.
//!
//! Whether it is asked again, and who is asked next, is decided outside.

use std::sync::Arc;

use futures_util::StreamExt;

use super::budget::Seen;
use super::call::Call;
use super::endpoint::Endpoint;
use super::engine::AnswerEngine;
use super::stream::{self, Bounds, Collected};
use crate::model::conversation::{ChatRequest, Event};

impl AnswerEngine {
    /// Asks an endpoint once, and reads its answer to the end. What that can cost is reserved before, and
    /// settled afterwards; what asks no server costs nothing. `is_last`: there is no other to ask, so it waits
    /// for money that other calls may give back.
    pub(super) async fn attempt(
        &self,
        endpoint: &Endpoint,
        request: &ChatRequest,
        call: &Call<'_>,
        bounds: Bounds<'_>,
        is_last: bool,
    ) -> Collected {
        let (chat_id, purpose) = (call.asker.chat.0, call.asker.purpose);
        tracing::debug!(chat_id, provider = endpoint.name, ?purpose, "asking the provider");
        if endpoint.provider.host().is_none() {
            let pieces = endpoint.provider.answer(request.clone());
            return stream::collect(pieces, call.progress, call.cancel, bounds, &self.vitals).await;
        }
        let ticket =
            match self.reserve(endpoint, request, call, is_last.then_some(bounds.end)).await {
                Ok(ticket) => ticket,
                Err(_) if call.cancel.is_cancelled() => return Collected::Cancelled,
                Err(error) => return Collected::Failed { error, text: String::new() },
            };
        let request =
            ChatRequest { max_output_tokens: ticket.max_output_tokens, ..request.clone() };
        let bounds = Bounds { tokens: ticket.max_output_tokens.into(), ..bounds };
        let seen = Arc::default();
        let pieces = Seen::watch(&seen, endpoint.provider.answer(request)).inspect(|event| {
            if let Ok(Event::RateLeft(left)) = event {
                self.pool.left(&endpoint.name, *left);
            }
        });
        let mut collected =
            stream::collect(pieces, call.progress, call.cancel, bounds, &self.vitals).await;
        let cost = self.settle(ticket, &seen, &collected).await;
        if let Collected::Whole { finished, .. } = &mut collected {
            finished.cost = u64::try_from(cost.0).ok();
        }
        collected
    }
}
