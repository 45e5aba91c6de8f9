//! Texts to vectors: of passages in the background, of questions while people wait.
//!
//! Invariants: what costs something is in the ledger before the server is asked, and where that cannot be
//! written, or a budget is used up, the server is not asked; a server that fails is left alone for a while, and
//! nothing waits for it meanwhile; questions go before passages; no error shows a key or a text.

mod booking;
mod cache;
mod error;
mod pace;
mod pause;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use self::cache::QueryCache;
pub use self::error::EmbedError;
use self::error::{is_about_size, is_too_long, may_be_one_text};
use self::pace::Pace;
use self::pause::Pause;
use crate::model::budget::Budgets;
use crate::model::class::{AnswerClass, CallOutcome};
use crate::model::failure::{Classify, RetryPolicy};
use crate::model::money::MicroUsd;
use crate::observe::vitals::{Timing, Vitals};
use crate::provider::{
    Embedded, EmbeddingsError, EmbeddingsServer, EmbeddingsSettings, Priced, ProviderError,
    embedding_price,
};
use crate::store::{Embedding, Ledger};

/// The first request has no more texts than this: how fast the server is, it shows then.
const FIRST_BATCH: usize = 8;

/// A request for passages that takes longer than this has fewer texts the next time, because a question may wait
/// behind it; one that takes much less has more.
const LONG_REQUEST: Duration = Duration::from_secs(2);
const SHORT_REQUEST: Duration = Duration::from_millis(500);

/// Passages wait for questions no longer than this.
const POLITE: Duration = Duration::from_secs(5);

/// A text that is too long for the model is halved so often at most.
const HALVINGS: u32 = 8;

/// How texts become vectors.
#[derive(Clone, Debug, Default)]
pub struct EmbedderSettings {
    /// The server.
    pub server: EmbeddingsSettings,
    /// Texts in one request at most.
    pub batch: usize,
    /// What stands before a question.
    pub query_prefix: String,
    /// What stands before a passage.
    pub passage_prefix: String,
    /// Vectors of questions that are kept.
    pub cache_entries: usize,
    /// How long a question waits for its vector.
    pub query_timeout: Duration,
    /// Requests in a minute at most.
    pub requests_per_minute: Option<u32>,
    /// What a million tokens cost, where that is configured.
    pub price: Option<MicroUsd>,
    /// What may be spent.
    pub budgets: Budgets,
}

impl EmbedderSettings {
    /// What its vectors have in common, and those of another model have not.
    pub fn embedding(&self) -> Embedding {
        Embedding {
            model: self.server.model.clone(),
            base_url: self.server.base_url.clone(),
            dimensions: u32::try_from(self.server.dimensions).unwrap_or(0),
            query_prefix: self.query_prefix.clone(),
            passage_prefix: self.passage_prefix.clone(),
        }
    }

    /// The same for the vectors of another model: questions are embedded with it while those are in use. The key
    /// goes to no other server.
    pub fn of(&self, other: &Embedding) -> Self {
        let mut settings = self.clone();
        let is_same = reaches_same(&self.server.base_url, &other.base_url);
        settings.server.api_key = settings.server.api_key.filter(|_| is_same);
        settings.server.base_url.clone_from(&other.base_url);
        settings.server.model.clone_from(&other.model);
        // Only a server that was asked for a length is known to take the question.
        if settings.server.dimensions > 0 {
            settings.server.dimensions = other.dimensions as usize;
        }
        settings.query_prefix.clone_from(&other.query_prefix);
        settings.passage_prefix.clone_from(&other.passage_prefix);
        settings
    }
}

/// Whether two addresses are on one server.
fn reaches_same(one: &str, other: &str) -> bool {
    let origin = |text| hygiene::url::parse(text).map(|url| url.origin);
    matches!((origin(one), origin(other)), (Ok(one), Ok(other)) if one == other)
}

