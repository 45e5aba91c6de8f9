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

/// One way of asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    bare: bool,
    newer_bound: bool,
    /// Instructions go into the person's turn.
    pub(super) folded: bool,
}

impl Way {
    /// Adds what servers differ in.
    pub(super) fn apply(self, request: &mut CreateChatCompletionRequest, tokens: u32) {
        request.stream_options = (!self.bare).then_some(ChatCompletionStreamOptions {
            include_usage: Some(true),
            include_obfuscation: None,
        });
        request::bound(request, tokens, self.newer_bound);
    }
}

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

    /// How to ask, by what is known now.
    pub(super) fn way(&self, model: &str) -> Way {
        let no_system = self.no_system.lock().unwrap_or_else(PoisonError::into_inner);
        Way {
            bare: self.no_stream_options.load(Ordering::Relaxed),
            newer_bound: self.newer_bound.load(Ordering::Relaxed),
            folded: no_system.contains(model),
        }
    }

    #[cfg(test)]
    pub(super) fn is_newer_bound(&self) -> bool {
        self.newer_bound.load(Ordering::Relaxed)
    }

    /// Learns from a refusal, with its raw body where there is one.
    pub(super) fn learn(&self, error: &ProviderError, body: &str, model: &str, has_system: bool) {
        let (bad, detail) = match error {
            ProviderError::Status { status, detail, .. } => (matches!(status, 400 | 422), detail),
            ProviderError::Stream { detail, .. } => (false, detail),
            _ => return,
        };
        if bad && body.contains("stream_options") {
            self.no_stream_options.store(true, Ordering::Relaxed);
        } else if bad && body.contains("max_completion_tokens") {
            self.newer_bound.store(true, Ordering::Relaxed);
        } else if has_system && refuses_system(&detail.to_lowercase()) {
            let mut known = self.no_system.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() < MODELS {
                known.insert(model.to_owned());
            }
        }
    }
}
