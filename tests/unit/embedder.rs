//! What the embedder asks for, keeps, pays and leaves alone, against a server of its own.

use serde_json::{Value, json};

use super::*;
use crate::knowledge::embedding_server::Server;
use crate::model::budget::Limits;
use crate::model::ids::BotId;
use crate::observe::clock::Clock;
use crate::store::Store;

impl Server {
    fn settings(&self) -> EmbedderSettings {
        EmbedderSettings {
            server: EmbeddingsSettings {
                base_url: self.url.clone(),
                model: "e5".to_owned(),
                timeout: Duration::from_secs(5),
                ..EmbeddingsSettings::default()
            },
            batch: 32,
            query_prefix: "query: ".to_owned(),
            passage_prefix: "passage: ".to_owned(),
            cache_entries: 10,
            query_timeout: Duration::from_secs(2),
            ..EmbedderSettings::default()
        }
    }
}

/// A vector of two numbers for each text, the first of which is its length.
fn vectors(texts: &[String]) -> Option<(u16, String)> {
    let row = |text: &String| json!({ "embedding": [text.len() as f32, 1.0] });
    let data: Vec<Value> = texts.iter().map(row).collect();
    Some((200, json!({ "data": data, "usage": { "prompt_tokens": 1000 } }).to_string()))
}

fn embedder(settings: EmbedderSettings, ledger: Option<Ledger>) -> Embedder {
    Embedder::new(settings, ledger, Arc::default()).expect("built")
}

fn texts(lengths: impl IntoIterator<Item = usize>) -> Vec<String> {
    lengths.into_iter().map(|n| "x".repeat(n)).collect()
}

/// Lengths of the texts that belong to these vectors.
fn lengths(vectors: &[Vec<f32>]) -> Vec<usize> {
    vectors.iter().map(|vector| vector[0] as usize - "passage: ".len()).collect()
}

#[tokio::test]
async fn a_question_is_asked_once_and_then_remembered() {
    let server = Server::start(|_, texts| vectors(texts)).await;
    let embedder = embedder(server.settings(), None);
    let first = embedder.query("what?").await.expect("a vector");
    assert_eq!(
        (first.as_ref(), embedder.query(" what? ").await.unwrap()),
        (&[12.0, 1.0][..], first.clone())
    );
    assert_eq!(server.asked(), [["query: what?"]]);
    let cache = embedder.vitals.counters("embedding_cache");
    assert_eq!(cache, [("hit".to_owned(), 1), ("miss".to_owned(), 1)]);
}

#[tokio::test]
async fn passages_keep_their_order_over_many_requests() {
    let server = Server::start(|_, texts| vectors(texts)).await;
    let embedder = embedder(server.settings(), None);
    let made = embedder.passages(&texts(1..=100)).await.expect("vectors");
    assert_eq!(lengths(&made), (1..=100).collect::<Vec<_>>());
    let sizes: Vec<usize> = server.asked().iter().map(Vec::len).collect();
    assert_eq!(sizes[..3], [8, 16, 32], "a quick server gets more at once");
    assert!(sizes.iter().all(|n| *n <= 32));
    assert!(server.asked()[0][0].starts_with("passage: x"));
}