/// Makes vectors. One for all who need any.
#[derive(Debug)]
pub struct Embedder {
    server: EmbeddingsServer,
    settings: EmbedderSettings,
    priced: Priced,
    ledger: Option<Ledger>,
    vitals: Arc<Vitals>,
    cache: QueryCache,
    pause: Pause,
    pace: Pace,
    /// Texts in the next request for passages.
    size: AtomicUsize,
    /// As many as the server has taken at most, once it refused more.
    cap: AtomicUsize,
    /// Questions that wait for their vectors.
    waiting: AtomicUsize,
}

/// What is sent in place of a text that the model does not take.
#[derive(Default)]
struct Shorter {
    text: Option<String>,
    halvings: u32,
}

impl Shorter {
    /// The first half of it; in the end hardly anything, so that one text cannot hold up all others.
    fn than(self, text: &str, vitals: &Vitals) -> Self {
        if self.halvings == 0 {
            vitals.increment("embedding", "shortened");
            tracing::warn!(
                "the embedding model does not take a passage as a whole; its meaning is that of its beginning"
            );
        }
        let halvings = self.halvings + 1;
        let half = || text.chars().take(text.chars().count().div_ceil(2)).collect();
        let text = if halvings < HALVINGS { half() } else { shown("").to_owned() };
        Self { text: Some(text), halvings }
    }

    fn is_over(&self) -> bool {
        self.halvings >= HALVINGS
    }
}

