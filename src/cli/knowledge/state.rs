//! What the index says of itself, gathered once for people and for programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::store::{Generation, GenerationState, Index, KnownDocument, Look, StoreError};

/// Everything that is shown.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Where the index lies.
    pub(super) path: PathBuf,
    /// Sources, in the order of their names.
    pub(super) sources: BTreeMap<String, Counted>,
    /// Documents by what they are, as their endings say.
    pub(super) formats: BTreeMap<String, u64>,
    /// Documents that cannot be read.
    pub(super) unreadable: Vec<Named>,
    /// Why it cannot grow.
    pub(super) paused: Option<String>,
    /// The last look through the folders.
    pub(super) look: Option<Look>,
    /// Documents with a remark.
    pub(super) remarks: Vec<Named>,
    /// All of them.
    pub(super) total: Counted,
    /// Vectors.
    pub(super) generations: Vec<Vectors>,
    /// When a document was last read, Unix milliseconds.
    pub(super) newest_ms: Option<i64>,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) documents: u64,
    pub(super) unreadable: u64,
    pub(super) passages: u64,
}

/// A document, and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) text: String,
}

/// How far the vectors of a model are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Vectors {
    pub(super) id: i64,
    pub(super) state: GenerationState,
    pub(super) model: String,
    pub(super) dimensions: u32,
    pub(super) embedded: u64,
    /// Texts that will have one.
    pub(super) of: u64,
    /// How long the rest takes at the pace so far, in seconds.
    pub(super) eta_s: Option<u64>,
}

impl Counted {
    fn add(&mut self, document: &KnownDocument) {
        self.documents += 1;
        self.unreadable += u64::from(document.problem.is_some());
        self.passages += document.passages;
    }
}

impl State {
    /// Reads the index beside the process that keeps it; `None` where there is none yet.
    pub(super) async fn read(config: &Config, now_ms: i64) -> Result<Option<Self>, StoreError> {
        let path = config.knowledge.index_path.clone();
        if !path.exists() {
            return Ok(None);
        }
        let index = Index::visit(&path)?;
        let mut state = Self::of(index.documents().await?);
        state.path = path;
        let texts = index.totals().await?.texts;
        state.look = index.last_look().await?;
        state.paused = index.room(0).await.err().map(|e| e.to_string());
        let generations = index.generations().await?.into_iter();
        state.generations = generations.map(|one| vectors(&one, texts, now_ms)).collect();
        Ok(Some(state))
    }

    /// Whether a look at the folders has ended, and none was cut off since.
    pub(super) fn is_complete(&self) -> bool {
        self.look.as_ref().is_some_and(|look| look.ended_ms.is_some())
    }

    fn of(documents: Vec<KnownDocument>) -> Self {
        let mut state = Self::default();
        for document in documents {
            state.total.add(&document);
            state.sources.entry(document.source.clone()).or_default().add(&document);
            *state.formats.entry(ending(&document.path)).or_default() += 1;
            state.newest_ms = state.newest_ms.max(Some(document.indexed_ms));
            let name = format!("{}/{}", document.source, document.path);
            match (document.problem, document.remark) {
                (Some(text), _) => state.unreadable.push(Named { name, text }),
                (None, Some(text)) => state.remarks.push(Named { name, text }),
                (None, None) => {}
            }
        }
        state
    }
}

fn vectors(generation: &Generation, texts: u64, now_ms: i64) -> Vectors {
    let Generation { id, embedding, state, embedded, begun_ms, .. } = generation;
    // A generation that is begun is embedded without a pause; of the others only what is new is.
    let took_s = now_ms.saturating_sub(*begun_ms).max(0) as f64 / 1e3;
    let per_s = *embedded as f64 / took_s.max(1.0);
    let left = texts.saturating_sub(*embedded);
    let is_going = *state == GenerationState::Building && per_s > 0.0 && left > 0;
    Vectors {
        id: id.0,
        state: *state,
        model: embedding.model.clone(),
        dimensions: embedding.dimensions,
        embedded: *embedded,
        of: texts,
        // A cast saturates.
        eta_s: is_going.then(|| (left as f64 / per_s).ceil() as u64),
    }
}

/// The ending of a file's name in small letters.
fn ending(path: &str) -> String {
    let ending = Path::new(path).extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.unwrap_or_else(|| "no ending".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Embedding, GenerationId};

    #[test]
    fn documents_are_counted_by_source_and_format_and_the_unreadable_named() {
        let document = |source: &str, path: &str, problem: Option<&str>| KnownDocument {
            source: source.to_owned(),
            path: path.to_owned(),
            problem: problem.map(str::to_owned),
            passages: if problem.is_some() { 0 } else { 3 },
            ..KnownDocument::default()
        };
        let state = State::of(vec![
            document("documents", "a.md", None),
            document("documents", "b/C.MD", None),
            document("handbook", "scan.pdf", Some("it has no text; OCR it")),
            document("handbook", "LICENSE", None),
        ]);
        assert_eq!(state.total, Counted { documents: 4, unreadable: 1, passages: 9 });
        assert_eq!(state.sources["handbook"].documents, 2);
        let formats: Vec<(&str, u64)> = state.formats.iter().map(|(f, n)| (&**f, *n)).collect();
        assert_eq!(formats, [("md", 2), ("no ending", 1), ("pdf", 1)]);
        let text = "it has no text; OCR it".to_owned();
        assert_eq!(state.unreadable, [Named { name: "handbook/scan.pdf".to_owned(), text }]);
    }

    #[test]
    fn only_what_is_being_built_has_a_pace() {
        let of = |state| Generation {
            id: GenerationId(1),
            embedding: Embedding::default(),
            state,
            embedded: 100,
            begun_ms: 0,
            activated_ms: None,
        };
        let eta = |state| vectors(&of(state), 400, 50_000).eta_s;
        assert_eq!(eta(GenerationState::Building), Some(150));
        assert_eq!(eta(GenerationState::Active), None);
        assert_eq!(vectors(&of(GenerationState::Building), 100, 50_000).eta_s, None);
    }
}
