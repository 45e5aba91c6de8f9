//! Deliver: from the outbox to Telegram.
//!
//! Invariants: a part is *sending* on disk before its request is written; only failures that
//! surely happened before that, and explicit refusals, are tried again without asking the
//! reconciler; whatever happens here concerns one chat.

mod refused;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::lanes::{After, Lanes, Next};
use super::parts::outgoing;
use super::reconcile::{Fate, reconcile};
use crate::model::beat::Loop;
use crate::model::effect::Effect;
use crate::model::failure::{Judged, chain};
use crate::model::finding::Kind;
use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;
use crate::model::vitals::Timing;
use crate::store::{OpenPart, PartState, Settled, Settlement};
use crate::telegram::TelegramError;
use crate::telegram::pace::{Pacer, Rates};

/// Where finished work is handed over. Cheap to clone.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    lanes: Mutex<Lanes>,
    wake: Notify,
    closing: AtomicBool,
}

/// The stage that sends.
pub struct Deliver(Delivery);

/// A place for the parts of a commit that is about to be made.
pub(super) struct Slot {
    chat: ChatId,
    place: Place,
}

enum Place {
    /// The first part leaves right after the commit, which stores it as *sending*.
    Leaving(MessageId),
    /// The parts of the chat queue up in memory.
    Queued(u64),
}

impl Slot {
    /// The last message id known in the chat's counter, when the first part is to be stored as
    /// *sending*.
    pub(super) fn first_attempt(&self) -> Option<MessageId> {
        match self.place {
            Place::Leaving(floor) => Some(floor),
            Place::Queued(_) => None,
        }
    }
}

impl Delivery {
    /// Nothing is on its way yet. `rates`: none for servers without limits.
    pub fn new(shared: Arc<Shared>, rates: Option<Rates>) -> Self {
        let lanes = Lanes::new(Pacer::new(rates), shared.settings().reconcile_after);
        Self(Arc::new(Inner {
            shared,
            lanes: Mutex::new(lanes),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
        }))
    }

    /// Other rates from now on; none for servers without limits.
    pub fn set_rates(&self, rates: Option<Rates>) {
        self.lanes().set_rates(rates);
        self.0.wake.notify_one();
    }

