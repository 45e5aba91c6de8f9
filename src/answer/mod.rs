//! How a question becomes a reply: retrieve, window, stream.
//!
//! Invariant: a question always gets a reply; what a provider says when it fails reaches the log,
//! never the chat.

mod builtin_docs;
mod concurrency;
mod error;
mod question;
mod spread;
mod stream;
mod window;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hygiene::Redactor;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::knowledge::Knowledge;
use crate::model::class::{AnswerClass, CallOutcome};
use crate::model::conversation::{AnswerMetadata, ChatRequest, Message, Passage, StopReason};
use crate::model::failure::chain;
use crate::model::limits;
use crate::model::reply::{Reply, ReplyBody};
use crate::observe::finding::Kind;
use crate::observe::label::{Label, TokenKind};
use crate::observe::vitals::{Timing, Vitals};
use crate::provider::Provider;
use crate::store::{NewTurn, Store, StoreError};

pub use builtin_docs::PAGES;
use concurrency::ConcurrencyLimit;
use question::Asked;
pub use question::Question;
use spread::Spread;
use stream::Collected;

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
    /// Questions answered at once.
    pub answers_at_once: usize,
    /// Longest silence before the first words.
    pub first_token_timeout: Duration,
    /// Until the end.
    pub timeout: Duration,
    /// Whether texts may be logged (at debug level).
    pub log_prompts: bool,
    /// Whether a person would see nothing of a text, given whether it is Markdown.
    pub is_blank: fn(&str, bool) -> bool,
    /// Knows what no passage for a provider and no answer may hold. What people write and the
    /// history go to the provider as they are: answers were redacted before they were stored, and a
    /// question is its writer's to send.
    pub redactor: Redactor,
}

/// Answers questions.
pub struct Answerer {
    engine: ArcSwap<AnswerEngine>,
    store: Store,
    vitals: Arc<Vitals>,
    concurrency: ConcurrencyLimit,
    spread: Spread,
}

/// Who answers, from what, and how. A question keeps the one that it began with.
struct AnswerEngine {
    provider: Arc<dyn Provider>,
    knowledge: Option<Arc<Knowledge>>,
    store: Store,
    vitals: Arc<Vitals>,
    settings: AnswerSettings,
}

/// The outcome of a question.
#[derive(Debug)]
pub enum Answered {
    /// An answer, with what the history keeps of it.
    Answer {
        /// For the chat.
        reply: Reply,
        /// For the history.
        turn: Option<NewTurn>,
    },
    /// No answer; the reply says so and a new try makes sense.
    Failed {
        /// For the chat.
        reply: Reply,
        /// For counting.
        class: AnswerClass,
    },
    /// A person sent `/cancel`.
    Cancelled,
}

impl Answerer {
    /// An answerer with this provider.
    pub fn new(
        provider: Arc<dyn Provider>,
        knowledge: Option<Arc<Knowledge>>,
        store: Store,
        settings: AnswerSettings,
        vitals: Arc<Vitals>,
    ) -> Self {
        let concurrency = ConcurrencyLimit::new(settings.answers_at_once);
        let engine = AnswerEngine {
            provider,
            knowledge,
            store: store.clone(),
            vitals: Arc::clone(&vitals),
            settings,
        };
        Self {
            engine: ArcSwap::from_pointee(engine),
            store,
            vitals,
            concurrency,
            spread: Spread::default(),
        }
    }

    /// Questions are answered so from now on; answers that are being written finish as they began.
    pub fn renew(
        &self,
        provider: Arc<dyn Provider>,
        knowledge: Option<Arc<Knowledge>>,
        settings: AnswerSettings,
    ) {
        self.concurrency.resize(settings.answers_at_once);
        let (store, vitals) = (self.store.clone(), Arc::clone(&self.vitals));
        self.engine.store(Arc::new(AnswerEngine { provider, knowledge, store, vitals, settings }));
    }

    /// Who answers now: the provider's name and its model.
    pub fn provider(&self) -> (&'static str, String) {
        let engine = self.engine.load_full();
        (engine.provider.name(), engine.provider.model().to_owned())
    }

