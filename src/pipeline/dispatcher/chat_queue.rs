//! What waits of one chat.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio_util::sync::CancellationToken;

use super::deferred::Deferred;
use super::edits_on_disk::EditsOnDisk;
use super::gather::Gatherings;
use crate::model::ids::{InboxSeq, MessageId, UserId};
use crate::model::message::Update;
use crate::pipeline::route::{Route, route};
use crate::pipeline::think::mark;
use crate::store::Queued;

/// One chat's updates.
#[derive(Default)]
pub(super) struct ChatQueue {
    pub(super) queue: VecDeque<Queued>,
    /// Comes before the queue: pieces that were put together, and what had to wait behind them.
    pub(super) ready: VecDeque<Queued>,
    /// Pieces that wait for more of the same album or text.
    pub(super) gatherings: Gatherings,
    /// Questions that are looked at again, because the group may just have become another chat.
    pub(super) deferred: Deferred,
    /// Questions that wait for `/resume`, in order.
    pub(super) held: Vec<Queued>,
    /// Where those are that come after them and wait on disk.
    pub(super) on_disk: VecDeque<InboxSeq>,
    /// Edits among those.
    pub(super) edits_on_disk: EditsOnDisk,
    /// What waits again after a worker has looked at it.
    pub(super) seen: HashSet<InboxSeq>,
    /// Questions of each person in each topic that wait on disk and are not cancelled.
    pub(super) unread: HashMap<Asker, usize>,
    pub(super) running: Option<Running>,
    /// A `/remove` is worked on beside that.
    pub(super) beside: bool,
    /// What waits on disk could not be read, and is read again after a pause.
    pub(super) retrying: bool,
    /// Questions of this person in this topic accepted before this update are not answered.
    pub(super) cancelled: HashMap<Asker, InboxSeq>,
    /// Questions that were edited before it was their turn.
    pub(super) superseded: HashSet<InboxSeq>,
    /// Edits that took the place of a question that has no answer.
    pub(super) replacing: HashSet<InboxSeq>,
    /// For a `/cancel` that waits in the queue: how many questions it stopped.
    pub(super) stopped: HashMap<InboxSeq, usize>,
}

/// Who asks, and in which topic of the chat (0 outside topics): what a `/cancel` is about.
pub(super) type Asker = (UserId, i64);

/// What a worker works on.
pub(super) struct Running {
    pub(super) from: Option<Asker>,
    /// The message that it is about, with a mark of its words.
    pub(super) said: Option<(MessageId, u64)>,
    /// The same of each piece of what came in pieces.
    pub(super) pieces: Vec<(MessageId, u64)>,
    pub(super) question: bool,
    /// It is new, or an edit in the place of a question that has no answer.
    pub(super) is_first: bool,
    /// It is such an edit.
    pub(super) replaces: bool,
    pub(super) cancel: CancellationToken,
}

impl ChatQueue {
    /// Whether a question is being answered.
    pub(super) fn is_answering(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.question)
    }
}

/// Who caused an update, and in which topic.
pub(super) fn sender(queued: &Queued) -> Option<Asker> {
    Some((queued.update.from()?.id, queued.update.thread().unwrap_or(0)))
}

/// Who asks, if it is a question.
pub(super) fn asker(queued: &Queued, username: &str) -> Option<Asker> {
    match route(&queued.update, username) {
        Route::Question { .. } => sender(queued),
        _ => None,
    }
}

/// The pieces of what came in pieces, with a mark of the words of each.
pub(super) fn pieces_of(update: &Update) -> Vec<(MessageId, u64)> {
    let pieces = update.message().map_or(&[][..], |message| &message.pieces);
    pieces.iter().map(|piece| (piece.message_id, mark(&piece.words))).collect()
}
