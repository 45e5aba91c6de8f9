//! Deliver: from the outbox to Telegram.
//!
//! Invariants: a part is *sending* on disk before its request is written; only failures that
//! surely happened before that, and explicit refusals, are tried again without asking the
//! reconciler; whatever happens here concerns one chat.

mod arrived;
mod in_doubt;
mod notices;
mod of_chat;
mod refused;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::notices::Notices;
use super::message_ids::MessageIds;
use super::parts::outgoing;
use super::send_queue::{Next, NextAction, SendQueue};
use super::{Pipeline, Signals, StageBase, StageSettings};
use crate::model::effect::Effect;
use crate::model::failure::Classify;
use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;
use crate::observe::liveness::Loop;
use crate::observe::repeats::Repeats;
use crate::store::{DeliveryOutcome, DeliveryRecord, OpenPart, PartState};
use crate::telegram::pace::{Pacer, Rates};
use crate::telegram::{Client, TelegramError};

/// Where finished work is handed over. Cheap to clone.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    base: StageBase,
    client: Client,
    settings: Arc<ArcSwap<StageSettings>>,
    signals: Arc<Signals>,
    message_ids: MessageIds,
    send_queue: Mutex<SendQueue>,
    wake: Notify,
    closing: AtomicBool,
    notices: Notices,
    /// Chats that shut the bot out, so that each counts once.
    shut_out: Mutex<HashSet<ChatId>>,
    /// A task will store what arrived.
    flushing: AtomicBool,
    /// Sends that failed, as they are logged.
    repeats: Mutex<Repeats>,
}

impl Inner {
    /// A send failed, and is repeated. An outage does that to every message, again and again: the first of
    /// its class in a while is a warning.
    fn warn_of(&self, chat: ChatId, e: &TelegramError, words: std::fmt::Arguments<'_>) {
        let class = e.class().as_str();
        if self
            .repeats
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_news_after(class, limits::QUIET)
        {
            tracing::warn!(chat_id = chat.0, class, error = %e, "{words}");
        } else {
            tracing::debug!(chat_id = chat.0, class, error = %e, "{words}");
        }
    }
}

/// The stage that sends.
pub struct Deliver(Delivery);

/// A part that is *sending* on disk and leaves now, by [`Delivery::send`].
#[must_use]
pub(super) struct Leaving(Box<OpenPart>, MessageId);

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
            Place::Leaving(id_before) => Some(id_before),
            Place::Queued(_) => None,
        }
    }
}

impl Delivery {
    /// Nothing is on its way yet. `rates`: none for servers without limits.
    pub fn new(pipeline: &Pipeline, rates: Option<Rates>) -> Self {
        let send_queue = SendQueue::new(Pacer::new(rates), pipeline.settings().reconcile_after);
        Self(Arc::new(Inner {
            base: pipeline.base.clone(),
            client: pipeline.client.clone(),
            settings: Arc::clone(&pipeline.settings),
            signals: Arc::clone(&pipeline.signals),
            message_ids: pipeline.message_ids.clone(),
            send_queue: Mutex::new(send_queue),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
            notices: Notices::default(),
            shut_out: Mutex::default(),
            flushing: AtomicBool::new(false),
            repeats: Mutex::default(),
        }))
    }

    /// Other rates from now on; none for servers without limits.
    pub fn set_rates(&self, rates: Option<Rates>) {
        self.send_queue().set_rates(rates);
        self.0.wake.notify_one();
    }

    /// Takes room for a draft or a typing sign, which are the first to give way.
    pub(super) fn has_spare_room(&self) -> bool {
        self.send_queue().take_spare(Instant::now())
    }

    /// Nothing will be handed over any more; the stage ends when what can leave now has left.
    pub fn close(&self) {
        self.0.closing.store(true, Ordering::SeqCst);
        self.0.wake.notify_one();
    }

    fn send_queue(&self) -> MutexGuard<'_, SendQueue> {
        self.0.send_queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for parts of `chat` that are about to be committed. It must be given back with
    /// [`Delivery::take`], whatever the outcome of the commit.
    pub(super) fn reserve(&self, chat: ChatId) -> Slot {
        let mut send_queue = self.send_queue();
        let id_before = send_queue.reserve(chat, &mut self.0.message_ids.lock(), Instant::now());
        let place = match id_before {
            Some(id_before) => Place::Leaving(id_before),
            None => Place::Queued(send_queue.expect(chat)),
        };
        Slot { chat, place }
    }