    /// Answers a question; `words` shows what is written so far.
    ///
    /// # Errors
    /// Only when the store cannot be read; the question should be asked again then.
    pub async fn answer(
        &self,
        question: Question<'_>,
        words: &watch::Sender<String>,
        cancel: &CancellationToken,
    ) -> Result<Answered, StoreError> {
        if question.size() > limits::QUESTION_BYTES {
            return Ok(too_long());
        }
        let permit = tokio::select! {
            permit = self.concurrency.enter() => permit,
            () = cancel.cancelled() => return Ok(Answered::Cancelled),
        };
        let engine = self.engine.load_full();
        let answered = engine.answer(question, words, cancel).await?;
        drop(permit);
        let failure = match &answered {
            Answered::Cancelled => return Ok(answered),
            Answered::Answer { .. } => None,
            Answered::Failed { class, .. } => Some(*class),
        };
        if let Some(class) = self.spread.note(question.conversation.chat, failure) {
            self.vitals.happened(Kind::QuestionsRefused);
            tracing::warn!(
                finding = "questions_refused",
                class = class.as_str(),
                "questions of several chats have failed in the same way"
            );
        }
        Ok(answered)
    }
}

impl AnswerEngine {
    async fn answer(
        &self,
        question: Question<'_>,
        words: &watch::Sender<String>,
        cancel: &CancellationToken,
    ) -> Result<Answered, StoreError> {
        let (request, asked) = self.request(question).await?;
        let mut known = self.known(&request);
        let begun = Instant::now();
        let collected = self.collect(request, words, cancel).await;
        let duration_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.log(question, &collected, duration_ms);
        self.note(&collected, begun.elapsed());
        Ok(match collected {
            Collected::Cancelled => Answered::Cancelled,
            Collected::Failed(error) => {
                Answered::Failed { reply: error.reply(), class: error.class() }
            }
            Collected::Whole { text, finished, .. } => {
                let text = self.settings.redactor.clean(text);
                known.model = finished.model.unwrap_or(known.model);
                (known.usage, known.stop_reason) = (finished.usage, finished.reason);
                known.duration_ms = duration_ms;
                // The history keeps the model's words as they were shown; why they end is kept beside
                // them.
                let turn = NewTurn {
                    conversation: question.conversation,
                    sender: question.user,
                    quoted: asked.quoted,
                    messages: vec![asked.message, Message::assistant(text.as_str())],
                    answer: known,
                };
                let text = text + note(finished.reason);
                let body = if self.provider.is_markdown() {
                    ReplyBody::Markdown(text)
                } else {
                    ReplyBody::Plain(text)
                };
                let reply = Reply { body, buttons: Vec::new(), reply_to: None };
                Answered::Answer { reply, turn: Some(turn) }
            }
        })
    }

    async fn request(&self, question: Question<'_>) -> Result<(ChatRequest, Asked), StoreError> {
        let mut request = ChatRequest {
            system: self.settings.system_prompt.clone(),
            max_output_tokens: self.settings.max_output_tokens,
            ..ChatRequest::default()
        };
        if self.provider.has_context() {
            let turns = self.settings.max_history_turns;
            let kept = self.store.history(question.conversation, turns).await?;
            request.messages = window::fit(kept, self.settings.max_history_tokens);
            request.model = self.store.chosen_model(question.conversation).await?;
        }
        let asked = question.asked(&request.messages);
        request.messages.extend(asked.messages());
        request.passages = self.retrieve(&asked.words()).await;
        Ok((request, asked))
    }

    /// What is known of an answer before it is there.
    fn known(&self, request: &ChatRequest) -> AnswerMetadata {
        let mut sources: Vec<String> = Vec::new();
        for passage in &request.passages {
            if !sources.contains(&passage.source) {
                sources.push(passage.source.clone());
            }
        }
        let model = request.model.clone().unwrap_or_else(|| self.provider.model().to_owned());
        let provider = self.provider.name().to_owned();
        AnswerMetadata { provider, model, sources, ..AnswerMetadata::default() }
    }