    /// Nothing will be handed over any more; the stage ends when what can leave now has left.
    pub fn close(&self) {
        self.0.closing.store(true, Ordering::SeqCst);
        self.0.wake.notify_one();
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for parts of `chat` that are about to be committed. It must be given back with
    /// [`Delivery::take`], whatever became of the commit.
    pub(super) fn reserve(&self, chat: ChatId) -> Slot {
        let mut lanes = self.lanes();
        let floor = lanes.reserve(chat, &mut self.0.shared.ledger(), Instant::now());
        let place = match floor {
            Some(floor) => Place::Leaving(floor),
            None => Place::Queued(lanes.expect(chat)),
        };
        Slot { chat, place }
    }

    /// Takes over parts that were just committed, in order; none when the commit failed.
    pub(super) fn take(&self, slot: Option<Slot>, mut parts: Vec<OpenPart>) {
        let mut wake = false;
        match slot {
            Some(Slot { chat, place: Place::Leaving(floor) }) => {
                if matches!(parts.first(), Some(p) if p.state != PartState::Due) {
                    let (this, part) = (self.clone(), Box::new(parts.remove(0)));
                    let sends = async move { this.send_on(part, floor, true).await };
                    self.0.shared.tasks.spawn("send", sends);
                } else {
                    self.0.shared.ledger().end(chat);
                    self.lanes().done(chat, After::Settled, Instant::now());
                    wake = true;
                }
            }
            Some(Slot { chat, place: Place::Queued(epoch) }) => {
                let (here, elsewhere) = parts.into_iter().partition(|p| p.chat == chat);
                parts = elsewhere;
                wake = self.lanes().offer(chat, epoch, here);
            }
            None => {}
        }
        if !parts.is_empty() {
            wake = true;
            let mut lanes = self.lanes();
            parts.iter().for_each(|part| lanes.fill(part.chat));
        }
        if wake {
            self.0.wake.notify_one();
        }
    }

    /// A group has another id; its parts on disk were moved already.
    pub(super) fn moved(&self, from: ChatId, to: ChatId) {
        self.lanes().moved(from, to);
        self.0.wake.notify_one();
    }

    fn done(&self, chat: ChatId, after: After) {
        self.lanes().done(chat, after, Instant::now());
        self.0.wake.notify_one();
    }

    /// Sends a part, and then what follows in its chat for as long as that may leave at once.
    /// `marked`: the part is *sending* on disk already.
    async fn send_on(&self, part: Box<OpenPart>, floor: MessageId, marked: bool) {
        let shared = &self.0.shared;
        if !marked {
            let mark = || shared.store.mark_sending(part.id, floor);
            match shared.insist("mark a part as sending", mark).await {
                Some(true) => {}
                Some(false) => {
                    shared.ledger().end(part.chat);
                    return self.done(part.chat, After::Settled);
                }
                None => return,
            }
        }
        let mut now = Some((part, floor));
        while let Some((part, floor)) = now {
            now = self.attempt(part, floor).await;
        }
    }

    /// Sends a part that is *sending* on disk; answers the next one of its chat, if that is
    /// *sending* now, too.
    async fn attempt(
        &self,
        part: Box<OpenPart>,
        floor: MessageId,
    ) -> Option<(Box<OpenPart>, MessageId)> {
        let shared = &self.0.shared;
        let chat = part.chat;
        let sent = tokio::select! {
            sent = shared.client.send(outgoing(&part)) => sent,
            // The part stays *sending*; the next start asks the reconciler.
            () = shared.tasks.halt().cancelled() => return None,
        };
        match &sent {
            Ok(id) => {
                shared.vitals.worked(&shared.vitals.sending);
                shared.ledger().sent(chat, *id);
            }
            Err(e) => shared.vitals.failed(&shared.vitals.sending, e.class()),
        }
        shared.ledger().end(chat);
        let after = match sent {
            Ok(id) => {
                let next = self.lanes().follow(chat, &mut shared.ledger(), Instant::now());
                if let Some((next, floor)) = next {
                    return self.arrived_before(&part, id, next, floor).await;
                }
                self.arrived(&part, id).await
            }
            Err(TelegramError::Undecodable) => self.arrived(&part, MessageId(0)).await,
            Err(e) if e.ambiguous() => {
                shared.vitals.tally("send_doubtful", e.class());
                tracing::warn!(
                    chat_id = chat.0,
                    error = %e,
                    "a message may or may not have arrived; looking before it is sent again"
                );
                Some(After::Doubtful(part, floor))
            }
            Err(e) => self.refused(part, &e).await,
        };
        if let Some(after) = after {
            self.done(chat, after);
        }
        None
    }

    /// A part arrived, and another one follows: one commit for both.
    async fn arrived_before(
        &self,
        part: &OpenPart,
        id: MessageId,
        next: Box<OpenPart>,
        floor: MessageId,
    ) -> Option<(Box<OpenPart>, MessageId)> {
        let shared = &self.0.shared;
        self.note_arrival(part);
        let row = Settled { id: part.id, outcome: Settlement::Sent(id) };
        let store = || shared.store.settle_and_mark(row.clone(), next.id, floor);
        if !shared.insist("settle a part", store).await? {
            shared.ledger().end(next.chat);
            self.done(next.chat, After::Settled);
            return None;
        }
        Some((next, floor))
    }

    async fn arrived(&self, part: &OpenPart, id: MessageId) -> Option<After> {
        self.note_arrival(part);
        self.settle(part, Settlement::Sent(id), Vec::new()).await?;
        Some(After::Settled)
    }

    fn note_arrival(&self, part: &OpenPart) {
        let shared = &self.0.shared;
        shared.vitals.sent.add_one();
        let waited_ms = shared.clock.now_ms().saturating_sub(part.created_ms);
        let kind = if part.extra.answer { "question" } else { "command" };
        shared.vitals.observe(Timing::Delivery, kind, "", waited_ms as f64 / 1e3);
    }

    /// Stores what became of a part. `None`: the process halts; the reconciler will look.
    async fn settle(
        &self,
        part: &OpenPart,
        outcome: Settlement,
        effects: Vec<Effect>,
    ) -> Option<()> {
        let shared = &self.0.shared;
        let row = Settled { id: part.id, outcome };
        let store = || shared.store.settle(vec![row.clone()], effects.clone());
        shared.insist("settle a part", store).await
    }

    async fn clear_up(&self, part: Box<OpenPart>, floor: MessageId, since: Instant) {
        let shared = &self.0.shared;
        let chat = part.chat;
        let fate = tokio::select! {
            fate = reconcile(shared, &part, floor, since) => fate,
            () = shared.tasks.halt().cancelled() => return,
        };
        tracing::info!(
            chat_id = chat.0,
            part = part.id.0,
            fate = fate.word(),
            "message looked for"
        );
        let after = match fate {
            Fate::Arrived(id) => {
                shared.ledger().heard(chat, id);
                shared.vitals.reconciled_arrived.add_one();
                self.arrived(&part, id).await
            }
            Fate::Lost | Fate::Unclear | Fate::AskAgain if self.is_expired(&part) => {
                let e = TelegramError::Unknown("no usable answer for too long".into());
                self.dropped(&part, &e, "expired").await
            }
            Fate::Lost => {
                shared.vitals.reconciled_lost.add_one();
                Some(resend(part))
            }
            Fate::Unclear => {
                shared.vitals.possible_duplicates.add_one();
                shared.vitals.happened(Kind::PossibleDuplicate);
                tracing::warn!(
                    finding = "possible_duplicate",
                    chat_id = chat.0,
                    "cannot find out whether a message arrived; sending it again"
                );
                Some(resend(part))
            }
            Fate::AskAgain => Some(After::StillDoubtful(part, floor)),
            Fate::Refused(e) => self.refused(part, &e).await,
        };
        if let Some(after) = after {
            self.done(chat, after);
        }
    }
}

impl Deliver {
    /// The stage behind a [`Delivery`], knowing what earlier processes left. To be made before
    /// anything is handed over: a new part must not overtake an old one of its chat.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn new(delivery: Delivery) -> Result<Self, crate::store::StoreError> {
        let this = Self(delivery);
        this.load()?;
        Ok(this)
    }

