//! What every place for vectors must do, run against the one in memory, against Qdrant as a strict fake has it, and
//! against a real server when `KATANA_TEST_QDRANT_URL` names one.

mod fake;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use self::fake::FakeQdrant;
use super::*;
use crate::knowledge::{Copies, Embedder, EmbedderSettings, Meanings, Searcher};
use crate::observe::vitals::Vitals;
use crate::provider::{EmbeddingsSettings, QdrantServer, QdrantSettings};
use crate::store::{
    Embedding, Generation, GenerationId, GenerationState, Index, NewDocument, NewPassage,
};

fn item(passage: i64, source: &str, vector: [f32; 3]) -> Item {
    let (passage, source) = (PassageId(passage), source.to_owned());
    Item { passage, source, vector: Numbers::Exact(vector.to_vec()) }
}

fn ids(found: &[(PassageId, f32)]) -> Vec<i64> {
    found.iter().map(|(passage, _)| passage.0).collect()
}

fn generation() -> Generation {
    Generation {
        id: GenerationId(3),
        embedding: Embedding::default(),
        state: GenerationState::Active,
        embedded: 0,
        begun_ms: 255,
        activated_ms: None,
    }
}

async fn qdrant(
    url: &str,
    key: Option<&str>,
    collection: &str,
    dimensions: usize,
) -> Result<Qdrant, VectorError> {
    let api_key = key.map(SecretString::from);
    let settings =
        QdrantSettings { url: url.to_owned(), api_key, timeout: Duration::from_secs(10) };
    Qdrant::open(Arc::new(QdrantServer::new(settings).unwrap()), collection.to_owned(), dimensions)
        .await
}

/// The contract. The copy is empty, has three dimensions, and is empty afterwards.
async fn keeps_the_contract(copy: &dyn VectorIndex) {
    assert_eq!(copy.count().await.unwrap(), 0);
    assert!(copy.search(&[1.0, 0.0, 0.0], 3, None).await.unwrap().is_empty());
    let items = vec![
        item(1, "guide", [2.0, 0.0, 0.0]),
        item(2, "guide", [1.0, 1.0, 0.0]),
        item(3, "notes", [0.0, 1.0, 0.0]),
        item(40, "notes", [-1.0, 0.0, 0.1]),
    ];
    copy.put(items).await.unwrap();
    // What was put can be searched, best first, by direction and not by length.
    let found = copy.search(&[3.0, 0.1, 0.0], 3, None).await.unwrap();
    assert_eq!(ids(&found), [1, 2, 3]);
    assert!((found[0].1 - 1.0).abs() < 0.01 && (found[1].1 - 0.73).abs() < 0.02, "{found:?}");
    // Sources.
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let notes = copy.search(&[1.0, 0.0, 0.0], 9, Some(&of(&["notes"]))).await.unwrap();
    assert_eq!(ids(&notes), [3, 40]);
    let both =
        copy.search(&[1.0, 0.0, 0.0], 9, Some(&of(&["notes", "guide", "other"]))).await.unwrap();
    assert_eq!(both.len(), 4);
    assert!(copy.search(&[1.0, 0.0, 0.0], 9, Some(&of(&["other"]))).await.unwrap().is_empty());
    assert!(copy.search(&[1.0, 0.0, 0.0], 9, Some(&[])).await.unwrap().is_empty());
    // Pages of numbers.
    assert_eq!(copy.numbers(PassageId(0), 2).await.unwrap(), [PassageId(1), PassageId(2)]);
    assert_eq!(copy.numbers(PassageId(2), 9).await.unwrap(), [PassageId(3), PassageId(40)]);
    assert!(copy.numbers(PassageId(40), 9).await.unwrap().is_empty());
    // The same passage again takes the place of the first.
    copy.put(vec![item(2, "notes", [0.0, 0.0, 1.0])]).await.unwrap();
    assert_eq!(copy.count().await.unwrap(), 4);
    assert_eq!(ids(&copy.search(&[0.0, 0.0, 1.0], 1, Some(&of(&["notes"]))).await.unwrap()), [2]);
    // What is removed is not found; what was not there does not matter.
    copy.remove(vec![PassageId(1), PassageId(77)]).await.unwrap();
    assert_eq!(copy.count().await.unwrap(), 3);
    assert!(!ids(&copy.search(&[1.0, 0.0, 0.0], 9, None).await.unwrap()).contains(&1));
    // Another length is an error and changes nothing.
    let long = Item { vector: Numbers::Exact(vec![1.0; 4]), ..item(5, "guide", [0.0; 3]) };
    assert!(matches!(
        copy.put(vec![long]).await,
        Err(VectorError::Dimensions { got: 4, wanted: 3 })
    ));
    assert!(matches!(copy.search(&[1.0; 4], 1, None).await, Err(VectorError::Dimensions { .. })));
    assert_eq!(copy.count().await.unwrap(), 3);
    // More than fit into one request.
    let many: Vec<Item> = (100..1300).map(|id| item(id, "many", [0.5, id as f32, 1.0])).collect();
    copy.put(many).await.unwrap();
    assert_eq!(copy.count().await.unwrap(), 1203);
    copy.remove((100..1300).map(PassageId).collect()).await.unwrap();
    assert_eq!(copy.count().await.unwrap(), 3);
    copy.remove([2, 3, 40].map(PassageId).to_vec()).await.unwrap();
    assert_eq!(copy.count().await.unwrap(), 0);
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    keeps_the_contract(&Embedded::new(3)).await;
}

