//! Dispatcher: gives each chat's updates, in order, to one worker at a time.
//!
//! Invariants: at most one worker per chat, but for a `/remove` beside an answer; a chat that is slow, or has
//! a long queue, delays no other; `/cancel` reaches the running answer of its topic without waiting in its
//! chat's queue.

mod beside;
mod chat_queue;
mod deferred;
mod edited;
mod edits_on_disk;
mod gather;
mod launch;
mod next;
mod on_disk;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::chat_queue::{ChatQueue, Running, asker, pieces_of, sender};
pub(super) use self::gather::is_piece;
use self::gather::together;
use super::deliver::Delivery;
use super::route::{Route, is_command, route};
use super::think::mark;
use super::{Pipeline, Signals, StageBase, StageSettings, think};
use crate::model::ids::{ChatId, InboxSeq};
use crate::model::limits;
use crate::model::message::Update;
use crate::model::message::UpdateEvent;
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
    /// More may wait on disk than is handed over in memory.
    behind: bool,
    chats: HashMap<Option<ChatId>, ChatQueue>,
    /// How many updates are in the queues of all chats.
    queued: usize,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    running: usize,
    /// When pieces are looked at again, and in which chat.
    wakes: BTreeSet<(Instant, Option<ChatId>)>,
}

/// A worker's last word, or that a pause is over.
#[derive(Default)]
struct Ended {
    chat: Option<ChatId>,
    /// It worked beside the chat's worker.
    beside: bool,
    /// It was the pause before what waits on disk is read again.
    retry: bool,
    /// The update, when it has to wait for `/resume`.
    held: Option<Queued>,
    /// The update, when it is looked at again soon.
    deferred: Option<Queued>,
    /// The chat's new id, when the update says that it has one.
    moved_to: Option<ChatId>,
    /// How many updates are done.
    done: usize,
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
            behind: true,
            chats: HashMap::new(),
            queued: 0,
            ended: mpsc::unbounded_channel(),
            running: 0,
            wakes: BTreeSet::new(),
        }
    }

    /// Thinks for ingress, with the same parts as the workers.
    pub fn at_once(&self) -> think::AtOnce {
        think::AtOnce::new(Arc::clone(&self.parts), self.delivery.clone())
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
                    self.worker_ended(ended).await;
                }
                continue;
            }
            let wake = self.wakes.first().map(|(at, _)| *at);
            if self.chats.is_empty() && !self.behind {
                self.signals.handover.all_done();
            }
            tokio::select! {
                () = drain.cancelled() => break,
                () = filled => {}
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    self.wake_up(Instant::now()).await;
                }
                () = tokio::time::sleep(limits::IDLE_TURN) => self.behind = true,
                () = signals.resumed.notified() => self.resume().await,
                Some(ended) = self.ended.1.recv() => {
                    self.worker_ended(ended).await;
                    while let Ok(ended) = self.ended.1.try_recv() {
                        self.worker_ended(ended).await;
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

    /// Takes new updates and starts workers; answers how many updates there were.
    pub async fn step(&mut self) -> usize {
        let batch = self.take().await;
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

    /// New updates, in order: what was handed over, or what is on disk.
    async fn take(&mut self) -> Vec<Queued> {
        let cursor = self.cursor;
        // Before the disk is read: what is committed in between may come twice, and never not at all.
        let handed_over = self.signals.handover.take();
        if !self.behind
            && let Some(handed_over) = handed_over
        {
            return handed_over.into_iter().filter(|queued| queued.seq > cursor).collect();
        }
        self.behind = true;
        let base = self.base.clone();
        let read = || async {
            // A disk that refuses counts as progress too: a restart would not fix it.
            base.vitals.tick(Loop::Dispatcher, limits::IDLE_TURN);
            base.store.new_updates(cursor, limits::CLAIM_BATCH).await
        };
        let Some(batch) = base.retry_until_stored("read the inbox", read).await else {
            return Vec::new();
        };
        self.behind = batch.len() >= limits::CLAIM_BATCH;
        batch
    }

    fn place(&mut self, queued: Queued) {
        let chat_queue = self.chats.entry(queued.update.chat()).or_default();
        if queued.is_edit() && chat_queue.take_edit(&queued, &self.username) {
            return;
        }
        if is_cancel(&queued.update, &self.username)
            && let Some(from) = sender(&queued)
        {
            let mut stopped = 0;
            let theirs =
                |r: &&Running| r.question && r.from == Some(from) && !r.cancel.is_cancelled();
            if let Some(running) = chat_queue.running.as_ref().filter(theirs) {
                running.cancel.cancel();
                stopped += 1;
            }
            let since = chat_queue.cancelled.get(&from).copied().unwrap_or_default();
            let asks = |q: &&Queued| q.seq > since && asker(q, &self.username) == Some(from);
            let before = chat_queue.queue.len();
            let pieces = chat_queue.gatherings.of(Some(from), &mut chat_queue.queue);
            self.queued -= before - chat_queue.queue.len();
            chat_queue.ready.extend(pieces);
            let said = |q: &&Queued| sender(q) == Some(from);
            stopped += together(chat_queue.queue.iter().filter(said)).iter().filter(asks).count();
            stopped += chat_queue.ready.iter().chain(&chat_queue.held).filter(asks).count();
            stopped += chat_queue.unread.remove(&from).unwrap_or(0);
            chat_queue.cancelled.insert(from, queued.seq);
            chat_queue.stopped.insert(queued.seq, stopped);
            // Held questions are finished in order, as cancelled ones.
            let held = std::mem::take(&mut chat_queue.held);
            self.queued += held.len();
            for old in held.into_iter().rev() {
                chat_queue.queue.push_front(old);
            }
        }
        let is_full = chat_queue.queue.len() >= limits::CHAT_QUEUE
            || self.queued >= limits::QUEUED_UPDATES && !chat_queue.queue.is_empty();
        if is_full || !chat_queue.on_disk.is_empty() {
            chat_queue.on_disk.push_back(queued.seq);
            if queued.is_edit() {
                chat_queue.edits_on_disk.add(&queued);
            }
            if let Some(from) = asker(&queued, &self.username) {
                *chat_queue.unread.entry(from).or_default() += 1;
            }
        } else {
            self.queued += 1;
            chat_queue.queue.push_back(queued);
        }
    }

    /// Starts the next worker of a chat, if there is work and no worker.
    async fn start(&mut self, chat: Option<ChatId>) {
        if self.base.tasks.drain().is_cancelled() {
            return;
        }
        let Some(chat_queue) = self.chats.get_mut(&chat) else { return };
        if chat_queue.running.is_some() || chat_queue.retrying {
            let last = chat_queue.queue.back().filter(|_| chat_queue.is_answering());
            if last.is_some_and(|last| is_command(&last.update, &self.username, "remove")) {
                self.start_beside(chat);
            }
            return;
        }
        let Some(queued) = self.next_of(chat).await else { return };
        let Some(chat_queue) = self.chats.get_mut(&chat) else { return };
        let from = sender(&queued);
        let question = matches!(route(&queued.update, &self.username), Route::Question { .. })
            || matches!(queued.update.event, UpdateEvent::Press(_));
        let cancel = CancellationToken::new();
        let dead = from
            .and_then(|user| chat_queue.cancelled.get(&user))
            .is_some_and(|until| queued.seq < *until);
        if chat_queue.superseded.remove(&queued.seq) || dead {
            cancel.cancel();
        }
        let stopped = chat_queue.stopped.remove(&queued.seq).unwrap_or(0);
        let replaces = chat_queue.replacing.remove(&queued.seq);
        let has_waited = chat_queue.deferred.has_waited(queued.seq);
        let was_seen = chat_queue.seen.remove(&queued.seq);
        chat_queue.running = Some(Running {
            from,
            said: queued.update.message().map(|m| (m.message_id, mark(m.words()))),
            pieces: pieces_of(&queued.update),
            question,
            is_first: replaces || !queued.is_edit(),
            replaces,
            cancel: cancel.clone(),
        });
        self.running += 1;
        let behind_held = !chat_queue.held.is_empty();
        let worker = think::Worker {
            parts: Arc::clone(&self.parts),
            delivery: self.delivery.clone(),
            cancel,
            info: think::DispatchInfo { stopped, behind_held, has_waited, was_seen, replaces },
        };
        self.launch(Ended { chat, ..Ended::default() }, worker, queued);
    }

    async fn worker_ended(&mut self, ended: Ended) {
        self.running -= 1;
        if ended.done > 0 {
            self.signals.handover.done(ended.chat, ended.done);
            let done = i64::try_from(ended.done).unwrap_or(i64::MAX);
            let before = self.signals.backlog.fetch_sub(done, Ordering::Relaxed);
            let max = i64::try_from(self.settings.load().backlog_max).unwrap_or(i64::MAX);
            if before >= max {
                self.signals.inbox_drained.notify_one();
            }
        }
        if let Some(chat_queue) = self.chats.get_mut(&ended.chat) {
            if ended.beside {
                chat_queue.beside = false;
            } else if ended.retry {
                chat_queue.retrying = false;
            } else {
                chat_queue.stopped_running(ended.held.as_ref().or(ended.deferred.as_ref()));
            }
            chat_queue.held.extend(ended.held);
        }
        if let Some(queued) = ended.deferred {
            self.defer(queued);
        }
        if let Some(chat) = ended.moved_to {
            self.look_now(Some(chat)).await;
        }
        if !self.signals.paused.load(Ordering::SeqCst) {
            // `/resume` may have come between the worker's look and this.
            self.release(ended.chat);
        }
        if ended.beside {
            self.start_beside(ended.chat);
        }
        self.start(ended.chat).await;
    }

    fn release(&mut self, chat: Option<ChatId>) {
        if let Some(chat_queue) = self.chats.get_mut(&chat) {
            self.queued += chat_queue.held.len();
            // A question may be held only after those before it were released.
            chat_queue.queue.extend(std::mem::take(&mut chat_queue.held));
            chat_queue.queue.make_contiguous().sort_by_key(|queued| queued.seq);
        }
    }

    async fn resume(&mut self) {
        let chats: Vec<_> = self.chats.keys().copied().collect();
        for chat in chats {
            self.release(chat);
            self.start(chat).await;
        }
    }
}

/// Whether this is `/cancel`.
pub(super) fn is_cancel(update: &Update, username: &str) -> bool {
    is_command(update, username, "cancel")
}
