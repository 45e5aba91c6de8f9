//! What is found, by words and by meaning, over real indexes and a server that makes vectors.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::knowledge::eval::{EvalError, cases, evaluate};
use crate::knowledge::vectors::{Embedded, fill};
use crate::knowledge::{Embedder, EmbedderSettings};
use crate::observe::clock::Clock;
use crate::provider::EmbeddingsSettings;
use crate::store::{Embedding, NewDocument, NewPassage};

fn vitals() -> Arc<Vitals> {
    Arc::new(Vitals::new(Clock::system()))
}

/// An index of documents, each a path, a title and a text.
async fn index(documents: &[(&str, &str, &str)]) -> Index {
    let index = Index::in_memory().unwrap();
    for (number, (path, title, text)) in documents.iter().enumerate() {
        let language = Language::of(&format!("{title}\n{text}"));
        let (title_words, text_words) = words::prepared(title, text, language);
        let passage = NewPassage {
            title: (*title).into(),
            text: (*text).into(),
            language: language.map(|language| language.code().to_owned()),
            hash: [number as u8 + 1; 32],
            title_words,
            text_words,
            ..NewPassage::default()
        };
        let (source, path) = path.split_once('/').unwrap_or(("documents", path));
        let document = NewDocument {
            source: source.into(),
            path: path.into(),
            passages: vec![passage],
            ..NewDocument::default()
        };
        index.put(document).await.unwrap();
    }
    index
}

fn request(words: &str) -> SearchRequest {
    SearchRequest { words: words.into(), limit: 5, ..SearchRequest::default() }
}

async fn found(searcher: &Searcher, request: &SearchRequest) -> Vec<String> {
    let hits = searcher.search(request).await.unwrap();
    hits.passages.into_iter().map(|(passage, _)| passage.path).collect()
}

const PAGES: &[(&str, &str, &str)] = &[
    ("returns.md", "退货", "客户可以在收到商品后的三十天内退货。退货期限是30天，运费由我们承担。"),
    ("shipping.md", "运输", "我们在两个工作日内发货。运输时间通常是三到五天。"),
    (
        "sandbox.md",
        "サンドボックス",
        "サンドボックスは隔離された環境です。コードを安全に試すことができます。",
    ),
    ("billing.md", "請求", "請求書は毎月一日に送付されます。支払いは銀行振込です。"),
    ("thai.md", "การคืนสินค้า", "ลูกค้าสามารถคืนสินค้าได้ภายในสามสิบวันหลังจากได้รับสินค้า"),
    ("thai2.md", "การจัดส่ง", "เราจัดส่งสินค้าภายในสองวันทำการ"),
    ("korean.md", "환불", "고객은 상품을 받은 후 30일 이내에 환불을 요청할 수 있습니다."),
    ("korean2.md", "배송", "상품은 이틀 안에 배송됩니다."),
    (
        "russian.md",
        "Возврат посылки",
        "Если посылка повреждена, сфотографируйте её и верните отправителю.",
    ),
    ("russian2.md", "Оплата", "Счёт можно оплатить картой или переводом."),
    (
        "config.md",
        "Settings",
        "Set `knowledge.dir` to the folder of your documents. The bot calls getUpdates without end.",
    ),
    (
        "garden.md",
        "Garden",
        "The roses of the garden are watered in the evening, and the hedge is cut in March.",
    ),
];

#[tokio::test]
async fn words_find_passages_in_every_script() {
    let searcher = Searcher::new(index(PAGES).await, vitals());
    for (question, wanted) in [
        ("退货期限是多少天？", "returns.md"),
        ("サンドボックスとは何ですか", "sandbox.md"),
        ("คืนสินค้าได้กี่วัน", "thai.md"),
        ("환불은 언제까지 되나요?", "korean.md"),
        ("Что делать с повреждёнными посылками?", "russian.md"),
        ("what is knowledge.dir", "config.md"),
        ("KNOWLEDGE_DIR", "config.md"),
        ("get updates", "config.md"),
        ("watering roses", "garden.md"),
    ] {
        let found = found(&searcher, &request(question)).await;
        assert_eq!(found.first().map(String::as_str), Some(wanted), "{question}: {found:?}");
    }
}

#[tokio::test]
async fn beginnings_and_slips_find_what_is_meant() {
    let searcher = Searcher::new(index(PAGES).await, vitals());
    for (question, wanted) in
        [("gard", "garden.md"), ("hegde", "garden.md"), ("knowldege.dir", "config.md")]
    {
        let found = found(&searcher, &request(question)).await;
        assert_eq!(found.first().map(String::as_str), Some(wanted), "{question}: {found:?}");
    }
}

