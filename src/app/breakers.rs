//! Which providers are not asked survives a restart: it is kept beside the work, when it changes.

use std::sync::Arc;
use std::time::Duration;

use crate::answer::Pool;
use crate::lifecycle::Tasks;
use crate::model::failure::chain;
use crate::store::{Store, StoreError};

/// After a failure it is kept a little later, or with the next change.
const AGAIN: Duration = Duration::from_secs(10);

/// Goes on with what was kept, and keeps what changes from now on.
///
/// # Errors
/// When the state cannot be read.
pub(super) async fn start(pool: Arc<Pool>, store: &Store, tasks: &Tasks) -> Result<(), StoreError> {
    let mut kept = store.breakers().await?;
    pool.restore(&kept);
    let (store, drain) = (store.clone(), tasks.drain().clone());
    tasks.spawn("breakers", async move {
        let mut changes = pool.changes();
        loop {
            let now = pool.kept();
            let mut pause = None;
            if now != kept {
                match store.keep_breakers(now.clone()).await {
                    Ok(()) => kept = now,
                    Err(e) => {
                        let error = chain(&e);
                        tracing::info!(error, "cannot keep which providers fail: {error}");
                        pause = Some(AGAIN);
                    }
                }
            }
            let again = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = again => {}
                () = drain.cancelled() => return,
            }
        }
    });
    Ok(())
}
