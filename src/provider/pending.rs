//! Stand-ins until the network providers land.
#![allow(missing_docs, clippy::new_ret_no_self)]
use super::{Echo, ProviderError};
pub fn tokens(t: &str) -> usize {
    t.len() / 4 + 1
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
