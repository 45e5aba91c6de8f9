//! What a provider can do.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::failure::ProviderError;
use crate::model::conversation::{ChatRequest, Event, Passage};

/// An answer while it is being written. Dropping it ends the call.
pub type Answering = BoxStream<'static, Result<Event, ProviderError>>;

/// The names of the models that a server offers; `None` where it has no list.
pub type ModelList = Result<Option<Vec<String>>, ProviderError>;

/// Something that answers questions.
pub trait Provider: Send + Sync + 'static {
    /// The name in its descriptor.
    fn name(&self) -> &'static str;
    /// The configured model.
    fn model(&self) -> &str;
    /// Answers. Nothing happens before the stream is polled. A finished answer may be empty: a
    /// filter can stop a model before its first word.
    fn answer(&self, request: ChatRequest) -> Answering;
    /// Whether answers are Markdown; otherwise they are sent as they are.
    fn is_markdown(&self) -> bool {
        true
    }
    /// Asks the server which models it offers. It costs nothing.
    fn models(&self) -> BoxFuture<'_, ModelList> {
        std::future::ready(Ok(None)).boxed()
    }
    /// Asks the server how many tokens a model can read, prompt and answer together; `None` where it does
    /// not say. It costs nothing.
    fn context_size(&self, _model: &str) -> BoxFuture<'_, Option<usize>> {
        std::future::ready(None).boxed()
    }
    /// Whether it is a server of one's own, which may have few places, rather than a hosted service.
    fn is_own_server(&self) -> bool {
        false
    }
    /// The host of the server that is asked; `None` where no server is.
    fn host(&self) -> Option<&str> {
        None
    }
    /// Whether the history and the chat's model are of any use to it.
    fn has_context(&self) -> bool {
        true
    }
    /// Which of these passages its answer to a request quotes, in order, by their place; `None` where that is
    /// seen in its words.
    fn quotes(&self, _passages: &[Passage]) -> Option<Vec<usize>> {
        None
    }
    /// Whether the whole answer is there when the stream is polled for the first time.
    fn is_instant(&self) -> bool {
        false
    }
}
