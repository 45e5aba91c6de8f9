//! `[openai]`: OpenAI, or any server that speaks its chat completions.

use super::answer::Provider;
use super::key::{Key, Kind};
use super::secret::Secret;
use super::server;
use super::settled::Settled;

/// The section `[openai]`.
#[derive(Clone, Debug)]
pub struct OpenAi {
    /// The key; servers of one's own may need none.
    pub api_key: Option<Secret>,
    /// Base URL, to which `/chat/completions` is added; without trailing slash.
    pub base_url: String,
    /// The model's name.
    pub model: String,
}

pub(super) const KEYS: &[Key] = &[
    Key::new("openai.api_key", Kind::Secret("openai-api-key"), "")
        .alias(&["OPENAI_API_KEY"])
        .shared(&["GOOGLE_API_KEY"])
        .doc(
            "The key of the OpenAI-compatible server. Hosted services need one, servers of your own may not. `GOOGLE_API_KEY` serves for Gemini, and chooses it when nothing else is set.",
            "",
        ),
    Key::new("openai.base_url", Kind::Url, "https://api.openai.com/v1").doc(
        "The address of the server, up to and without `/chat/completions`.",
        "For Ollama, vLLM, llama.cpp, OpenRouter, Gemini or a proxy.",
    ),
    Key::new("openai.model", Kind::Word, "gpt-4.1-mini")
        .shared(&["AI_MODEL_NAME", "DEFAULT_MODEL"])
        .doc(
            "The model that answers when this provider is chosen.",
            "To trade cost against quality, or to name the model of your own server.",
        ),
];

impl OpenAi {
    pub(super) fn read(settled: &mut Settled, chosen: Provider) -> Self {
        if chosen == Provider::OpenAi {
            server::require_key(settled, "openai.base_url", "openai.api_key");
            server::warn_if_plain(settled, "openai.base_url");
        }
        Self {
            api_key: settled.secret("openai.api_key"),
            base_url: settled.text("openai.base_url"),
            model: settled.text("openai.model"),
        }
    }
}