    /// Takes over parts that were just committed, in order; none when the commit failed. Answers the
    /// one that the caller has to send.
    pub(super) fn take(&self, slot: Option<Slot>, mut parts: Vec<OpenPart>) -> Option<Leaving> {
        let (mut wake, mut leaving) = (false, None);
        match slot {
            Some(Slot { chat, place: Place::Leaving(id_before) }) => {
                if matches!(parts.first(), Some(p) if p.state != PartState::Due) {
                    leaving = Some(Leaving(Box::new(parts.remove(0)), id_before));
                } else {
                    self.0.message_ids.lock().end(chat);
                    self.done(chat, NextAction::Continue);
                }
            }
            Some(Slot { chat, place: Place::Queued(epoch) }) => {
                let (here, elsewhere) = parts.into_iter().partition(|p| p.chat == chat);
                parts = elsewhere;
                wake = self.send_queue().offer(chat, epoch, here);
            }
            None => {}
        }
        if !parts.is_empty() {
            wake = true;
            let mut send_queue = self.send_queue();
            parts.iter().for_each(|part| send_queue.fill(part.chat));
        }
        if wake {
            self.0.wake.notify_one();
        }
        leaving
    }

    /// Sends what leaves now, in the task that finished its update.
    pub(super) async fn send(&self, Leaving(part, id_before): Leaving) {
        self.send_on(part, id_before, true).await;
    }

    /// A group has another id; its parts on disk were moved already.
    pub(super) fn moved(&self, from: ChatId, to: ChatId) {
        self.send_queue().moved(from, to);
        self.0.wake.notify_one();
    }

    fn done(&self, chat: ChatId, after: NextAction) {
        let now = Instant::now();
        self.send_queue().done(chat, after, &mut self.0.message_ids.lock(), now);
        self.0.wake.notify_one();
    }

    /// Sends a part, and then what follows in its chat for as long as that may leave at once.
    /// `marked`: the part is *sending* on disk already.
    async fn send_on(&self, part: Box<OpenPart>, id_before: MessageId, mut marked: bool) {
        let inner = &*self.0;
        let mut now = Some((part, id_before));
        while let Some((part, id_before)) = now {
            if !std::mem::take(&mut marked) {
                let mark = || inner.base.store.mark_sending(part.id, id_before);
                match inner.base.retry_until_stored("mark a part as sending", mark).await {
                    Some(true) => {}
                    Some(false) => {
                        inner.message_ids.lock().end(part.chat);
                        return self.done(part.chat, NextAction::Continue);
                    }
                    None => return,
                }
            }
            now = self.attempt(part, id_before).await;
        }
    }

    /// Sends a part that is *sending* on disk; answers the next one of its chat, if that may leave now.
    async fn attempt(
        &self,
        mut part: Box<OpenPart>,
        id_before: MessageId,
    ) -> Option<(Box<OpenPart>, MessageId)> {
        let inner = &*self.0;
        let (chat, begun) = (part.chat, Instant::now());
        part.state = PartState::Sending { id_before, at_ms: inner.base.clock.now_ms() };
        let sent = tokio::select! {
            sent = inner.client.send(outgoing(&part)) => sent,
            // The part stays *sending*; the next start asks the reconciler.
            () = inner.base.tasks.halt().cancelled() => return None,
        };
        match &sent {
            Ok(id) => {
                inner.base.vitals.worked(&inner.base.vitals.sending);
                inner.message_ids.lock().sent(chat, *id, begun);
            }
            // Sending works; this chat does not want it.
            Err(e) if e.of_chat().is_some() => inner.base.vitals.worked(&inner.base.vitals.sending),
            Err(e) => inner.base.vitals.failed(&inner.base.vitals.sending, e.class()),
        }
        inner.message_ids.lock().end(chat);
        let after = match sent {
            Ok(id) => {
                let after = self.arrived(&part, id).await;
                // The commit that marks it stores this arrival, too.
                let next =
                    self.send_queue().follow(chat, &mut inner.message_ids.lock(), Instant::now());
                if next.is_some() {
                    return next;
                }
                after
            }
            Err(TelegramError::Undecodable) => self.arrived(&part, MessageId(0)).await,
            Err(e) if e.in_doubt() => {
                inner.base.vitals.increment("send_doubtful", e.class().as_str());
                let words = "a message may or may not have arrived";
                inner.warn_of(
                    chat,
                    &e,
                    format_args!("{words}: {e}; looking before it is sent again"),
                );
                Some(NextAction::InDoubt(part))
            }
            // Boxed, like other rare cases: a send needs no room for it.
            Err(e) => Box::pin(self.refused(part, &e)).await,
        };
        if let Some(after) = after {
            self.done(chat, after);
        }
        None
    }

