//! A worker's life: it works on one update, says how that ended, and sends what may leave at once.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::{Dispatcher, Ended};
use crate::model::message::UpdateEvent;
use crate::pipeline::think;
use crate::store::Queued;

impl Dispatcher {
    /// Starts a worker; its end, of which `end` is known already, is heard in [`Dispatcher::run`].
    pub(super) fn launch(&self, mut end: Ended, worker: think::Worker, queued: Queued) {
        let (ended, tasks) = (self.ended.0.clone(), self.base.tasks.clone());
        self.base.tasks.spawn("worker", async move {
            let worked = AssertUnwindSafe(worker.work(&queued)).catch_unwind().await;
            let outcome = match worked {
                Ok(outcome) => outcome,
                Err(panic) => {
                    // The process ends because of it; the next one must not meet it again.
                    if let think::Worked::Done(Some(leaving)) = worker.give_up(&queued).await {
                        let send = async move { worker.delivery.send(leaving).await };
                        tasks.spawn("send", send);
                    }
                    std::panic::resume_unwind(panic)
                }
            };
            let mut leaving = None;
            match outcome {
                think::Worked::Done(part) => {
                    leaving = part;
                    end.done = 1 + queued.others.len();
                    end.moved_to = match queued.update.event {
                        UpdateEvent::Moved { to, .. } => Some(to),
                        _ => None,
                    };
                }
                think::Worked::Held => end.held = Some(queued),
                think::Worked::Deferred => end.deferred = Some(queued),
                think::Worked::Interrupted => {}
            }
            // The receiver is gone only when the process halts.
            let _ = ended.send(end);
            // The chat's next update need not wait for this.
            if let Some(leaving) = leaving {
                worker.delivery.send(leaving).await;
            }
        });
    }
}
