//! How many answers are written at once, and who is next.
//!
//! A hosted service takes as many as configured. A server of one's own may have one slot, and what it
//! queues itself would eat the bound on its silence: so it gets few at once to begin with, one more
//! while its answers begin quickly, and half as many when one did not begin in time. Who waits is
//! served in order.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// Answers at once that a server of one's own begins with.
const FEW: usize = 2;

/// While someone waits, their place is looked at this often.
const PLACE_EVERY: Duration = Duration::from_secs(1);

/// Where permits are few, those who came together get in line before the first is served.
const GATHER: Duration = Duration::from_millis(20);

/// An answer begins quickly within this part of the bound on silence.
const QUICK: u32 = 10;

/// Hands out so many permits at once.
pub(super) struct ConcurrencyLimit {
    state: Mutex<State>,
}

struct State {
    /// As configured.
    most: usize,
    /// The size follows how the server does.
    adapts: bool,
    size: usize,
    running: usize,
    waiting: VecDeque<Waiting>,
    tickets: u64,
    /// Changes when the size shrinks, so that answers which suffered together shrink it once.
    epoch: u64,
    /// Answers that began quickly since the size changed.
    quick: usize,
}

struct Waiting {
    ticket: u64,
    /// Who asked first has the lowest.
    order: i64,
    turn: oneshot::Sender<()>,
}

/// A permit, returned when dropped.
pub(super) struct Permit<'a> {
    limit: &'a ConcurrencyLimit,
    epoch: u64,
    /// Answers that were being written when this one began, itself included.
    crowd: usize,
    is_held: bool,
}

/// A place among those who wait; given up when dropped.
struct Ticket<'a> {
    limit: &'a ConcurrencyLimit,
    number: u64,
    turn: oneshot::Receiver<()>,
    is_used: bool,
}

impl State {
    fn grant(&mut self) {
        while self.running < self.size
            && let Some(next) = self.waiting.pop_front()
        {
            self.running += 1;
            // It cannot fail: a ticket leaves the queue before its receiver is dropped.
            let _ = next.turn.send(());
        }
    }

    fn set_size(&mut self, size: usize) {
        (self.size, self.quick) = (size.clamp(1, self.most), 0);
    }
}

impl ConcurrencyLimit {
    /// At most so many, at least one; fewer to begin with where the size adapts.
    pub(super) fn new(most: usize, adapts: bool) -> Self {
        let most = most.max(1);
        let size = if adapts { most.min(FEW) } else { most };
        let waiting = VecDeque::new();
        let state =
            State { most, adapts, size, running: 0, waiting, tickets: 0, epoch: 0, quick: 0 };
        Self { state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Waits for a permit; the lowest `order` is served first. `show` is given the number of those
    /// before.
    pub(super) async fn enter(&self, order: i64, show: impl Fn(usize)) -> Permit<'_> {
        let (ticket, gathers) = {
            let mut state = self.lock();
            let is_free = state.running < state.size && state.waiting.is_empty();
            if is_free && !state.adapts {
                state.running += 1;
                let (epoch, crowd) = (state.epoch, state.running);
                return Permit { limit: self, epoch, crowd, is_held: true };
            }
            let gathers = state.adapts && state.running < state.size;
            (self.ticket(&mut state, order), gathers)
        };
        if gathers {
            sleep(GATHER).await;
            self.lock().grant();
        }
        self.wait(ticket, show).await
    }

    fn ticket<'a>(&'a self, state: &mut State, order: i64) -> Ticket<'a> {
        let (sender, turn) = oneshot::channel();
        state.tickets += 1;
        let place = state.waiting.partition_point(|waiting| waiting.order <= order);
        state.waiting.insert(place, Waiting { ticket: state.tickets, order, turn: sender });
        Ticket { limit: self, number: state.tickets, turn, is_used: false }
    }

    async fn wait<'a>(&'a self, mut ticket: Ticket<'a>, show: impl Fn(usize)) -> Permit<'a> {
        loop {
            let place = self.lock().waiting.iter().position(|w| w.ticket == ticket.number);
            if let Some(before) = place {
                show(before);
            }
            // The sender is never dropped unused while the ticket is in the queue.
            if timeout(PLACE_EVERY, &mut ticket.turn).await.is_ok() {
                break;
            }
        }
        ticket.is_used = true;
        let state = self.lock();
        Permit { limit: self, epoch: state.epoch, crowd: state.running, is_held: true }
    }

    /// So many at most from now on. No answer is stopped: fewer permits take effect as they are
    /// returned.
    pub(super) fn resize(&self, most: usize, adapts: bool) {
        let mut state = self.lock();
        let was_adapting = std::mem::replace(&mut state.adapts, adapts);
        state.most = most.max(1);
        let size = match (adapts, was_adapting) {
            (false, _) => state.most,
            (true, true) => state.size.max(FEW),
            (true, false) => FEW,
        };
        state.set_size(size);
        state.grant();
    }
}

