//! Collecting a streamed answer within its bounds.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::error::AnswerError;
use super::progress::Progress;
use crate::model::conversation::{Event, Finished, StopReason};
use crate::observe::vitals::Vitals;
use crate::provider::ProviderError;

/// A server that only sends signs of life for this long is said to think.
const AT_WORK: Duration = Duration::from_secs(2);

/// Bounds of one answer.
pub(super) struct Bounds<'a> {
    /// Longest silence of the server before the first words. A model that thinks is not silent, and
    /// neither is a gateway that sends signs of life.
    pub(super) silence: Duration,
    /// Longest time without a word, whatever the server is doing, while another can be asked.
    pub(super) slow: Option<Duration>,
    /// When it must be complete.
    pub(super) end: Instant,
    /// Size; what exceeds it is cut, as if the model had stopped there.
    pub(super) bytes: usize,
    /// Tokens that the answer may have; some servers call it finished when they are used up.
    pub(super) tokens: u64,
    /// Whether a person would see nothing of a text, so that it does not answer anything.
    pub(super) is_blank: &'a (dyn Fn(&str) -> bool + Sync),
}

/// The outcome of a stream.
pub(super) enum Collected {
    /// All of it.
    Whole { text: String, finished: Finished, first_after: Duration },
    /// Not all of it; half an answer is not passed off as a whole one.
    Failed {
        /// Why.
        error: AnswerError,
        /// What was there of it, and may have been shown; empty when that is nothing.
        text: String,
    },
    /// `/cancel` came first.
    Cancelled,
}

/// Reads the stream to its end; `progress` always holds what can be shown.
pub(super) async fn collect(
    mut pieces: impl Stream<Item = Result<Event, ProviderError>> + Unpin,
    progress: &watch::Sender<Progress>,
    cancel: &CancellationToken,
    bounds: Bounds<'_>,
    vitals: &Vitals,
) -> Collected {
    let begun = Instant::now();
    let mut text = String::new();
    let mut first_after = None;
    let mut heard = begun;
    let unused = |kind| vitals.increment("provider_event_unused", kind);
    loop {
        let quiet = heard + bounds.silence;
        let slow = bounds.slow.map_or(bounds.end, |slow| begun + slow);
        let limit =
            if first_after.is_some() { bounds.end } else { bounds.end.min(quiet).min(slow) };
        let piece = tokio::select! {
            biased;
            () = cancel.cancelled() => return Collected::Cancelled,
            piece = timeout_at(limit, pieces.next()) => piece,
        };
        heard = Instant::now();
        let piece = match piece {
            Ok(Some(Ok(piece))) => piece,
            failed => {
                let error = match failed {
                    Err(_) if limit == slow && limit < bounds.end => AnswerError::Slow,
                    Err(_) if limit < bounds.end => AnswerError::FirstTokenLate,
                    Err(_) => AnswerError::Late,
                    Ok(Some(Err(e))) => AnswerError::Provider(e),
                    Ok(_) => AnswerError::Provider(ProviderError::Cut),
                };
                if (bounds.is_blank)(&text) {
                    text.clear();
                }
                return Collected::Failed { error, text };
            }
        };
        match piece {
            Event::Text(more) => {
                first_after.get_or_insert_with(|| begun.elapsed());
                text.push_str(&more);
                if text.len() > bounds.bytes {
                    text.truncate(text.floor_char_boundary(bounds.bytes));
                    let finished = Finished { reason: StopReason::Length, ..Finished::default() };
                    return done(text, finished, first_after, bounds);
                }
                if progress.receiver_count() > 0 {
                    progress.send_modify(|shown| match shown {
                        Progress::Written(so_far) => text.clone_into(so_far),
                        other => *other = Progress::Written(text.clone()),
                    });
                }
            }
            Event::Withdrawn => {
                text.clear();
                progress.send_replace(Progress::Thinking);
            }
            // Thoughts are not part of an answer.
            Event::Reasoning(_) => thinks(progress),
            Event::Alive if begun.elapsed() > AT_WORK => thinks(progress),
            Event::Alive | Event::RateLeft(_) => {}
            // No tools are offered, so a call is as odd as something unknown.
            Event::ToolCall(_) => unused("tool_call"),
            Event::Unknown(kind) => unused(kind),
            Event::Done(finished) => {
                let finished = finished.within(bounds.tokens);
                return done(text, finished, first_after, bounds);
            }
        }
    }
}

