//! How a question becomes a reply: retrieve, window, stream.
//!
//! Invariant: a question always gets a reply; what a provider says when it fails reaches the log,
//! never the chat.

mod answered;
mod asker;
mod asking;
mod attempt;
mod booking;
mod budget;
mod builtin_docs;
mod cache;
mod concurrency;
mod context_size;
mod continued;
mod documents;
mod endpoint;
mod engine;
mod error;
mod fitting;
mod joint;
mod plan;
mod progress;
mod question;
mod recall;
mod record;
mod retrieve;
mod retry;
mod shared_failures;
mod sources;
mod stream;
mod window;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::knowledge::Knowledge;
use crate::model::conversation::{AnswerMetadata, Message, Passage, StopReason};
use crate::model::ids::{InboxSeq, UserId};
use crate::model::limits;
use crate::model::reply::Reply;
use crate::observe::documents::DocumentsState;
use crate::observe::finding::Kind;
use crate::observe::vitals::Vitals;
use crate::store::{CutAnswer, NewTurn, Store, StoreError};

pub use answered::Answered;
pub use asker::{AskedBy, Asker, Purpose};
use asking::Call;
pub use budget::{Budgeting, refusal};
pub use builtin_docs::PAGES;
use cache::AnswerCache;
pub use cache::CacheSettings;
use concurrency::{ConcurrencyLimit, Permit};
use context_size::ContextSizes;
use documents::FirstReading;
pub use endpoint::{Endpoint, EndpointLimits};
use engine::AnswerEngine;
pub use engine::AnswerSettings;
use error::AnswerError;
use plan::Plan;
pub use progress::{Obstacle, Progress};
use question::Asked;
pub use question::Question;
use record::Record;
use shared_failures::SharedFailures;
use stream::Collected;
use window::Windows;

/// Answers questions.
pub struct Answerer {
    engine: ArcSwap<AnswerEngine>,
    store: Store,
    vitals: Arc<Vitals>,
    concurrency: ConcurrencyLimit,
    shared_failures: SharedFailures,
    windows: Arc<Windows>,
    budgeting: Arc<Budgeting>,
    reading: FirstReading,
}

impl Answerer {
    /// An answerer that asks these endpoints, best first; at least one.
    pub fn new(
        endpoints: Vec<Endpoint>,
        knowledge: Option<Arc<Knowledge>>,
        store: Store,
        settings: AnswerSettings,
        vitals: Arc<Vitals>,
    ) -> Self {
        let concurrency =
            ConcurrencyLimit::new(settings.answers_at_once, endpoints[0].provider.is_own_server());
        let windows = Arc::new(Windows::default());
        let budgeting = Arc::<Budgeting>::default();
        booking::show(&vitals, settings.budgets, &endpoints);
        documents::show(&vitals, knowledge.as_deref());
        let engine = AnswerEngine {
            endpoints,
            knowledge,
            ledger: store.ledger(),
            store: store.clone(),
            vitals: Arc::clone(&vitals),
            cache: AnswerCache::new(settings.cache),
            settings,
            windows: Arc::clone(&windows),
            budgeting: Arc::clone(&budgeting),
            context_sizes: ContextSizes::default(),
            failures: Mutex::default(),
        };
        let shared_failures = SharedFailures::default();
        let engine = ArcSwap::from_pointee(engine);
        let reading = FirstReading::default();
        Self { engine, store, vitals, concurrency, shared_failures, windows, budgeting, reading }
    }

    /// Questions wait from now on, until the documents are read.
    pub fn expect_documents(&self) {
        self.vitals.documents.store(Arc::new(DocumentsState::Reading));
        self.reading.begin();
    }

    /// Whether the documents are being read for the first time.
    pub fn is_reading(&self) -> bool {
        self.reading.goes_on()
    }

    /// Whether a question waits for the documents.
    pub fn is_waited_for(&self) -> bool {
        self.reading.is_waited_for()
    }

    /// Answers with the documents, unless a renewal came first.
    pub fn documents_read(
        &self,
        endpoints: Vec<Endpoint>,
        knowledge: Option<Arc<Knowledge>>,
        settings: AnswerSettings,
    ) {
        self.reading.end(|| self.replace(endpoints, knowledge, settings));
    }

