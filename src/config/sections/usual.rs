//! What follows for one provider from its kind, its server and its address: what is usual there, and the key.

use hygiene::url;

use super::provider::{paths, place};
use crate::config::resolved::Resolved;
use crate::config::source::Origin;
use crate::config::value::Value;
use crate::config::{credential, environment};
use crate::provider::{Descriptor, Server, find_server, servers};

/// Fills a table with what follows from its kind and its address.
pub(super) fn complete(resolved: &mut Resolved<'_>, name: &str) {
    let section = place(name);
    let kind = format!("{section}.kind");
    let by_name = find_server(name);
    if let Some((_, server)) = by_name.filter(|_| resolved.is_default(&kind)) {
        let why = Origin::Derived(format!("usual for {}", server.name));
        resolved.set(&kind, Value::Text(server.name.to_owned()), why);
    }
    let word = resolved.value(&kind).text().to_owned();
    if word.is_empty() {
        if !resolved.problems.about(&kind) {
            let hint = "write what it is: openai for every compatible server, anthropic, or a server such as groq";
            resolved.problems.push(kind, "there is no kind", hint);
        }
        return;
    }
    if let Some((provider, known)) = by_name.filter(|(p, s)| word != s.name && word != p.name) {
        let hint = format!("leave it out, or write {} or {}", known.name, provider.name);
        resolved.problems.push(kind, "the table has the name of another server", hint);
        return;
    }
    let provider: &Descriptor = resolved.get(&kind);
    let Some(service) = provider.service() else { return };
    let [key, base_url, model] = paths(&section);
    let address: String = resolved.get(&base_url);
    // Many programs listen on this machine; an address of a service says which one it is.
    let is_at = |server: &Server| server.needs_key && is_same_host(&address, server.base_url);
    let by_address = || servers().find(|(_, server)| is_at(server));
    let server = by_name.or_else(|| find_server(&word)).or_else(by_address);
    match server {
        Some((_, server)) => usual(resolved, &section, server),
        None if address.is_empty() => {
            let why = Origin::Derived(format!("usual for {}", provider.name));
            resolved.set(&base_url, Value::Text(service.base_url.to_owned()), why);
        }
        None => {}
    }
    let address: String = resolved.get(&base_url);
    if resolved.is_default(&model) && is_same_host(&address, service.base_url) {
        let why = Origin::Derived(format!("usual for {}", provider.name));
        resolved.set(&model, Value::Text(service.model.to_owned()), why);
    }
    require_model(resolved, &section, true);
    if !resolved.is_meant(&key) {
        key_of(resolved, &section, (provider, server.map(|(_, server)| server)));
    }
}

/// The key of a table that has none of its own: the one that is for its server alone, or that of the vendor's
/// section where the address is the same.
fn key_of(
    resolved: &mut Resolved<'_>,
    section: &str,
    (provider, server): (&'static Descriptor, Option<&'static Server>),
) {
    let [path, base_url, _] = paths(section);
    if let Some(server) = server {
        let (key, sources) = (resolved.key(&path).clone(), resolved.sources);
        let variables = server.key_variables;
        let found = credential::find_in(&key, variables, sources, &mut resolved.problems);
        if let Some((value, origin)) = found {
            return resolved.set(&path, value, origin);
        }
    }
    let [vendors, vendors_url, _] = paths(provider.name);
    let (mine, theirs): (String, String) = (resolved.get(&base_url), resolved.get(&vendors_url));
    if is_same_host(&mine, &theirs) && resolved.is_meant(&vendors) {
        let value = resolved.value(&vendors).clone();
        resolved.set(&path, value, Origin::Derived(format!("the key of [{}]", provider.name)));
    }
}

pub(super) fn is_same_host(one: &str, other: &str) -> bool {
    match (url::parse(one), url::parse(other)) {
        (Ok(one), Ok(other)) => {
            one.origin.host == other.origin.host && one.origin.tls == other.origin.tls
        }
        _ => false,
    }
}

/// Gives a section the server's address and model where it has none.
pub(super) fn usual(resolved: &mut Resolved<'_>, section: &str, server: &Server) {
    let why = || Origin::Derived(format!("usual for {}", server.name));
    let [_, base_url, model] = paths(section);
    if resolved.is_default(&base_url) {
        resolved.set(&base_url, Value::Text(server.base_url.to_owned()), why());
    }
    if let Some(name) = server.model.filter(|_| resolved.is_default(&model)) {
        resolved.set(&model, Value::Text(name.to_owned()), why());
    }
}

/// Lets the variables that all models share reach the first provider's.
pub(super) fn shared_model(resolved: &mut Resolved<'_>, section: &str) {
    let [.., path] = paths(section);
    let key = resolved.key(&path).clone();
    if *resolved.origin(&path) != Origin::Env(key.variable()) {
        let (variables, sources) = (&key.shared, resolved.sources);
        let found = environment::find_in(&key, variables, sources, &mut resolved.problems);
        if let Some((value, origin)) = found {
            resolved.set(&path, value, origin);
        }
    }
}

/// Asks for the model of a server that has no usual one.
pub(super) fn require_model(resolved: &mut Resolved<'_>, section: &str, has_none: bool) {
    let [.., path] = paths(section);
    if has_none && resolved.is_default(&path) && !resolved.problems.about(&path) {
        let hint = format!("set {path} to the name of a model that the server offers");
        resolved.problems.push(path, "there is no default model for this server", hint);
    }
}
