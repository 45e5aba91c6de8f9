//! The provider that answers, its key, its address and model.

use super::answers::SetupArgs;
use super::ask::{self, Person};
use super::credential_store::{Held, Vault};
use super::plan::{Plan, Target};
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::config::{Config, Secret};
use crate::provider::{Descriptor, Kind, PROVIDERS, services};

/// A server that is not the provider's usual one, and what answers there.
struct Server {
    base_url: Option<String>,
    model: Option<String>,
}

/// Adds the answers to the plan. Without a flag and without a person, nothing is changed.
pub(super) fn plan(
    args: &SetupArgs,
    person: &Person,
    target: &Target,
    credential_store: &Vault,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let mut server = Server { base_url: args.base_url.clone(), model: args.model.clone() };
    let chosen = match args.provider {
        None if person.is_there() => ask(target, person, &mut server)?,
        chosen => chosen,
    };
    let Server { base_url, model } = server;
    let Some(chosen) = chosen else {
        for (set, flag) in [
            (args.key_file.is_some(), "--key-file"),
            (args.base_url.is_some(), "--base-url"),
            (args.model.is_some(), "--model"),
        ] {
            if set {
                let text = format!("{flag} needs --provider");
                return Err(Stop::new(exit::USAGE, text, "--provider says whose it is").into());
            }
        }
        return Ok(());
    };
    let name = chosen.name;
    if let Some(service) = chosen.service() {
        key(
            args,
            person,
            target,
            credential_store,
            plan,
            (service.credential, base_url.is_some()),
        )?;
    }
    set(plan, target, "answer.provider".to_owned(), name.to_owned());
    if chosen.service().is_none() {
        return Ok(());
    }
    for (key, value) in [("base_url", base_url), ("model", model)] {
        if let Some(value) = value {
            set(plan, target, format!("{name}.{key}"), value);
        }
    }
    Ok(())
}

/// Plans a key of the configuration, unless it has this value.
fn set(plan: &mut Plan, target: &Target, key: String, value: String) {
    let loaded = Config::examine(&target.sources).loaded;
    let explicit = loaded.origins.get(&key).is_some_and(|origin| {
        !matches!(origin, crate::config::Origin::Default | crate::config::Origin::Derived(_))
    });
    if !(explicit && loaded.text(&key) == Some(value.as_str())) {
        plan.keys.push((key, Some(value)));
    }
}

/// What may be answered to "Who answers?".
enum Offer {
    /// This provider, as it is.
    Usual(&'static Descriptor),
    /// Another server that speaks this provider's language.
    Other(&'static Descriptor),
}

/// The offers in their order, each with its line.
fn offers() -> Vec<(Offer, String)> {
    let mut offers: Vec<_> = services()
        .map(|(provider, _)| (Offer::Usual(provider), provider.title.to_owned()))
        .collect();
    for (provider, _) in services().filter(|(_, service)| service.is_self_hosted) {
        let line = format!(
            "another server that speaks {}'s language (Ollama, vLLM, OpenRouter, …)",
            provider.title
        );
        offers.push((Offer::Other(provider), line));
    }
    for provider in PROVIDERS.iter().filter(|p| matches!(p.kind, Kind::Documents)) {
        offers.push((Offer::Usual(provider), provider.summary.to_owned()));
    }
    offers
}

fn ask(
    target: &Target,
    person: &Person,
    server: &mut Server,
) -> anyhow::Result<Option<&'static Descriptor>> {
    let now = Config::examine(&target.sources).loaded.config.answer.provider.name;
    let offers = offers();
    eprintln!("Who answers?");
    for (n, (_, line)) in offers.iter().enumerate() {
        eprintln!("  {}  {line}", n + 1);
    }
    loop {
        let question = format!("1 to {}, or Enter to leave it as it is ({now}):", offers.len());
        let answer = person.line(&question, "--provider")?;
        if answer.is_empty() {
            return Ok(None);
        }
        let chosen = answer.parse::<usize>().ok().and_then(|n| offers.get(n.checked_sub(1)?));
        match chosen {
            None => {}
            Some((Offer::Usual(provider), _)) => return Ok(Some(provider)),
            Some((Offer::Other(provider), _)) => {
                if server.base_url.is_none() {
                    let question = "Its address, such as http://127.0.0.1:11434/v1:";
                    server.base_url = Some(person.line(question, "--base-url")?);
                }
                // The vendor's own are not there.
                while server.model.as_ref().is_none_or(String::is_empty) {
                    let question = "Its model, such as llama3.2:";
                    server.model = Some(person.line(question, "--model")?);
                }
                return Ok(Some(provider));
            }
        }
    }
}

/// The key; the user's own server may need none.
fn key(
    args: &SetupArgs,
    person: &Person,
    target: &Target,
    credential_store: &Vault,
    plan: &mut Plan,
    (id, is_optional): (&'static str, bool),
) -> anyhow::Result<()> {
    const FLAG: &str = "--key-file";
    let name = target.name(id);
    let no_key = || {
        let hint = "create one on the provider's site; it is one word";
        Stop::new(exit::CONFIG, "this is not a key", hint)
    };
    // It travels in a header of HTTP.
    let is_word = |key: &Secret| key.expose().bytes().all(|b| b.is_ascii_graphic());
    if let Some(file) = &args.key_file {
        let key = ask::secret(FLAG, file)?;
        plan.secrets.push((name, Some(key).filter(is_word).ok_or_else(no_key)?));
        return Ok(());
    }
    let held = credential_store.held(&name)?;
    let is_set = !matches!(held, Held::No);
    if !person.is_there() && (is_set || is_optional) {
        return Ok(());
    }
    let question = match (is_set, is_optional) {
        (true, _) => "Its key (hidden; Enter keeps the one that is set):",
        (false, true) => "Its key (hidden; Enter for none):",
        (false, false) => "Its key (hidden):",
    };
    let typed = person.hidden(question, FLAG)?;
    match ask::checked(&typed).filter(is_word) {
        Some(secret) => plan.secrets.push((name, secret)),
        None if typed.is_empty() && (is_set || is_optional) => {
            if let Held::Plain(old) = held {
                plan.secrets.push((name, old));
            }
        }
        None => return Err(no_key().into()),
    }
    Ok(())
}
