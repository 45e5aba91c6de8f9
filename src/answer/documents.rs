//! Questions wait until the documents are read for the first time.

use std::sync::Arc;

use tokio::sync::watch;

use super::progress::Progress;
use crate::knowledge::Knowledge;
use crate::observe::documents::DocumentsState;
use crate::observe::vitals::Vitals;

/// Whether the first reading goes on, and who waits for its end.
#[derive(Debug, Default)]
pub(super) struct FirstReading(watch::Sender<bool>);

impl FirstReading {
    /// It goes on from now.
    pub(super) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Ends it; `work` runs before anyone hears of that, and only if it went on. Answers whether it did.
    pub(super) fn end(&self, work: impl FnOnce()) -> bool {
        self.0.send_if_modified(|goes_on| {
            if *goes_on {
                work();
            }
            std::mem::take(goes_on)
        })
    }

    /// `work` changes what is read; afterwards it goes on if it did, unless all was read already. `shows` that it does,
    /// before anyone can end it.
    pub(super) fn renew(
        &self,
        is_read: impl FnOnce() -> bool,
        work: impl FnOnce(),
        shows: impl FnOnce(),
    ) {
        self.0.send_modify(|goes_on| {
            work();
            *goes_on &= !is_read();
            if *goes_on {
                shows();
            }
        });
    }

    pub(super) fn goes_on(&self) -> bool {
        *self.0.borrow()
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Waits for its end.
    pub(super) async fn ended(&self, progress: &watch::Sender<Progress>) {
        if self.goes_on() {
            progress.send_replace(Progress::Reading);
            // It fails only when the sender is gone, which lives as long as this.
            let _ = self.0.subscribe().wait_for(|goes_on| !goes_on).await;
        }
    }
}

/// Shows people the documents that answers are searched in.
pub(super) fn show(vitals: &Vitals, knowledge: Option<&Knowledge>) {
    let state = knowledge.map_or(DocumentsState::None, |knowledge| {
        let (files, passages) = knowledge.size();
        DocumentsState::Read { files, passages }
    });
    vitals.documents.store(Arc::new(state));
}
