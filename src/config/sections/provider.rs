//! The services that may answer, by name: the section of each provider, such as `[openai]`, and the tables that
//! users name, `[providers.NAME]`. One declaration for all, which a provider's descriptor completes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::server;
use crate::config::key::{Key, Part};
use crate::config::kind::Kind;
use crate::config::resolved::Resolved;
use crate::config::rule::{Rule, count, optional_secret, url, usd, whole, word};
use crate::config::secret::Secret;
use crate::config::section::{Member, Section, section};
use crate::config::value::{FromValue, Value};
use crate::model::money::{MicroUsd, PriceOverride};
use crate::provider::{Descriptor, Server, find, find_server, services};

/// The section of the tables.
pub(super) const TABLE: &str = "providers.NAME";

section! {
    /// The settings of a service: `[openai]`, `[anthropic]`, or `[providers.NAME]`.
    pub struct ProviderSection in "providers.NAME", keys by of_each_provider, checked by check {
        /// The key; servers of one's own may need none. A table with the address of `[openai]` or `[anthropic]`
        /// takes the key from there when it has none.
        api_key: Option<Secret> = optional_secret("provider-NAME-api-key").live(Part::Answers),

        /// The address of the server; without trailing slash. The usual one of its kind by default.
        base_url: String = url("").example("http://127.0.0.1:11434/v1").live(Part::Answers),

        /// The model that answers. The usual one of its kind by default; a server with an address of its own
        /// has none.
        model: String = word("").example("llama3.2").shared(&["AI_MODEL_NAME", "DEFAULT_MODEL"])
            .live(Part::Answers),

        /// How many requests this provider may be sent in a minute; 0 means no limit of our own.
        requests_per_minute: u32 = count(0..=1_000_000, 0)
            .when("To stay below the limit of an account; the next provider of the list answers what is beyond.")
            .live(Part::Answers),

        /// How many tokens this provider may be sent and asked for in a minute (estimated); 0 means no limit of
        /// our own.
        tokens_per_minute: u32 = count(0..=1_000_000_000, 0)
            .when("To stay below the limit of an account.")
            .live(Part::Answers),

        /// How many answers this provider may be writing at once; 0 means no limit of our own.
        parallel: u32 = count(0..=10_000, 0)
            .when("For a server of your own that has few places.")
            .live(Part::Answers),

        /// Counts an answer as a failure of this provider when its first words took longer than this, in
        /// seconds; 0 never does.
        slow_after_s: u64 = whole(0..=3600, 0)
            .when("To move on to the next provider of the list when this one is slow.")
            .live(Part::Answers),

        /// What a million tokens of prompts cost in US dollars; `table` takes it from the built-in prices. A
        /// server of your own costs nothing unless this says so.
        input_usd_per_mtok: Option<MicroUsd> = usd("table", "table")
            .when("For a model that the table does not have, or a gateway with prices of its own.")
            .live(Part::Answers),

        /// What a million tokens of answers cost in US dollars, thoughts included; `table` takes it from the
        /// built-in prices.
        output_usd_per_mtok: Option<MicroUsd> = usd("table", "table")
            .when("Together with the price of prompts.").live(Part::Answers),

        /// What a million tokens of prompts cost in US dollars that the vendor has in its cache; `table` takes
        /// it from the built-in prices, or from `input_usd_per_mtok` if that is set.
        cached_input_usd_per_mtok: Option<MicroUsd> = usd("table", "table")
            .when("Together with the price of prompts.").live(Part::Answers),
    }
}

impl ProviderSection {
    /// What it says about prices.
    pub fn price(&self) -> PriceOverride {
        PriceOverride {
            input: self.input_usd_per_mtok,
            cached_input: self.cached_input_usd_per_mtok,
            output: self.output_usd_per_mtok,
        }
    }
}

/// Every service that may answer, by its name in `answer.provider`.
#[derive(Clone, Debug)]
pub struct Providers(BTreeMap<String, NamedProvider>);

/// A service with a name.
#[derive(Clone, Debug)]
pub(super) struct NamedProvider {
    /// What speaks its language.
    pub kind: &'static Descriptor,
    pub section: ProviderSection,
}

impl Providers {
    /// The settings of this name.
    pub fn get(&self, name: &str) -> Option<&ProviderSection> {
        self.0.get(name).map(|named| &named.section)
    }

    pub(super) fn named(&self, name: &str) -> Option<&NamedProvider> {
        self.0.get(name)
    }
}

impl std::ops::Index<&str> for Providers {
    type Output = ProviderSection;

    fn index(&self, name: &str) -> &ProviderSection {
        &self.0[name].section
    }
}

impl Member for Providers {
    fn keys() -> Vec<Key> {
        <ProviderSection as Section>::keys()
    }

    fn check(resolved: &mut Resolved<'_>) {
        <ProviderSection as Section>::check(resolved);
    }

    fn read(resolved: &Resolved<'_>) -> Self {
        // A table with the name of a provider is a problem already.
        let names = resolved.names(TABLE).into_iter().filter(|name| find(name).is_none());
        let tables = names.map(|name| {
            let kind = resolved.get(&format!("{}.kind", place(&name)));
            (name, kind)
        });
        let own = services().map(|(kind, _)| (kind.name.to_owned(), kind));
        let all = tables.chain(own).map(|(name, kind)| {
            let section = ProviderSection::read_at(resolved, &place(&name));
            (name, NamedProvider { kind, section })
        });
        Self(all.collect())
    }

