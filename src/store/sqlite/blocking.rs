//! Work that may wait for a disk or take a millisecond, beside the runtime.

use crate::store::failure::StoreError;

/// Runs `work` on a thread that may block. A panic in it is one of the task that waits for it.
#[expect(
    clippy::disallowed_methods,
    reason = "the verbs of the store: their work may wait for a disk"
)]
pub(super) async fn run_blocking<F, T>(work: F) -> Result<T, StoreError>
where
    F: FnOnce() -> Result<T, StoreError> + Send + 'static,
    T: Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends.
            Err(_) => Err(StoreError::closed()),
        },
    }
}
