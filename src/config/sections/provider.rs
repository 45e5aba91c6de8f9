//! The section of each provider with a service, such as `[openai]`: one declaration for all, which
//! the provider's descriptor completes.

use std::borrow::Cow;

use super::server;
use crate::config::key::{Key, Part};
use crate::config::resolved::Resolved;
use crate::config::rule::{optional_secret, url, word};
use crate::config::secret::Secret;
use crate::config::section::section;
use crate::config::value::Value;
use crate::provider::{Descriptor, services};

section! {
    /// The section of a provider with a service, such as `[openai]`.
    pub struct ProviderSection in "NAME", keys by of_each_provider, checked by check {
        /// The key; servers of one's own may need none.
        api_key: Option<Secret> = optional_secret("NAME-api-key").live(Part::Answers),

        /// The address of the server; without trailing slash.
        base_url: String = url("").live(Part::Answers),

        /// The model that answers when this provider is chosen.
        model: String = word("").shared(&["AI_MODEL_NAME", "DEFAULT_MODEL"]).live(Part::Answers),
    }
}

/// The keys of every provider with a service, with what its descriptor says.
fn of_each_provider(keys: Vec<Key>) -> Vec<Key> {
    let mut all = Vec::new();
    for (provider, service) in services() {
        for key in &keys {
            let mut key = key.named(provider.name);
            match key.name() {
                "api_key" => {
                    key.credential = Some(Cow::Borrowed(service.credential));
                    key.aliases = service.key_variables;
                    let servers = service.servers.iter();
                    key.shared = servers.flat_map(|s| s.key_variables).copied().collect();
                    key.doc = Cow::Borrowed(service.key_doc);
                }
                "base_url" => {
                    key.default = Value::Text(service.base_url.to_owned());
                    key.when = service.base_url_when;
                    let doc = "The address of the server, up to and without";
                    key.doc = Cow::Owned(format!("{doc} `{}`.", service.path));
                }
                _ => {
                    key.default = Value::Text(service.model.to_owned());
                    key.when = service.model_when;
                }
            }
            all.push(key);
        }
    }
    all
}

fn check(resolved: &mut Resolved<'_>) {
    let chosen: &Descriptor = resolved.get("answer.provider");
    if chosen.service().is_some() {
        let [key, base_url, _] = paths(chosen);
        server::require_key(resolved, &base_url, &key);
        server::warn_if_plain(resolved, &base_url);
    }
}

/// The paths of a provider's key, address and model.
pub(super) fn paths(provider: &Descriptor) -> [String; 3] {
    ["api_key", "base_url", "model"].map(|name| format!("{}.{name}", provider.name))
}
