//! Chats: gives each chat's updates, in order, to one worker at a time.
//!
//! Invariants: at most one worker per chat; a chat that is slow, or has a long queue, delays no
//! other; `/cancel` reaches the running answer of its chat without waiting in its queue.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::deliver::Delivery;
use super::route::{Route, route};
use super::{Pipeline, Signals, StageBase, StageSettings, think};
use crate::model::failure::chain;
use crate::model::ids::{ChatId, InboxSeq, UserId};
use crate::model::limits;
use crate::observe::liveness::Loop;
use crate::store::Queued;

/// The stage that hands out work.
pub struct Dispatcher {
    base: StageBase,
    /// The bot's, without `@`.
    username: String,
    signals: Arc<Signals>,
    settings: Arc<ArcSwap<StageSettings>>,
    /// For the workers.
    parts: Arc<think::ThinkParts>,
    delivery: Delivery,
    /// Everything up to here has been looked at.
    cursor: InboxSeq,
    send_queue: HashMap<Option<ChatId>, ChatQueue>,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    running: usize,
}

/// One chat's updates.
#[derive(Default)]
struct ChatQueue {
    queue: VecDeque<Queued>,
    /// Questions that wait for `/resume`, in order.
    held: Vec<Queued>,
    /// The last update that was in memory; later ones wait on disk when `on_disk`.
    last: InboxSeq,
    on_disk: bool,
    /// Questions of each person that wait on disk and are not cancelled.
    unread: HashMap<UserId, usize>,
    running: Option<Running>,
    /// Questions of this person accepted before this update are not answered.
    cancelled: HashMap<UserId, InboxSeq>,
    /// For a `/cancel` that waits in the queue: how many questions it stopped.
    stopped: HashMap<InboxSeq, usize>,
}

struct Running {
    from: Option<UserId>,
    question: bool,
    cancel: CancellationToken,
}

/// A worker's last word.
struct Ended {
    chat: Option<ChatId>,
    /// The update, when it has to wait for `/resume`.
    held: Option<Queued>,
    done: bool,
}

