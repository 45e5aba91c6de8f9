//! The edge to language models: one trait, and a registry of what implements it.
//!
//! Invariants: an answer is a stream that ends with [`Event::Done`] or with one error, and nothing
//! follows either. No error, and no `{:?}` of a provider, shows an API key, a URL with credentials
//! or what people wrote.

use futures_util::stream::BoxStream;

use crate::model::conversation::{ChatRequest, Event};

mod anthropic;
mod descriptor;
mod echo;
mod error_body;
mod failure;
#[cfg(test)]
mod fake;
mod http;
mod offline;
mod openai;
pub mod prompt;
mod reach;
mod registry;
mod scrub;
mod stream;
#[cfg(test)]
mod vendors;

pub use descriptor::{Descriptor, Kind, ProviderSettings, Server, Service};
pub use failure::{ProviderError, Refusal};
pub use prompt::tokens;
pub use reach::reach;
pub use registry::{PROVIDERS, find, services};

/// An answer while it is being written. Dropping it ends the call.
pub type Answering = BoxStream<'static, Result<Event, ProviderError>>;

/// Something that answers questions.
pub trait Provider: Send + Sync + 'static {
    /// The name in its descriptor.
    fn name(&self) -> &'static str;
    /// The configured model.
    fn model(&self) -> &str;
    /// Answers. Nothing happens before the stream is polled. A finished answer may be empty: a
    /// filter can stop a model before its first word.
    fn answer(&self, ask: ChatRequest) -> Answering;
    /// Whether answers are Markdown; otherwise they are sent as they are.
    fn is_markdown(&self) -> bool {
        true
    }
    /// Whether the history and the chat's model are of any use to it.
    fn has_context(&self) -> bool {
        true
    }
}
