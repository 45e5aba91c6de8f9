//! `[anthropic]`: Anthropic's Messages API.

use super::answer::Provider;
use super::key::{Key, Kind};
use super::secret::Secret;
use super::server;
use super::settled::Settled;

/// The section `[anthropic]`.
#[derive(Clone, Debug)]
pub struct Anthropic {
    /// The key; a proxy of one's own may need none.
    pub api_key: Option<Secret>,
    /// Base URL, to which `/v1/messages` is added; without trailing slash.
    pub base_url: String,
    /// The model's name.
    pub model: String,
}

pub(super) const KEYS: &[Key] = &[
    Key::new("anthropic.api_key", Kind::Secret("anthropic-api-key"), "")
        .alias(&["ANTHROPIC_API_KEY"])
        .doc("The key of Anthropic's API.", ""),
    Key::new("anthropic.base_url", Kind::Url, "https://api.anthropic.com")
        .doc("The address of the server, up to and without `/v1/messages`.", "For a proxy."),
    Key::new("anthropic.model", Kind::Word, "claude-haiku-4-5")
        .shared(&["AI_MODEL_NAME", "DEFAULT_MODEL"])
        .doc(
            "The model that answers when this provider is chosen.",
            "To trade cost against quality.",
        ),
];

impl Anthropic {
    pub(super) fn read(settled: &mut Settled, chosen: Provider) -> Self {
        if chosen == Provider::Anthropic {
            server::require_key(settled, "anthropic.base_url", "anthropic.api_key");
            server::warn_if_plain(settled, "anthropic.base_url");
        }
        Self {
            api_key: settled.secret("anthropic.api_key"),
            base_url: settled.text("anthropic.base_url"),
            model: settled.text("anthropic.model"),
        }
    }
}
