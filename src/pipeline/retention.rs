//! Retention: removes what is older than configured, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::sleep;

use super::{Pipeline, StageBase, StageSettings};
use crate::model::failure::chain;
use crate::model::limits;

/// The stage that forgets.
pub struct Retention {
    base: StageBase,
    settings: Arc<ArcSwap<StageSettings>>,
}

impl Retention {
    /// A stage that keeps things as long as the settings say at each sweep.
    pub fn new(pipeline: &Pipeline) -> Self {
        let settings = Arc::clone(&pipeline.settings);
        Self { base: pipeline.base.clone(), settings }
    }

    /// Sweeps now and then until the process drains.
    pub async fn run(self) {
        let drain = self.base.tasks.drain().clone();
        // Not at once: a start has better things to do.
        let mut pause = Duration::from_secs(60);
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                () = sleep(pause) => {}
            }
            pause =
                if self.step().await { Duration::from_secs(1) } else { limits::RETENTION_EVERY };
        }
    }

    /// One small batch; whether there may be more.
    pub async fn step(&self) -> bool {
        match self.base.store.sweep(self.settings.load().keep).await {
            Ok(swept) => {
                if swept != crate::store::Swept::default() {
                    tracing::debug!(?swept, "old rows removed");
                }
                swept.is_full()
            }
            Err(e) => {
                let error = chain(&e);
                tracing::warn!(error, "cannot remove old rows: {error}; trying again later");
                false
            }
        }
    }
}
