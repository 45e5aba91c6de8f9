//! temporary
use crate::model::conversation::*;
use crate::model::failure::*;
use futures_util::stream::{self, StreamExt};
pub type Answering = futures_util::stream::BoxStream<'static, Result<Piece, ProviderError>>;
pub trait Provider: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn model(&self) -> &str;
    fn answer(&self, ask: Ask) -> Answering;
    fn is_markdown(&self) -> bool {
        true
    }
    fn has_context(&self) -> bool {
        true
    }
}
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error("cut")]
    Cut,
}
impl Judged for ProviderError {
    fn again(&self) -> Again {
        Again::Backoff
    }
    fn fault(&self) -> Fault {
        Fault::Provider
    }
    fn class(&self) -> &'static str {
        "cut"
    }
}
pub fn tokens(t: &str) -> usize {
    t.len() / 4 + 1
}
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
    fn answer(&self, ask: Ask) -> Answering {
        stream::iter(vec![
            Ok(Piece::Text(format!("echo: {}", ask.question))),
            Ok(Piece::Done(Finished::default())),
        ])
        .boxed()
    }
}
pub struct Offline;
impl Provider for Offline {
    fn name(&self) -> &'static str {
        "offline"
    }
    fn model(&self) -> &str {
        "x"
    }
    fn answer(&self, ask: Ask) -> Answering {
        stream::iter(vec![
            Ok(Piece::Text(format!("offline: {}", ask.question))),
            Ok(Piece::Done(Finished::default())),
        ])
        .boxed()
    }
}
pub struct OpenAiSettings {
    pub api_key: Option<secrecy::SecretString>,
    pub base_url: String,
    pub model: String,
    pub read_timeout: std::time::Duration,
}
pub type AnthropicSettings = OpenAiSettings;
pub struct OpenAi;
impl OpenAi {
    pub fn new(_: OpenAiSettings) -> Result<Echo, ProviderError> {
        Ok(Echo)
    }
}
pub struct Anthropic;
impl Anthropic {
    pub fn new(_: AnthropicSettings) -> Result<Echo, ProviderError> {
        Ok(Echo)
    }
}