#[tokio::test]
async fn a_server_that_takes_ten_gets_no_more() {
    let server = Server::start(|_, texts| match texts.len() {
        0..=10 => vectors(texts),
        _ => Some((400, r#"{"error":"batch size is invalid, at most 10"}"#.to_owned())),
    })
    .await;
    let embedder = embedder(server.settings(), None);
    let made = embedder.passages(&texts(1..=60)).await.expect("vectors");
    assert_eq!(lengths(&made), (1..=60).collect::<Vec<_>>());
    let refused = server.asked().iter().filter(|texts| texts.len() > 10).count();
    assert_eq!(refused, 1, "it is asked for too much once");
    assert_eq!(embedder.paused_for(), None);
}

#[tokio::test]
async fn a_text_that_is_too_long_is_shortened_and_holds_up_no_other() {
    let server = Server::start(|_, texts| {
        let is_long = texts.iter().any(|text| text.len() > 100);
        let refusal = r#"{"error":"input is too long, maximum context length is 100"}"#.to_owned();
        if is_long { Some((400, refusal)) } else { vectors(texts) }
    })
    .await;
    let embedder = embedder(server.settings(), None);
    let made = embedder.passages(&texts([10, 500, 20])).await.expect("vectors");
    let lengths = lengths(&made);
    assert_eq!([lengths[0], lengths[2]], [10, 20]);
    assert!((50..=100).contains(&lengths[1]), "{lengths:?}");
    assert_eq!(embedder.vitals.counters("embedding"), [("shortened".to_owned(), 1)]);
}

#[tokio::test]
async fn a_text_that_is_never_taken_ends_as_hardly_anything() {
    let server = Server::start(|_, texts| {
        let is_bad = texts.iter().any(|text| text.contains('x'));
        let refusal = r#"{"error":{"code":"content_filter","message":"no"}}"#.to_owned();
        if is_bad { Some((400, refusal)) } else { vectors(texts) }
    })
    .await;
    let made = embedder(server.settings(), None).passages(&texts([5000])).await;
    assert_eq!(made.expect("a vector").len(), 1);
    assert_eq!(server.asked().len(), 1 + HALVINGS as usize);
}

#[tokio::test]
async fn a_server_that_fails_is_left_alone_and_asked_again() {
    let server = Server::start(|number, texts| match number {
        0 => Some((503, "down".to_owned())),
        _ => vectors(texts),
    })
    .await;
    let embedder = embedder(server.settings(), None);
    assert!(matches!(embedder.query("a").await, Err(EmbedError::Server(_))));
    assert!(matches!(embedder.query("a").await, Err(EmbedError::Paused(_))));
    assert!(matches!(embedder.passages(&texts([1])).await, Err(EmbedError::Paused(_))));
    assert_eq!(server.asked().len(), 1, "nothing was sent meanwhile");
    let health = embedder.vitals.embeddings.read();
    assert_eq!((health.failures, health.class), (1, Some(AnswerClass::Overloaded.into())));
    embedder.pause.failed(RetryPolicy::After(Duration::ZERO), Instant::now());
    sleep(Duration::from_millis(120)).await;
    assert!(embedder.query("a").await.is_ok());
    assert_eq!(embedder.vitals.embeddings.read().failures, 0);
}

#[tokio::test]
async fn a_question_does_not_wait_for_a_server_that_is_silent() {
    let server = Server::start(|_, _| None).await;
    let query_timeout = Duration::from_millis(50);
    let embedder = embedder(EmbedderSettings { query_timeout, ..server.settings() }, None);
    assert!(matches!(embedder.query("a").await, Err(EmbedError::Late)));
    assert!(matches!(embedder.query("a").await, Err(EmbedError::Paused(_))));
    assert_eq!(embedder.waiting.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn nothing_that_costs_is_asked_without_a_ledger_or_beyond_the_budget() {
    let server = Server::start(|_, texts| vectors(texts)).await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("k.db"), BotId(1), Clock::system()).unwrap();
    let priced = EmbedderSettings { price: Some(MicroUsd::dollars(1)), ..server.settings() };
    let without = embedder(priced.clone(), None);
    assert!(matches!(without.query("a").await, Err(EmbedError::Ledger(_))));
    assert!(server.asked().is_empty());

    let paid = embedder(priced.clone(), Some(store.ledger()));
    paid.query("a").await.expect("there is no limit");
    store.flush().await.unwrap();
    let spent = store.spending(crate::model::budget::Scope::Total, 0).await.unwrap();
    // The server said 1000 tokens, at a dollar for a million.
    assert_eq!(
        (spent.day.cost, spent.day.input_tokens, spent.day.calls),
        (MicroUsd(1000), 1000, 1)
    );

    let total = Limits { day: Some(MicroUsd(1005)), month: None };
    let budgets = Budgets { total, ..Budgets::default() };
    let limited = embedder(EmbedderSettings { budgets, ..priced }, Some(store.ledger()));
    let refused = limited.passages(&texts([300])).await.expect_err("too dear");
    assert!(matches!(refused, EmbedError::OverBudget(_)), "{refused}");
    assert!(refused.again_after(0) <= Duration::from_secs(300));
    assert_eq!((server.asked().len(), limited.paused_for()), (1, None));
    store.close().await;
    assert!(matches!(paid.query("b").await, Err(EmbedError::Ledger(_))), "it fails closed");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_text_without_a_usable_vector_holds_up_no_other() {
    let server = Server::start(|_, texts| {
        let row = |text: &String| match text.contains("---") {
            true => json!({ "embedding": [0.0, 0.0] }),
            false => json!({ "embedding": [text.len() as f32, 1.0] }),
        };
        let data: Vec<Value> = texts.iter().map(row).collect();
        Some((200, json!({ "data": data }).to_string()))
    })
    .await;
    let embedder = embedder(server.settings(), None);
    let asked = ["xx".to_owned(), "-".repeat(900), "xxxx".to_owned()];
    let mut made = Vec::new();
    while made.len() < asked.len() {
        made.extend(embedder.passages(&asked[made.len()..]).await.expect("some vectors"));
    }
    assert_eq!((lengths(&made[..1]), lengths(&made[2..])), (vec![2], vec![4]));
    assert!(server.asked().len() < 20, "{}", server.asked().len());
}

#[tokio::test]
async fn what_has_its_vector_is_kept_when_a_later_request_fails() {
    let server = Server::start(|number, texts| match number {
        0 => vectors(texts),
        _ => Some((500, "down".to_owned())),
    })
    .await;
    let made = embedder(server.settings(), None).passages(&texts(1..=100)).await;
    assert_eq!(lengths(&made.expect("the first ones")), (1..=8).collect::<Vec<_>>());
}