    /// Sends until the [`Delivery`] is closed and empty, or the process halts.
    pub async fn run(self) {
        let inner = Arc::clone(&self.0.0);
        let halt = inner.shared.tasks.halt().clone();
        loop {
            inner.shared.vitals.turn(Loop::Deliver, limits::IDLE_TURN);
            let woken = inner.wake.notified();
            let until = self.step();
            if inner.closing.load(Ordering::SeqCst) && self.0.lanes().is_idle() {
                return;
            }
            let idle = Instant::now() + limits::IDLE_TURN;
            tokio::select! {
                () = halt.cancelled() => return,
                () = woken => {}
                () = sleep_until(until.map_or(idle, |at| at.min(idle))) => {}
            }
        }
    }

    /// What earlier processes left.
    fn load(&self) -> Result<(), crate::store::StoreError> {
        let store = &self.0.0.shared.store;
        let (doubtful, chats) = (store.ambiguous_parts()?, store.open_chats()?);
        if !doubtful.is_empty() {
            tracing::info!(parts = doubtful.len(), "messages of unknown fate from an earlier run");
        }
        let mut lanes = self.0.lanes();
        for part in doubtful {
            lanes.left_behind(part, Instant::now());
        }
        for chat in chats {
            lanes.fill(chat);
        }
        Ok(())
    }

    /// Starts everything that may leave now; answers when there may be more.
    pub fn step(&self) -> Option<Instant> {
        let shared = &self.0.0.shared;
        loop {
            let next = self.0.lanes().next(&mut shared.ledger(), Instant::now());
            let this = self.0.clone();
            match next {
                Next::Send(part, floor) => shared.tasks.spawn("send", async move {
                    this.send_on(part, floor, false).await;
                }),
                Next::Reconcile(part, floor, since) => {
                    shared.tasks.spawn("reconcile", async move {
                        this.clear_up(part, floor, since).await;
                    })
                }
                Next::Load(chat) => match shared.store.due_parts(chat, limits::LANE_PARTS) {
                    Ok(parts) => self.0.lanes().loaded(chat, parts, limits::LANE_PARTS),
                    Err(e) => {
                        tracing::error!(error = chain(&e), "cannot read the outbox; trying again");
                        let mut lanes = self.0.lanes();
                        lanes.loaded(chat, Vec::new(), limits::LANE_PARTS);
                        lanes.fill(chat);
                        return Some(Instant::now() + limits::SEND_BACKOFF);
                    }
                },
                Next::Sleep(until) => return until,
            }
        }
    }
}

/// To be sent once more, after one more try that came to nothing.
fn resend(mut part: Box<OpenPart>) -> After {
    part.attempts += 1;
    After::Resend(part)
}
