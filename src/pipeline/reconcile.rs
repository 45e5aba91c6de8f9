//! Reconcile: did a message arrive? Asked by editing it to what it already says.
//!
//! `sendMessage` has no idempotency key. But an edit to identical content is refused as "message
//! is not modified" where the message stands, and as "message to edit not found" where it does
//! not (Bot API `editMessageText`; tdlib), so the few ids that it can have are asked in turn.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Shared;
use super::parts::outgoing;
use crate::model::failure::{Classify, RetryPolicy, backoff};
use crate::model::ids::MessageId;
use crate::store::OpenPart;
use crate::telegram::TelegramError;

/// Failed tries that one id gets before the search is put off: a search that restarted at every
/// failure would not end where one call in ten fails.
const PATIENCE: u32 = 5;

/// First pause after a failed try; it doubles from here.
const PAUSE: Duration = Duration::from_millis(100);

/// The outcome of a part.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It arrived, with this id.
    Arrived(MessageId),
    /// It surely did not.
    Lost,
    /// Too many ids are possible, or Telegram will not tell.
    Unclear,
    /// The search was cut short; ask again later.
    AskAgain,
    /// Nothing can be sent to this chat at all, or the chat moved.
    Refused(TelegramError),
}

impl Outcome {
    /// One word for the log.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Arrived(_) => "arrived",
            Self::Lost => "lost",
            Self::Unclear => "unclear",
            Self::AskAgain => "ask_again",
            Self::Refused(_) => "refused",
        }
    }
}

/// What one edit says about one id.
#[derive(Debug, PartialEq, Eq)]
enum Probe {
    Here,
    NotHere,
    Wait(Duration),
    Broken,
    Refused,
    Odd,
}

/// Looks for a part whose attempt began when `id_before` was the highest id known.
pub(super) async fn reconcile(
    shared: &Shared,
    part: &OpenPart,
    id_before: MessageId,
    since: Instant,
) -> Outcome {
    let begun = Instant::now();
    let caught_up = shared.message_ids().is_caught_up(since);
    // A poll that waits for messages says nothing for a while; the number of those that wait does.
    if !caught_up && matches!(shared.client.pending().await, Ok(0)) {
        shared.message_ids().caught_up(begun);
    }
    let candidates = shared.message_ids().candidates(part.chat, id_before, since);
    for id in candidates.ids {
        let mut tries = 0;
        loop {
            let answer = shared.client.edit(id, outgoing(part)).await;
            match read(&answer) {
                Probe::Here => return Outcome::Arrived(id),
                Probe::NotHere => break,
                Probe::Wait(pause) if tries < PATIENCE => {
                    tries += 1;
                    sleep(pause).await;
                }
                Probe::Broken if tries < PATIENCE => {
                    tries += 1;
                    sleep(backoff(tries, PAUSE, Duration::from_secs(2))).await;
                }
                Probe::Wait(_) | Probe::Broken => return Outcome::AskAgain,
                Probe::Refused => {
                    return match answer {
                        Err(e) => Outcome::Refused(e),
                        Ok(()) => Outcome::Unclear,
                    };
                }
                Probe::Odd => {
                    tracing::warn!(chat_id = part.chat.0, ?answer, "unexpected answer to a probe");
                    return Outcome::Unclear;
                }
            }
        }
    }
    match (candidates.complete, candidates.worth_waiting) {
        (true, _) => Outcome::Lost,
        // While polls fail, other people's messages are unheard and take ids between.
        (false, true) => Outcome::AskAgain,
        (false, false) => Outcome::Unclear,
    }
}

fn read(answer: &Result<(), TelegramError>) -> Probe {
    let e = match answer {
        Ok(()) | Err(TelegramError::Undecodable) => return Probe::Here,
        Err(e) => e,
    };
    let words = e.description();
    if words.contains("message is not modified") {
        return Probe::Here;
    }
    // Another message has the id, or none in this chat.
    let elsewhere = ["message to edit not found", "message can't be edited", "MESSAGE_ID_INVALID"];
    if elsewhere.iter().any(|w| words.contains(w)) {
        return Probe::NotHere;
    }
    if e.shut_out() || e.moved_to().is_some() {
        return Probe::Refused;
    }
    match e.retry_policy() {
        RetryPolicy::After(pause) => Probe::Wait(pause),
        RetryPolicy::Backoff => Probe::Broken,
        RetryPolicy::Never => Probe::Odd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, description: &str) -> Result<(), TelegramError> {
        Err(TelegramError::Refused {
            code,
            description: description.into(),
            retry_after: None,
            moved_to: None,
        })
    }

    #[test]
    fn what_the_words_mean() {
        let table = [
            (Ok(()), Probe::Here),
            (refused(400, "Bad Request: message is not modified: specified new"), Probe::Here),
            (refused(400, "Bad Request: message to edit not found"), Probe::NotHere),
            (refused(400, "Bad Request: message can't be edited"), Probe::NotHere),
            (refused(403, "Forbidden: bot was blocked by the user"), Probe::Refused),
            (refused(502, "Bad Gateway"), Probe::Broken),
            (Err(TelegramError::NotSent("dns".into())), Probe::Broken),
            (refused(400, "Bad Request: something new"), Probe::Odd),
        ];
        for (answer, expected) in table {
            assert_eq!(read(&answer), expected, "{answer:?}");
        }
    }
}