    fn keep(&mut self, path: &str, other: &Self) {
        for (name, named) in &mut self.0 {
            let field = path.strip_prefix(&place(name)).and_then(|rest| rest.strip_prefix('.'));
            match (field, other.0.get(name)) {
                (Some("kind"), Some(other)) => named.kind = other.kind,
                (Some(field), Some(other)) => named.section.keep_field(field, &other.section),
                _ => {}
            }
        }
    }
}

/// Whether an entry of `answer.provider` is a service, rather than what always answers.
pub(super) fn is_service(name: &str) -> bool {
    find(name).is_none_or(|provider| provider.service().is_some())
}

/// The section with the settings of this name.
pub(super) fn place(name: &str) -> String {
    match find(name) {
        Some(provider) => provider.name.to_owned(),
        None => format!("providers.{name}"),
    }
}

impl FromValue for &'static Descriptor {
    /// A missing one is a problem of its own.
    fn from_value(value: &Value) -> Self {
        let (first, _) = services().next().expect("a provider with a service is registered");
        let known = find_server(value.text()).map(|(provider, _)| provider);
        find(value.text()).or(known).unwrap_or(first)
    }
}

/// What a table is a case of: a provider with a service, or a server that is known by name.
fn kind() -> Rule<&'static Descriptor> {
    static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let servers = services().flat_map(|(_, service)| service.servers).map(|server| server.name);
        services().map(|(provider, _)| provider.name).chain(servers).collect()
    });
    Rule::new(Kind::Choice(&WORDS), Value::Unset).example("openai")
}

/// What `kind` means.
const KIND: &str = "What this provider is: the language that its server speaks (`openai` for every compatible \
server), or a server that is known by name, with its usual address and model. It need not be set in a table that \
has the name of such a server, such as `[providers.groq]`.";

/// The keys of every provider with a service, with what its descriptor says, and those of the tables.
fn of_each_provider(keys: Vec<Key>) -> Vec<Key> {
    let mut all = Vec::new();
    for (provider, service) in services() {
        for key in &keys {
            let mut key = key.clone().placed(provider.name, key.name());
            match key.name() {
                "api_key" => {
                    key.credential = Some(Cow::Borrowed(service.credential));
                    key.aliases = service.key_variables;
                    key.shared = variables(service.servers);
                    key.doc = Cow::Borrowed(service.key_doc);
                }
                "base_url" => {
                    key.default = Value::Text(service.base_url.to_owned());
                    key.when = service.base_url_when;
                    let doc = "The address of the server, up to and without";
                    key.doc = Cow::Owned(format!("{doc} `{}`.", service.path));
                }
                "model" => {
                    key.default = Value::Text(service.model.to_owned());
                    key.when = service.model_when;
                    key.doc = Cow::Borrowed("The model that answers when this provider is chosen.");
                }
                _ => {}
            }
            all.push(key);
        }
    }
    all.push(kind().live(Part::Answers).key(TABLE, "kind", KIND));
    all.extend(keys.into_iter().map(|mut key| {
        if key.is_secret() {
            key.shared = services().flat_map(|(_, service)| variables(service.servers)).collect();
        }
        key
    }));
    all
}

/// The variables whose key is for one server only.
fn variables(servers: &'static [Server]) -> Vec<&'static str> {
    servers.iter().flat_map(|server| server.key_variables).copied().collect()
}

fn check(resolved: &mut Resolved<'_>) {
    let chosen: Vec<String> = resolved.get("answer.provider");
    let chosen: Vec<&String> = chosen.iter().filter(|name| is_service(name)).collect();
    for name in &chosen {
        let [key, base_url, _] = paths(&place(name));
        server::require_key(resolved, &base_url, &key);
        server::warn_if_plain(resolved, &base_url);
    }
    for (n, name) in chosen.iter().enumerate() {
        if let Some(other) = chosen[..n].iter().find(|other| is_same(resolved, other, name)) {
            // A problem of the key, because a check without secrets cannot see it.
            let [key, ..] = paths(&place(name));
            let message = format!("{other} and {name} are the same: one address, model and key");
            let hint = "leave one out of answer.provider, or give them different models or keys";
            resolved.problems.push(key, message, hint);
        }
    }
}

/// Whether two names have one server, model and key: the second would fail with the first.
fn is_same(resolved: &Resolved<'_>, one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|name| paths(&place(name)));
    let is_known = |path: &String| !resolved.problems.about(path);
    let is_set = |path: &String| *resolved.value(path) != Value::Unset;
    one.iter().chain(&other).all(is_known)
        && one[1..].iter().all(is_set)
        && one.iter().zip(&other).all(|(one, other)| resolved.value(one) == resolved.value(other))
}

/// The paths of a section's key, address and model.
pub(super) fn paths(section: &str) -> [String; 3] {
    ["api_key", "base_url", "model"].map(|name| format!("{section}.{name}"))
}
