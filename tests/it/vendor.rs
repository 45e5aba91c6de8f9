//! Models' servers that do what a test wants, and people who ask a list of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hygiene::Redactor;
use katana::answer::{
    AnswerSettings, Answered, Answerer, AskedBy, CacheSettings, Endpoint, EndpointLimits, Progress,
    Purpose, Question,
};
use katana::model::conversation::ConversationId;
use katana::model::ids::{BotId, ChatId, InboxSeq, UserId};
use katana::observe::clock::Clock;
use katana::observe::vitals::Vitals;
use katana::provider::{self, ProviderSettings};
use katana::store::Store;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::parrot::{Parrot, Said};

/// A model's server that counts its requests.
pub struct Vendor {
    pub parrot: Parrot,
    pub asked: Arc<AtomicUsize>,
}

impl Vendor {
    /// One whose answers depend on how often it was asked before.
    pub async fn new(says: impl Fn(usize) -> Said + Send + Sync + 'static) -> Self {
        // Nothing goes on to this address: the rule has an answer for everything.
        let parrot = Parrot::before("http://127.0.0.1:9").await;
        let asked = Arc::new(AtomicUsize::new(0));
        let vendor = Self { parrot, asked };
        vendor.says(says);
        vendor
    }

    pub fn says(&self, says: impl Fn(usize) -> Said + Send + Sync + 'static) {
        let asked = Arc::clone(&self.asked);
        self.parrot.says(move |request| match request.path.ends_with("/chat/completions") {
            true => Some(says(asked.fetch_add(1, Ordering::SeqCst))),
            false => Some(Said::Answer(404, "application/json", "{}".to_owned())),
        });
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn endpoint(&self, name: &str, limits: EndpointLimits) -> Endpoint {
        let build = provider::find("openai").expect("the provider").build;
        let settings = ProviderSettings {
            base_url: format!("{}/v1", self.parrot.url()),
            model: "m".to_owned(),
            read_timeout: Duration::from_secs(20),
            ..ProviderSettings::default()
        };
        let provider = build(settings).expect("a provider");
        Endpoint { name: name.to_owned(), limits, ..Endpoint::of(provider) }
    }
}

/// An answer as a stream, in words; without its end when it is not `complete`.
pub fn stream(text: &str, complete: bool) -> String {
    let event = |delta: serde_json::Value, reason: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        format!("data: {}\n\n", json!({"model": "m", "choices": [choice]}))
    };
    let words = text.split_inclusive(' ').map(|word| event(json!({"content": word}), None));
    let mut body: String = words.collect();
    if complete {
        body += &event(json!({}), Some("stop"));
        body += "data: [DONE]\n\n";
    }
    body
}

pub fn answers(text: &str) -> Said {
    Said::Answer(200, "text/event-stream", stream(text, true))
}

pub fn refuses(status: u16, message: &str) -> Said {
    let body = json!({"error": {"message": message, "type": "error"}});
    Said::Answer(status, "application/json", body.to_string())
}

/// People, and providers in a list.
pub struct Bench {
    pub answerer: Answerer,
    pub vitals: Arc<Vitals>,
    _dir: tempfile::TempDir,
    pub timeout: Duration,
    pub first_word: Duration,
}

impl Bench {
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        Self::within(endpoints, Duration::from_secs(20), Duration::from_secs(10))
    }

    pub fn within(endpoints: Vec<Endpoint>, timeout: Duration, first_word: Duration) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("katana.db");
        let store = Store::open(&path, BotId(42), Clock::system()).expect("a store");
        let vitals = Arc::new(Vitals::default());
        let settings = settings(timeout, first_word);
        let answerer = Answerer::new(endpoints, None, store, settings, Arc::clone(&vitals));
        Self { answerer, vitals, _dir: dir, timeout, first_word }
    }

    /// The outcome of a question in this update.
    pub async fn ask(&self, update: i64) -> Answered {
        let conversation = ConversationId { chat: ChatId(update), topic: 0 };
        let (user, text) = (UserId(7), "why?");
        let question = Question::plain(conversation, user, text);
        let seq = InboxSeq(update);
        let asked_by = AskedBy { update: seq, order: seq, purpose: Purpose::Question };
        let (progress, _) = watch::channel(Progress::Begun);
        let cancel = CancellationToken::new();
        self.answerer.answer(question, asked_by, &progress, &cancel).await.expect("the store")
    }

    pub fn breaker(&self, at: usize) -> &'static str {
        self.vitals.providers.load()[at].word()
    }
}

pub fn settings(timeout: Duration, first_token_timeout: Duration) -> AnswerSettings {
    AnswerSettings {
        system_prompt: String::new(),
        max_history_turns: 4,
        max_history_tokens: 1000,
        max_output_tokens: 100,
        passages: 0,
        only_documents: false,
        own_documents: false,
        models: Vec::new(),
        answers_at_once: 64,
        first_token_timeout,
        timeout,
        log_prompts: false,
        budgets: Default::default(),
        cache: CacheSettings::default(),
        is_blank: |text, _| text.trim().is_empty(),
        redactor: Redactor::default(),
    }
}

/// What a person reads of a whole answer.
pub fn whole(answered: &Answered) -> Option<&str> {
    match answered {
        Answered::Answer { reply, .. } => Some(reply.text()),
        _ => None,
    }
}

pub fn nothing() -> EndpointLimits {
    EndpointLimits::default()
}
