//! Reconcile: did a message arrive? Asked by editing it to what it already says. Which part is asked
//! about at which id is chosen in [`super::search`].
//!
//! `sendMessage` has no idempotency key. But an edit to identical content is refused as "message
//! is not modified" where the message stands, and as "message to edit not found" where it does
//! not (Bot API `editMessageText`; tdlib), so the few ids that it can have are asked in turn.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::parts::outgoing;
use crate::model::failure::{Classify, RetryPolicy, backoff};
use crate::model::ids::MessageId;
use crate::store::OpenPart;
use crate::telegram::{Client, TelegramError};

/// Failed tries that one id gets before the search is put off: where one call in ten fails, a
/// search that was put off at each failure would take very long.
const TRIES: u32 = 5;

/// First pause after a failed try; it doubles from here.
const PAUSE: Duration = Duration::from_millis(100);

/// What some probes for one part say.
#[derive(Debug)]
pub(super) struct Answer {
    /// How many edits were tried.
    pub(super) asked: u64,
    /// Ids at which the part is not.
    pub(super) not_at: Vec<MessageId>,
    pub(super) found: Found,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// The part is at none of the ids.
    Nothing,
    /// The part, with this id.
    Part(MessageId),
    /// An unexpected answer.
    Unclear,
    /// No usable answer; ask again later.
    NoAnswer,
    /// Nothing can be sent to this chat at all, or the chat moved.
    Refusal(TelegramError),
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

/// Asks whether a part has one of these ids.
pub(super) async fn ask(client: &Client, part: &OpenPart, ids: &[MessageId]) -> Answer {
    let mut answer = Answer { asked: 0, not_at: Vec::new(), found: Found::Nothing };
    let probes = join_all(ids.iter().map(|id| probe(client, part, *id))).await;
    for (id, (asked, found)) in ids.iter().zip(probes) {
        answer.asked += asked;
        match (found, &answer.found) {
            (Found::Nothing, _) => answer.not_at.push(*id),
            // A hit is certain, whatever else was answered.
            (found @ Found::Part(_), _) | (found, Found::Nothing) => answer.found = found,
            _ => {}
        }
    }
    answer
}

/// Asks about one id, some times if need be; how often, and what was found.
async fn probe(client: &Client, part: &OpenPart, id: MessageId) -> (u64, Found) {
    let mut asked = 0;
    loop {
        let answer = client.edit(id, outgoing(part)).await;
        asked += 1;
        let found = match read(&answer) {
            Probe::Here => Found::Part(id),
            Probe::NotHere => Found::Nothing,
            Probe::Wait(pause) if asked <= TRIES => {
                sleep(pause).await;
                continue;
            }
            Probe::Broken if asked <= TRIES => {
                sleep(backoff(asked, PAUSE, Duration::from_secs(2))).await;
                continue;
            }
            Probe::Wait(_) | Probe::Broken => Found::NoAnswer,
            Probe::Refused => answer.err().map_or(Found::Unclear, Found::Refusal),
            Probe::Odd => {
                tracing::warn!(
                    chat_id = part.chat.0,
                    ?answer,
                    "unexpected answer to a probe: {answer:?}"
                );
                Found::Unclear
            }
        };
        return (u64::from(asked), found);
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
    if e.of_chat().is_some() || e.moved_to().is_some() {
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
