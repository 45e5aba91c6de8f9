//! A stream of events becomes an answer, in whichever dialect it is spoken.
//!
//! Invariants: exactly one [`Event::Done`] or one error comes last; `Done` only when the server
//! said why the model stopped; no more than `ANSWER_BYTES` of text.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::Answering;
use super::failure::ProviderError;
use super::http::Events;
use crate::model::conversation::{Event, Finished, StopReason};
use crate::model::limits::ANSWER_BYTES;

/// Once the model has finished, only the count of tokens can follow; it is not worth a long wait.
const AFTERWORD: Duration = Duration::from_secs(10);

/// What one event meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More text; may be empty.
    Text(String),
    /// Nothing follows.
    Over,
}

/// How a vendor words its events.
pub(super) trait Dialect: Send + 'static {
    /// Takes the data of one event.
    fn event(&mut self, data: &str) -> Result<Step, ProviderError>;
    /// How the answer ended, once the server has said so.
    fn finished(&self) -> Option<Finished>;
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

struct Reading<D> {
    events: Events,
    dialect: D,
    /// Bytes of text that may still come.
    room: usize,
    over: bool,
}

/// Reads an answer to its end.
pub(super) fn answer_events(events: Events, dialect: impl Dialect) -> Answering {
    let stream = Reading { events, dialect, room: ANSWER_BYTES, over: false };
    stream::unfold(stream, |mut stream| async move {
        if stream.over {
            return None;
        }
        let piece = stream.next().await;
        stream.over = !matches!(piece, Ok(Event::Text(_)));
        Some((piece, stream))
    })
    .boxed()
}

impl<D: Dialect> Reading<D> {
    async fn next(&mut self) -> Result<Event, ProviderError> {
        loop {
            if self.room == 0 {
                let finished = self.dialect.finished().unwrap_or_default();
                return Ok(Event::Done(Finished { reason: StopReason::Length, ..finished }));
            }
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
                continue;
            }
            match self.dialect.event(&data) {
                Ok(Step::Text(text)) if text.is_empty() => {}
                Ok(Step::Text(text)) => return Ok(Event::Text(self.cut(text))),
                Ok(Step::Over) => return self.end(ProviderError::Cut),
                Err(error) => return self.end(error),
            }
        }
    }

    /// Done if the model had finished: what breaks after that breaks nothing.
    fn end(&self, error: ProviderError) -> Result<Event, ProviderError> {
        self.dialect.finished().map(Event::Done).ok_or(error)
    }

    fn cut(&mut self, mut text: String) -> String {
        if text.len() > self.room {
            text.truncate(text.floor_char_boundary(self.room));
            self.room = 0;
        } else {
            self.room -= text.len();
        }
        text
    }
}