impl Permit<'_> {
    /// The server began to answer after so long; it may be silent for as long as `silence`.
    pub(super) fn began(&self, after: Duration, silence: Duration) {
        let mut state = self.limit.lock();
        if !state.adapts || state.epoch != self.epoch {
            return;
        }
        if after > silence / 2 && self.crowd > 1 {
            let size = state.size - 1;
            state.set_size(size);
            state.epoch += 1;
        } else if after <= silence / QUICK {
            state.quick += 1;
            if state.quick >= state.size && state.size < state.most {
                let size = state.size + 1;
                state.set_size(size);
                state.grant();
            }
        }
    }

    /// Whether the server may have been silent because of others that were asked with this one.
    pub(super) fn is_crowded(&self) -> bool {
        let state = self.limit.lock();
        state.adapts && (self.crowd > 1 || state.running > 1)
    }

    /// Fewer at once, and this one waits for its turn again, before all others.
    pub(super) async fn step_back(&mut self, show: impl Fn(usize)) {
        {
            let mut state = self.limit.lock();
            if state.epoch == self.epoch {
                let size = state.size / 2;
                state.set_size(size);
                state.epoch += 1;
            }
        }
        self.give_up();
        self.enter_again(show).await;
    }

    /// Others have the place until this one is [back](Self::enter_again).
    pub(super) fn give_up(&mut self) {
        if std::mem::take(&mut self.is_held) {
            let mut state = self.limit.lock();
            state.running -= 1;
            state.grant();
        }
    }

    /// Waits for a place, before all others.
    pub(super) async fn enter_again(&mut self, show: impl Fn(usize)) {
        let ticket = {
            let mut state = self.limit.lock();
            let ticket = self.limit.ticket(&mut state, i64::MIN);
            state.grant();
            ticket
        };
        let mut again = self.limit.wait(ticket, show).await;
        (self.epoch, self.crowd, self.is_held) = (again.epoch, again.crowd, true);
        again.is_held = false;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.is_used {
            return;
        }
        let mut state = self.limit.lock();
        match state.waiting.iter().position(|waiting| waiting.ticket == self.number) {
            Some(place) => drop(state.waiting.remove(place)),
            // It was this one's turn.
            None => {
                state.running -= 1;
                state.grant();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::pin::pin;

    use futures_util::FutureExt;

    const SILENCE: Duration = Duration::from_secs(30);

    /// A permit that is free now.
    async fn now(limit: &ConcurrencyLimit) -> Option<Permit<'_>> {
        timeout(GATHER * 3, limit.enter(0, |_| ())).await.ok()
    }

    /// All that are free now.
    async fn all(limit: &ConcurrencyLimit) -> Vec<Permit<'_>> {
        let mut permits = Vec::new();
        while let Some(permit) = now(limit).await {
            permits.push(permit);
        }
        permits
    }

    #[tokio::test]
    async fn a_lower_limit_takes_no_permit_away_and_takes_effect() {
        let limit = ConcurrencyLimit::new(3, false);
        let mut permits = all(&limit).await;
        assert_eq!(permits.len(), 3);
        limit.resize(1, false);
        assert_eq!(all(&limit).await.len(), 0);
        permits.truncate(1);
        assert_eq!(all(&limit).await.len(), 0, "two permits are gone, one is out");
        permits.clear();
        assert_eq!(all(&limit).await.len(), 1);
        limit.resize(4, false);
        let permits = all(&limit).await;
        limit.resize(5, false);
        assert_eq!(all(&limit).await.len(), 1, "four are out, five may be");
        drop(permits);
        assert_eq!(all(&limit).await.len(), 5);
    }

    #[tokio::test]
    async fn who_waits_is_served_in_order_and_knows_the_place() {
        let limit = ConcurrencyLimit::new(1, false);
        let first = now(&limit).await.expect("free");
        let (before, after) = (Cell::new(9), Cell::new(9));
        let mut second = pin!(limit.enter(1, |place| before.set(place)));
        let mut left = Box::pin(limit.enter(1, |_| ()));
        let mut third = pin!(limit.enter(2, |place| after.set(place)));
        // They arrive in another order than they asked.
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(left.as_mut().now_or_never().is_none());
        assert_eq!((before.get(), after.get()), (0, 0));
        assert!(timeout(PLACE_EVERY * 3 / 2, third.as_mut()).await.is_err());
        assert_eq!(after.get(), 2, "the place is looked at again");
        drop(left);
        drop(first);
        assert!(third.as_mut().now_or_never().is_none(), "no one overtakes");
        let permit = second.await;
        assert!(timeout(PLACE_EVERY * 3 / 2, third.as_mut()).await.is_err());
        assert_eq!(after.get(), 0, "the one who left is not counted");
        drop(permit);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_pauses_gives_the_place_to_others_and_is_the_next() {
        for adapts in [false, true] {
            let limit = ConcurrencyLimit::new(1, adapts);
            let mut first = now(&limit).await.expect("free");
            let mut second = pin!(limit.enter(1, |_| ()));
            let mut third = pin!(limit.enter(2, |_| ()));
            assert!(second.as_mut().now_or_never().is_none());
            assert!(third.as_mut().now_or_never().is_none());
            first.give_up();
            first.give_up();
            let permit = second.await;
            let mut again = Box::pin(first.enter_again(|_| ()));
            assert!(again.as_mut().now_or_never().is_none());
            drop(permit);
            assert!(third.as_mut().now_or_never().is_none());
            again.await;
            assert_eq!(limit.waiting(), 1);
            drop(first);
            assert!(third.now_or_never().is_some());
        }
    }

    #[tokio::test]
    async fn a_turn_that_no_one_takes_goes_to_the_next() {
        let limit = ConcurrencyLimit::new(1, false);
        let first = now(&limit).await;
        let mut second = Box::pin(limit.enter(1, |_| ()));
        assert!(second.as_mut().now_or_never().is_none());
        let mut third = pin!(limit.enter(1, |_| ()));
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        drop(second);
        assert!(third.now_or_never().is_some());
        assert_eq!(all(&limit).await.len(), 1);
    }

    #[tokio::test]
    async fn those_who_come_together_are_served_in_order_from_the_first() {
        let limit = ConcurrencyLimit::new(1, true);
        let order = Mutex::new(Vec::new());
        let enter = async |number: i64| {
            let permit = limit.enter(number, |_| ()).await;
            order.lock().unwrap().push(number);
            drop(permit);
        };
        futures_util::join!(enter(3), enter(1), enter(2));
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_server_of_ones_own_gets_more_while_it_is_quick_and_half_when_it_is_late() {
        let limit = ConcurrencyLimit::new(32, true);
        assert_eq!(all(&limit).await.len(), 2);
        for _ in 0..20 {
            now(&limit).await.expect("free").began(Duration::from_millis(1), SILENCE);
        }
        let mut permits = all(&limit).await;
        let grown = permits.len();
        assert!((5..=8).contains(&grown), "{grown}");
        assert!(permits.iter().all(Permit::is_crowded));
        let mut late: Vec<_> =
            permits.iter_mut().map(|permit| Box::pin(permit.step_back(|_| ()))).collect();
        for waiting in &mut late {
            let _ = waiting.as_mut().now_or_never();
        }
        assert_eq!(limit.lock().size, grown / 2, "once for all that were late together");
        drop(late);
        drop(permits);
        assert_eq!(all(&limit).await.len(), grown / 2);
        let pair = (now(&limit).await, now(&limit).await);
        pair.1.as_ref().expect("free").began(SILENCE, SILENCE);
        drop(pair);
        assert_eq!(all(&limit).await.len(), grown / 2 - 1, "one fewer before any is late");
        limit.resize(1, true);
        assert_eq!(all(&limit).await.len(), 1);
        limit.resize(8, true);
        assert_eq!(all(&limit).await.len(), 2, "it begins with few again");
    }

    #[tokio::test]
    async fn alone_it_is_the_server_that_is_late() {
        let limit = ConcurrencyLimit::new(32, true);
        assert!(!now(&limit).await.expect("free").is_crowded());
        let hosted = ConcurrencyLimit::new(32, false);
        let permits = all(&hosted).await;
        assert!(!permits[1].is_crowded(), "a hosted service has no slots to wait for");
    }
}
