//! The task that keeps the documents up to date, and questions that wait for the first look at them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::reload::Reloader;
use super::settings;
use crate::knowledge::{Indexer, IndexerHandle, Knowledge};
use crate::lifecycle::Tasks;
use crate::observe::clock::Clock;
use crate::observe::vitals::Vitals;
use crate::store::Store;

/// What is said of a folder that does not answer.
const HANGS: &str = "they have not been read yet; the folder may be on a mount that hangs";

impl Reloader {
    /// Indexes the documents as soon as there are any, until the process drains.
    pub(super) async fn index(
        self: &Arc<Self>,
        vitals: Arc<Vitals>,
        clock: Clock,
        store: Store,
        tasks: &Tasks,
    ) {
        let (follower, drain) = (Arc::clone(self), tasks.drain().clone());
        tasks.spawn("learned", async move {
            tokio::select! {
                () = follower.follow_learned() => {}
                () = drain.cancelled() => {}
            }
        });
        let knowledge = tokio::select! {
            knowledge = self.documents.when_opened() => knowledge,
            () = tasks.drain().cancelled() => return,
        };
        knowledge.searcher().report_to(Arc::clone(&vitals));
        let rescan = Duration::from_secs(self.loaded().config.knowledge.rescan_s);
        let wake: Arc<Notify> = Arc::default();
        let work = (Arc::clone(&knowledge), store.ledger(), Arc::clone(&vitals), clock.clone());
        let (reloader, woken) = (Arc::clone(self), Arc::clone(&wake));
        let drain = tasks.drain().clone();
        tasks.spawn("embedding", async move { reloader.embed(work, woken, drain).await });
        let (indexer, handle) = Indexer::new(Arc::clone(&knowledge), vitals, clock, rescan);
        let indexer = indexer.waking(Some(wake));
        let first = handle.clone();
        self.documents.indexed_by(handle);
        let (drain, halt) = (tasks.drain().clone(), tasks.halt().clone());
        let answerer = Arc::clone(self.answerer());
        // Questions that wait have the grace of those that are answered.
        let unwanted = async move {
            drain.cancelled().await;
            if answerer.is_waited_for() {
                halt.cancelled().await;
            }
        };
        let end = tokio_util::sync::CancellationToken::new();
        let mut running = pin!(indexer.run(end.clone()));
        let mut unwanted = pin!(unwanted);
        let mut first = pin!(self.first_look(&knowledge, first));
        tokio::select! {
            () = &mut running => return,
            () = &mut unwanted => return,
            () = &mut first => {}
        }
        tokio::select! {
            () = running => {}
            () = tasks.drain().cancelled() => end.cancel(),
        }
    }

    /// Lets questions wait until all documents were looked at once, but not for ever.
    async fn first_look(&self, knowledge: &Knowledge, handle: IndexerHandle) {
        // A reload that opened the index has questions wait a moment later.
        let has_waited = self.answerer().is_reading();
        let loaded = self.loaded();
        let patience = Duration::from_secs(loaded.config.answer.timeout_s);
        let mut looked = pin!(handle.look_and_wait());
        if tokio::time::timeout(patience, &mut looked).await.is_err() {
            self.go_on_without_documents(handle.error().as_deref().unwrap_or(HANGS));
            looked.await;
        }
        // Where the disk has room for some of them, those are answered from.
        if knowledge.size().0 == 0
            && let Some(why) = handle.error()
        {
            self.go_on_without_documents(&why);
            handle.works_again().await;
        }
        if !has_waited && !self.answerer().is_reading() {
            return;
        }
        if knowledge.size().0 == 0
            && let Some((_, why)) = knowledge.unreadable().first()
        {
            return self.go_on_without_documents(why);
        }
        let config = &self.loaded().config;
        // They were made before: only the topics are new.
        let Ok(endpoints) = settings::endpoints(config, Some(knowledge)) else { return };
        let settings = settings::answering(config, self.redactor());
        let Some(knowledge) = self.documents.opened() else { return };
        if Arc::ptr_eq(&loaded, &self.loaded()) && !self.answerer().is_reading() {
            self.report_hub().set_config_rejected(None);
            self.answerer().renew(endpoints, Some(knowledge), settings);
        } else {
            self.answerer().documents_read(endpoints, Some(knowledge), settings);
        }
    }

    /// Questions are answered without the documents from now on, unless a reload has read them.
    fn go_on_without_documents(&self, error: &str) {
        if self.answerer().go_on_without_documents() {
            tracing::error!(
                error,
                "cannot read the documents: {error}; questions are answered without them until they can be read"
            );
            self.report_hub().set_config_rejected(Some(error.to_owned()));
        }
    }
}
