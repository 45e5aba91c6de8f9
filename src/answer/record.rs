//! What is reported of a question: log, metrics, the health of the provider.
//!
//! Invariant: a model that people chose for their chat can fail them only: the provider's health is
//! that of the configured model.

use std::sync::PoisonError;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::engine::AnswerEngine;
use super::error::AnswerError;
use super::plan::Plan;
use super::question::Question;
use super::stream::Collected;
use crate::model::class::CallOutcome;
use crate::model::limits;
use crate::model::text::tokens;
use crate::observe::label::{Label, TokenKind};
use crate::observe::vitals::Timing;

/// Who was asked what, for one report.
pub(super) struct Record<'a> {
    question: Question<'a>,
    /// The endpoint's name.
    provider: String,
    /// The model that was asked.
    model: String,
    /// It is the configured one.
    is_configured: bool,
    passages: usize,
    passage_tokens: usize,
}

impl AnswerEngine {
    /// What is to be reported of this request.
    pub(super) fn record<'a>(&self, question: Question<'a>, at: usize, plan: &Plan) -> Record<'a> {
        let endpoint = &self.endpoints[at];
        let (provider, configured) = (endpoint.name.clone(), endpoint.model());
        let model = plan.base.model.as_deref().unwrap_or(configured).to_owned();
        let is_configured = model == configured;
        let passage_tokens = plan.passages.iter().map(|passage| tokens(&passage.text)).sum();
        let passages = plan.passages.len();
        Record { question, provider, model, is_configured, passages, passage_tokens }
    }

    /// Counts what the search for passages found.
    pub(super) fn note_retrieval(&self, record: &Record<'_>) {
        if self.knowledge.is_none() {
            return;
        }
        if record.passages == 0 {
            return self.vitals.increment("retrieval", "none");
        }
        self.vitals.increment("retrieval", "found");
        let tokens = record.passage_tokens as f64;
        self.vitals.observe(Timing::Passages, Label::None, Label::None, tokens);
    }

    /// The texts themselves, where the operator allows it.
    pub(super) fn log_prompt(&self, plan: &Plan) {
        if self.settings.log_prompts {
            let request = plan.request();
            let history = request.messages.len() - 1;
            tracing::debug!(prompt = request.question(), history, "asking");
        }
    }

    /// How one provider did, whether or not another was asked then.
    pub(super) fn note_call(&self, record: &Record<'_>, collected: &Collected, took: Duration) {
        let vitals = &self.vitals;
        let model = || Label::model(&record.provider, &record.model);
        let outcome = match collected {
            Collected::Cancelled => return,
            Collected::Whole { finished, first_after, .. } => {
                vitals.observe(Timing::FirstWords, model(), Label::None, first_after.as_secs_f64());
                if let Some(usage) = finished.usage {
                    let (input, output) = (usage.input_tokens, usage.output_tokens);
                    vitals.observe(Timing::Tokens, model(), TokenKind::Input, input as f64);
                    vitals.observe(Timing::Tokens, model(), TokenKind::Output, output as f64);
                }
                CallOutcome::Ok
            }
            Collected::Failed { error, .. } => CallOutcome::Failed(error.class().into()),
        };
        vitals.observe(Timing::Provider, model(), outcome, took.as_secs_f64());
    }

    /// How the question did: what people have of the providers together.
    pub(super) fn note_health(&self, record: &Record<'_>, collected: &Collected, took: Duration) {
        let vitals = &self.vitals;
        match collected {
            Collected::Whole { .. } if record.is_configured => {
                vitals.worked(&vitals.provider);
                let took_s = took.as_secs_f64();
                vitals.observe(Timing::Configured, Label::None, Label::None, took_s);
            }
            Collected::Cancelled | Collected::Whole { .. } => {}
            Collected::Failed { .. } if !record.is_configured => vitals.chosen_failed.add_one(),
            // A question that the provider will not answer says nothing about its health.
            Collected::Failed { error, .. } if error.is_askers() => {}
            Collected::Failed { error, .. } => vitals.failed(&vitals.provider, error.class()),
        }
    }

    /// Another provider is asked, because this one failed.
    pub(super) fn note_failover(&self, record: &Record<'_>, to: &str, error: &AnswerError) {
        let (class, from) = (error.class(), record.provider.as_str());
        self.vitals.failed_over(from, to, class);
        tracing::info!(
            chat_id = record.question.conversation.chat.0,
            provider = from,
            model = record.model,
            to,
            class = class.as_str(),
            error = error.words(),
            "the next provider is asked"
        );
    }

    pub(super) fn log(&self, record: &Record<'_>, collected: &Collected, duration_ms: i64) {
        if let Collected::Failed { error, .. } = collected
            && matches!(error, AnswerError::OverBudget(_) | AnswerError::AtLimit)
        {
            return not_asked(record, error);
        }
        let text = record.question.text;
        let hash = Sha256::digest(text.as_bytes());
        let hash = format!("{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]);
        let (chat_id, provider, length) =
            (record.question.conversation.chat.0, record.provider.as_str(), text.len());
        let model = record.model.as_str();
        match collected {
            Collected::Whole { text, finished, .. } => tracing::info!(
                chat_id,
                provider,
                model,
                server_model = finished.model,
                duration_ms,
                outcome = "answered",
                prompt_length = length,
                prompt_hash = hash,
                passages = record.passages,
                passage_tokens = record.passage_tokens,
                answer_length = text.len(),
                input_tokens = finished.usage.map(|u| u.input_tokens),
                output_tokens = finished.usage.map(|u| u.output_tokens),
                "provider answered"
            ),
            Collected::Cancelled => {
                tracing::info!(
                    chat_id,
                    provider,
                    model,
                    duration_ms,
                    outcome = "cancelled",
                    "cancelled"
                );
            }
            Collected::Failed { error, .. } => {
                let (class, words) = (error.class().as_str(), error.words());
                // A provider that is down fails every question: the first of its class in a while is a
                // warning.
                let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
                let is_news = failures.is_news_after(class, limits::QUIET);
                drop(failures);
                macro_rules! failed {
                    ($level:ident) => {
                        tracing::$level!(
                            finding = record.is_configured.then_some("provider_failing"),
                            chat_id,
                            provider,
                            model,
                            duration_ms,
                            outcome = class,
                            prompt_length = length,
                            prompt_hash = hash,
                            passages = record.passages,
                            passage_tokens = record.passage_tokens,
                            error = words,
                            "provider failed: {words}"
                        )
                    };
                }
                if is_news {
                    failed!(warn);
                } else {
                    failed!(info);
                }
            }
        }
    }

    /// The model that was chosen for this chat, if that is who failed.
    pub(super) fn chosen<'r>(&self, record: &'r Record<'_>) -> Option<&'r str> {
        (!record.is_configured).then_some(record.model.as_str())
    }
}

/// A limit of our own kept a question from a provider, which says nothing about the provider.
fn not_asked(record: &Record<'_>, error: &AnswerError) {
    let (chat_id, outcome) = (record.question.conversation.chat.0, error.class().as_str());
    let (provider, model, error) = (record.provider.as_str(), record.model.as_str(), error.words());
    tracing::info!(chat_id, provider, model, outcome, error, "not asked: {error}");
}
