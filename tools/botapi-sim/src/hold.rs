//! Holds: requests kept open at a chosen point until the test lets them go.
//!
//! A crash test holds a stage, waits until a request has arrived there, kills the bot, and releases.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// Which requests a hold catches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Every request of this method, by its exact name.
    Method(&'static str),
    /// Every request of this method to this chat.
    Chat(&'static str, i64),
    /// Every request to the Bot API.
    Any,
}

/// Where a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldAt {
    /// Received, not yet carried out. A client that leaves takes its request back.
    BeforeEffect,
    /// Carried out, not yet answered.
    AfterEffect,
}

#[derive(Debug)]
pub(crate) struct HoldPoint {
    hold: Hold,
    at: HoldAt,
    released: watch::Sender<bool>,
    arrived: watch::Sender<usize>,
    held: AtomicUsize,
}

impl HoldPoint {
    pub(crate) fn matches(&self, at: HoldAt, method: &str, chat_id: Option<i64>) -> bool {
        self.at == at
            && match &self.hold {
                Hold::Method(name) => *name == method,
                Hold::Chat(name, chat) => *name == method && Some(*chat) == chat_id,
                Hold::Any => true,
            }
    }

    /// Waits until the hold is released; returns at once when it already is.
    pub(crate) async fn wait(self: Arc<Self>) {
        let mut released = self.released.subscribe();
        let _here = Here::enter(&self);
        // An error means that the sender is gone, and with it the hold.
        let _ = released.wait_for(|open| *open).await;
    }

    pub(crate) fn is_released(&self) -> bool {
        *self.released.borrow()
    }
}

/// Counts one held request for as long as it lives, also when its client leaves.
struct Here<'a>(&'a HoldPoint);

impl<'a> Here<'a> {
    fn enter(point: &'a HoldPoint) -> Self {
        point.held.fetch_add(1, Ordering::SeqCst);
        point.arrived.send_modify(|count| *count += 1);
        Self(point)
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Keeps a hold alive; dropping or [`HoldGuard::release`] lets every held request go.
#[derive(Debug)]
pub struct HoldGuard {
    point: Arc<HoldPoint>,
}

impl HoldGuard {
    pub(crate) fn new(hold: Hold, at: HoldAt) -> (Self, Arc<HoldPoint>) {
        let point = Arc::new(HoldPoint {
            hold,
            at,
            released: watch::Sender::new(false),
            arrived: watch::Sender::new(0),
            held: AtomicUsize::new(0),
        });
        (Self { point: Arc::clone(&point) }, point)
    }

    /// How many requests are held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.point.held.load(Ordering::SeqCst)
    }

    /// How many requests have ever arrived here.
    #[must_use]
    pub fn arrived(&self) -> usize {
        *self.point.arrived.borrow()
    }

    /// Waits until at least `count` requests have arrived; false when `deadline` passes first.
    pub async fn wait_held(&self, count: usize, deadline: Duration) -> bool {
        let mut arrived = self.point.arrived.subscribe();
        tokio::time::timeout(deadline, arrived.wait_for(|seen| *seen >= count))
            .await
            .is_ok_and(|seen| seen.is_ok())
    }

    /// Lets every held request go, and catches no more.
    pub fn release(self) {}
}

impl Drop for HoldGuard {
    fn drop(&mut self) {
        self.point.released.send_replace(true);
    }
}
