//! Who answers, and what follows from that: address, model and key of each server.
//!
//! Many servers speak one vendor's language, so a word such as `ollama` means that server with its usual
//! address and model unless others are set. Alone, as in 0.2, it has the settings of `[openai]`. In a list, or
//! with a table of its name, its settings are its own: `[providers.ollama]`.

use super::provider::{TABLE, is_service, paths, place};
use super::usual::{complete, is_same_host, require_model, shared_model, usual};
use crate::config::credential;
use crate::config::nearest::nearest;
use crate::config::resolved::Resolved;
use crate::config::source::Origin;
use crate::config::value::Value;
use crate::provider::{Descriptor, Kind, PROVIDERS, Server, find, find_server, servers, services};

/// The word for the provider that can work.
pub(super) const AUTO: &str = "auto";

/// Names that mean something else, so no table has them.
const RESERVED: [&str; 2] = [AUTO, "cache"];

/// The key of the list.
const LIST: &str = "answer.provider";

/// A server that is known by name, and the provider that speaks its language.
type Known = (&'static Descriptor, &'static Server);

/// Chooses who answers, and every value that follows from it.
pub(super) fn choose(resolved: &mut Resolved<'_>) {
    refuse_reserved(resolved);
    let written: Vec<String> = resolved.get(LIST);
    let words = known(resolved, &written);
    let tables = resolved.names(TABLE);
    match words.as_slice() {
        // It is shown as it was written.
        [word] if written.len() == 1 && !has_own(resolved, word) => alone(resolved, &written[0]),
        [] => alone(resolved, AUTO),
        _ => {
            let value = match words.as_slice() {
                [only] => Value::Text(only.clone()),
                _ => Value::Words(words.clone()),
            };
            let origin = resolved.origin(LIST).clone();
            resolved.set(LIST, value, origin);
            listed(resolved, &words);
        }
    }
    for name in tables.iter().filter(|name| !words.contains(name) && !is_reserved(name)) {
        let hint = format!("add {name} to answer.provider, or remove the table");
        resolved.warn(
            &place(name),
            "answer.provider does not name this table: it answers nothing",
            &hint,
        );
    }
}

/// Whether something is set for this name alone: a table, or the credential of its key.
fn has_own(resolved: &Resolved<'_>, word: &str) -> bool {
    resolved.names(TABLE).contains(word)
        || find_server(word).is_some() && resolved.has_credential(TABLE, word)
}

/// Whether a table may not have this name.
fn is_reserved(name: &str) -> bool {
    let other_word = find_server(name).is_some_and(|(_, server)| server.name != name);
    RESERVED.contains(&name) || find(name).is_some() || other_word
}

fn refuse_reserved(resolved: &mut Resolved<'_>) {
    for name in resolved.names(TABLE).iter().filter(|name| is_reserved(name)) {
        let hint = match (find(name).map(Descriptor::service), find_server(name)) {
            (Some(Some(_)), _) => {
                format!("write its keys into [{name}], the section of this provider")
            }
            (_, Some((_, server))) => format!("write [providers.{}]", server.name),
            _ => format!(
                "give the table another name, such as my_{name}, here and in answer.provider"
            ),
        };
        let message = "this name means something else already";
        resolved.problems.push(format!("providers.{name}"), message, hint);
    }
}

/// The names of the list that mean something, each once, and every mistake of the list as a problem. A name is
/// not repeated where it may be a misplaced secret.
fn known(resolved: &mut Resolved<'_>, written: &[String]) -> Vec<String> {
    let tables = resolved.names(TABLE);
    let origin = resolved.origin(LIST).clone();
    let mut words: Vec<String> = Vec::new();
    for (n, name) in written.iter().enumerate() {
        let at = if written.len() > 1 {
            format!("entry {} of the list", n + 1)
        } else {
            "the value".into()
        };
        // Other words for a server mean its name.
        let word = find_server(name).map_or(name.as_str(), |(_, server)| server.name);
        let is_known = find(word).is_some() || find_server(word).is_some() || tables.contains(word);
        let (wrong, hint) = if word == AUTO && written.len() == 1 {
            words.push(word.to_owned());
            continue;
        } else if word == AUTO {
            ("is auto, which stands alone", "name the providers themselves, best first".to_owned())
        } else if !is_known {
            let all = names(tables.iter().map(String::as_str));
            let near = nearest(word, all.iter().copied());
            let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
            let why = "is neither a provider nor the name of a table";
            let more = "write a table [providers.NAME] for any other server";
            (why, format!("{near}There are {}; {more}", all.join(", ")))
        } else if words.iter().any(|there| there == word) {
            ("is there already", "name each provider once".to_owned())
        } else {
            words.push(word.to_owned());
            continue;
        };
        resolved.problems.push(LIST, format!("{at} {wrong} ({origin})"), hint);
    }
    if let Some(at) =
        words.iter().position(|word| !is_service(word)).filter(|at| at + 1 < words.len())
    {
        let message = format!(
            "{} always answers, so what stands after it is never asked ({origin})",
            words[at]
        );
        resolved.problems.push(LIST, message, format!("write {} last", words[at]));
    }
    words
}

