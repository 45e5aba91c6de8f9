//! A stream of events becomes an answer, in whichever dialect it is spoken.
//!
//! Invariants: exactly one [`Event::Done`] or one error comes last; `Done` only when the server
//! said why the model stopped, or ended the answer in order; calls of tools come whole, and only
//! before `Done`; no more than `ANSWER_BYTES` of text; thoughts are not text.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::Answering;
use super::failure::ProviderError;
use super::http::{Frame, Frames};
use super::thoughts::Thoughts;
use super::tool_calls::ToolCalls;
use crate::model::class::AnswerClass;
use crate::model::conversation::{Event, Finished, StopReason};
use crate::model::limits::ANSWER_BYTES;

/// Once the model has finished, only the count of tokens can follow; it is not worth a long wait.
const AFTERWORD: Duration = Duration::from_secs(10);

/// Most data of events in a row that do not bring the answer on. A server whose model thinks unseen sends an
/// empty event of some 400 bytes for each of its tokens.
const EMPTY_BYTES: usize = 8 * 1024 * 1024;

/// Whether anything can follow an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    More,
    Over,
}

/// How a vendor words its events.
pub(super) trait Dialect: Send + 'static {
    /// Takes the data of one event, and adds what it says to `events`.
    fn event(&mut self, data: &str, events: &mut Vec<Event>) -> Result<Next, ProviderError>;
    /// Why the model stopped, once the server has said so.
    fn reason(&self) -> Option<StopReason>;
    /// What else is known of the answer so far: tokens and the model; the reason is not.
    fn known(&self) -> Finished;
    /// What the server said instead of an answer, if it said nothing else.
    fn objection(&self) -> Option<ProviderError> {
        None
    }
    /// The calls of tools so far.
    fn calls(&mut self) -> &mut ToolCalls;
}

/// Parses the data of an event. JSON that only lacks its end was cut on the way.
pub(super) fn json(data: &str) -> Result<Value, ProviderError> {
    serde_json::from_str(data).map_err(|error| match error.is_eof() {
        true => ProviderError::Cut,
        false => ProviderError::Garbage { what: "an event that is not json" },
    })
}

/// A number of tokens; some servers write it as 12.0.
pub(super) fn count(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    value.as_u64().or_else(|| value.as_f64().map(|float| float as u64))
}

/// Whether an event brings the answer on.
fn says_something(event: &Event) -> bool {
    match event {
        Event::Text(text) | Event::Reasoning(text) => !text.trim().is_empty(),
        Event::ToolCall(_) | Event::Done(_) => true,
        Event::Withdrawn | Event::Alive | Event::RateLeft(_) | Event::Unknown(_) => false,
    }
}

/// A text that says something.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

struct Reading<D> {
    frames: Frames,
    dialect: D,
    thoughts: Thoughts,
    /// What was read and not yet handed on.
    ready: VecDeque<Result<Event, ProviderError>>,
    /// Bytes of text that may still come.
    room: usize,
    /// Until when the count of tokens may follow.
    afterword: Option<Instant>,
    /// Bytes of events since the last that said something.
    empty: usize,
    over: bool,
}

/// Reads an answer to its end.
pub(super) fn answer_events(
    frames: Frames,
    dialect: impl Dialect,
    thoughts: Thoughts,
) -> Answering {
    let (ready, room) = (VecDeque::new(), ANSWER_BYTES);
    let (afterword, empty, over) = (None, 0, false);
    let reading = Reading { frames, dialect, thoughts, ready, room, afterword, empty, over };
    stream::unfold(reading, |mut reading| async move {
        let event = reading.next().await?;
        Some((event, reading))
    })
    .boxed()
}

impl<D: Dialect> Reading<D> {
    async fn next(&mut self) -> Option<Result<Event, ProviderError>> {
        loop {
            match self.ready.pop_front() {
                Some(Ok(Event::Text(text))) if text.len() > self.room => {
                    let text = self.cut(text);
                    if !text.is_empty() {
                        return Some(Ok(Event::Text(text)));
                    }
                }
                Some(Ok(Event::Text(text))) => {
                    self.room -= text.len();
                    return Some(Ok(Event::Text(text)));
                }
                Some(Ok(Event::Withdrawn)) => {
                    self.room = ANSWER_BYTES;
                    return Some(Ok(Event::Withdrawn));
                }
                Some(event) => return Some(event),
                None if self.over => return None,
                None => self.read().await,
            }
        }
    }