#[tokio::test]
async fn a_compound_is_found_by_its_parts_and_an_abbreviation_by_its_plural() {
    let pages = [
        ("pakete.md", "Pakete", "Die Verwaltung der Pakete ist eine Aufgabe von dpkg."),
        (
            "garten.md",
            "Garten",
            "Die Rosen werden am Abend gegossen, die Hecke im März geschnitten.",
        ),
        ("medien.md", "Medien", "Das System wird von einer CD gestartet."),
    ];
    let searcher = Searcher::new(index(&pages).await, vitals());
    for (question, wanted) in
        [("Wer macht die Paketverwaltung?", "pakete.md"), ("Wozu dienen CDs?", "medien.md")]
    {
        assert_eq!(found(&searcher, &request(question)).await, [wanted], "{question}");
    }
}

#[tokio::test]
async fn what_has_too_little_of_a_question_is_not_found() {
    let searcher = Searcher::new(index(PAGES).await, vitals());
    for odd in [
        "zebra",
        "",
        "\"",
        "NEAR(",
        "*",
        "title:x",
        "🙂",
        "Which vaccination does the dog of my brother need in the evening?",
    ] {
        let found = found(&searcher, &request(odd)).await;
        assert!(found.is_empty(), "{odd}: {found:?}");
    }
}

#[tokio::test]
async fn a_search_is_narrowed_by_sources() {
    let pages =
        [("a/one.md", "Roses", "Roses need water."), ("b/two.md", "Roses", "Roses need the sun.")];
    let searcher = Searcher::new(index(&pages).await, vitals());
    let narrowed = SearchRequest { sources: Some(vec!["b".into()]), ..request("roses") };
    assert_eq!(found(&searcher, &narrowed).await, ["two.md"]);
    assert_eq!(found(&searcher, &request("roses")).await.len(), 2);
    let nowhere = SearchRequest { sources: Some(Vec::new()), ..request("roses") };
    assert!(found(&searcher, &nowhere).await.is_empty());
}

#[tokio::test]
async fn the_same_text_is_found_once() {
    let pages =
        [("one.md", "Roses", "Roses need water."), ("two.md", "Roses", "Roses need water.")];
    assert_eq!(
        found(&Searcher::new(index(&pages).await, vitals()), &request("roses")).await.len(),
        1
    );
}

/// A server whose vectors say which of three things a text is about.
async fn embeddings() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let body: serde_json::Value = loop {
                if socket.read_buf(&mut bytes).await.unwrap() == 0 {
                    break serde_json::Value::Null;
                }
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let body = text
                    .split_once("\r\n\r\n")
                    .and_then(|(_, body)| serde_json::from_str(body).ok());
                if let Some(body) = body {
                    break body;
                }
            };
            let about = |text: &str, words: &[&str]| {
                if words.iter().any(|word| text.to_lowercase().contains(word)) { 1.0 } else { 0.05 }
            };
            let vector = |text: &str| {
                let flowers = about(text, &["rose", "flower", "blume"]);
                let money = about(text, &["invoice", "pay", "geld"]);
                let asks = if text.ends_with('?') { 0.3 } else { 0.0 };
                serde_json::json!([flowers, money, about(text, &["dog", "hund"]), 0.1, asks])
            };
            let texts = body["input"].as_array().cloned().unwrap_or_default();
            let data: Vec<_> = texts
                .iter()
                .enumerate()
                .map(|(index, text)| {
                    let embedding = vector(text.as_str().unwrap());
                    serde_json::json!({ "object": "embedding", "index": index, "embedding": embedding })
                })
                .collect();
            let body = serde_json::json!({ "object": "list", "data": data }).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = socket.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await;
        }
    });
    (url, serving)
}

async fn with_meaning(index: &Index, url: &str) -> Meaning {
    let settings = EmbedderSettings {
        server: EmbeddingsSettings {
            base_url: url.to_owned(),
            model: "fake".to_owned(),
            timeout: Duration::from_secs(5),
            ..EmbeddingsSettings::default()
        },
        batch: 8,
        cache_entries: 0,
        query_timeout: Duration::from_secs(5),
        ..EmbedderSettings::default()
    };
    let embedder = Arc::new(Embedder::new(settings, None, vitals()).unwrap());
    let generation = index.begin_generation(Embedding::default(), 1).await.unwrap();
    let missing = index.without_vector(generation, 100).await.unwrap();
    let texts: Vec<String> = missing.iter().map(|one| one.text.clone()).collect();
    let vectors = embedder.passages(&texts).await.unwrap();
    let vectors = missing.into_iter().map(|one| one.hash).zip(vectors).collect();
    index.put_vectors(generation, vectors).await.unwrap();
    let copy = Embedded::new(0);
    fill(index, generation, &copy).await.unwrap();
    Meaning::new(generation, Arc::new(copy), embedder)
}

