//! What a server turned out not to take. It is learnt from its refusals, once, and kept until the
//! provider is built again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_openai::types::chat::{ChatCompletionStreamOptions, CreateChatCompletionRequest};

use super::request;
use crate::provider::ProviderError;
use crate::provider::refusal::refuses_system;

/// Models remembered; people choose from short lists.
const MODELS: usize = 64;

/// How a server wants to be asked.
pub(super) struct Learned {
    /// The server refused `stream_options` before.
    no_stream_options: AtomicBool,
    /// The bound on tokens goes by its newer name, `max_completion_tokens`.
    newer_bound: AtomicBool,
    /// Models that take no instructions apart from the conversation.
    no_system: Mutex<BTreeSet<String>>,
}

impl Learned {
    pub(super) fn new(newer_bound: bool) -> Self {
        Self {
            no_stream_options: AtomicBool::new(false),
            newer_bound: AtomicBool::new(newer_bound),
            no_system: Mutex::default(),
        }
    }

    /// Whether instructions go into the person's turn.
    pub(super) fn folds(&self, model: &str) -> bool {
        self.no_system.lock().unwrap_or_else(PoisonError::into_inner).contains(model)
    }

    #[cfg(test)]
    pub(super) fn is_newer_bound(&self) -> bool {
        self.newer_bound.load(Ordering::Relaxed)
    }

    /// Adds what servers differ in.
    pub(super) fn apply(&self, request: &mut CreateChatCompletionRequest, tokens: u32) {
        let bare = self.no_stream_options.load(Ordering::Relaxed);
        request.stream_options = (!bare).then_some(ChatCompletionStreamOptions {
            include_usage: Some(true),
            include_obfuscation: None,
        });
        request::bound(request, tokens, self.newer_bound.load(Ordering::Relaxed));
    }

    /// Learns from a refusal, with its raw body where there is one; whether there was anything new.
    pub(super) fn learns(
        &self,
        error: &ProviderError,
        body: &str,
        model: &str,
        has_system: bool,
    ) -> bool {
        let (bad, detail) = match error {
            ProviderError::Status { status, detail, .. } => (matches!(status, 400 | 422), detail),
            ProviderError::Stream { detail, .. } => (false, detail),
            _ => return false,
        };
        if bad && body.contains("stream_options") {
            return !self.no_stream_options.swap(true, Ordering::Relaxed);
        }
        if bad && body.contains("max_completion_tokens") {
            return !self.newer_bound.swap(true, Ordering::Relaxed);
        }
        if !has_system || !refuses_system(&detail.to_lowercase()) {
            return false;
        }
        let mut known = self.no_system.lock().unwrap_or_else(PoisonError::into_inner);
        known.len() < MODELS && known.insert(model.to_owned())
    }
}
