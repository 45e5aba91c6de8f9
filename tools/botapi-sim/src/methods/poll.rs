//! `getUpdates`: the one method that waits, after `Client::process_get_updates_query` and
//! `Client::do_get_updates` of tdlib/telegram-bot-api.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::params::Params;
use crate::queue::Ended;
use crate::refusal::{Outcome, Refusal};
use crate::sim::Inner;
use crate::state::State;

/// Longer timeouts are cut to this (`LONG_POLL_MAX_TIMEOUT`).
const MAX_TIMEOUT_S: i64 = 50;
const OTHER_POLL: &str = "Conflict: terminated by other getUpdates request; \
     make sure that only one bot instance is running";
const WEBHOOK_ACTIVE: &str = "Conflict: can't use getUpdates method while webhook is active; \
     use deleteWebhook to delete the webhook first";

/// What the first look at the queue came to.
enum Look {
    Answer(Outcome),
    Conflict(Duration, &'static str),
    Wait { turn: u64, from: i64, limit: usize, timeout: Duration },
}

/// Answers one `getUpdates` with the token that was issued as number `issued`: where another one has been since, it is
/// refused, and waits for nothing.
pub(crate) async fn get_updates(inner: &Inner, params: &Params, issued: u64) -> Outcome {
    let look = look(&mut inner.lock(), params, issued);
    let (turn, from, limit, timeout) = match look {
        Look::Answer(outcome) => return outcome,
        Look::Conflict(delay, words) => return conflict(delay, words).await,
        Look::Wait { turn, from, limit, timeout } => (turn, from, limit, timeout),
    };
    let waiting = Waiting::enter(inner);
    inner.polled.notify_waiters(); // an earlier poll learns that it is replaced
    let deadline = tokio::time::Instant::now() + timeout;
    loop {
        let arrived = inner.polled.notified();
        tokio::pin!(arrived);
        arrived.as_mut().enable();
        let ended = {
            let mut state = inner.lock();
            match state.queue.ended(turn) {
                None => {
                    if let Some(list) = state.queue.list(from, limit) {
                        return Ok(list);
                    }
                    None
                }
                Some(Ended::Revoked) => return Err(Refusal::unauthorized()),
                Some(why) => {
                    let now = state.clock.now();
                    let words = match why {
                        Ended::WebhookSet => "Conflict: terminated by setWebhook request",
                        _ => OTHER_POLL,
                    };
                    Some((state.queue.conflict_delay(now), words))
                }
            }
        };
        if let Some((delay, words)) = ended {
            drop(waiting);
            return conflict(delay, words).await;
        }
        if tokio::time::timeout_at(deadline, arrived).await.is_err() {
            return Ok("[]".to_owned());
        }
    }
}

/// Counts a poll as waiting for as long as it lives, also when its client leaves.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn enter(inner: &'a Inner) -> Self {
        inner.lock().queue.waiting += 1;
        inner.changed.notify_waiters();
        Self(inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().queue.waiting -= 1;
        self.0.changed.notify_waiters();
    }
}

async fn conflict(delay: Duration, words: &'static str) -> Outcome {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    Err(Refusal::new(409, words))
}

fn look(state: &mut State, params: &Params, issued: u64) -> Look {
    if state.revoked || state.issued != issued {
        return Look::Answer(Err(Refusal::unauthorized()));
    }
    state.first_poll_at.get_or_insert_with(Instant::now);
    let now = state.clock.now();
    if !state.webhook_url.is_empty() {
        return Look::Conflict(state.queue.conflict_delay(now), WEBHOOK_ACTIVE);
    }
    if let Err(refusal) = remember_kinds(state, params) {
        return Look::Answer(Err(refusal));
    }
    let offset = params.number("offset").unwrap_or(0);
    let limit = params.number("limit").unwrap_or(100).clamp(1, 100);
    let timeout = params.number("timeout").unwrap_or(0).clamp(0, MAX_TIMEOUT_S);
    let limit = usize::try_from(limit).unwrap_or(100);
    let timeout = u64::try_from(timeout).unwrap_or(0);
    let (limit, timeout) = state.queue.pace(offset, limit, timeout, now);
    let from = state.queue.confirm(offset, now);
    match state.queue.list(from, limit) {
        Some(list) => Look::Answer(Ok(list)),
        None if timeout == 0 => Look::Answer(Ok("[]".to_owned())),
        None => Look::Wait {
            turn: state.queue.take_turn(),
            from,
            limit,
            timeout: Duration::from_secs(timeout),
        },
    }
}

/// Remembers `allowed_updates`; left out, the last one stays.
pub(crate) fn remember_kinds(state: &mut State, params: &Params) -> Result<(), Refusal> {
    match params.json("allowed_updates")? {
        None => Ok(()),
        Some(Value::Array(kinds)) => {
            state.queue.allowed =
                Some(kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect());
            Ok(())
        }
        Some(_) => Err(Refusal::bad("strict: allowed_updates must be an Array")),
    }
}
