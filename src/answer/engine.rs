//! Who answers, from what, and how: what the steps of an answer work with.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hygiene::Redactor;

use super::budget::Budgeting;
use super::cache::{AnswerCache, CacheSettings};
use super::context_size::ContextSizes;
use super::endpoint::Endpoint;
use super::window::Windows;
use crate::knowledge::Knowledge;
use crate::model::budget::Budgets;
use crate::observe::repeats::Repeats;
use crate::observe::vitals::Vitals;
use crate::store::{Ledger, Store};

/// Plain settings.
#[derive(Clone, Debug)]
pub struct AnswerSettings {
    /// Instructions for the model.
    pub system_prompt: String,
    /// Earlier exchanges given along, at most.
    pub max_history_turns: usize,
    /// Their size in tokens, at most.
    pub max_history_tokens: usize,
    /// Size of an answer in tokens, at most.
    pub max_output_tokens: u32,
    /// Passages given along, at most.
    pub passages: usize,
    /// Models that may be chosen, besides the provider's own.
    pub models: Vec<String>,
    /// Questions answered at once.
    pub answers_at_once: usize,
    /// Longest silence before the first words.
    pub first_token_timeout: Duration,
    /// Until the end.
    pub timeout: Duration,
    /// Which answers are given again.
    pub cache: CacheSettings,
    /// Whether texts may be logged (at debug level).
    pub log_prompts: bool,
    /// Whether a person would see nothing of a text, given whether it is Markdown.
    pub is_blank: fn(&str, bool) -> bool,
    /// What answers may cost.
    pub budgets: Budgets,
    /// Knows what no passage for a provider and no answer may hold. What people write and the
    /// history go to the provider as they are: answers were redacted before they were stored, and a
    /// question is its writer's to send.
    pub redactor: Redactor,
}

/// Who answers, from what, and how. A question keeps the one that it began with.
pub(super) struct AnswerEngine {
    /// Who is asked, best first; at least one.
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) knowledge: Option<Arc<Knowledge>>,
    pub(super) store: Store,
    pub(super) ledger: Ledger,
    pub(super) vitals: Arc<Vitals>,
    pub(super) settings: AnswerSettings,
    pub(super) windows: Arc<Windows>,
    /// Of this provider: another server may have more room.
    pub(super) context_sizes: ContextSizes,
    /// Money of all requests, those of earlier engines, too.
    pub(super) budgeting: Arc<Budgeting>,
    /// Answers that are given again.
    pub(super) cache: AnswerCache,
    /// Failures of the provider, as they are logged.
    pub(super) failures: Mutex<Repeats>,
}

impl AnswerEngine {
    /// The endpoint that is asked first.
    pub(super) fn first(&self) -> &Endpoint {
        &self.endpoints[0]
    }
}
