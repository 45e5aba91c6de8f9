//! The edge to language models: one trait, and a registry of what implements it. A new provider has
//! a file of its own, with its descriptor, and two lines here.
//!
//! Invariants: an answer is a stream that ends with `Event::Done` or with one error, and nothing
//! follows either. No error, and no `{:?}` of a provider, shows an API key, a URL with credentials
//! or what people wrote.

mod anthropic;
mod descriptor;
mod echo;
mod embedding_prices;
mod embeddings;
mod error_body;
mod failure;
mod files;
mod http;
mod interface;
mod marking;
mod model_list;
mod offline;
mod openai;
mod prices;
pub mod prompt;
mod qdrant;
mod rate_headers;
mod reach;
mod redirect;
mod refusal;
mod scrub;
mod stream;
mod thoughts;
mod tool_calls;

pub use crate::model::text::tokens;
pub use descriptor::{Descriptor, Kind, ProviderSettings, Server, Service};
pub use embedding_prices::embedding_price;
pub use embeddings::{Embedded, EmbeddingsError, EmbeddingsServer, EmbeddingsSettings};
pub use failure::{ProviderError, Refusal};
pub use interface::{Answering, ModelList, Provider};
pub use model_list::is_listed;
pub use prices::{Priced, made_on as prices_made_on, priced};
pub use qdrant::{QdrantServer, QdrantSettings, Verb as QdrantVerb};
pub use reach::{is_own_address, reach};

/// Every provider, in the order in which people read about them. With several keys set, the last service counts:
/// the first one also stands for servers of one's own, so its key is the vaguest wish.
pub const PROVIDERS: &[&Descriptor] =
    &[&openai::DESCRIPTOR, &anthropic::DESCRIPTOR, &offline::DESCRIPTOR, &echo::DESCRIPTOR];

/// The provider of this name.
pub fn find(name: &str) -> Option<&'static Descriptor> {
    PROVIDERS.iter().copied().find(|provider| provider.name == name)
}

/// The providers with a service, in the order of [`PROVIDERS`].
pub fn services() -> impl DoubleEndedIterator<Item = (&'static Descriptor, &'static Service)> {
    PROVIDERS.iter().copied().filter_map(|provider| Some((provider, provider.service()?)))
}

/// The servers that are known by name, each with the provider that speaks its language.
pub fn servers() -> impl Iterator<Item = (&'static Descriptor, &'static Server)> {
    services().flat_map(|(provider, service)| service.servers.iter().map(move |s| (provider, s)))
}

/// The known server that has this word.
pub fn find_server(word: &str) -> Option<(&'static Descriptor, &'static Server)> {
    servers().find(|(_, server)| server.names().any(|name| name == word))
}

#[cfg(test)]
#[path = "../../tests/unit/provider/fake.rs"]
mod fake;

#[cfg(test)]
#[path = "../../tests/unit/provider/vendors.rs"]
mod vendors;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_word_means_two_things() {
        let mut words = BTreeSet::from(["auto"]);
        for provider in PROVIDERS {
            assert!(words.insert(provider.name), "{provider:?}");
            for server in provider.service().into_iter().flat_map(|service| service.servers) {
                assert!(server.names().all(|name| words.insert(name)), "{}", server.name);
            }
        }
    }

    #[test]
    fn a_provider_is_built_under_its_name() {
        for provider in PROVIDERS {
            let service = provider.service();
            let text = |text: fn(&Service) -> &str| service.map(text).unwrap_or_default();
            let settings = ProviderSettings {
                base_url: text(|s| s.base_url).to_owned(),
                model: text(|s| s.model).to_owned(),
                ..Default::default()
            };
            assert_eq!((provider.build)(settings).expect("built").name(), provider.name);
        }
    }
}
