//! What there is to know about a provider before it is built: its name, its section of the
//! configuration, and how to build it.
//!
//! Invariant: plain data. Each provider has one descriptor, in its own file; the configuration, the
//! command line and the documentation derive the rest from it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::failure::ProviderError;
use super::interface::Provider;

/// One provider.
pub struct Descriptor {
    /// The word in the configuration, logs and metrics; also the name of its section.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// What it means to choose it, in a phrase for menus and flags.
    pub summary: &'static str,
    /// What it takes to answer.
    pub kind: Kind,
    /// Builds it; nothing is sent.
    ///
    /// # Errors
    /// When it cannot work with these settings.
    pub build: fn(ProviderSettings) -> Result<Arc<dyn Provider>, ProviderError>,
}

/// What a provider answers with.
pub enum Kind {
    /// A language model behind a server.
    Service(Service),
    /// Quotes from documents.
    Documents,
    /// Nothing but the question.
    Echo,
}

/// A vendor's service, and every other server that speaks its language.
pub struct Service {
    /// The systemd credential that holds the key.
    pub credential: &'static str,
    /// The vendor's own variables for the key, best first.
    pub key_variables: &'static [&'static str],
    /// What the key is, in whole sentences.
    pub key_doc: &'static str,
    /// The vendor's address; it refuses every call without a key.
    pub base_url: &'static str,
    /// What is added to a base URL.
    pub path: &'static str,
    /// When to change the base URL.
    pub base_url_when: &'static str,
    /// The vendor's model that is asked by default.
    pub model: &'static str,
    /// When to change the model.
    pub model_when: &'static str,
    /// Whether servers of one's own speak this language, which may need no key: then an address
    /// alone chooses this provider.
    pub is_self_hosted: bool,
    /// Other servers that are known by name.
    pub servers: &'static [Server],
}

/// A server that is not the vendor's, as a word for `answer.provider`.
pub struct Server {
    /// The word.
    pub name: &'static str,
    /// Other words for it.
    pub other_names: &'static [&'static str],
    /// Its usual address.
    pub base_url: &'static str,
    /// The model that it usually has; `None` when that cannot be guessed.
    pub model: Option<&'static str>,
    /// Whether it refuses every call without a key.
    pub needs_key: bool,
    /// Variables whose key is for this server only.
    pub key_variables: &'static [&'static str],
    /// Whether its key alone also chooses it when its provider is named, as in 0.2.
    pub stands_in: bool,
}

/// What a provider is built from; each takes what it needs.
#[derive(Clone, Debug, Default)]
pub struct ProviderSettings {
    /// The key; without one, nothing is sent for it.
    pub api_key: Option<SecretString>,
    /// Where the API begins, such as `https://api.openai.com/v1` or `http://localhost:11434/v1`.
    pub base_url: String,
    /// The model, unless a request names another.
    pub model: String,
    /// Longest silence of the server, before and between events. The whole is for callers to bound.
    pub read_timeout: Duration,
    /// What the documents are about, to be named when they hold no answer.
    pub topics: Vec<String>,
}

impl Descriptor {
    /// The service behind it, if there is one.
    pub fn service(&self) -> Option<&Service> {
        match &self.kind {
            Kind::Service(service) => Some(service),
            Kind::Documents | Kind::Echo => None,
        }
    }
}

impl Server {
    /// Its words for `answer.provider`.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.other_names.iter().copied())
    }
}

/// There is one of each name.
impl PartialEq for Descriptor {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
