//! The task that makes vectors, and has questions compared with them; it begins again when its settings change.

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::reload::Reloader;
use super::settings;
use crate::config::{Loaded, Swap};
use crate::knowledge::{Embedder, Embedding, Knowledge, Meanings};
use crate::model::failure::chain;
use crate::observe::clock::Clock;
use crate::observe::index::IndexState;
use crate::observe::vitals::Vitals;
use crate::store::Ledger;

/// Sections whose changes begin the work again.
const SECTIONS: [&str; 3] = ["embeddings.", "qdrant.", "budget."];

/// What it is done for, and with.
pub(super) type Work = (Arc<Knowledge>, Ledger, Arc<Vitals>, Clock);

impl Reloader {
    /// Makes vectors of the documents, until the process drains.
    pub(super) async fn embed(
        self: Arc<Self>,
        (knowledge, ledger, vitals, clock): Work,
        wake: Arc<Notify>,
        drain: CancellationToken,
    ) {
        let mut configured = self.watch();
        loop {
            let loaded = Arc::clone(&configured.borrow_and_update());
            let end = drain.child_token();
            let for_it = (&*knowledge, &ledger, &vitals, &clock);
            let work = work(&loaded, for_it, &wake, end.clone());
            tokio::select! {
                () = work => {}
                () = changed(&mut configured, &loaded) => {}
                () = drain.cancelled() => return,
            }
            end.cancel();
            if drain.is_cancelled() {
                return;
            }
        }
    }
}

/// Works until its end, with these settings. Without a server there is nothing to do.
async fn work(
    loaded: &Loaded,
    (knowledge, ledger, vitals, clock): (&Knowledge, &Ledger, &Arc<Vitals>, &Clock),
    wake: &Arc<Notify>,
    end: CancellationToken,
) {
    let config = &loaded.config;
    let Some(settings) = settings::embedder(config) else {
        knowledge.searcher().use_meanings(Vec::new());
        // Nothing waits for a vector any more.
        vitals.index.rcu(|before| IndexState {
            unembedded_since_ms: None,
            lacks_room_for_vectors: false,
            active: None,
            building: None,
            ..(**before).clone()
        });
        return end.cancelled().await;
    };
    let built = Embedder::new(settings, Some(ledger.clone()), Arc::clone(vitals));
    let (embedder, copies) = match (built, settings::copies(config)) {
        (Ok(embedder), Ok(copies)) => (Arc::new(embedder), copies),
        (Err(e), _) | (_, Err(e)) => {
            let error = chain(&e);
            tracing::error!(error, "documents are searched by their words alone: {error}");
            vitals
                .index
                .rcu(|before| IndexState { lacks_room_for_vectors: false, ..(**before).clone() });
            return end.cancelled().await;
        }
    };
    let (index, searcher) = (knowledge.index().clone(), Arc::clone(knowledge.searcher()));
    let (ledger, for_meanings) = (Some(ledger.clone()), Arc::clone(vitals));
    let meanings =
        Meanings::new(index.clone(), copies, Arc::clone(&embedder), ledger, for_meanings);
    let swaps = config.embeddings.swap == Swap::Auto;
    let embedding = Embedding::new(index, embedder, Arc::clone(vitals), clock.clone(), swaps)
        .woken_by(Arc::clone(wake))
        .searched_by(searcher, meanings);
    embedding.run(end).await;
}

/// Waits for a configuration that differs in what this is made of.
async fn changed(configured: &mut watch::Receiver<Arc<Loaded>>, used: &Loaded) {
    let is_other = |new: &Arc<Loaded>| {
        let changes = used.changes(new);
        changes.iter().any(|(key, _)| SECTIONS.iter().any(|section| key.starts_with(section)))
    };
    // It fails only when the process ends.
    if configured.wait_for(is_other).await.is_err() {
        std::future::pending::<()>().await;
    }
}