    async fn retrieve(&self, text: &str) -> Vec<Passage> {
        let Some(knowledge) = &self.knowledge else { return Vec::new() };
        let found = knowledge.search(text, self.settings.passages).await.unwrap_or_else(|e| {
            tracing::error!(error = chain(&e), "cannot search the knowledge folder");
            Vec::new()
        });
        // The operator may have put a key into a document by mistake.
        let clean = |text| self.settings.redactor.clean(text);
        let clean = |Passage { source, title, text, score }| Passage {
            source: clean(source),
            title: clean(title),
            text: clean(text),
            score,
        };
        found.into_iter().map(clean).collect()
    }

    async fn collect(
        &self,
        request: ChatRequest,
        words: &watch::Sender<String>,
        cancel: &CancellationToken,
    ) -> Collected {
        if self.settings.log_prompts {
            tracing::debug!(
                prompt = request.question(),
                history = request.messages.len() - 1,
                "asking"
            );
        }
        let pieces = self.provider.answer(request);
        let bounds = stream::Bounds {
            silence: self.settings.first_token_timeout,
            whole: self.settings.timeout,
            bytes: limits::ANSWER_BYTES,
            is_blank: &|text| (self.settings.is_blank)(text, self.provider.is_markdown()),
        };
        stream::collect(pieces, words, cancel, bounds, &self.vitals).await
    }

    fn note(&self, collected: &Collected, took: Duration) {
        let (vitals, model) = (&self.vitals, self.provider.model());
        let outcome = match collected {
            Collected::Cancelled => return,
            Collected::Whole { finished, first_after, .. } => {
                vitals.worked(&vitals.provider);
                vitals.observe(Timing::FirstWords, model, Label::None, first_after.as_secs_f64());
                if let Some(usage) = finished.usage {
                    let (input, output) = (usage.input_tokens, usage.output_tokens);
                    vitals.observe(Timing::Tokens, model, TokenKind::Input, input as f64);
                    vitals.observe(Timing::Tokens, model, TokenKind::Output, output as f64);
                }
                CallOutcome::Ok
            }
            Collected::Failed(error) => {
                // A question that the provider will not answer says nothing about its health.
                if !error.is_askers() {
                    vitals.failed(&vitals.provider, error.class());
                }
                CallOutcome::Failed(error.class().into())
            }
        };
        vitals.observe(Timing::Provider, model, outcome, took.as_secs_f64());
    }

    fn log(&self, question: Question<'_>, collected: &Collected, duration_ms: i64) {
        let hash = Sha256::digest(question.text.as_bytes());
        let hash = format!("{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]);
        let (chat_id, provider, length) =
            (question.conversation.chat.0, self.provider.name(), question.text.len());
        match collected {
            Collected::Whole { text, finished, .. } => tracing::info!(
                chat_id,
                provider,
                model = finished.model.as_deref().unwrap_or(self.provider.model()),
                duration_ms,
                outcome = "answered",
                prompt_length = length,
                prompt_hash = hash,
                answer_length = text.len(),
                input_tokens = finished.usage.map(|u| u.input_tokens),
                output_tokens = finished.usage.map(|u| u.output_tokens),
                "provider answered"
            ),
            Collected::Cancelled => {
                tracing::info!(chat_id, provider, duration_ms, outcome = "cancelled", "cancelled");
            }
            Collected::Failed(error) => tracing::warn!(
                finding = "provider_failing",
                chat_id,
                provider,
                model = self.provider.model(),
                duration_ms,
                outcome = error.class().as_str(),
                prompt_length = length,
                prompt_hash = hash,
                error = error.words(),
                "provider failed"
            ),
        }
    }
}

/// What a person reads below an answer that was cut.
fn note(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Length => "\n\n_(The answer reached its length limit and was cut.)_",
        StopReason::Filtered => "\n\n_(The provider's filter stopped this answer.)_",
        StopReason::Unsaid => {
            "\n\n_(The model's server did not say whether this answer is complete.)_"
        }
        StopReason::End | StopReason::ToolCalls | StopReason::Other => "",
    }
}

fn too_long() -> Answered {
    let most = limits::QUESTION_BYTES / 1024;
    let words = format!(
        "That is more than I can read at once (over {most} kB). Please send a shorter part of it."
    );
    Answered::Answer { reply: Reply::plain(words), turn: None }
}
