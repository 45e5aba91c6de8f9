//! How many answers are written at once; the limit may change while they are.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Hands out so many permits at once.
pub(super) struct ConcurrencyLimit {
    permits: Semaphore,
    plan: Mutex<Plan>,
}

struct Plan {
    size: usize,
    /// Permits that are not handed out again once they are returned.
    surplus: usize,
}

/// A permit, returned when dropped.
pub(super) struct Permit<'a> {
    concurrency: &'a ConcurrencyLimit,
    permit: Option<SemaphorePermit<'a>>,
}

impl ConcurrencyLimit {
    /// At least one permit.
    pub(super) fn new(size: usize) -> Self {
        let size = size.max(1);
        Self { permits: Semaphore::new(size), plan: Mutex::new(Plan { size, surplus: 0 }) }
    }

    /// Waits for a permit, in the order of asking.
    pub(super) async fn enter(&self) -> Permit<'_> {
        // The semaphore is never closed.
        Permit { concurrency: self, permit: self.permits.acquire().await.ok() }
    }

    /// So many from now on. No answer is stopped: when there are fewer permits, some are taken away
    /// as they are returned.
    pub(super) fn resize(&self, size: usize) {
        let size = size.max(1);
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        if size > plan.size {
            let more = size - plan.size;
            let kept = more.min(plan.surplus);
            plan.surplus -= kept;
            self.permits.add_permits(more - kept);
        } else {
            let fewer = plan.size - size;
            plan.surplus += fewer - self.permits.forget_permits(fewer);
        }
        plan.size = size;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut plan = self.concurrency.plan.lock().unwrap_or_else(PoisonError::into_inner);
        if plan.surplus > 0
            && let Some(permit) = self.permit.take()
        {
            plan.surplus -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// How many more permits there are now.
    fn free(concurrency: &ConcurrencyLimit) -> usize {
        let mut permits = Vec::new();
        while let Some(permit) = concurrency.enter().now_or_never() {
            permits.push(permit);
        }
        permits.len()
    }

    #[test]
    fn a_lower_limit_takes_no_permit_away_and_takes_effect() {
        let concurrency = ConcurrencyLimit::new(3);
        let mut permits: Vec<_> =
            (0..3).filter_map(|_| concurrency.enter().now_or_never()).collect();
        concurrency.resize(1);
        assert_eq!(free(&concurrency), 0);
        permits.pop();
        permits.pop();
        assert_eq!(free(&concurrency), 0, "two permits are gone, one is out");
        permits.pop();
        assert_eq!(free(&concurrency), 1);
        concurrency.resize(4);
        assert_eq!(free(&concurrency), 4);
        let permits: Vec<_> = (0..4).filter_map(|_| concurrency.enter().now_or_never()).collect();
        concurrency.resize(2);
        concurrency.resize(5);
        assert_eq!(free(&concurrency), 1, "four are out, five may be");
        drop(permits);
        assert_eq!(free(&concurrency), 5);
    }
}
