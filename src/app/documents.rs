//! Who answers, and from which documents.
//!
//! Invariants: the start does not wait until a folder is read, because it may be large or on a slow disk; the index
//! is opened when documents are first configured, and kept until the process ends.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hygiene::time_limit;
use tokio::sync::watch;

use super::settings;
use crate::answer::{self, Endpoint};
use crate::config::Config;
use crate::knowledge::{IndexerHandle, Knowledge, MAIN_SOURCE, Source};
use crate::provider::Kind;
use crate::store::{Index, Store};

/// Who answers, and from what.
pub(super) struct AnswerParts {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) knowledge: Option<Arc<Knowledge>>,
    /// Where documents lie.
    pub(super) sources: Vec<Source>,
    /// The index was opened for them: they are not read yet.
    pub(super) is_first: bool,
}

/// The documents of this process.
pub(super) struct Documents {
    opened: watch::Sender<Option<Arc<Knowledge>>>,
    pages: Mutex<Option<Arc<Knowledge>>>,
    indexer: watch::Sender<Option<IndexerHandle>>,
    state: Store,
    /// Whether there are documents that owners sent.
    has_learned: AtomicBool,
}

impl Documents {
    pub(super) fn new(state: Store) -> Self {
        let (opened, indexer, pages) = <_>::default();
        let has_learned = AtomicBool::new(state.had_learned());
        Self { opened, pages, indexer, state, has_learned }
    }

    /// Waits until owners have sent the first document, or removed the last one.
    pub(super) async fn learned_otherwise(&self) {
        let mut changes = self.state.learned_changes();
        loop {
            match self.state.learned_documents().await {
                Ok(documents) => {
                    let has_some = !documents.is_empty();
                    if self.has_learned.swap(has_some, Ordering::SeqCst) != has_some {
                        return;
                    }
                }
                Err(e) => tracing::error!(error = %e, "cannot read what was learned: {e}"),
            }
            // It fails only when the process ends.
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What was said last could not be taken over: it is said again.
    pub(super) fn learned_as_before(&self) {
        self.has_learned.fetch_not(Ordering::SeqCst);
    }

    /// Who answers from what, with this configuration. Opens the index when it is needed for the first time.
    ///
    /// # Errors
    /// When a folder or the index cannot be opened, or the provider cannot work as configured.
    pub(super) fn parts(&self, config: &Config) -> anyhow::Result<AnswerParts> {
        let sources = sources(config);
        let is_needed = answers_from_documents(config);
        for source in &sources {
            check(source.dir(), is_needed)?;
        }
        let was_open = self.opened().is_some();
        let knowledge = if !sources.is_empty() || self.has_learned.load(Ordering::SeqCst) {
            Some(self.open(&config.knowledge.index_path, &sources)?)
        } else if is_needed {
            Some(self.pages()?)
        } else {
            None
        };
        let endpoints = settings::endpoints(config, knowledge.as_deref())?;
        let is_first = !was_open && self.opened().is_some();
        Ok(AnswerParts { endpoints, knowledge, sources, is_first })
    }

    fn open(&self, path: &Path, sources: &[Source]) -> anyhow::Result<Arc<Knowledge>> {
        if let Some(open) = self.opened() {
            return Ok(open);
        }
        let index = Index::open(path)?;
        if let Some(aside) = index.set_aside() {
            let aside = aside.display();
            tracing::error!(
                path = %aside,
                "the index of the documents was damaged; it was set aside as {aside} and is made again"
            );
        }
        let opened = Arc::new(Knowledge::over(index, sources.to_vec())?);
        opened.learns_from(self.state.clone());
        self.opened.send_replace(Some(Arc::clone(&opened)));
        Ok(opened)
    }

    fn pages(&self) -> anyhow::Result<Arc<Knowledge>> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pages) = pages.as_ref() {
            return Ok(Arc::clone(pages));
        }
        let made = Arc::new(Knowledge::of_pages(answer::PAGES)?);
        Ok(Arc::clone(pages.insert(made)))
    }

    /// The documents, if the index is open.
    pub(super) fn opened(&self) -> Option<Arc<Knowledge>> {
        self.opened.borrow().clone()
    }

    /// The documents, as soon as the index is open.
    pub(super) async fn when_opened(&self) -> Arc<Knowledge> {
        let mut opened = self.opened.subscribe();
        match opened.wait_for(Option::is_some).await {
            Ok(opened) => opened.clone(),
            // It fails only when the sender is gone, which lives as long as this.
            Err(_) => None,
        }
        .unwrap_or_else(|| unreachable!("it was waited for"))
    }

    /// Documents lie here from now on.
    pub(super) fn set_sources(&self, sources: Vec<Source>) {
        if let Some(opened) = self.opened() {
            opened.set_sources(sources);
        }
    }

    /// This looks through the folders from now on.
    pub(super) fn indexed_by(&self, indexer: IndexerHandle) {
        self.indexer.send_replace(Some(indexer));
    }

    /// Has the folders looked through, and waits for that, but not for ever.
    pub(super) async fn look(&self, patience: Duration) {
        if self.opened().is_none() {
            return;
        }
        let looked = async {
            // It is there soon after the index; it fails only when this is gone.
            let mut indexer = self.indexer.subscribe();
            let found = indexer.wait_for(Option::is_some).await.ok().and_then(|one| one.clone());
            if let Some(indexer) = found {
                indexer.look_and_wait().await;
            }
        };
        // What is not there in time comes later.
        let _ = tokio::time::timeout(patience, looked).await;
    }
}

/// Where documents lie, by the configuration.
pub(crate) fn sources(config: &Config) -> Vec<Source> {
    let main = config.knowledge.dir.iter().map(|dir| Source::new(MAIN_SOURCE, dir));
    let named = config.knowledge_sources.iter().map(|(name, source)| {
        let base_url = Some(source.base_url.clone()).filter(|url| !url.is_empty());
        Source::new(name, &source.dir)
            .filtered(&source.include, &source.exclude)
            .published_at(base_url)
    });
    main.chain(named).collect()
}

/// Whether a folder can be opened, unless that does not matter: it is missing, which the configuration warned of
/// where it is not needed; or it does not answer, such as on a mount whose server is gone.
fn check(dir: &Path, is_needed: bool) -> anyhow::Result<()> {
    let dir: PathBuf = dir.to_owned();
    let look = move || (is_needed || dir.is_dir()).then(|| Knowledge::check(&dir));
    match time_limit::look(look) {
        Some(Some(opened)) => Ok(opened?),
        Some(None) | None => Ok(()),
    }
}

fn answers_from_documents(config: &Config) -> bool {
    config.chosen().iter().any(|chosen| matches!(chosen.kind.kind, Kind::Documents))
}
