//! Whole searches, as a question has them: words, vectors, and one list of both; over an index on a real disk.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use katana::knowledge::{Copies, Embedder, EmbedderSettings, Meanings, SearchRequest, Searcher};
use katana::observe::vitals::Vitals;
use katana::provider::EmbeddingsSettings;
use katana::store::{Embedding, GenerationId, Hash, Index, NewDocument, NewPassage};
use vecscan::plain;
use words::{Language, prepared};

use crate::texts::Texts;
use crate::vectors::{DIMENSIONS, Server, vector};

const QUESTIONS: usize = 60;
const FOUND: usize = 5;
/// Passages of a document.
const DOCUMENT: usize = 10;
/// Vectors that are stored at once.
const BATCH: usize = 1000;

/// What was measured over an index of one size.
pub(crate) struct Figures {
    pub(crate) passages: usize,
    /// A plain scan over all numbers, for its nearest ten.
    pub(crate) plain: Spread,
    pub(crate) words: Spread,
    pub(crate) both: Spread,
    /// Until the vectors of an index that is there are searched.
    pub(crate) opened: Duration,
    pub(crate) vector_bytes: usize,
    pub(crate) index_bytes: u64,
}

/// The middle of what was measured, and what only one of twenty exceeds.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
}

impl Spread {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort();
        Self { p50: all[all.len() / 2], p95: all[all.len() * 19 / 20] }
    }
}

/// Fills an index and searches it.
pub(crate) async fn measure(passages: usize, folder: &Path) -> Figures {
    let folder = tempfile::tempdir_in(folder).expect("the target directory can be written");
    let path = folder.path().join("index.db");
    let server = Server::start().await;
    let settings = settings(&server.url);
    let mut texts = Texts::new();
    let all = {
        let index = Index::open(&path).expect("an index");
        let embedding = Embedding { dimensions: DIMENSIONS as u32, ..settings.embedding() };
        let generation = index.begin_generation(embedding, 0).await.expect("a generation");
        let all = fill(&index, generation, &mut texts, passages).await;
        index.activate(generation, 0).await.expect("it is there");
        all
    };
    let index = Index::open(&path).expect("an index");
    let vitals: Arc<Vitals> = Arc::default();
    let embedder = Embedder::new(settings, None, Arc::clone(&vitals)).expect("an embedder");
    let meanings =
        Meanings::new(index.clone(), Copies::Memory, Arc::new(embedder), None, Arc::clone(&vitals));
    let searcher = Searcher::new(index.clone(), vitals);
    let questions: Vec<String> = (0..QUESTIONS).map(|_| texts.question()).collect();
    let words = spread(&searcher, &questions, false).await;
    let generation = index.generations().await.expect("one").remove(0);
    let begun = Instant::now();
    let meaning = meanings.open(&generation).await.expect("vectors");
    let opened = begun.elapsed();
    searcher.use_meanings(vec![meaning]);
    meanings.follow(&searcher).await.expect("vectors");
    let both = spread(&searcher, &questions, true).await;
    let plain = questions.iter().map(|question| {
        let question = vector(question);
        let begun = Instant::now();
        std::hint::black_box(plain::nearest(&all, &question, 10));
        begun.elapsed()
    });
    let plain = Spread::of(plain.collect());
    let vector_bytes = searcher.meanings()[0].vectors().bytes() / passages;
    let index_bytes = std::fs::metadata(&path).map_or(0, |about| about.len());
    Figures { passages, plain, words, both, opened, vector_bytes, index_bytes }
}

fn settings(url: &str) -> EmbedderSettings {
    EmbedderSettings {
        server: EmbeddingsSettings {
            base_url: url.to_owned(),
            model: "bench".to_owned(),
            dimensions: DIMENSIONS,
            timeout: Duration::from_secs(30),
            ..EmbeddingsSettings::default()
        },
        batch: 64,
        cache_entries: 2 * QUESTIONS,
        query_timeout: Duration::from_secs(30),
        ..EmbedderSettings::default()
    }
}

/// Documents with their vectors; answers all numbers of these.
async fn fill(
    index: &Index,
    generation: GenerationId,
    texts: &mut Texts,
    passages: usize,
) -> Vec<f32> {
    let mut all = Vec::with_capacity(passages * DIMENSIONS);
    let mut waiting: Vec<(Hash, Vec<f32>)> = Vec::new();
    for document in 0..passages / DOCUMENT {
        let passage = |place: usize| {
            let number = document * DOCUMENT + place;
            let mut hash = Hash::default();
            // Mixed, as a hash is: the order of a table is not that of its hashes.
            let mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            hash[..8].copy_from_slice(&mixed.to_be_bytes());
            hash[24..].copy_from_slice(&(number as u64).to_be_bytes());
            let (title, text) = (texts.title(), texts.passage());
            let (title_words, text_words) = prepared(&title, &text, Some(Language::ENGLISH));
            let language = Some(Language::ENGLISH.code().to_owned());
            NewPassage {
                title,
                text,
                title_words,
                text_words,
                language,
                hash,
                ..NewPassage::default()
            }
        };
        let passages: Vec<NewPassage> = (0..DOCUMENT).map(passage).collect();
        for passage in &passages {
            let vector = vector(&passage.text);
            all.extend_from_slice(&vector);
            waiting.push((passage.hash, vector));
        }
        let path = format!("{}/{document}.md", document % 100);
        let source = "documents".to_owned();
        let document = NewDocument { source, path, passages, ..NewDocument::default() };
        index.put(document).await.expect("it is stored");
        if waiting.len() >= BATCH {
            let vectors = std::mem::take(&mut waiting);
            index.put_vectors(generation, vectors).await.expect("they are stored");
        }
    }
    index.put_vectors(generation, waiting).await.expect("they are stored");
    all
}

/// Each question once to have its vector, which is the server's time, and once to be measured.
async fn spread(searcher: &Searcher, questions: &[String], by_vectors: bool) -> Spread {
    let mut took = Vec::new();
    for is_measured in [false, true] {
        for question in questions {
            let begun = Instant::now();
            let hits =
                searcher.search(&SearchRequest::of(question, FOUND)).await.expect("a search");
            assert_eq!(hits.by_vectors, by_vectors, "{question}");
            if is_measured {
                took.push(begun.elapsed());
            }
        }
    }
    Spread::of(took)
}