    /// Answers without the documents, which cannot be read. `false`: a renewal came first.
    pub fn go_on_without_documents(&self) -> bool {
        let unreadable = Arc::new(DocumentsState::Unreadable);
        self.reading.end(|| self.vitals.documents.store(unreadable))
    }

    /// Questions are answered so from now on; answers that are being written finish as they began.
    pub fn renew(
        &self,
        endpoints: Vec<Endpoint>,
        knowledge: Option<Arc<Knowledge>>,
        settings: AnswerSettings,
    ) {
        self.reading.overtake(|| self.replace(endpoints, knowledge, settings));
    }

    fn replace(
        &self,
        endpoints: Vec<Endpoint>,
        knowledge: Option<Arc<Knowledge>>,
        settings: AnswerSettings,
    ) {
        documents::show(&self.vitals, knowledge.as_deref());
        self.concurrency.resize(settings.answers_at_once, endpoints[0].provider.is_own_server());
        let (store, vitals) = (self.store.clone(), Arc::clone(&self.vitals));
        let ledger = store.ledger();
        booking::show(&self.vitals, settings.budgets, &endpoints);
        let (windows, context_sizes) = (Arc::clone(&self.windows), ContextSizes::default());
        let budgeting = Arc::clone(&self.budgeting);
        let failures = Mutex::default();
        let engine = AnswerEngine {
            endpoints,
            knowledge,
            ledger,
            store,
            vitals,
            cache: AnswerCache::new(settings.cache),
            settings,
            windows,
            budgeting,
            context_sizes,
            failures,
        };
        self.engine.store(Arc::new(engine));
    }

    /// Who is asked first: its name and its model.
    pub fn provider(&self) -> (String, String) {
        let engine = self.engine.load_full();
        let first = engine.first();
        (first.name.clone(), first.model().to_owned())
    }

    /// Whether answers are there without waiting for anything.
    pub fn is_instant(&self) -> bool {
        let engine = self.engine.load();
        engine.first().provider.is_instant() && engine.knowledge.is_none() && !self.is_reading()
    }

    /// What was said about budgets.
    pub fn budgeting(&self) -> &Budgeting {
        &self.budgeting
    }

    /// How many questions wait until there is room for them.
    pub fn waiting(&self) -> usize {
        self.concurrency.waiting()
    }