/// The model thinks, unless it already writes.
fn thinks(progress: &watch::Sender<Progress>) {
    progress.send_if_modified(|shown| {
        let is_new = !matches!(shown, Progress::Thinking | Progress::Written(_));
        if is_new {
            *shown = Progress::Thinking;
        }
        is_new
    });
}

fn done(
    text: String,
    finished: Finished,
    first_after: Option<Duration>,
    bounds: Bounds<'_>,
) -> Collected {
    if !(bounds.is_blank)(&text) {
        let first_after = first_after.unwrap_or_default();
        return Collected::Whole { text, finished, first_after };
    }
    let error = match finished.reason {
        StopReason::Filtered => AnswerError::Provider(ProviderError::Filtered),
        // Thinking uses tokens up; a flood of what shows nothing meets our own bound.
        StopReason::Length if text.len() < bounds.bytes / 2 => AnswerError::TokensUsedUp,
        _ => AnswerError::Empty,
    };
    Collected::Failed { error, text: String::new() }
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
        let (words, _seen) = watch::channel(Progress::Begun);
        let first = Duration::from_millis(300);
        let is_blank = &|text: &str| text.trim().is_empty();
        let end = Instant::now() + Duration::from_secs(20);
        let bounds = Bounds { silence: first, slow: None, end, bytes: 1000, tokens: 50, is_blank };
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
        assert!(matches!(late, Collected::Failed { error: AnswerError::FirstTokenLate, .. }));
    }

    #[tokio::test]
    async fn what_can_be_shown_follows_the_stream() {
        let (words, seen) = watch::channel(Progress::Begun);
        let end = Instant::now() + Duration::from_secs(20);
        let (cancel, vitals) = (CancellationToken::new(), Vitals::default());
        let events = vec![
            (0, Event::Alive),
            (50, Event::Reasoning("secret".into())),
            (50, Event::Text("Thou".into())),
            (50, Event::Withdrawn),
            (50, Event::Text("Hi".into())),
            (50, Event::Done(Finished { reason: StopReason::Length, ..Finished::default() })),
        ];
        let silence = Duration::from_secs(9);
        let is_blank = &str::is_empty;
        let bounds = Bounds { silence, slow: None, end, bytes: 1000, tokens: 50, is_blank };
        let shown = async {
            let (mut seen, mut all) = (seen, Vec::new());
            while seen.changed().await.is_ok() && all.len() < 4 {
                all.push(seen.borrow_and_update().clone());
            }
            all
        };
        let reading = async {
            let collected = collect(paced(events), &words, &cancel, bounds, &vitals).await;
            drop(words);
            collected
        };
        let (shown, collected) = tokio::join!(shown, reading);
        let written = |text: &str| Progress::Written(text.to_owned());
        let expected = [Progress::Thinking, written("Thou"), Progress::Thinking, written("Hi")];
        assert_eq!(shown, expected);
        assert!(matches!(collected, Collected::Whole { text, .. } if text == "Hi"));
        // White space without end meets our bound, and no limit that the operator could raise.
        let blank = vec![(0, Event::Text(" ".repeat(400))); 4];
        let error = self::collected(blank, &vitals).await;
        assert!(matches!(error, Collected::Failed { error: AnswerError::Empty, .. }));
        let thoughts = vec![
            (0, Event::Reasoning("hm".into())),
            (0, Event::Done(Finished { reason: StopReason::Length, ..Finished::default() })),
        ];
        let error = self::collected(thoughts, &vitals).await;
        let used_up = AnswerError::TokensUsedUp;
        assert!(
            matches!(error, Collected::Failed { error, .. } if error.class() == used_up.class())
        );
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
        let (words, _seen) = watch::channel(Progress::Begun);
        let silence = Duration::from_millis(200);
        let end = Instant::now() + Duration::from_millis(500);
        let is_blank = &str::is_empty;
        let bounds = Bounds { silence, slow: None, end, bytes: 1000, tokens: 50, is_blank };
        let pieces = paced(vec![(100, Event::Alive); 100]);
        let late =
            collect(pieces, &words, &CancellationToken::new(), bounds, &Vitals::default()).await;
        assert!(matches!(late, Collected::Failed { error: AnswerError::Late, .. }));
    }
}