    /// Stores the outcome of a part. `None`: the process halts; the reconciler will look.
    async fn record_delivery(
        &self,
        part: &OpenPart,
        outcome: DeliveryOutcome,
        effects: Vec<Effect>,
    ) -> Option<()> {
        let inner = &*self.0;
        let row = DeliveryRecord { id: part.id, outcome };
        let store = || inner.base.store.record_delivery(vec![row.clone()], effects.clone());
        inner.base.retry_until_stored("record a delivery", store).await
    }
}

impl Deliver {
    /// The stage behind a [`Delivery`], knowing what earlier processes left. To be made before
    /// anything is handed over: a new part must not overtake an old one of its chat.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub async fn new(delivery: Delivery) -> Result<Self, crate::store::StoreError> {
        let this = Self(delivery);
        this.load().await?;
        Ok(this)
    }

    /// Sends until the [`Delivery`] is closed and empty, or the process halts.
    pub async fn run(self) {
        let inner = Arc::clone(&self.0.0);
        let halt = inner.base.tasks.halt().clone();
        loop {
            inner.base.vitals.tick(Loop::Deliver, limits::IDLE_TURN);
            let woken = inner.wake.notified();
            let until = self.step().await;
            if inner.closing.load(Ordering::SeqCst) && self.0.send_queue().is_idle() {
                return;
            }
            let idle = Instant::now() + limits::IDLE_TURN;
            tokio::select! {
                () = halt.cancelled() => return,
                () = woken => {}
                () = inner.signals.caught_up.notified() => {}
                () = sleep_until(until.map_or(idle, |at| at.min(idle))) => {}
            }
        }
    }

    /// What earlier processes left.
    async fn load(&self) -> Result<(), crate::store::StoreError> {
        let store = &self.0.0.base.store;
        let (in_doubt, chats) = (store.parts_in_doubt().await?, store.open_chats().await?);
        if !in_doubt.is_empty() {
            tracing::info!(parts = in_doubt.len(), "messages in doubt from an earlier run");
        }
        let (now, now_ms) = (Instant::now(), self.0.0.base.clock.now_ms());
        let mut send_queue = self.0.send_queue();
        send_queue.left_behind(in_doubt, &mut self.0.0.message_ids.lock(), now, now_ms);
        for chat in chats {
            send_queue.fill(chat);
        }
        Ok(())
    }

    /// Starts everything that may leave now; answers when there may be more.
    pub async fn step(&self) -> Option<Instant> {
        let inner = &*self.0.0;
        loop {
            let next = self.0.send_queue().next(&mut inner.message_ids.lock(), Instant::now());
            let this = self.0.clone();
            match next {
                Next::Send(part, id_before) => inner.base.tasks.spawn("send", async move {
                    this.send_on(part, id_before, false).await;
                }),
                Next::Ask(part, ids) => {
                    inner
                        .base
                        .tasks
                        .spawn("reconcile", async move { this.look_for(part, ids).await });
                }
                Next::Conclude(part, verdict) => inner.base.tasks.spawn("reconcile", async move {
                    let chat = part.chat;
                    if let Some(after) = this.conclude(part, verdict).await {
                        this.done(chat, after);
                    }
                }),
                Next::CatchUp => inner.signals.behind.notify_one(),
                Next::Load(chat) => {
                    match inner.base.store.due_parts(chat, limits::QUEUED_PARTS).await {
                        Ok(parts) => self.0.send_queue().loaded(chat, parts, limits::QUEUED_PARTS),
                        Err(e) => {
                            inner.base.cannot_read("the outbox", &e);
                            let mut send_queue = self.0.send_queue();
                            send_queue.loaded(chat, Vec::new(), limits::QUEUED_PARTS);
                            send_queue.fill(chat);
                            return Some(Instant::now() + limits::SEND_BACKOFF);
                        }
                    }
                }
                Next::Sleep(until) => return until,
            }
        }
    }
}
