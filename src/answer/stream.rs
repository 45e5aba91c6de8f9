//! Collecting a streamed answer within its bounds.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::error::AnswerError;
use crate::model::conversation::{Event, Finished, StopReason};
use crate::observe::vitals::Vitals;
use crate::provider::{Answering, ProviderError};

/// Bounds of one answer.
pub(super) struct Bounds<'a> {
    /// Longest silence of the server before the first words. A model that thinks is not silent, and
    /// neither is a gateway that sends signs of life.
    pub(super) silence: Duration,
    /// Until the end.
    pub(super) whole: Duration,
    /// Size; what exceeds it is cut, as if the model had stopped there.
    pub(super) bytes: usize,
    /// Whether a person would see nothing of a text, so that it does not answer anything.
    pub(super) is_blank: &'a (dyn Fn(&str) -> bool + Sync),
}

/// The outcome of a stream.
pub(super) enum Collected {
    /// All of it.
    Whole { text: String, finished: Finished, first_after: Duration },
    /// Not all of it; half an answer is not passed off as a whole one.
    Failed(AnswerError),
    /// `/cancel` came first.
    Cancelled,
}

/// Reads the stream to its end; `words` always holds what is there so far.
pub(super) async fn collect(
    mut pieces: Answering,
    words: &watch::Sender<String>,
    cancel: &CancellationToken,
    bounds: Bounds<'_>,
    vitals: &Vitals,
) -> Collected {
    let begun = Instant::now();
    let mut text = String::new();
    let mut first_after = None;
    let mut heard = begun;
    loop {
        let end = begun + bounds.whole;
        let limit = if first_after.is_some() { end } else { end.min(heard + bounds.silence) };
        let piece = tokio::select! {
            biased;
            () = cancel.cancelled() => return Collected::Cancelled,
            piece = timeout_at(limit, pieces.next()) => piece,
        };
        heard = Instant::now();
        let unused = |kind| vitals.increment("provider_event_unused", kind);
        match piece {
            Err(_) if limit < end => return Collected::Failed(AnswerError::FirstTokenLate),
            Err(_) => return Collected::Failed(AnswerError::Late),
            Ok(None) => return Collected::Failed(AnswerError::Provider(ProviderError::Cut)),
            Ok(Some(Err(e))) => return Collected::Failed(AnswerError::Provider(e)),
            Ok(Some(Ok(Event::Text(more)))) => {
                first_after.get_or_insert_with(|| begun.elapsed());
                text.push_str(&more);
                if text.len() > bounds.bytes {
                    text.truncate(text.floor_char_boundary(bounds.bytes));
                    let finished = Finished { reason: StopReason::Length, ..Finished::default() };
                    return done(text, finished, first_after, bounds.is_blank);
                }
                if words.receiver_count() > 0 {
                    words.send_modify(|so_far| text.clone_into(so_far));
                }
            }
            Ok(Some(Ok(Event::Withdrawn))) => {
                text.clear();
                words.send_modify(String::clear);
            }
            // Thoughts are not part of an answer.
            Ok(Some(Ok(Event::Reasoning(_) | Event::Alive))) => {}
            // No tools are offered, so a call is as odd as something unknown.
            Ok(Some(Ok(Event::ToolCall(_)))) => unused("tool_call"),
            Ok(Some(Ok(Event::Unknown(kind)))) => unused(kind),
            Ok(Some(Ok(Event::Done(finished)))) => {
                return done(text, finished, first_after, bounds.is_blank);
            }
        }
    }
}

fn done(
    text: String,
    finished: Finished,
    first_after: Option<Duration>,
    is_blank: &(dyn Fn(&str) -> bool + Sync),
) -> Collected {
    if !is_blank(&text) {
        let first_after = first_after.unwrap_or_default();
        return Collected::Whole { text, finished, first_after };
    }
    Collected::Failed(match finished.reason {
        StopReason::Filtered => AnswerError::Provider(ProviderError::Filtered),
        _ => AnswerError::Empty,
    })
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{self, BoxStream};

    use super::*;
    use crate::model::conversation::ToolCall;

    /// Each event after so many milliseconds.
    fn paced(events: Vec<(u64, Event)>) -> BoxStream<'static, Result<Event, ProviderError>> {
        let paced = stream::iter(events).then(|(ms, event)| async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(event)
        });
        paced.boxed()
    }

    async fn collected(events: Vec<(u64, Event)>, vitals: &Vitals) -> Collected {
        let (words, _seen) = watch::channel(String::new());
        let first = Duration::from_millis(300);
        let is_blank = &|text: &str| text.trim().is_empty();
        let whole = Duration::from_secs(20);
        let bounds = Bounds { silence: first, whole, bytes: 1000, is_blank };
        collect(paced(events), &words, &CancellationToken::new(), bounds, vitals).await
    }

    #[tokio::test]
    async fn a_model_that_thinks_is_alive_and_its_thoughts_are_not_shown() {
        let vitals = Vitals::default();
        let events = vec![
            (0, Event::Reasoning("hm".into())),
            (250, Event::Reasoning("hm".into())),
            (250, Event::Reasoning("hm".into())),
            (250, Event::Text("Hi".into())),
            (0, Event::Unknown("delta")),
            (0, Event::ToolCall(ToolCall::default())),
            (0, Event::Done(Finished::default())),
        ];
        let whole = collected(events, &vitals).await;
        assert!(matches!(whole, Collected::Whole { text, .. } if text == "Hi"));
        let counted = [("delta".to_owned(), 1), ("tool_call".to_owned(), 1)];
        assert_eq!(vitals.counters("provider_event_unused"), counted);
        let late = collected(vec![(600, Event::Text("Hi".into()))], &vitals).await;
        assert!(matches!(late, Collected::Failed(AnswerError::FirstTokenLate)));
    }

    #[tokio::test]
    async fn signs_of_life_hold_off_the_bound_of_silence_and_not_the_bound_of_the_whole() {
        for sign in [Event::Reasoning("hm".into()), Event::Alive, Event::Unknown("event")] {
            let mut events = vec![(100, sign); 5];
            events.push((0, Event::Text("Hi".into())));
            events.push((0, Event::Done(Finished::default())));
            let whole = collected(events, &Vitals::default()).await;
            assert!(matches!(whole, Collected::Whole { text, .. } if text == "Hi"));
        }
        let (words, _seen) = watch::channel(String::new());
        let (silence, whole) = (Duration::from_millis(200), Duration::from_millis(500));
        let bounds = Bounds { silence, whole, bytes: 1000, is_blank: &str::is_empty };
        let pieces = paced(vec![(100, Event::Alive); 100]);
        let late =
            collect(pieces, &words, &CancellationToken::new(), bounds, &Vitals::default()).await;
        assert!(matches!(late, Collected::Failed(AnswerError::Late)));
    }
}
