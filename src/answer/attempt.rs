//! One request to one provider: the only place where a provider is asked for an answer.
//!
//! Whether it is asked again, and who is asked next, is decided outside.

use super::asking::Call;
use super::endpoint::Endpoint;
use super::engine::AnswerEngine;
use super::stream::{self, Bounds, Collected};
use crate::model::conversation::ChatRequest;

impl AnswerEngine {
    /// Asks an endpoint once, and reads its answer to the end.
    pub(super) async fn attempt(
        &self,
        endpoint: &Endpoint,
        request: &ChatRequest,
        call: &Call<'_>,
        bounds: Bounds<'_>,
    ) -> Collected {
        let (chat_id, purpose) = (call.asker.chat.0, call.asker.purpose);
        tracing::debug!(chat_id, provider = endpoint.name, ?purpose, "asking the provider");
        let pieces = endpoint.provider.answer(request.clone());
        stream::collect(pieces, call.progress, call.cancel, bounds, &self.vitals).await
    }
}
