//! What a server turned out not to take. It is learnt from its refusals, once, and kept until the
//! provider is built again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_openai::types::chat::{
    ChatCompletionStreamOptions, CreateChatCompletionRequest, ReasoningEffort,
};

use super::request;
use crate::provider::refusal::refuses_system;
use crate::provider::{ProviderError, Refusal};

/// Models remembered; people choose from short lists.
const MODELS: usize = 64;

/// One way of asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    bare: bool,
    newer_bound: bool,
    /// How little thinking is asked for, where none is wanted.
    effort: Effort,
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
        request.reasoning_effort = match self.effort {
            Effort::None => Some(ReasoningEffort::None),
            Effort::Low => Some(ReasoningEffort::Low),
            Effort::Unsaid => None,
        };
    }
}

/// How little thinking is asked for. What a server or model refuses, the next one may suit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Effort {
    None,
    /// The least that models which always think can do.
    Low,
    /// The field is left out: most servers do not know it.
    #[default]
    Unsaid,
}

/// How a server wants to be asked.
pub(super) struct Learned {
    /// The server refused `stream_options` before.
    no_stream_options: AtomicBool,
    /// The bound on tokens goes by its newer name, `max_completion_tokens`.
    newer_bound: AtomicBool,
    /// Models that take no instructions apart from the conversation.
    no_system: Mutex<BTreeSet<String>>,
    /// The effort that models take, if it is not [`Effort::None`].
    efforts: Mutex<BTreeMap<String, Effort>>,
}

impl Learned {
    pub(super) fn new(newer_bound: bool) -> Self {
        Self {
            no_stream_options: AtomicBool::new(false),
            newer_bound: AtomicBool::new(newer_bound),
            no_system: Mutex::default(),
            efforts: Mutex::default(),
        }
    }

    /// How to ask, by what is known now.
    pub(super) fn way(&self, model: &str, without_thoughts: bool) -> Way {
        let no_system = self.no_system.lock().unwrap_or_else(PoisonError::into_inner);
        Way {
            bare: self.no_stream_options.load(Ordering::Relaxed),
            newer_bound: self.newer_bound.load(Ordering::Relaxed),
            folded: no_system.contains(model),
            effort: if without_thoughts { self.effort(model) } else { Effort::Unsaid },
        }
    }

    fn effort(&self, model: &str) -> Effort {
        let efforts = self.efforts.lock().unwrap_or_else(PoisonError::into_inner);
        efforts.get(model).copied().unwrap_or(Effort::None)
    }

    /// A request with this effort was refused, and nothing else is known to be wrong with it.
    fn refuse_effort(&self, model: &str, effort: Effort, body: &str) {
        // Only a refusal of the value leaves hope for another one.
        let next = match effort {
            Effort::None if names(body, "reasoning_effort") && names(body, "low") => Effort::Low,
            _ => Effort::Unsaid,
        };
        let mut efforts = self.efforts.lock().unwrap_or_else(PoisonError::into_inner);
        if efforts.len() < MODELS || efforts.contains_key(model) {
            efforts.insert(model.to_owned(), next);
        }
    }

    #[cfg(test)]
    pub(super) fn is_newer_bound(&self) -> bool {
        self.newer_bound.load(Ordering::Relaxed)
    }

    /// Learns from a refusal, with its raw body where there is one.
    pub(super) fn learn(
        &self,
        (error, body): (&ProviderError, &str),
        model: &str,
        has_system: bool,
        asked: Way,
    ) {
        let (bad, detail) = match error {
            ProviderError::Status { status, detail, .. } => (matches!(status, 400 | 422), detail),
            ProviderError::Stream { detail, refusal, .. } => {
                (*refusal == Refusal::BadRequest, detail)
            }
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
        } else if bad && asked.effort != Effort::Unsaid {
            // Not every server names what it does not like.
            self.refuse_effort(model, asked.effort, if body.is_empty() { detail } else { body });
        }
    }
}

/// Whether a text has this word.
fn names(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|each| each == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::failure::Refusal;

    fn refused(learned: &Learned, body: &str) -> Effort {
        let (retry_after, refusal, detail) = (None, Refusal::BadRequest, String::new());
        let error = ProviderError::Status { status: 400, retry_after, refusal, detail };
        let asked = learned.way("m", true);
        learned.learn((&error, body), "m", true, asked);
        learned.way("m", true).effort
    }

    #[test]
    fn less_thinking_is_asked_for_only_as_far_as_the_server_takes_it() {
        let learned = Learned::new(true);
        assert_eq!(learned.way("m", false).effort, Effort::Unsaid);
        assert_eq!(learned.way("m", true).effort, Effort::None);
        let value = "Unsupported value: 'reasoning_effort' does not support 'none'. Supported values are: 'low'";
        assert_eq!(refused(&learned, value), Effort::Low);
        assert_eq!(refused(&learned, value), Effort::Unsaid);
        for body in ["reasoning_effort is not allowed", "extra_forbidden", ""] {
            assert_eq!(refused(&Learned::new(true), body), Effort::Unsaid, "{body}");
        }
    }
}
