//! The provider that repeats the question: for smoke tests and measurements.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;

use super::descriptor::{Descriptor, Kind};
use super::{Answering, Provider};
use crate::model::conversation::{ChatRequest, Event, Finished};

/// The echo.
pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "echo",
    title: "echo",
    summary: "The question, repeated",
    kind: Kind::Echo,
    build: |_| Ok(Arc::new(Echo)),
};

/// Answers `echo: <question>`, at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Provider for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn model(&self) -> &str {
        "echo"
    }

    fn is_markdown(&self) -> bool {
        false
    }

    fn has_context(&self) -> bool {
        false
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn answer(&self, request: ChatRequest) -> Answering {
        let text = Event::Text(format!("echo: {}", request.question()));
        let finished = Finished { model: Some("echo".to_owned()), ..Finished::default() };
        stream::iter([Ok(text), Ok(Event::Done(finished))]).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn repeats_the_question_exactly() {
        let request = ChatRequest::of(" a\nb 🦀 ");
        let pieces: Vec<_> = Echo.answer(request).map(Result::unwrap).collect().await;
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[0], Event::Text("echo:  a\nb 🦀 ".to_owned()));
        assert!(matches!(pieces[1], Event::Done(_)));
    }
}
