//! Which edits wait on disk.

use std::collections::HashMap;

use crate::model::ids::{InboxSeq, MessageId};
use crate::store::Queued;

/// Edits of one chat that wait on disk, while what they change may wait there, too.
#[derive(Debug, Default)]
pub(super) struct EditsOnDisk(HashMap<MessageId, Vec<InboxSeq>>);

impl EditsOnDisk {
    pub(super) fn add(&mut self, edited: &Queued) {
        if let Some(message) = edited.update.message_id() {
            self.0.entry(message).or_default().push(edited.seq);
        }
    }

    /// The edits of these, which are no longer remembered here.
    pub(super) fn take<'a>(&mut self, updates: impl Iterator<Item = &'a Queued>) -> Vec<InboxSeq> {
        let mut edits = Vec::new();
        if !self.0.is_empty() {
            let originals = updates.filter(|queued| !queued.is_edit());
            let messages = originals.filter_map(|queued| queued.update.message_id());
            edits.extend(messages.filter_map(|message| self.0.remove(&message)).flatten());
        }
        edits.sort_unstable();
        edits
    }

    /// This one is not on disk any more.
    pub(super) fn remove(&mut self, edited: &Queued) {
        let Some(message) = edited.update.message_id() else { return };
        if let Some(seqs) = self.0.get_mut(&message) {
            seqs.retain(|seq| *seq != edited.seq);
            if seqs.is_empty() {
                self.0.remove(&message);
            }
        }
    }
}
