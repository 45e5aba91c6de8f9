//! Answers of a vendor that costs money, with the ledger on disk.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::answer::cache::CacheSettings;
use crate::answer::{
    AnswerSettings, Answered, Answerer, AskedBy, Endpoint, Progress, Purpose, Question,
};
use crate::model::budget::Limits;
use crate::model::class::AnswerClass;
use crate::model::conversation::{ConversationId, Event, Finished, Usage};
use crate::model::ids::{BotId, ChatId, InboxSeq, UserId};
use crate::model::money::PriceOverride;
use crate::observe::clock::Clock;
use crate::provider::{Answering, Provider};
use crate::store::Store;

/// A vendor's server that answers with one word, and reports this.
struct Vendor(Option<Usage>, &'static str);

impl Provider for Vendor {
    fn name(&self) -> &'static str {
        "openai"
    }
    fn model(&self) -> &str {
        "gpt-99"
    }
    fn host(&self) -> Option<&str> {
        Some(self.1)
    }
    fn answer(&self, _request: ChatRequest) -> Answering {
        let done = Finished { usage: self.0, ..Finished::default() };
        let events = [Event::Text("Hi".into()), Event::Done(done)];
        stream::iter(events.map(Ok)).boxed()
    }
}

/// The same, when a test wants it.
struct Slow(Vendor, Arc<Notify>);

impl Provider for Slow {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn model(&self) -> &str {
        self.0.model()
    }
    fn host(&self) -> Option<&str> {
        self.0.host()
    }
    fn answer(&self, request: ChatRequest) -> Answering {
        let (answer, go) = (self.0.answer(request), Arc::clone(&self.1));
        let later = async move {
            go.notified().await;
            answer
        };
        later.flatten_stream().boxed()
    }
}

struct House {
    store: Store,
    answerer: Answerer,
    vitals: Arc<Vitals>,
    _dir: tempfile::TempDir,
}

impl House {
    fn new(usage: Option<Usage>, budgets: Budgets, price: Option<PriceOverride>) -> Self {
        Self::of(Vendor(usage, "api.openai.com"), budgets, price)
    }

    fn of(vendor: impl Provider, budgets: Budgets, price: Option<PriceOverride>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("katana.db"), BotId(1), Clock::system()).unwrap();
        let vitals = Arc::new(Vitals::default());
        let endpoint = Endpoint { price, ..Endpoint::of(Arc::new(vendor)) };
        let answerer = Answerer::new(
            vec![endpoint],
            None,
            store.clone(),
            settings(budgets),
            Arc::clone(&vitals),
        );
        Self { store, answerer, vitals, _dir: dir }
    }

    async fn ask(&self, text: &str) -> Answered {
        let conversation = ConversationId { chat: ChatId(5), topic: 0 };
        let question = Question::plain(conversation, UserId(5), text);
        let update = InboxSeq(1);
        let asked = AskedBy { update, order: update, purpose: Purpose::Question };
        let (progress, _) = watch::channel(Progress::Begun);
        let cancel = CancellationToken::new();
        let answer = self.answerer.answer(question, asked, &progress, &cancel);
        tokio::time::timeout(Duration::from_secs(10), answer).await.unwrap().unwrap()
    }

    async fn spent(&self) -> i64 {
        self.store.flush().await.unwrap();
        self.store.spending(Scope::Total, 0).await.unwrap().day.cost.0
    }
}

fn settings(budgets: Budgets) -> AnswerSettings {
    AnswerSettings {
        system_prompt: String::new(),
        max_history_turns: 0,
        max_history_tokens: 0,
        max_output_tokens: 512,
        passages: 0,
        only_documents: false,
        own_documents: false,
        models: Vec::new(),
        answers_at_once: 2,
        first_token_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        cache: CacheSettings { life: Duration::ZERO, is_shared: false, entries: 0, bytes: 0 },
        log_prompts: false,
        is_blank: |text, _| text.is_empty(),
        budgets,
        redactor: hygiene::Redactor::default(),
    }
}

fn budgets(usd: i64) -> Budgets {
    let total = Limits { day: Some(MicroUsd::dollars(usd)), month: None };
    Budgets { total, ..Budgets::default() }
}

const USED: Option<Usage> = Some(Usage {
    input_tokens: 1_000,
    output_tokens: 10,
    cached_tokens: 0,
    cache_write_tokens: 0,
    reasoning_tokens: 0,
    cost: None,
});

