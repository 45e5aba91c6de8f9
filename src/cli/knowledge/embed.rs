//! Vectors that `katana-bot knowledge sync` makes where the bot does not run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hygiene::duration::in_words as span;

use crate::app;
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::config::{Config, Swap};
use crate::knowledge::{Embedder, Embedding};
use crate::model::ids::BotId;
use crate::observe::clock::Clock;
use crate::observe::index::Progress;
use crate::observe::vitals::Vitals;
use crate::store::{Index, Store};

/// How often it is said how far it is.
const SAID_EVERY: Duration = Duration::from_secs(5);

/// Makes the vectors that are missing, if a server is configured.
pub(super) async fn embed(config: &Config, index: &Index, clock: &Clock) -> anyhow::Result<()> {
    let Some(settings) = app::embedder(config) else { return Ok(()) };
    // What it costs is in the state file; without one, only what costs nothing is asked.
    let bot = config.telegram.token.bot_id().map(BotId);
    let store = bot.and_then(|bot| Store::visit(&config.store.path, bot, clock.clone()).ok());
    let ledger = store.as_ref().map(Store::ledger);
    let vitals: Arc<Vitals> = Arc::default();
    let embedder = Embedder::new(settings, ledger, Arc::clone(&vitals))?;
    let swaps = config.embeddings.swap == Swap::Auto;
    let mut embedding =
        Embedding::new(index.clone(), Arc::new(embedder), vitals, clock.clone(), swaps);
    let mut said = Instant::now();
    let done = embedding
        .complete(|progress| {
            if said.elapsed() >= SAID_EVERY {
                said = Instant::now();
                eprintln!("{}", line(progress));
            }
        })
        .await;
    if let Some(store) = store {
        store.close().await;
    }
    done.map_err(|e| {
        let hint =
            "they are found by their words meanwhile; run it again, or let the bot go on with it";
        Stop::new(
            exit::UNAVAILABLE,
            format!("the documents are indexed, but not embedded: {e}"),
            hint,
        )
        .into()
    })
}

fn line(progress: &Progress) -> String {
    let Progress { embedded, of, .. } = progress;
    let left = progress.eta_s().map(|s| format!(", about {} left", span(s.saturating_mul(1000))));
    format!("{embedded} of {of} texts have their vectors{}", left.unwrap_or_default())
}