    /// Reads one frame, or the end.
    async fn read(&mut self) {
        let next = self.frames.next();
        let frame = match self.afterword {
            Some(until) => timeout_at(until, next).await.unwrap_or(None),
            None => next.await,
        };
        let (data, is_whole) = match frame {
            Some(Ok(Frame::Alive)) if self.afterword.is_some() => return,
            Some(Ok(Frame::Alive)) => return self.ready.push_back(Ok(Event::Alive)),
            Some(Ok(Frame::RateLeft(left))) => {
                return self.ready.push_back(Ok(Event::RateLeft(left)));
            }
            Some(Ok(Frame::Data(data))) => (data, false),
            Some(Ok(Frame::Whole(data))) => (data, true),
            Some(Err(error)) => return self.broke(error),
            None => return self.end(Some(ProviderError::Cut)),
        };
        if data.trim().is_empty() {
            return self.ready.push_back(Ok(Event::Alive));
        }
        let mut events = Vec::new();
        let next = self.dialect.event(&data, &mut events);
        self.empty = if events.iter().any(says_something) { 0 } else { self.empty + data.len() };
        if self.empty > EMPTY_BYTES {
            return self.end(Some(ProviderError::Garbage { what: "empty events without end" }));
        }
        self.sort(events);
        // Pings, empty deltas, and text that may still become a mark.
        if self.ready.is_empty() && self.afterword.is_none() {
            self.ready.push_back(Ok(Event::Alive));
        }
        match next {
            Err(error) => self.end(Some(error)),
            Ok(Next::More) if !is_whole => {
                if self.dialect.reason().is_some() {
                    self.afterword.get_or_insert_with(|| Instant::now() + AFTERWORD);
                }
            }
            Ok(_) => self.end(None),
        }
    }

    /// Separates thoughts in the text from the answer.
    fn sort(&mut self, events: Vec<Event>) {
        let mut sorted = Vec::with_capacity(events.len());
        for event in events {
            match event {
                Event::Text(text) => self.thoughts.push(&text, &mut sorted),
                Event::Reasoning(_) => {
                    self.thoughts.come_apart(&mut sorted);
                    sorted.push(event);
                }
                other => sorted.push(other),
            }
        }
        self.ready.extend(sorted.into_iter().map(Ok));
    }

    /// The connection broke. A notice in unknown words explains an answer that is missing, and no broken
    /// connection.
    fn broke(&mut self, error: ProviderError) {
        let is_notice = |objection: &ProviderError| objection.answer_class() == AnswerClass::Server;
        let objection = self.dialect.objection().filter(|objection| !is_notice(objection));
        self.finish(objection.or(Some(error)));
    }

    /// The server ended the answer; what it said instead of one counts more than `error`.
    fn end(&mut self, error: Option<ProviderError>) {
        self.finish(self.dialect.objection().or(error));
    }

    /// Done if the model had finished, since what breaks after that breaks nothing; and if the
    /// answer ended in order, though without a reason.
    fn finish(&mut self, error: Option<ProviderError>) {
        self.over = true;
        let reason = match (self.dialect.reason(), error) {
            (Some(reason), _) => reason,
            (None, None) => StopReason::Unsaid,
            (None, Some(error)) => return self.ready.push_back(Err(error)),
        };
        let mut last = Vec::new();
        self.thoughts.finish(&mut last);
        self.ready.extend(last.into_iter().map(Ok));
        self.ready.extend(self.dialect.calls().take().map(Ok));
        let finished = Finished { reason, ..self.dialect.known() };
        self.ready.push_back(Ok(Event::Done(finished)));
    }

    /// The bound is reached: what fits of the text, and then the end.
    fn cut(&mut self, mut text: String) -> String {
        text.truncate(text.floor_char_boundary(self.room));
        let finished = Finished { reason: StopReason::Length, ..self.dialect.known() };
        self.over = true;
        self.ready = [Ok(Event::Done(finished))].into();
        text
    }
}