#[tokio::test]
async fn a_model_without_a_price_costs_what_the_dearest_does_or_is_refused() {
    let house = House::new(USED, budgets(5), None);
    assert!(matches!(house.ask("why?").await, Answered::Answer { .. }));
    assert_eq!(house.spent().await, 1_000 * 150 + 10 * 600, "as the dearest of the vendor");
    assert_eq!(house.vitals.money.without_price(), ["openai/gpt-99"]);
    let refusing = Budgets { refuses_unknown: true, ..budgets(5) };
    let house = House::new(USED, refusing, None);
    let answered = house.ask("why?").await;
    assert!(matches!(answered, Answered::Failed { class: AnswerClass::Config, .. }));
    assert_eq!(house.spent().await, 0);
    let price = PriceOverride {
        input: Some(MicroUsd::dollars(1)),
        output: Some(MicroUsd::dollars(2)),
        cached_input: None,
    };
    let house = House::new(USED, refusing, Some(price));
    assert!(matches!(house.ask("why?").await, Answered::Answer { .. }));
    assert_eq!(house.spent().await, 1_020, "as the configuration says");
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_asks_no_one() {
    let house = House::new(USED, budgets(5), None);
    house.store.close().await;
    let reserved = house
        .store
        .ledger()
        .reserve(
            NewCall::free(
                Spender { user: UserId(5), chat: ChatId(5), purpose: Purpose::Question },
                "openai".into(),
                "gpt-99".into(),
            ),
            budgets(5),
        )
        .await;
    assert!(reserved.is_err(), "it fails closed");
}

#[tokio::test]
async fn usage_that_is_missing_or_zero_costs_all_that_was_reserved() {
    for usage in [None, Some(Usage::default()), Some(Usage { input_tokens: 9, ..Usage::default() })]
    {
        let house = House::new(usage, budgets(5), None);
        house.ask("why?").await;
        let reserved = house.spent().await;
        // The answer alone may have cost 512 tokens.
        assert!(reserved > 512 * 600, "{usage:?}: {reserved}");
    }
}

#[tokio::test]
async fn estimates_learn_from_what_is_reported() {
    let house = House::new(USED, budgets(5), None);
    let words = "Какой-то вопрос ".repeat(20);
    house.ask(&words).await;
    let learned = house.answerer.budgeting().factors.of("gpt-99");
    assert!(learned > 1.5, "{learned}");
    for _ in 0..3 {
        house.ask("x").await;
    }
    assert!(house.answerer.budgeting().factors.of("gpt-99") <= 8.0);
}

#[tokio::test]
async fn a_gateway_that_names_the_cost_is_believed_and_no_one_else() {
    let named = USED.map(|used| Usage { cost: Some(42), ..used });
    let house = House::of(Vendor(named, "openrouter.ai"), budgets(5), None);
    house.ask("why?").await;
    assert_eq!(house.spent().await, 42);
    let house = House::of(Vendor(named, "api.openai.com"), budgets(5), None);
    house.ask("why?").await;
    assert_eq!(house.spent().await, 1_000 * 150 + 10 * 600);
}

#[tokio::test]
async fn a_question_waits_for_what_the_one_before_it_gives_back() {
    let go = Arc::new(Notify::new());
    let slow = Slow(Vendor(USED, "api.openai.com"), Arc::clone(&go));
    // Room for what one of them can cost at most, and for what both cost in the end.
    let total = Limits { day: Some(MicroUsd(400_000)), month: None };
    let house = House::of(slow, Budgets { total, ..Budgets::default() }, None);
    let commits = || house.store.timings().commit.counts.iter().sum::<u64>();
    let before = commits();
    let end = async {
        for _ in 0..2 {
            sleep(Duration::from_millis(300)).await;
            go.notify_one();
        }
    };
    let (one, two, ()) = tokio::join!(house.ask("one?"), house.ask("two?"), end);
    assert!(matches!((one, two), (Answered::Answer { .. }, Answered::Answer { .. })));
    assert_eq!(house.spent().await, 2 * (1_000 * 150 + 10 * 600));
    assert_eq!(
        house.vitals.money.refuses_until_ms.load(Ordering::Relaxed),
        0,
        "nothing is used up"
    );
    let count = commits() - before;
    assert!(count <= 8, "it waits without writing all the time: {count} commits");
}