/// Counts a question while it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Embedder {
    /// Builds it; nothing is sent. Without a ledger, only what costs nothing is asked.
    ///
    /// # Errors
    /// When the server's settings cannot be used.
    pub fn new(
        settings: EmbedderSettings,
        ledger: Option<Ledger>,
        vitals: Arc<Vitals>,
    ) -> Result<Self, ProviderError> {
        let server = EmbeddingsServer::new(settings.server.clone())?;
        let batch = settings.batch.max(1);
        Ok(Self {
            priced: embedding_price(&server, settings.price),
            cache: QueryCache::new(settings.cache_entries),
            pace: Pace::new(settings.requests_per_minute),
            size: AtomicUsize::new(batch.min(FIRST_BATCH)),
            cap: AtomicUsize::new(batch),
            pause: Pause::default(),
            waiting: AtomicUsize::new(0),
            server,
            settings,
            ledger,
            vitals,
        })
    }

    /// What it was built from.
    pub fn settings(&self) -> &EmbedderSettings {
        &self.settings
    }

    /// How many passages are best handed over at once now: one request.
    pub fn batch(&self) -> usize {
        self.size.load(Ordering::Relaxed).min(self.cap.load(Ordering::Relaxed)).max(1)
    }

    /// How long the server will not be asked, because it failed.
    pub fn paused_for(&self) -> Option<Duration> {
        self.pause.left(Instant::now())
    }

    /// The vector of a question, from memory or from the server, within the time that a question has.
    ///
    /// # Errors
    /// When there is none in time. The search goes on with words alone then.
    pub async fn query(&self, text: &str) -> Result<Arc<[f32]>, EmbedError> {
        let text = text.trim();
        if let Some(vector) = self.cache.get(text) {
            self.vitals.increment("embedding_cache", "hit");
            return Ok(vector);
        }
        self.vitals.increment("embedding_cache", "miss");
        self.may_ask()?;
        self.pace.take(false).map_err(EmbedError::Paused)?;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let texts = [format!("{}{}", self.settings.query_prefix, shown(text))];
        let asked = timeout(self.settings.query_timeout, self.ask(&texts, "query")).await;
        let embedded = match asked {
            Ok(asked) => asked?,
            Err(_) => {
                self.vitals.observe(
                    Timing::Embedding,
                    "query",
                    CallOutcome::Failed(AnswerClass::Timeout.into()),
                    self.settings.query_timeout.as_secs_f64(),
                );
                self.note_failure(AnswerClass::Timeout, RetryPolicy::Backoff);
                return Err(EmbedError::Late);
            }
        };
        let vector: Arc<[f32]> = embedded.vectors.into_iter().flatten().collect();
        self.cache.put(text, Arc::clone(&vector));
        Ok(vector)
    }

    /// The vectors of passages, in their order; of the first ones alone where a later request fails. Takes as long as the server takes, and lets questions go first.
    /// What a model cannot read because it is too long is shortened.
    ///
    /// # Errors
    /// When the first of them have no vector.
    pub async fn passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let prefix = &self.settings.passage_prefix;
        let prefixed = |text: &String| format!("{prefix}{}", shown(text));
        let texts: Vec<String> = texts.iter().map(prefixed).collect();
        let (mut done, mut shorter) = (Vec::with_capacity(texts.len()), Shorter::default());
        while done.len() < texts.len() {
            let rest = &texts[done.len()..];
            let one = shorter.text.as_ref().map(std::slice::from_ref);
            let part = one.unwrap_or_else(|| &rest[..rest.len().min(self.batch())]);
            self.may_ask()?;
            self.let_questions_go_first().await;
            while let Err(wait) = self.pace.take(true) {
                sleep(wait).await;
            }
            let begun = Instant::now();
            match self.ask(part, "passages").await {
                Ok(embedded) => {
                    self.learn(part.len(), begun.elapsed());
                    done.extend(embedded.vectors);
                    shorter = Shorter::default();
                }
                Err(EmbedError::Server(error)) if part.len() > 1 && is_about_size(&error) => {
                    self.cap.store(part.len() / 2, Ordering::Relaxed);
                    self.pause.worked();
                }
                Err(EmbedError::Server(error)) if may_be_one_text(&error) && !shorter.is_over() => {
                    let text = part[0].clone();
                    shorter = shorter.than(&text, &self.vitals);
                    self.pause.worked();
                }
                Err(error) => {
                    // It was not their number.
                    self.cap.store(self.settings.batch.max(1), Ordering::Relaxed);
                    // What has its vector has been paid for.
                    return if done.is_empty() { Err(error) } else { Ok(done) };
                }
            }
        }
        Ok(done)
    }

    /// Whether the server may be asked now.
    fn may_ask(&self) -> Result<(), EmbedError> {
        self.pause.enter(Instant::now()).map_err(EmbedError::Paused)
    }

    async fn let_questions_go_first(&self) {
        let begun = Instant::now();
        while self.waiting.load(Ordering::Relaxed) > 0 && begun.elapsed() < POLITE {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// One request, with its place in the ledger.
    async fn ask(&self, texts: &[String], what: &'static str) -> Result<Embedded, EmbedError> {
        let (booked, call) = self.reserve(texts).await?;
        let begun = Instant::now();
        let answer = self.server.embed(texts).await;
        let outcome = match &answer {
            Ok(_) => CallOutcome::Ok,
            Err(error) => CallOutcome::Failed(error.class().into()),
        };
        self.vitals.observe(Timing::Embedding, what, outcome, begun.elapsed().as_secs_f64());
        self.settle(booked, call, texts, &answer).await;
        match answer {
            Ok(embedded) => {
                self.pause.worked();
                self.vitals.worked(&self.vitals.embeddings);
                Ok(embedded)
            }
            Err(error) => {
                let policy = match &error {
                    EmbeddingsError::Call(call) => call.retry_policy(),
                    _ => RetryPolicy::Backoff,
                };
                // A text that does not fit says nothing about the server.
                if !is_too_long(&error) {
                    self.note_failure(error.class(), policy);
                }
                Err(error.into())
            }
        }
    }

    fn note_failure(&self, class: AnswerClass, policy: RetryPolicy) {
        self.vitals.failed(&self.vitals.embeddings, class);
        self.pause.failed(policy, Instant::now());
    }

    /// How many texts the next request has.
    fn learn(&self, sent: usize, took: Duration) {
        let most = self.cap.load(Ordering::Relaxed);
        let next = if took > LONG_REQUEST {
            sent / 2
        } else if took < SHORT_REQUEST && sent >= self.batch() {
            sent * 2
        } else {
            return;
        };
        self.size.store(next.clamp(1, most.max(1)), Ordering::Relaxed);
    }
}

/// A text that servers take: they refuse empty ones.
fn shown(text: &str) -> &str {
    if text.trim().is_empty() { "-" } else { text }
}

#[cfg(test)]
#[path = "../../tests/unit/embedder.rs"]
mod tests;
