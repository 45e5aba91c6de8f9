//! Vectors in the background: resumed, never made twice, swapped when they are complete.

use serde_json::{Value, json};

use super::super::EmbedderSettings;
use super::*;
use crate::knowledge::embedding_server::Server;
use crate::provider::EmbeddingsSettings;
use crate::store::{NewDocument, NewPassage};

/// A server whose vectors have so many dimensions.
async fn server(dimensions: usize) -> Server {
    Server::start(move |_, texts| {
        let row = |text: &String| json!({ "embedding": vec![text.len() as f32; dimensions] });
        let data: Vec<Value> = texts.iter().map(row).collect();
        Some((200, json!({ "data": data }).to_string()))
    })
    .await
}

fn settings(url: &str, model: &str) -> EmbedderSettings {
    EmbedderSettings {
        server: EmbeddingsSettings {
            base_url: url.to_owned(),
            model: model.to_owned(),
            timeout: Duration::from_secs(5),
            ..EmbeddingsSettings::default()
        },
        batch: 2,
        query_timeout: Duration::from_secs(2),
        ..EmbedderSettings::default()
    }
}

fn embedding(index: &Index, url: &str, model: &str, swaps: bool) -> Embedding {
    let vitals: Arc<Vitals> = Arc::default();
    let embedder = Embedder::new(settings(url, model), None, Arc::clone(&vitals)).unwrap();
    Embedding::new(index.clone(), Arc::new(embedder), vitals, Clock::system(), swaps)
}

async fn put(index: &Index, path: &str, texts: &[&str]) {
    let passage = |text: &&str| NewPassage {
        title: "T".to_owned(),
        text: (*text).to_owned(),
        hash: std::array::from_fn(|n| *text.as_bytes().get(n).unwrap_or(&0)),
        ..NewPassage::default()
    };
    let passages = texts.iter().map(passage).collect();
    let (source, path) = ("documents".to_owned(), path.to_owned());
    index.put(NewDocument { source, path, passages, ..NewDocument::default() }).await.unwrap();
}

async fn states(index: &Index) -> Vec<(i64, GenerationState, u64)> {
    let all = index.generations().await.unwrap();
    all.iter().map(|one| (one.id.0, one.state, one.embedded)).collect()
}

#[tokio::test]
async fn what_is_missing_is_embedded_once_and_what_has_changed_again() {
    use GenerationState::Active;
    let server = server(3).await;
    let index = Index::in_memory().unwrap();
    put(&index, "a.md", &["one", "two", "three"]).await;
    let mut first = embedding(&index, &server.url, "m", true);
    assert_eq!(first.step().await.unwrap(), Step::Embedded(2));
    assert_eq!(server.texts(), ["T\none", "T\nthree"]);
    // Another process goes on where that one was.
    let mut next = embedding(&index, &server.url, "m", true);
    let mut said = Vec::new();
    next.complete(|progress| said.push((progress.embedded, progress.of))).await.unwrap();
    assert_eq!(server.texts().len(), 3, "nothing was asked for twice");
    assert_eq!(states(&index).await, [(1, Active, 3)]);
    assert_eq!(next.step().await.unwrap(), Step::Idle);

    put(&index, "a.md", &["one", "four", "three"]).await;
    next.complete(|_| ()).await.unwrap();
    assert_eq!(server.texts()[3..], ["T\nfour"], "unchanged text is never embedded again");
    let shown = next.vitals.index.load();
    let active = shown.active.as_ref().expect("in use");
    assert_eq!((shown.passages, active.left(), &*active.model), (3, 0, "m"));
}

#[tokio::test]
async fn another_model_is_built_beside_the_old_one_and_swapped_when_complete() {
    use GenerationState::{Active, Building, Old};
    let first = server(3).await;
    let other = server(5).await;
    let index = Index::in_memory().unwrap();
    put(&index, "a.md", &["one", "two", "three"]).await;
    embedding(&index, &first.url, "m", true).complete(|_| ()).await.unwrap();

    let mut manual = embedding(&index, &other.url, "n", false);
    manual.complete(|_| ()).await.unwrap();
    assert_eq!(states(&index).await, [(1, Active, 3), (2, Building, 3)], "until someone says so");
    assert_eq!(other.texts().len(), 3);
    let mut auto = embedding(&index, &other.url, "n", true);
    assert_eq!(auto.step().await.unwrap(), Step::Swapped(GenerationId(2)));
    assert_eq!(states(&index).await, [(1, Old, 3), (2, Active, 3)]);
    assert_eq!(other.texts().len(), 3, "its vectors were there");

    let generation = &index.generations().await.unwrap()[0];
    let old = settings(&other.url, "n").of(&generation.embedding);
    assert_eq!((&*old.server.model, &*old.server.base_url), ("m", &*first.url));
}

#[tokio::test]
async fn an_index_without_passages_swaps_nothing() {
    let server = server(3).await;
    let index = Index::in_memory().unwrap();
    let mut embedding = embedding(&index, &server.url, "m", true);
    assert_eq!(embedding.step().await.unwrap(), Step::Idle);
    assert!(server.texts().is_empty());
}

#[test]
fn a_key_goes_to_no_other_server() {
    let mut mine = settings("https://a.example/v1", "m");
    mine.server.api_key = Some("secret".into());
    let at = |base_url: &str| {
        let base_url = base_url.to_owned();
        let other = crate::store::Embedding { base_url, ..Default::default() };
        mine.of(&other).server.api_key.is_some()
    };
    assert!(at("https://a.example/v2") && !at("https://b.example/v1"));
    assert!(!at("http://a.example/v1") && !at(""));
}

#[tokio::test]
async fn vectors_that_cannot_be_stored_are_not_asked_for_again() {
    let server = server(3).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let index = Index::open(&path).unwrap();
    put(&index, "a.md", &["one", "two"]).await;
    let mut embedding = embedding(&index, &server.url, "m", true);
    embedding.generation().await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let e = embedding.step().await.expect_err("another process writes");
    assert!(matches!(e, EmbeddingError::Store(_)), "{e}");
    let pauses = [embedding.failed(&e), embedding.failed(&e), embedding.failed(&e)];
    assert_eq!(pauses, [AGAIN, AGAIN * 2, AGAIN * 4]);
    other.execute_batch("ROLLBACK").unwrap();
    embedding.complete(|_| ()).await.unwrap();
    assert_eq!(server.texts().len(), 2, "each text was paid for once");
    assert_eq!(states(&index).await, [(1, GenerationState::Active, 2)]);
}

#[tokio::test]
async fn vectors_of_another_length_are_not_kept_and_the_next_ones_are() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_, texts| {
        // Once, as a server does that has another model for a moment.
        let is_odd = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
        let row = |_: &String| json!({ "embedding": vec![1.0; if is_odd { 5 } else { 3 }] });
        let data: Vec<Value> = texts.iter().map(row).collect();
        Some((200, json!({ "data": data }).to_string()))
    })
    .await;
    let index = Index::in_memory().unwrap();
    put(&index, "a.md", &["one", "two", "three"]).await;
    let mut embedding = embedding(&index, &server.url, "m", true);
    assert_eq!(embedding.step().await.unwrap(), Step::Embedded(2));
    let e = embedding.step().await.expect_err("another length");
    assert!(e.to_string().contains("cannot keep vectors"), "{e}");
    embedding.complete(|_| ()).await.unwrap();
    assert_eq!(states(&index).await, [(1, GenerationState::Active, 3)]);
    assert_eq!(server.texts()[2..], ["T\ntwo", "T\ntwo"], "only what was not stored");
}
