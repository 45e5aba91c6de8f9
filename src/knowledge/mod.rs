//! The operator's own documents, cut into passages that can be searched.
//!
//! Invariants: the files are the truth; the index over them can be made again, and follows them while the bot
//! runs. Files, passages and all of them together have bounds, and what is beyond them is named. Only what lies in
//! a source's folder is read: a link that leads out of it may have been put there to have the bot quote its own
//! token.

mod coverage;
pub mod cut;
mod elsewhere;
mod embedder;
mod embedding;
#[cfg(test)]
#[path = "../../tests/unit/embedding_server.rs"]
mod embedding_server;
pub mod eval;
mod folders;
mod fusion;
mod generations;
mod glob;
mod handle;
mod indexer;
mod learned;
mod meaning;
mod meanings;
mod pages;
mod rate;
pub mod reader;
mod reading;
mod scan;
mod search;
mod source;
mod sync;
pub mod vectors;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use hygiene::beneath::Folder;
use tokio::sync::watch::Receiver;

pub use self::embedder::{EmbedError, Embedder, EmbedderSettings};
pub use self::embedding::{Embedding, EmbeddingError, Step};
use self::folders::Folders;
pub use self::handle::IndexerHandle;
pub use self::indexer::Indexer;
use self::learned::Learned;
pub use self::meaning::{Copies, Meaning, NoMeaning};
pub use self::meanings::Meanings;
pub use self::scan::{doubles, found_in};
pub use self::search::{Hits, SearchRequest, Searcher};
pub use self::source::{LEARNED, MAIN_SOURCE, Source};
pub use self::sync::{Pass, files_by_ending};
use crate::model::conversation::Passage;
use crate::observe::clock::Clock;
use crate::store::{Index, IndexTotals, IndexedPassage, KnownDocument, Store, StoreError, Wanted};

/// Titles of documents that are kept at hand.
const TITLES: usize = 1000;

/// Documents that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// A folder cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The index cannot be used.
    #[error("cannot use the index of the documents")]
    Index(#[from] StoreError),
}

/// The documents of this bot.
#[derive(Debug)]
pub struct Knowledge {
    index: Index,
    sources: ArcSwap<Vec<Source>>,
    /// How much is in the index, as of the last look.
    totals: ArcSwap<IndexTotals>,
    titles: ArcSwap<Vec<String>>,
    /// Sources that could not be read at the last look, each with the reason.
    unreadable: ArcSwap<Vec<(String, String)>>,
    learned: OnceLock<Learned>,
    searcher: Arc<Searcher>,
    folders: Folders,
    /// All of them were looked at, now or before the start: a first look that was cut off does not count.
    is_read: AtomicBool,
}

/// What answers a question, and how it was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Passages, best first.
    pub passages: Vec<Passage>,
    /// Vectors took part.
    pub by_vectors: bool,
    /// Why vectors took no part, although there are some.
    pub no_meaning: Option<NoMeaning>,
}

