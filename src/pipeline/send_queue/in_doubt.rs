//! Parts in doubt in the send queue: the search decides which of them is next.

use std::time::Duration;

use tokio::time::Instant;

use super::{Next, SendQueue};
use crate::model::limits;
use crate::pipeline::message_ids::{MessageIdTracker, Reconcile};
use crate::pipeline::search::Step;
use crate::store::{OpenPart, PartState};

impl SendQueue {
    /// Parts in doubt that an earlier process left behind. It lived at least until the last of their
    /// attempts. `now_ms`: now, as Unix milliseconds.
    pub(in crate::pipeline) fn left_behind(
        &mut self,
        mut parts: Vec<OpenPart>,
        message_ids: &mut MessageIdTracker,
        now: Instant,
        now_ms: i64,
    ) {
        parts.sort_by_key(|p| (attempted_ms(p), p.id));
        let last_ms = parts.last().map_or(now_ms, attempted_ms);
        let age = Duration::from_millis(u64::try_from(now_ms - last_ms).unwrap_or(0));
        let settled_at = now + self.reconcile_after.saturating_sub(age);
        for part in parts {
            let PartState::Sending { id_before, .. } = part.state else { continue };
            message_ids.in_doubt(part.chat, id_before, now, settled_at);
            self.map.entry(part.chat).or_default().parts.push_back(part);
        }
    }

    /// The next step of the reconciler, or when there may be one.
    pub(super) fn reconcile(
        &mut self,
        message_ids: &mut MessageIdTracker,
        now: Instant,
    ) -> Result<Next, Option<Instant>> {
        if self.in_flight >= limits::SENDS_AT_ONCE {
            return Err(None);
        }
        let (chat, step) = match message_ids.reconcile(now) {
            Reconcile::Wait(at) => return Err(at),
            Reconcile::CatchUp => return Ok(Next::CatchUp),
            Reconcile::Step(chat, step) => (chat, step),
        };
        let head = self.map.get_mut(&chat).filter(|queue| !queue.busy);
        let head = head.filter(|q| q.parts.front().is_some_and(|p| p.state != PartState::Due));
        let Some(queue) = head else {
            // The part is gone, and with it what was to be found out.
            message_ids.resolved(chat);
            return Err(Some(now));
        };
        if let Step::Ask(ids) = &step {
            self.pacer.take_edits(ids.len(), now).map_err(Some)?;
        }
        let Some(part) = queue.parts.pop_front().map(Box::new) else { return Err(None) };
        queue.busy = true;
        self.in_flight += 1;
        self.reconciled = true;
        message_ids.started(chat, &step, now);
        Ok(match step {
            Step::Ask(ids) => Next::Ask(part, ids),
            Step::Conclude(verdict) => Next::Conclude(part, verdict),
        })
    }
}

/// When a part was tried last, Unix milliseconds.
fn attempted_ms(part: &OpenPart) -> i64 {
    match part.state {
        PartState::Sending { at_ms, .. } => at_ms,
        PartState::Due => 0,
    }
}
