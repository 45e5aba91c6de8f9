//! Room for so many answers at once; how many may change while answers are being written.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Lets in so many at once.
pub(super) struct Room {
    seats: Semaphore,
    plan: Mutex<Plan>,
}

struct Plan {
    size: usize,
    /// Seats that go when those who sit there leave.
    surplus: usize,
}

/// A seat, free again when dropped.
pub(super) struct Seat<'a> {
    room: &'a Room,
    permit: Option<SemaphorePermit<'a>>,
}

impl Room {
    /// At least one finds room.
    pub(super) fn new(size: usize) -> Self {
        let size = size.max(1);
        Self { seats: Semaphore::new(size), plan: Mutex::new(Plan { size, surplus: 0 }) }
    }

    /// Waits for a seat, in the order of asking.
    pub(super) async fn enter(&self) -> Seat<'_> {
        // The semaphore is never closed.
        Seat { room: self, permit: self.seats.acquire().await.ok() }
    }

    /// So many from now on. Nobody has to leave: when there are fewer seats, some are taken away
    /// as they become free.
    pub(super) fn resize(&self, size: usize) {
        let size = size.max(1);
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        if size > plan.size {
            let more = size - plan.size;
            let kept = more.min(plan.surplus);
            plan.surplus -= kept;
            self.seats.add_permits(more - kept);
        } else {
            let fewer = plan.size - size;
            plan.surplus += fewer - self.seats.forget_permits(fewer);
        }
        plan.size = size;
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut plan = self.room.plan.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// How many more find room at once.
    fn free(room: &Room) -> usize {
        let mut seats = Vec::new();
        while let Some(seat) = room.enter().now_or_never() {
            seats.push(seat);
        }
        seats.len()
    }

    #[test]
    fn nobody_has_to_leave_and_the_size_comes_true() {
        let room = Room::new(3);
        let mut seats: Vec<_> = (0..3).filter_map(|_| room.enter().now_or_never()).collect();
        room.resize(1);
        assert_eq!(free(&room), 0);
        seats.pop();
        seats.pop();
        assert_eq!(free(&room), 0, "two seats are gone, one is taken");
        seats.pop();
        assert_eq!(free(&room), 1);
        room.resize(4);
        assert_eq!(free(&room), 4);
        let seats: Vec<_> = (0..4).filter_map(|_| room.enter().now_or_never()).collect();
        room.resize(2);
        room.resize(5);
        assert_eq!(free(&room), 1, "four sit there, five may");
        drop(seats);
        assert_eq!(free(&room), 5);
    }
}