    /// Waits for the documents and then for a place.
    async fn turn(&self, asked_by: AskedBy, progress: &watch::Sender<Progress>) -> Permit<'_> {
        self.reading.ended(progress).await;
        self.concurrency.enter(asked_by.order.0, Call::queued(progress)).await
    }

    /// Answers a question; `progress` shows how far it is.
    ///
    /// # Errors
    /// Only when the store cannot be read; the question should be asked again then.
    pub async fn answer(
        &self,
        question: Question<'_>,
        asked_by: AskedBy,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Answered, StoreError> {
        if question.size() > limits::QUESTION_BYTES {
            return Ok(Answered::Answer { reply: question::too_long(), turn: None });
        }
        let permit = tokio::select! {
            permit = self.turn(asked_by, progress) => permit,
            () = cancel.cancelled() => return Ok(Answered::Cancelled),
        };
        let engine = self.engine.load_full();
        let asker = asked_by.asker(question.conversation.chat, question.user);
        let call = Call { asker, progress, cancel, before: "", permit };
        let (answered, is_configured) =
            engine.recall_or_answer(question, asked_by.update, call).await?;
        let failure = match &answered {
            Answered::Cancelled | Answered::OverBudget(_) => return Ok(answered),
            Answered::Answer { .. } | Answered::Continued { .. } => None,
            Answered::Failed { class, .. } => Some(*class),
        };
        // What one person chose says nothing about the others' questions.
        if is_configured
            && let Some(class) = self.shared_failures.note(question.conversation.chat, failure)
        {
            self.vitals.happened(Kind::QuestionsRefused);
            tracing::warn!(
                finding = "questions_refused",
                class = class.as_str(),
                "questions of several chats have failed in the same way"
            );
        }
        Ok(answered)
    }

    /// Goes on with an answer that was cut.
    ///
    /// # Errors
    /// Only when the store cannot be read; it should be tried again then.
    pub async fn go_on(
        &self,
        cut: &CutAnswer,
        user: UserId,
        asked_by: AskedBy,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Answered, StoreError> {
        let permit = tokio::select! {
            permit = self.turn(asked_by, progress) => permit,
            () = cancel.cancelled() => return Ok(Answered::Cancelled),
        };
        let engine = self.engine.load_full();
        let before = cut.text();
        let asker = asked_by.asker(cut.conversation.chat, user);
        let call = Call { asker, progress, cancel, before: &before, permit };
        engine.go_on(cut, user, asked_by.update, call).await
    }
}

impl AnswerEngine {
    /// Answers, and says whether it was by the configured model.
    async fn answer(
        &self,
        question: Question<'_>,
        (mut plan, asked): (Plan, Asked),
        asked_by: InboxSeq,
        call: Call<'_>,
    ) -> Result<(Answered, bool), StoreError> {
        let mut known = self.known(&plan);
        let (record, collected, duration_ms) = self.put(question, &mut plan, call).await;
        self.note_retrieval(&record);
        let is_configured = self.chosen(&record).is_none();
        let answered = match collected {
            Collected::Cancelled => Answered::Cancelled,
            Collected::Failed { error: AnswerError::OverBudget(over), .. } => {
                Answered::OverBudget(over)
            }
            Collected::Failed { error, .. } => {
                let reply = self.refusal(&plan, &error, self.chosen(&record));
                Answered::Failed { reply, class: error.class() }
            }
            Collected::Whole { text, finished, .. } => {
                let text = self.settings.redactor.clean(text);
                known.model = finished.model.unwrap_or(known.model);
                (known.usage, known.cost) = (finished.usage, finished.cost);
                known.stop_reason = finished.reason;
                known.duration_ms = duration_ms;
                // The history keeps the model's words as they were shown; why they end is kept beside
                // them.
                let turn = NewTurn {
                    conversation: question.conversation,
                    asked_by,
                    sender: question.user,
                    quoted: asked.quoted,
                    messages: vec![asked.message, Message::assistant(text.as_str())],
                    answer: known,
                };
                let length = text.len();
                let reply = self.reply(text, finished.reason, &plan.passages);
                let reply = joint::with_way_on(reply, finished.reason, asked_by, length);
                Answered::Answer { reply, turn: Some(turn) }
            }
        };
        Ok((answered, is_configured))
    }

    /// Puts a plan to the model, and reports the outcome, which comes with its duration in milliseconds.
    async fn put<'q>(
        &self,
        question: Question<'q>,
        plan: &mut Plan,
        mut call: Call<'_>,
    ) -> (Record<'q>, Collected, i64) {
        let request = plan.request();
        let record = self.record(question, &request);
        self.log_prompt(&request);
        let begun = Instant::now();
        let collected = self.ask_fitting(plan, &mut call).await;
        let duration_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        // What follows needs nothing of the server.
        drop(call);
        self.log(&record, &collected, duration_ms);
        self.note(&record, &collected, begun.elapsed());
        (record, collected, duration_ms)
    }

    /// What is known of an answer before it is there.
    fn known(&self, plan: &Plan) -> AnswerMetadata {
        let mut sources: Vec<String> = Vec::new();
        for passage in &plan.passages {
            if !sources.contains(&passage.source) {
                sources.push(passage.source.clone());
            }
        }
        let model = plan.base.model.clone().unwrap_or_else(|| self.first().model().to_owned());
        let provider = self.first().name.clone();
        AnswerMetadata { provider, model, sources, ..AnswerMetadata::default() }
    }

    /// What the chat sees of an answer.
    fn reply(&self, text: String, reason: StopReason, passages: &[Passage]) -> Reply {
        let is_model = self.first().provider.has_context();
        let sources = if is_model { sources::sources(passages, &text) } else { None };
        let below = [note(reason).map(str::to_owned), sources];
        let footer = below.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
        let reply = if self.first().provider.is_markdown() {
            Reply::markdown(text)
        } else {
            Reply::plain(text)
        };
        Reply { footer: Some(footer).filter(|footer| !footer.is_empty()), ..reply }
    }
}

/// What a person reads below an answer that was cut.
fn note(reason: StopReason) -> Option<&'static str> {
    match reason {
        StopReason::Length => Some("_(The answer reached its length limit and was cut.)_"),
        StopReason::Filtered => Some("_(The provider's filter stopped this answer.)_"),
        StopReason::Unsaid => {
            Some("_(The model's server did not say whether this answer is complete.)_")
        }
        StopReason::End | StopReason::ToolCalls | StopReason::Other => None,
    }
}