const ENGLISH: &[(&str, &str, &str)] = &[
    ("garden.md", "Garden", "The roses of the garden are watered in the evening."),
    ("money.md", "Money", "An invoice is due within two weeks, and you pay by card."),
    ("pets.md", "Pets", "A dog may come along, a cat may not."),
    ("house.md", "House", "The windows are cleaned in spring."),
];

#[tokio::test]
async fn meaning_finds_what_has_none_of_the_words_and_its_failure_costs_no_answer() {
    let index = index(ENGLISH).await;
    let (url, serving) = embeddings().await;
    let meaning = Arc::new(with_meaning(&index, &url).await);
    let searcher = Searcher::new(index.clone(), vitals());
    assert!(found(&searcher, &request("Welche Blume wächst dort?")).await.is_empty());
    searcher.use_meanings(vec![Arc::clone(&meaning)]);
    let hits = searcher.search(&request("Welche Blume wächst dort?")).await.unwrap();
    assert!(hits.by_vectors && hits.by_words && hits.no_meaning.is_none());
    assert_eq!(hits.passages[0].0.path, "garden.md");
    // Both ways agree, and the score is the best that there is.
    let hits = searcher.search(&request("Which roses are in the garden?")).await.unwrap();
    assert_eq!((hits.passages[0].0.path.as_str(), hits.passages[0].1), ("garden.md", 1.0));
    // A generation that is not there is searched by words.
    let other = SearchRequest { generation: Some(99), ..request("roses") };
    assert!(!searcher.search(&other).await.unwrap().by_vectors);
    // What follows up is searched for with what was asked before.
    let follow = SearchRequest { earlier: vec!["Is a dog welcome?".into()], ..request("Hm, why?") };
    assert_eq!(found(&searcher, &follow).await.first().map(String::as_str), Some("pets.md"));
    serving.abort();
    let hits = searcher.search(&request("Which roses are watered?")).await.unwrap();
    assert_eq!((hits.by_vectors, hits.passages[0].0.path.as_str()), (false, "garden.md"));
    assert!(matches!(hits.no_meaning, Some(NoMeaning::Embedding(_))));
}

#[tokio::test]
async fn what_is_as_far_as_anything_is_not_found() {
    let index = index(ENGLISH).await;
    let (url, _serving) = embeddings().await;
    let meaning = Arc::new(with_meaning(&index, &url).await);
    assert_eq!(meaning.floor(Some(Language::ENGLISH)), None);
    assert!(meaning.wants_floors());
    meaning.calibrate(&index, &[]).await.unwrap();
    assert!(!meaning.wants_floors());
    let floor = meaning.floor(Some(Language::ENGLISH)).unwrap();
    assert!(floor.likely <= floor.near && floor.near < 1.0);
    // Until it is learned, what is known of another language counts.
    assert_eq!(meaning.floor(Language::of_code("de")), Some(floor));
    assert!(meaning.wants_floors());
    let searcher = Searcher::new(index, vitals());
    searcher.use_meanings(vec![meaning]);
    assert!(found(&searcher, &request("Why is the sky blue?")).await.is_empty());
    let found = found(&searcher, &request("Welche Blumen?")).await;
    assert_eq!(found.first().map(String::as_str), Some("garden.md"));
}

#[tokio::test]
async fn an_evaluation_counts_hits_by_kind() {
    let searcher = Searcher::new(index(ENGLISH).await, vitals());
    let lines = r#"
        {"question": "When are roses watered?", "language": "en", "expect": [{"source": "garden.md"}]}
        {"question": "How do I pay?", "language": "en", "expect": [{"source": "documents/", "text": "BY CARD"}]}
        {"question": "Where are the windows?", "language": "en", "expect": [{"heading": "garden"}]}
        {"question": "zebra", "language": "none", "expect": []}"#;
    let scores = evaluate(&searcher, &cases(lines).unwrap(), None).await.unwrap();
    assert_eq!((scores[0].questions, scores[0].hit_1, scores[0].hit_10), (3, 2, 2));
    assert!(
        (scores[0].mrr - 2.0 / 3.0).abs() < 1e-9 && (scores[0].recall(5) - 2.0 / 3.0).abs() < 1e-9
    );
    assert_eq!((scores[1].unanswerable, scores[1].nothing_found, scores[1].by_vectors), (1, 1, 0));
    let problem =
        cases("{\"question\": \"x\", \"expect\": []}\n{\"q\": 1}").unwrap_err().to_string();
    assert!(problem.starts_with("line 2 is not a question"), "{problem}");
    assert!(matches!(cases("\n"), Err(EvalError::Empty)));
}