/// Everything that may stand in the list.
fn names<'a>(tables: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name).collect();
    all.extend(servers().map(|(_, server)| server.name));
    let own: Vec<&str> = tables.filter(|name| !is_reserved(name) && !all.contains(name)).collect();
    all.extend(own);
    all
}

/// One word without a table, as in 0.2.
fn alone(resolved: &mut Resolved<'_>, word: &str) {
    let named = find_server(word);
    let server = own_key(resolved, word).or(named);
    if let Some((provider, server)) = server {
        usual(resolved, provider.name, server);
    }
    let by_name = find(word).or(named.map(|(provider, _)| provider));
    let provider = match by_name {
        Some(provider) => provider,
        None => auto(resolved),
    };
    if provider.name != word {
        let why = format!("{}: {word}", resolved.origin(LIST));
        resolved.set(LIST, Value::Text(provider.name.to_owned()), Origin::Derived(why));
    }
    if provider.service().is_some() {
        let server = server.filter(|(of, _)| *of == provider);
        shared_model(resolved, provider.name);
        let has_no_model = server.is_some_and(|(_, server)| server.model.is_none());
        require_model(resolved, provider.name, has_no_model);
    }
}

/// Several, or one with a table: each has its own settings.
fn listed(resolved: &mut Resolved<'_>, words: &[String]) {
    for word in words.iter().filter(|word| find_server(word).is_some()) {
        resolved.add_table(TABLE, word);
    }
    for (n, word) in words.iter().enumerate().filter(|(_, word)| is_service(word)) {
        if n == 0 {
            shared_model(resolved, &place(word));
        }
        if find(word).is_none() {
            complete(resolved, word);
        }
    }
    warn_of_unused(resolved, words);
}

/// Warns of settings of a vendor's section that were meant for a server of the list: they do not reach it.
fn warn_of_unused(resolved: &mut Resolved<'_>, words: &[String]) {
    for (provider, _) in services().filter(|(p, _)| !words.iter().any(|word| word == p.name)) {
        let of_it = |word: &&String| find_server(word).is_some_and(|(of, _)| of == provider);
        let Some(word) = words.iter().find(of_it) else { continue };
        let [_, base_url, model] = paths(provider.name);
        for path in [base_url, model] {
            if resolved.is_default(&path) {
                continue;
            }
            let message =
                format!("answer.provider does not name {}, so this does not count", provider.name);
            let hint = format!("write it into [providers.{word}] if it is meant for {word}");
            resolved.warn(&path, &message, &hint);
        }
    }
}

/// Uses a key that is for one server only when that server is meant: by its name, by its address,
/// or because there is no other key and no other address. Returns the server whose key was used.
fn own_key(resolved: &mut Resolved<'_>, word: &str) -> Option<Known> {
    for (provider, server) in servers().filter(|(_, server)| !server.key_variables.is_empty()) {
        let [path, base_url, _] = paths(provider.name);
        let named = server.names().any(|name| name == word)
            || is_same_host(&resolved.get::<String>(&base_url), server.base_url);
        let may_stand_in = word == AUTO || word == provider.name && server.stands_in;
        let alone = may_stand_in && !resolved.is_meant(&path) && resolved.is_default(&base_url);
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

/// The provider that can work. A key that is there but wrong is a problem of its own, and still
/// shows which provider was meant.
fn auto(resolved: &mut Resolved<'_>) -> &'static Descriptor {
    for (provider, service) in services().rev() {
        let [key, base_url, _] = paths(provider.name);
        if resolved.is_meant(&key) || service.is_self_hosted && !resolved.is_default(&base_url) {
            return provider;
        }
    }
    if !resolved.is_meant("knowledge.dir") {
        let keys = services().rev().filter_map(|(_, service)| service.key_variables.first());
        let keys: Vec<&str> = keys.copied().collect();
        resolved.warn(
            LIST,
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
