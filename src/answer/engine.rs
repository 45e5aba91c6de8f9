//! Who answers, from what, and how: what the steps of an answer work with.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hygiene::Redactor;

use super::budget::Budgeting;
use super::cache::{AnswerCache, CacheSettings};
use super::context_size::ContextSizes;
use super::endpoint::Endpoint;
use super::pool::Pool;
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
    /// Whether nothing but what documents say is an answer.
    pub only_documents: bool,
    /// Whether the documents are the operator's own, rather than the pages that are built in.
    pub own_documents: bool,
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

/// How much an endpoint can read: its server's, and none of another one's.
#[derive(Default)]
pub(super) struct Room {
    /// Of its models.
    pub(super) context_sizes: ContextSizes,
    /// Where the conversations begin that it is given.
    pub(super) windows: Arc<Windows>,
}

impl Room {
    /// One for each endpoint. The windows of the first one outlive a change of the configuration.
    pub(super) fn of(endpoints: &[Endpoint], windows: &Arc<Windows>) -> Vec<Self> {
        let mut rooms: Vec<Self> = endpoints.iter().map(|_| Self::default()).collect();
        if let Some(first) = rooms.first_mut() {
            first.windows = Arc::clone(windows);
        }
        rooms
    }
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
    /// Money of all requests, those of earlier engines, too.
    pub(super) budgeting: Arc<Budgeting>,
    /// Answers that are given again.
    pub(super) cache: AnswerCache,
    pub(super) pool: Arc<Pool>,
    /// What is known of each endpoint, in the order of the list.
    pub(super) rooms: Vec<Room>,
    /// Failures of the provider, as they are logged.
    pub(super) failures: Mutex<Repeats>,
}

impl AnswerEngine {
    /// The endpoint that is asked first.
    pub(super) fn first(&self) -> &Endpoint {
        &self.endpoints[0]
    }

    /// Whether an endpoint has any use for the history.
    pub(super) fn has_context(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.provider.has_context())
    }
}
