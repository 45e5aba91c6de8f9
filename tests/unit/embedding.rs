//! Vectors in the background: resumed, never made twice, swapped when they are complete.

use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::EmbedderSettings;
use super::*;
use crate::provider::EmbeddingsSettings;
use crate::store::{NewDocument, NewPassage};

/// A server whose vectors have so many dimensions; answers what it was asked for.
async fn server(dimensions: usize) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let body: Value = loop {
                socket.read_buf(&mut bytes).await.unwrap();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
                if let Some(value) = body.and_then(|body| serde_json::from_str(body).ok()) {
                    break value;
                }
            };
            let texts: Vec<String> = serde_json::from_value(body["input"].clone()).unwrap();
            let row = |text: &String| json!({ "embedding": vec![text.len() as f32; dimensions] });
            let data: Vec<Value> = texts.iter().map(row).collect();
            seen.lock().unwrap().extend(texts);
            let body = json!({ "data": data }).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            socket.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
        }
    });
    (url, asked)
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
    let (url, asked) = server(3).await;
    let index = Index::in_memory().unwrap();
    put(&index, "a.md", &["one", "two", "three"]).await;
    let mut first = embedding(&index, &url, "m", true);
    assert_eq!(first.step().await.unwrap(), Step::Embedded(2));
    assert_eq!(asked.lock().unwrap().clone(), ["T\none", "T\nthree"]);
    // Another process goes on where that one was.
    let mut next = embedding(&index, &url, "m", true);
    let mut said = Vec::new();
    next.complete(|progress| said.push((progress.embedded, progress.of))).await.unwrap();
    assert_eq!(asked.lock().unwrap().len(), 3, "nothing was asked for twice");
    assert_eq!(states(&index).await, [(1, Active, 3)]);
    assert_eq!(next.step().await.unwrap(), Step::Idle);

    put(&index, "a.md", &["one", "four", "three"]).await;
    next.complete(|_| ()).await.unwrap();
    assert_eq!(asked.lock().unwrap()[3..], ["T\nfour"], "unchanged text is never embedded again");
    let shown = next.vitals.index.load();
    let active = shown.active.as_ref().expect("in use");
    assert_eq!((shown.passages, active.left(), &*active.model), (3, 0, "m"));
}

#[tokio::test]
async fn another_model_is_built_beside_the_old_one_and_swapped_when_complete() {
    use GenerationState::{Active, Building, Old};
    let (url, _) = server(3).await;
    let (other, asked) = server(5).await;
    let index = Index::in_memory().unwrap();
    put(&index, "a.md", &["one", "two", "three"]).await;
    embedding(&index, &url, "m", true).complete(|_| ()).await.unwrap();

    let mut manual = embedding(&index, &other, "n", false);
    manual.complete(|_| ()).await.unwrap();
    assert_eq!(states(&index).await, [(1, Active, 3), (2, Building, 3)], "until someone says so");
    assert_eq!(asked.lock().unwrap().len(), 3);
    let mut auto = embedding(&index, &other, "n", true);
    assert_eq!(auto.step().await.unwrap(), Step::Swapped(GenerationId(2)));
    assert_eq!(states(&index).await, [(1, Old, 3), (2, Active, 3)]);
    assert_eq!(asked.lock().unwrap().len(), 3, "its vectors were there");

    let generation = &index.generations().await.unwrap()[0];
    let old = settings(&other, "n").of(&generation.embedding);
    assert_eq!((&*old.server.model, &*old.server.base_url), ("m", &*url));
}

#[tokio::test]
async fn an_index_without_passages_swaps_nothing() {
    let (url, asked) = server(3).await;
    let index = Index::in_memory().unwrap();
    let mut embedding = embedding(&index, &url, "m", true);
    assert_eq!(embedding.step().await.unwrap(), Step::Idle);
    assert!(asked.lock().unwrap().is_empty());
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
