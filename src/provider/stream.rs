//! A stream of events becomes an answer, in whichever dialect it is spoken.
//!
//! Invariants: exactly one [`Event::Done`] or one error comes last; `Done` only when the server
//! said why the model stopped; calls of tools come whole, and only before `Done`; no more than
//! `ANSWER_BYTES` of text.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::Answering;
use super::failure::ProviderError;
use super::http::Events;
use super::tool_calls::ToolCalls;
use crate::model::conversation::{Event, Finished, StopReason};
use crate::model::limits::ANSWER_BYTES;

/// Once the model has finished, only the count of tokens can follow; it is not worth a long wait.
const AFTERWORD: Duration = Duration::from_secs(10);

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
    /// How the answer ended, once the server has said so.
    fn finished(&self) -> Option<Finished>;
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

/// A text that says something.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

struct Reading<D> {
    events: Events,
    dialect: D,
    /// What was read and not yet handed on.
    ready: VecDeque<Result<Event, ProviderError>>,
    /// Bytes of text that may still come.
    room: usize,
    over: bool,
}

/// Reads an answer to its end.
pub(super) fn answer_events(events: Events, dialect: impl Dialect) -> Answering {
    let (ready, room) = (VecDeque::new(), ANSWER_BYTES);
    let reading = Reading { events, dialect, ready, room, over: false };
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
                Some(event) => return Some(event),
                None if self.over => return None,
                None => self.read().await,
            }
        }
    }

    /// Reads one event, or the end.
    async fn read(&mut self) {
        let next = self.events.next();
        let event = if self.dialect.finished().is_some() {
            tokio::time::timeout(AFTERWORD, next).await.unwrap_or(None)
        } else {
            next.await
        };
        let data = match event {
            Some(Ok(data)) => data,
            Some(Err(error)) => return self.end(error),
            None => return self.end(ProviderError::Cut),
        };
        if data.trim().is_empty() {
            return;
        }
        let mut events = Vec::new();
        let next = self.dialect.event(&data, &mut events);
        self.ready.extend(events.into_iter().map(Ok));
        match next {
            Ok(Next::More) => {}
            Ok(Next::Over) => self.end(ProviderError::Cut),
            Err(error) => self.end(error),
        }
    }

    /// Done if the model had finished: what breaks after that breaks nothing.
    fn end(&mut self, error: ProviderError) {
        self.over = true;
        match self.dialect.finished() {
            Some(finished) => {
                self.ready.extend(self.dialect.calls().take().map(Ok));
                self.ready.push_back(Ok(Event::Done(finished)));
            }
            None => self.ready.push_back(Err(error)),
        }
    }

    /// The bound is reached: what fits of the text, and then the end.
    fn cut(&mut self, mut text: String) -> String {
        text.truncate(text.floor_char_boundary(self.room));
        let finished = self.dialect.finished().unwrap_or_default();
        let finished = Finished { reason: StopReason::Length, ..finished };
        self.over = true;
        self.ready = [Ok(Event::Done(finished))].into();
        text
    }
}
