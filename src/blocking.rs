//! Work that may wait for a disk or take a millisecond, beside the runtime.

/// Runs `work` on a thread that may block; `None` when the runtime ends before it was begun. A panic in
/// it is one of the task that waits for it.
#[expect(clippy::disallowed_methods, reason = "the one way to a thread that may block")]
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(e) => match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_one_of_the_task_that_waits() {
        assert_eq!(run(|| 7).await, Some(7));
        let waiting = tokio::spawn(run(|| panic!("on the other thread")));
        assert!(waiting.await.unwrap_err().is_panic());
    }
}