#[tokio::test]
async fn qdrant_keeps_the_contract() {
    let server = FakeQdrant::start(Some("key-of-qdrant")).await;
    let copy = qdrant(&server.url, Some("key-of-qdrant"), "katana-1", 3).await.unwrap();
    keeps_the_contract(&copy).await;
    assert_eq!(copy.snapshot().await.unwrap(), "katana-1.snapshot");
    assert!(
        qdrant(&server.url, Some("key-of-qdrant"), "katana-1", 3).await.is_ok(),
        "it is there already"
    );
    copy.drop_generation().await.unwrap();
    copy.drop_generation().await.unwrap();
    let gone = copy.count().await.unwrap_err().to_string();
    assert!(gone.contains("katana-1") && gone.contains("is not there"), "{gone}");
    assert_eq!(server.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_real_qdrant_keeps_the_contract() {
    let Ok(url) = std::env::var("KATANA_TEST_QDRANT_URL") else {
        eprintln!(
            "!!! KATANA_TEST_QDRANT_URL is not set: the contract is NOT run against a real Qdrant."
        );
        return;
    };
    let key = std::env::var("KATANA_TEST_QDRANT_KEY").ok();
    let name = format!("katana-test-{}", std::process::id());
    let copy = qdrant(&url, key.as_deref(), &name, 3).await.unwrap();
    keeps_the_contract(&copy).await;
    let other = qdrant(&url, key.as_deref(), &name, 4).await;
    copy.drop_generation().await.unwrap();
    assert!(matches!(other, Err(VectorError::Collection { .. })), "{other:?}");
}

#[tokio::test]
async fn another_collection_under_the_name_is_named_and_untouched() {
    let server = FakeQdrant::start(None).await;
    let copy = qdrant(&server.url, None, "katana-1", 3).await.unwrap();
    copy.put(vec![item(1, "guide", [1.0, 0.0, 0.0])]).await.unwrap();
    let problem = qdrant(&server.url, None, "katana-1", 768).await.unwrap_err().to_string();
    assert!(
        problem.contains("3 dimensions, not of 768") && problem.contains("qdrant.collection"),
        "{problem}"
    );
    server.compare_by("katana-1", "Euclid");
    let problem = qdrant(&server.url, None, "katana-1", 3).await.unwrap_err().to_string();
    assert!(problem.contains("by Euclid"), "{problem}");
    assert_eq!(copy.count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_fails_is_named_and_its_key_is_not() {
    let server = FakeQdrant::start(Some("key-of-qdrant")).await;
    let refused = qdrant(&server.url, Some("another-secret"), "katana-1", 3).await.unwrap_err();
    assert!(refused.is_servers(), "{refused:?}");
    let text = format!("{refused} {refused:?}");
    assert!(text.contains("Invalid API key") && !text.contains("another-secret"), "{text}");
    server.fail_next(503, "shard is not ready");
    let failed =
        qdrant(&server.url, Some("key-of-qdrant"), "katana-1", 3).await.unwrap_err().to_string();
    assert!(failed.contains("shard is not ready"), "{failed}");
    let gone = qdrant("http://127.0.0.1:1", None, "katana-1", 3).await.unwrap_err();
    assert!(gone.is_servers(), "{gone:?}");
}

#[test]
fn a_collection_is_named_after_its_generation() {
    assert_eq!(Qdrant::collection_of("katana", &generation()), "katana-3-ff");
}

/// Vectors of a server that is not there.
fn of_model(model: &str) -> Embedding {
    let (model, base_url) = (model.to_owned(), "http://127.0.0.1:1/v1".to_owned());
    Embedding { model, base_url, ..Embedding::default() }
}

/// An index with a passage and a vector for each number.
async fn index(count: u8) -> (Index, GenerationId) {
    let index = Index::in_memory().unwrap();
    let passage =
        |n: u8| NewPassage { hash: [n; 32], text: format!("text {n}"), ..NewPassage::default() };
    let passages: Vec<NewPassage> = (0..count).map(passage).collect();
    let document = NewDocument {
        source: "guide".into(),
        path: "a.md".into(),
        passages,
        ..NewDocument::default()
    };
    index.put(document).await.unwrap();
    let generation = index.begin_generation(of_model("one"), 1).await.unwrap();
    let vectors = (0..count).map(|n| ([n; 32], vec![f32::from(n), 1.0, 0.0])).collect();
    index.put_vectors(generation, vectors).await.unwrap();
    (index, generation)
}

#[tokio::test]
async fn a_copy_is_brought_in_line_with_the_index() {
    let (index, generation) = index(50).await;
    let server = FakeQdrant::start(None).await;
    let remote = qdrant(&server.url, None, "katana-1", 3).await.unwrap();
    for copy in [&Embedded::new(3) as &dyn VectorIndex, &remote] {
        assert_eq!(fill(&index, generation, copy).await.unwrap(), Filled { put: 50, removed: 0 });
        assert_eq!(fill(&index, generation, copy).await.unwrap(), Filled::default());
        copy.remove(vec![PassageId(7), PassageId(50)]).await.unwrap();
        copy.put(vec![item(2000, "guide", [1.0, 0.0, 0.0]), item(51, "guide", [1.0, 0.0, 0.0])])
            .await
            .unwrap();
        assert_eq!(fill(&index, generation, copy).await.unwrap(), Filled { put: 2, removed: 2 });
        let found = copy.search(&[6.0, 1.0, 0.0], 1, None).await.unwrap();
        assert_eq!((ids(&found), copy.count().await.unwrap()), (vec![7], 50), "{}", copy.name());
    }
    assert_eq!(server.complaints(), Vec::<String>::new());
}

/// What follows an index with its vectors in this server, and what searches them.
fn following(index: &Index, copies: Copies) -> (Meanings, Searcher) {
    let settings = EmbedderSettings {
        server: EmbeddingsSettings { base_url: "http://127.0.0.1:1/v1".into(), ..<_>::default() },
        ..EmbedderSettings::default()
    };
    let vitals: Arc<Vitals> = Arc::default();
    let embedder = Embedder::new(settings, None, Arc::clone(&vitals)).unwrap();
    let searcher = Searcher::new(index.clone(), Arc::clone(&vitals));
    (Meanings::new(index.clone(), copies, Arc::new(embedder), None, vitals), searcher)
}

#[tokio::test]
async fn copies_of_dropped_generations_go_and_what_fails_is_tried_again() {
    let (index, first) = index(3).await;
    let server = FakeQdrant::start(None).await;
    let settings =
        QdrantSettings { url: server.url.clone(), api_key: None, timeout: Duration::from_secs(10) };
    let qdrant = Arc::new(QdrantServer::new(settings).unwrap());
    let copies = Copies::Qdrant { server: qdrant, prefix: "k".into() };
    let (meanings, searcher) = following(&index, copies);
    let mut begun_ms = 1;
    let mut generation = first;
    for model in ["two", "three", "four"] {
        index.activate(generation, begun_ms).await.unwrap();
        index.prune(1).await.unwrap();
        meanings.follow(&searcher).await.unwrap();
        begun_ms += 1;
        generation = index.begin_generation(of_model(model), begun_ms).await.unwrap();
        let vectors = (0..3).map(|n| ([n; 32], vec![f32::from(n), 1.0, 0.0])).collect();
        index.put_vectors(generation, vectors).await.unwrap();
    }
    assert_eq!(server.collections(), ["k-2-2", "k-3-3"], "the one in use, and the one before it");
    index.activate(generation, begun_ms).await.unwrap();
    index.prune(1).await.unwrap();
    server.set_down(true);
    meanings.follow(&searcher).await.unwrap_err();
    server.set_down(false);
    assert_eq!(server.collections(), ["k-2-2", "k-3-3"]);
    meanings.follow(&searcher).await.unwrap();
    assert_eq!(server.collections(), ["k-3-3", "k-4-4"]);
    assert_eq!(server.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn an_index_that_is_made_again_has_no_vectors_of_the_one_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(&dir.path().join("i.db")).unwrap();
    let (meanings, searcher) = following(&index, Copies::Memory);
    let mut nearest = Vec::new();
    for (begun_ms, vector) in [(1, vec![1.0, 0.0]), (2, vec![0.0, 1.0])] {
        let passage = NewPassage { hash: [7; 32], text: "text".into(), ..NewPassage::default() };
        let passages = vec![passage];
        index.put(NewDocument { passages, ..NewDocument::default() }).await.unwrap();
        let generation = index.begin_generation(of_model("one"), begun_ms).await.unwrap();
        index.put_vectors(generation, vec![([7; 32], vector)]).await.unwrap();
        index.activate(generation, begun_ms).await.unwrap();
        meanings.follow(&searcher).await.unwrap();
        let copy = Arc::clone(searcher.meanings()[0].vectors());
        nearest.extend(copy.search(&[0.0, 1.0], 1, None).await.unwrap());
        index.start_over().await.unwrap();
    }
    assert_eq!(nearest[0].0, nearest[1].0, "the same numbers");
    assert!(nearest[0].1 < 0.1 && nearest[1].1 > 0.9, "{nearest:?}");
}
