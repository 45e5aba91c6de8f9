//! How a question becomes a reply: retrieve, window, stream.
//!
//! Invariant: a question always gets a reply; what a provider says when it fails reaches the log,
//! never the chat.

mod alike;
mod allowance;
mod answered;
mod asker;
mod asking;
mod attempt;
mod booking;
mod breaker;
mod budget;
mod builtin_docs;
mod cache;
mod call;
mod citations;
mod concurrency;
mod context_size;
mod continued;
mod documents;
mod endpoint;
mod engine;
mod error;
mod failover;
mod fitting;
mod joint;
pub mod lesson;
mod plan;
mod pool;
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

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::knowledge::Knowledge;
use crate::model::ids::UserId;
use crate::model::limits;
use crate::observe::documents::DocumentsState;
use crate::observe::finding::Kind;
use crate::observe::vitals::Vitals;
use crate::store::{CutAnswer, Store, StoreError};

pub use answered::Answered;
pub use asker::{AskedBy, Asker, Purpose};
pub use budget::{Budgeting, refusal};
pub use builtin_docs::PAGES;
use cache::AnswerCache;
pub use cache::CacheSettings;
use call::Call;
use concurrency::{ConcurrencyLimit, Permit};
use documents::FirstReading;
pub use endpoint::{Endpoint, EndpointLimits};
pub use engine::AnswerSettings;
use engine::{AnswerEngine, Room};
pub use pool::Pool;
pub use progress::{Obstacle, Progress};
pub use question::Question;
use shared_failures::SharedFailures;
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
    pool: Arc<Pool>,
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
        let pool = Arc::new(Pool::new(Arc::clone(&vitals)));
        pool.list(&endpoints);
        let engine = AnswerEngine {
            rooms: Room::of(&endpoints, &windows),
            endpoints,
            pool: Arc::clone(&pool),
            knowledge,
            ledger: store.ledger(),
            store: store.clone(),
            vitals: Arc::clone(&vitals),
            cache: AnswerCache::new(settings.cache),
            settings,
            budgeting: Arc::clone(&budgeting),
            failures: Mutex::default(),
        };
        let shared_failures = SharedFailures::default();
        let engine = ArcSwap::from_pointee(engine);
        let reading = FirstReading::default();
        Self {
            engine,
            store,
            vitals,
            concurrency,
            shared_failures,
            windows,
            budgeting,
            pool,
            reading,
        }
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

    /// Questions are answered so from now on; answers that are being written finish as they began. Those that wait for
    /// the documents go on waiting if these are not read yet.
    pub fn renew(
        &self,
        endpoints: Vec<Endpoint>,
        knowledge: Option<Arc<Knowledge>>,
        settings: AnswerSettings,
    ) {
        let read = knowledge.clone();
        let is_read = || read.is_none_or(|knowledge| knowledge.is_read());
        let shows = || self.vitals.documents.store(Arc::new(DocumentsState::Reading));
        self.reading.renew(is_read, || self.replace(endpoints, knowledge, settings), shows);
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
        let budgeting = Arc::clone(&self.budgeting);
        self.pool.list(&endpoints);
        let (pool, rooms) = (Arc::clone(&self.pool), Room::of(&endpoints, &self.windows));
        let failures = Mutex::default();
        let cache = AnswerCache::new(settings.cache);
        let engine = AnswerEngine {
            endpoints,
            rooms,
            pool,
            knowledge,
            ledger,
            store,
            vitals,
            cache,
            settings,
            budgeting,
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

    /// How the providers of the list stand.
    pub fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.pool)
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