impl Dispatcher {
    /// A stage that begins with the oldest update that is not done.
    #[expect(
        clippy::disallowed_methods,
        reason = "at most one entry for each worker, and a worker must not wait to end"
    )]
    pub fn new(pipeline: &Pipeline, delivery: Delivery) -> Self {
        Self {
            base: pipeline.base.clone(),
            username: pipeline.me.username.clone(),
            signals: Arc::clone(&pipeline.signals),
            settings: Arc::clone(&pipeline.settings),
            parts: Arc::new(think::ThinkParts::new(pipeline)),
            delivery,
            cursor: InboxSeq(0),
            send_queue: HashMap::new(),
            ended: mpsc::unbounded_channel(),
            running: 0,
        }
    }

    /// Hands out work until the process drains, then waits for the workers.
    pub async fn run(mut self) {
        let (drain, halt) = (self.base.tasks.drain().clone(), self.base.tasks.halt().clone());
        let (base, signals) = (self.base.clone(), Arc::clone(&self.signals));
        while !drain.is_cancelled() {
            base.vitals.tick(Loop::Dispatcher, limits::IDLE_TURN);
            // Registered before the table is looked at, so that no wake-up is missed.
            let filled = signals.inbox_filled.notified();
            if self.step().await > 0 {
                // More may wait; workers that ended meanwhile come first.
                while let Ok(ended) = self.ended.1.try_recv() {
                    self.record_delivery(ended).await;
                }
                continue;
            }
            tokio::select! {
                () = drain.cancelled() => break,
                () = filled => {}
                () = tokio::time::sleep(limits::IDLE_TURN) => {}
                () = signals.resumed.notified() => self.resume().await,
                Some(ended) = self.ended.1.recv() => {
                    self.record_delivery(ended).await;
                    while let Ok(ended) = self.ended.1.try_recv() {
                        self.record_delivery(ended).await;
                    }
                }
            }
        }
        while self.running > 0 {
            base.vitals.tick(Loop::Dispatcher, limits::IDLE_TURN);
            tokio::select! {
                () = halt.cancelled() => return,
                () = tokio::time::sleep(limits::IDLE_TURN) => {}
                ended = self.ended.1.recv() => match ended {
                    Some(_) => self.running -= 1,
                    None => return,
                }
            }
        }
    }

    /// Takes new updates from the inbox and starts workers; answers how many updates there were.
    pub async fn step(&mut self) -> usize {
        let cursor = self.cursor;
        let base = self.base.clone();
        let read = || async {
            // A disk that refuses counts as progress too: a restart would not fix it.
            base.vitals.tick(Loop::Dispatcher, limits::IDLE_TURN);
            base.store.new_updates(cursor, limits::CLAIM_BATCH).await
        };
        let Some(batch) = self.base.retry_until_stored("read the inbox", read).await else {
            return 0;
        };
        let count = batch.len();
        let mut chats = Vec::new();
        for queued in batch {
            self.cursor = queued.seq;
            chats.push(queued.update.chat());
            self.place(queued);
        }
        // Workers start after the whole batch is placed: a `/cancel` further back counts.
        for chat in chats {
            self.start(chat).await;
        }
        count
    }

    fn place(&mut self, queued: Queued) {
        let lane = self.send_queue.entry(queued.update.chat()).or_default();
        if is_cancel(&queued, &self.username)
            && let Some(from) = queued.update.from().map(|p| p.id)
        {
            let mut stopped = 0;
            let theirs =
                |r: &&Running| r.question && r.from == Some(from) && !r.cancel.is_cancelled();
            if let Some(running) = lane.running.as_ref().filter(theirs) {
                running.cancel.cancel();
                stopped += 1;
            }
            let since = lane.cancelled.get(&from).copied().unwrap_or_default();
            let asks = |q: &&Queued| q.seq > since && asker(q, &self.username) == Some(from);
            stopped += lane.queue.iter().chain(&lane.held).filter(asks).count();
            stopped += lane.unread.remove(&from).unwrap_or(0);
            lane.cancelled.insert(from, queued.seq);
            lane.stopped.insert(queued.seq, stopped);
            // Held questions are finished in order, as cancelled ones.
            let held = std::mem::take(&mut lane.held);
            for old in held.into_iter().rev() {
                lane.queue.push_front(old);
            }
        }
        if lane.on_disk || lane.queue.len() >= limits::CHAT_QUEUE {
            lane.on_disk = true;
            if let Some(from) = asker(&queued, &self.username) {
                *lane.unread.entry(from).or_default() += 1;
            }
        } else {
            lane.last = queued.seq;
            lane.queue.push_back(queued);
        }
    }

    /// Starts the next worker of a chat, if there is work and no worker.
    async fn start(&mut self, chat: Option<ChatId>) {
        if self.base.tasks.drain().is_cancelled() {
            return;
        }
        let Some(lane) = self.send_queue.get_mut(&chat) else { return };
        if lane.running.is_some() {
            return;
        }
        if lane.queue.is_empty() && lane.on_disk {
            match self.base.store.new_updates_of(chat, lane.last, limits::CHAT_QUEUE).await {
                Ok(more) => {
                    // What lies beyond the cursor will be placed when the cursor gets there.
                    let cursor = self.cursor;
                    lane.on_disk = more.len() >= limits::CHAT_QUEUE;
                    for queued in more.into_iter().filter(|q| q.seq <= cursor) {
                        let from = asker(&queued, &self.username);
                        if let Some(from) = from
                            && lane.cancelled.get(&from).is_none_or(|until| queued.seq > *until)
                            && let Some(n) = lane.unread.get_mut(&from)
                        {
                            *n = n.saturating_sub(1);
                        }
                        lane.queue.push_back(queued);
                    }
                    lane.last = lane.queue.back().map_or(lane.last, |q| q.seq);
                }
                Err(e) => {
                    tracing::error!(
                        error = chain(&e),
                        "cannot read the inbox of a chat; trying again"
                    );
                    let halt = self.base.tasks.halt().clone();
                    let ended = self.ended.0.clone();
                    self.running += 1;
                    self.base.tasks.spawn("inbox-retry", async move {
                        tokio::select! {
                            () = tokio::time::sleep(limits::SEND_BACKOFF) => {}
                            () = halt.cancelled() => {}
                        }
                        let _ = ended.send(Ended { chat, held: None, done: false });
                    });
                    return;
                }
            }
        }
        let Some(queued) = lane.queue.pop_front() else {
            if !lane.on_disk && lane.held.is_empty() {
                self.send_queue.remove(&chat);
            }
            return;
        };
        let from = queued.update.from().map(|p| p.id);
        let question = matches!(route(&queued.update, &self.username), Route::Question { .. })
            || matches!(queued.update.event, crate::model::message::UpdateEvent::Press(_));
        let cancel = CancellationToken::new();
        let dead = from
            .and_then(|user| lane.cancelled.get(&user))
            .is_some_and(|until| queued.seq < *until);
        if dead {
            cancel.cancel();
        }
        let stopped = lane.stopped.remove(&queued.seq).unwrap_or(0);
        lane.running = Some(Running { from, question, cancel: cancel.clone() });
        self.running += 1;
        let behind_held = !lane.held.is_empty();
        let worker = think::Worker {
            parts: Arc::clone(&self.parts),
            delivery: self.delivery.clone(),
            cancel,
            stopped,
            behind_held,
        };
        let ended = self.ended.0.clone();
        self.base.tasks.spawn("worker", async move {
            let worked = AssertUnwindSafe(worker.work(&queued)).catch_unwind().await;
            let outcome = match worked {
                Ok(outcome) => outcome,
                Err(panic) => {
                    // The process ends because of it; the next one must not meet it again.
                    worker.give_up(&queued).await;
                    std::panic::resume_unwind(panic)
                }
            };
            let word = Ended {
                chat,
                done: outcome == think::Worked::Done,
                held: (outcome == think::Worked::Held).then_some(queued),
            };
            // The receiver is gone only when the process halts.
            let _ = ended.send(word);
        });
    }

    async fn record_delivery(&mut self, ended: Ended) {
        self.running -= 1;
        if ended.done {
            let before = self.signals.backlog.fetch_sub(1, Ordering::Relaxed);
            let max = i64::try_from(self.settings.load().backlog_max).unwrap_or(i64::MAX);
            if before >= max {
                self.signals.inbox_drained.notify_one();
            }
        }
        if let Some(lane) = self.send_queue.get_mut(&ended.chat) {
            lane.running = None;
            lane.held.extend(ended.held);
        }
        if !self.signals.paused.load(Ordering::SeqCst) {
            // `/resume` may have come between the worker's look and this.
            self.release(ended.chat);
        }
        self.start(ended.chat).await;
    }

    fn release(&mut self, chat: Option<ChatId>) {
        if let Some(lane) = self.send_queue.get_mut(&chat) {
            // A question may be held only after those before it were released.
            lane.queue.extend(std::mem::take(&mut lane.held));
            lane.queue.make_contiguous().sort_by_key(|queued| queued.seq);
        }
    }

    async fn resume(&mut self) {
        let chats: Vec<_> = self.send_queue.keys().copied().collect();
        for chat in chats {
            self.release(chat);
            self.start(chat).await;
        }
    }
}

/// Who asks, if it is a question.
fn asker(queued: &Queued, username: &str) -> Option<UserId> {
    match route(&queued.update, username) {
        Route::Question { message, .. } => Some(message.from.id),
        _ => None,
    }
}

fn is_cancel(queued: &Queued, username: &str) -> bool {
    matches!(route(&queued.update, username), Route::Command { word, .. } if word.eq_ignore_ascii_case("cancel"))
}
