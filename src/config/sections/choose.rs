//! Which provider answers, and what follows from that: address, model and key of the server.
//!
//! Many servers speak one vendor's language, so a word such as `ollama` means: provider openai, with
//! that server's usual address and model unless others are set.

use hygiene::url;

use super::provider::paths;
use crate::config::resolved::Resolved;
use crate::config::source::Origin;
use crate::config::value::Value;
use crate::config::{credential, environment};
use crate::provider::{Descriptor, Kind, PROVIDERS, Server, find, services};

/// The word for the provider that can work.
pub(super) const AUTO: &str = "auto";

/// A server that is known by name, and the provider that speaks its language.
type Known = (&'static Descriptor, &'static Server);

/// Chooses the provider, and every value that follows from it.
pub(super) fn choose(resolved: &mut Resolved<'_>) {
    let word: String = resolved.get("answer.provider");
    let named = servers().find(|(_, server)| server.names().any(|name| name == word));
    let server = own_key(resolved, &word).or(named);
    if let Some((provider, server)) = server {
        apply(resolved, provider, server);
    }
    let by_name = find(&word).or(named.map(|(provider, _)| provider));
    let provider = match by_name {
        Some(provider) => provider,
        None => auto(resolved),
    };
    if provider.name != word {
        let why = format!("{}: {word}", resolved.origin("answer.provider"));
        let text = Value::Text(provider.name.to_owned());
        resolved.set("answer.provider", text, Origin::Derived(why));
    }
    if provider.service().is_some() {
        let server = server.filter(|(of, _)| *of == provider);
        model(resolved, provider, server.map(|(_, server)| server));
    }
}

fn servers() -> impl Iterator<Item = Known> {
    services().flat_map(|(provider, service)| service.servers.iter().map(move |s| (provider, s)))
}

/// Uses a key that is for one server only when that server is meant: by its name, by its address,
/// or because there is no other key and no other address. Returns the server whose key was used.
fn own_key(resolved: &mut Resolved<'_>, word: &str) -> Option<Known> {
    for (provider, server) in servers().filter(|(_, server)| !server.key_variables.is_empty()) {
        let [path, base_url, _] = paths(provider);
        let named = server.names().any(|name| name == word)
            || is_same_host(&resolved.get::<String>(&base_url), server.base_url);
        let alone = [AUTO, provider.name].contains(&word)
            && !resolved.is_meant(&path)
            && resolved.is_default(&base_url);
        let key = resolved.key(&path).clone();
        // The vendor's variable is for the vendor; a key given to Katana by its own name is meant
        // for whatever server is chosen.
        let given = match resolved.origin(&path) {
            Origin::Env(name) | Origin::SecretFile(name) => name.starts_with(&key.variable()),
            Origin::Credential(_) => true,
            _ => false,
        };
        if !alone && (!named || given) {
            continue;
        }
        let (variables, sources) = (server.key_variables, resolved.sources);
        let found = credential::find_in(&key, variables, sources, &mut resolved.problems);
        if let Some((value, origin)) = found {
            resolved.set(&path, value, origin);
            return Some((provider, server));
        }
    }
    None
}

fn is_same_host(one: &str, other: &str) -> bool {
    match (url::parse(one), url::parse(other)) {
        (Ok(one), Ok(other)) => {
            one.origin.host == other.origin.host && one.origin.tls == other.origin.tls
        }
        _ => false,
    }
}

fn apply(resolved: &mut Resolved<'_>, provider: &Descriptor, server: &Server) {
    let why = || Origin::Derived(format!("usual for {}", server.name));
    let [_, base_url, model] = paths(provider);
    if resolved.is_default(&base_url) {
        resolved.set(&base_url, Value::Text(server.base_url.to_owned()), why());
    }
    if let Some(name) = server.model.filter(|_| resolved.is_default(&model)) {
        resolved.set(&model, Value::Text(name.to_owned()), why());
    }
}

/// The provider that can work. A key that is there but wrong is a problem of its own, and still
/// shows which provider was meant.
fn auto(resolved: &mut Resolved<'_>) -> &'static Descriptor {
    for (provider, service) in services().rev() {
        let [key, base_url, _] = paths(provider);
        if resolved.is_meant(&key) || service.is_self_hosted && !resolved.is_default(&base_url) {
            return provider;
        }
    }
    if !resolved.is_meant("knowledge.dir") {
        let keys = services().rev().filter_map(|(_, service)| service.key_variables.first());
        let keys: Vec<&str> = keys.copied().collect();
        resolved.warn(
            "answer.provider",
            "there is no API key and no knowledge folder: only questions about Katana itself are answered",
            &format!(
                "`sudo katana-bot setup` asks for them; or set {}, or knowledge.dir for answers from your own documents",
                keys.join(" or ")
            ),
        );
    }
    let quotes = |provider: &&&Descriptor| matches!(provider.kind, Kind::Documents);
    PROVIDERS.iter().find(quotes).expect("a provider that needs no model is registered")
}

/// Lets the variables that all models share reach the chosen provider's.
fn model(resolved: &mut Resolved<'_>, provider: &Descriptor, server: Option<&Server>) {
    let [.., path] = paths(provider);
    let key = resolved.key(&path).clone();
    if *resolved.origin(&path) != Origin::Env(key.variable()) {
        let (variables, sources) = (&key.shared, resolved.sources);
        let found = environment::find_in(&key, variables, sources, &mut resolved.problems);
        if let Some((value, origin)) = found {
            resolved.set(&path, value, origin);
        }
    }
    if resolved.is_default(&path) && server.is_some_and(|server| server.model.is_none()) {
        resolved.problems.push(
            path.as_str(),
            "there is no default model for this server",
            format!("set {path} to the name of a model that the server offers"),
        );
    }
}