impl Knowledge {
    /// The documents of these sources, as far as they are in the index.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn over(index: Index, sources: Vec<Source>) -> Result<Self, KnowledgeError> {
        let documents = index.documents_now()?;
        let (totals, titles) = (ArcSwap::default(), ArcSwap::default());
        let (sources, unreadable) = (ArcSwap::from_pointee(sources), ArcSwap::default());
        let searcher = Arc::new(Searcher::new(index.clone(), Arc::default()));
        let learned = OnceLock::new();
        let is_read = AtomicBool::new(index.has_been_looked_through_now()?);
        let folders = Folders::default();
        let this = Self {
            index,
            sources,
            totals,
            titles,
            unreadable,
            learned,
            searcher,
            folders,
            is_read,
        };
        this.know(&documents);
        Ok(this)
    }

    /// Indexes pages that come with the program, each a name and its text.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn of_pages(pages: &[(&str, &str)]) -> Result<Self, KnowledgeError> {
        let this = Self::over(pages::index(pages)?, Vec::new())?;
        this.is_read.store(true, Ordering::SeqCst);
        Ok(this)
    }

    /// Looks whether a folder can be opened.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(folder: &Path) -> Result<(), KnowledgeError> {
        let unreadable = |source| KnowledgeError::Read { path: folder.to_owned(), source };
        Folder::open(folder).map(drop).map_err(unreadable)
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Where documents lie.
    pub fn sources(&self) -> Arc<Vec<Source>> {
        self.sources.load_full()
    }

    /// Documents lie here from now on; the index follows with the next look.
    pub fn set_sources(&self, sources: Vec<Source>) {
        self.sources.store(Arc::new(sources));
    }

    /// Documents that owners sent in a chat are in the index, too: this state has them.
    pub fn learns_from(&self, state: Store) {
        // Set once, when the index is opened.
        let _ = self.learned.set(Learned(state));
    }

    /// Hears of each change of the documents that owners sent, if they are in the index.
    fn learned_changes(&self) -> Option<Receiver<u64>> {
        self.learned.get().map(|learned| learned.0.learned_changes())
    }

    /// Whether all documents were looked at once, now or before the start. Until then a search may find nothing of what
    /// is there.
    pub fn is_read(&self) -> bool {
        self.is_read.load(Ordering::SeqCst)
    }

    /// What searches them.
    pub fn searcher(&self) -> &Arc<Searcher> {
        &self.searcher
    }

    /// Brings the index up to date.
    ///
    /// # Errors
    /// When the index fails.
    pub async fn sync(
        &self,
        clock: &Clock,
        waiting: sync::Waiting<'_>,
    ) -> Result<Pass, StoreError> {
        let (pass, done) = self.look(clock, waiting).await;
        done.map(|()| pass)
    }

    /// The same; answers what was done, also when it fails: first with what owners sent, because a folder may be slow or
    /// not respond, then with the folders.
    async fn look(
        &self,
        clock: &Clock,
        waiting: sync::Waiting<'_>,
    ) -> (Pass, Result<(), StoreError>) {
        let mut pass = Pass::default();
        let learned = match self.learned.get() {
            Some(learned) => learned.sync(&self.index, clock, &mut pass).await,
            None => Ok(()),
        };
        let sources = self.sources();
        let folders = (&self.folders, sources.as_slice());
        let looked = sync::pass(&self.index, folders, clock, waiting, &mut pass).await;
        if looked.as_ref().map_or_else(sync::is_full, |()| true) {
            self.note_unreadable(&pass.unreadable);
        }
        let done = match looked {
            Err(e) if !sync::is_full(&e) => Err(e),
            looked => learned.and(looked),
        };
        if done.is_ok() {
            self.is_read.store(true, Ordering::SeqCst);
        }
        // What is done when a look fails is in use, too.
        (pass, done.and(self.refresh().await))
    }

    /// Says once what cannot be read, and when it can be read again.
    fn note_unreadable(&self, now: &[(String, String)]) {
        let before = self.unreadable.swap(Arc::new(now.to_vec()));
        for (source, why) in now.iter().filter(|one| !before.contains(one)) {
            tracing::warn!(source, reason = why, "documents of {source} are as before: {why}");
        }
        let is_over = |source: &str| now.iter().all(|(name, _)| name != source);
        let sources = self.sources();
        // A source that is no longer configured is not read, and each may have several folders that could not be.
        for source in sources.iter().map(Source::name).filter(|source| is_over(source)) {
            if before.iter().all(|(name, _)| name != source) {
                continue;
            }
            tracing::info!(source, "documents of {source} can be read again");
        }
    }

    /// Does what is asked for; answers what was done, or why it cannot be done.
    ///
    /// # Errors
    /// When the index fails.
    pub async fn work_on(
        &self,
        wanted: Wanted,
        clock: &Clock,
    ) -> Result<Result<String, String>, StoreError> {
        match wanted {
            Wanted::Use(generation) => {
                generations::put_to_use(&self.index, generation, clock).await
            }
            Wanted::Reindex => {
                self.index.doubt_all().await?;
                Ok(Ok(self.sync(clock, &|_| ()).await?.to_string()))
            }
            Wanted::Sync => Ok(Ok(self.sync(clock, &|_| ()).await?.to_string())),
        }
    }

    /// Reads again how much is in the index.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let documents = self.index.documents().await?;
        self.know(&documents);
        self.totals.store(Arc::new(self.index.totals().await?));
        Ok(())
    }

    fn know(&self, documents: &[KnownDocument]) {
        let readable = || documents.iter().filter(|document| document.problem.is_none());
        let name = |document: &KnownDocument| {
            document.title.clone().unwrap_or_else(|| self.shown(&document.source, &document.path))
        };
        self.titles.store(Arc::new(readable().take(TITLES).map(name).collect()));
        let all = readable().count() as u64;
        self.totals.store(Arc::new(IndexTotals {
            documents: all,
            unreadable: documents.len() as u64 - all,
            passages: documents.iter().map(|document| document.passages).sum(),
            ..IndexTotals::default()
        }));
    }

    /// Sources that could not be read at the last look, each with the reason.
    pub fn unreadable(&self) -> Arc<Vec<(String, String)>> {
        self.unreadable.load_full()
    }

    /// How much is in the index, as of the last look.
    pub fn totals(&self) -> IndexTotals {
        **self.totals.load()
    }

    /// Documents and passages in the index.
    pub fn size(&self) -> (usize, usize) {
        let totals = self.totals();
        (whole(totals.documents), whole(totals.passages))
    }

    /// What the documents are about: their titles, or their names.
    pub fn titles(&self) -> Arc<Vec<String>> {
        self.titles.load_full()
    }

    /// A document as people read it.
    fn shown(&self, source: &str, path: &str) -> String {
        match self.sources.load().len() {
            0 | 1 if source != LEARNED => path.to_owned(),
            _ => format!("{source}/{path}"),
        }
    }

    /// A passage as answers have it.
    fn passage(&self, found: IndexedPassage, score: f64) -> Passage {
        let sources = self.sources.load();
        let source = sources.iter().find(|source| source.name() == found.source);
        Passage {
            id: found.id.0,
            source: self.shown(&found.source, &found.path),
            link: source
                .and_then(|source| source.link(&found.path, found.anchor.as_deref(), found.page)),
            title: found.title,
            text: found.text,
            score,
        }
    }

    /// The best passages for a question, best first.
    ///
    /// # Errors
    /// When the index fails.
    pub async fn search(&self, request: &SearchRequest) -> Result<Found, KnowledgeError> {
        let hits = self.searcher.search(request).await?;
        let passages = hits.passages.into_iter();
        let passages = passages.map(|(passage, score)| self.passage(passage, score)).collect();
        Ok(Found { passages, by_vectors: hits.by_vectors, no_meaning: hits.no_meaning })
    }
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
