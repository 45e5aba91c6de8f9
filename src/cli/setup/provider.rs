//! The provider that answers: its key, its address and model, or the folder of documents. What was
//! answered is tried with one cheap question.

use super::answers::SetupArgs;
use super::ask::{self, BACK, Untried};
use super::asked::Asked;
use super::credential_store::Held;
use super::plan::Plan;
use super::readable;
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::cli::try_model::{advice, try_model};
use crate::config::{Config, Secret};
use crate::model::class::AnswerClass;
use crate::model::failure::chain;
use crate::provider::{Descriptor, Kind, PROVIDERS, ProviderError, Service, services};

/// Who answers, and where.
struct Choice {
    provider: &'static Descriptor,
    base_url: Option<String>,
    model: Option<String>,
    /// Whether it is the vendor's own server, so that no other address may stay.
    is_usual: bool,
}

/// Adds the answers to the plan. Without a flag and without a person, nothing is changed.
pub(super) fn plan(asked: &Asked<'_>, plan: &mut Plan) -> anyhow::Result<()> {
    let before = plan.clone();
    let flags = (asked.args.provider.is_some(), SetupArgs::without_provider as fn(&_) -> _);
    asked.person.by_flags_or_questions(asked.args, flags, |args| {
        // What was answered before the person went back is not an answer.
        plan.clone_from(&before);
        let asked = &Asked { args, ..*asked };
        match chosen(asked)? {
            Some(choice) => add(asked, plan, &choice),
            None => documents(asked, plan),
        }
    })
}

/// Who answers, by flags or by questions; `None` leaves it as it is.
fn chosen(asked: &Asked<'_>) -> anyhow::Result<Option<Choice>> {
    let Asked { args, person, .. } = asked;
    if let Some(provider) = args.provider {
        let (base_url, model) = (address(args), args.model.clone());
        let is_usual = base_url.is_none() && args.base_url.is_some();
        return Ok(Some(Choice { provider, base_url, model, is_usual }));
    }
    if person.is_there() {
        return choose(asked);
    }
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
    Ok(None)
}

/// The address by its flag, unless that is empty, which means the vendor's own.
fn address(args: &SetupArgs) -> Option<String> {
    args.base_url.clone().filter(|url| !url.is_empty())
}

/// Plans a choice, and tries it.
fn add(asked: &Asked<'_>, plan: &mut Plan, choice: &Choice) -> anyhow::Result<()> {
    let (target, name) = (asked.target, choice.provider.name);
    if !leads_a_list(asked, name) {
        plan.set(target, "answer.provider", name)?;
    }
    let Some(service) = choice.provider.service() else { return folder(asked, plan) };
    documents(asked, plan)?;
    for (key, value, usual) in
        [("base_url", &choice.base_url, service.base_url), ("model", &choice.model, service.model)]
    {
        let path = format!("{name}.{key}");
        match value {
            Some(value) => plan.set(target, &path, value)?,
            None if choice.is_usual => plan.unset(target, &path, Some(usual))?,
            None => {}
        }
    }
    let is_optional = choice.base_url.is_some();
    let mut once = || {
        key(asked, plan, (service, is_optional))?;
        tried(asked, plan, service)
    };
    let wrong = match asked.args.key_file.is_some() {
        true => once(),
        false => asked.person.until_right(once),
    };
    wrong?.map_or(Ok(()), |wrong| Err(wrong.into()))
}

/// Whether this provider is the first of several: then its key or model is to be changed, and the list stays.
fn leads_a_list(asked: &Asked<'_>, name: &str) -> bool {
    let config = Config::examine(&asked.target.sources).loaded.config;
    let chosen = config.chosen();
    let leads = chosen.len() > 1 && chosen[0].name == name;
    if leads {
        let names: Vec<&str> = chosen.iter().map(|chosen| chosen.name).collect();
        eprintln!("The list of providers stays: {}.", names.join(", then "));
    }
    leads
}

/// Asks the model, unless that is not wanted, or the key cannot be read here. Returns what is wrong when
/// another key would not help.
fn tried(asked: &Asked<'_>, plan: &Plan, service: &Service) -> anyhow::Result<Option<Stop>> {
    let name = asked.target.name(service.credential);
    let is_planned = plan.secrets.iter().any(|(there, _)| *there == name);
    if asked.args.no_verify || !is_planned && matches!(asked.store.held(&name)?, Held::Encrypted) {
        return Ok(None);
    }
    let config = plan.candidate(asked.target);
    let first = config.first();
    let model = first.section.map(|section| section.model.as_str()).unwrap_or_default();
    loop {
        eprintln!("Asking {} ({model}) for one word …", first.name);
        let Err(e) = asked.runtime.block_on(try_model(&config, first)) else {
            eprintln!("The model answers.");
            return Ok(None);
        };
        let Some(error) = e.downcast_ref::<ProviderError>() else { return Err(e) };
        let text = format!("the model does not answer: {}", chain(error));
        let mut hint = format!("{}; --no-verify stores it untried", advice(error));
        if asked.person.is_there() {
            hint.push_str(&format!("; \"{BACK}\" chooses another provider"));
        }
        match error.answer_class() {
            AnswerClass::Auth => return Err(Stop::new(exit::CONFIG, text, hint).into()),
            AnswerClass::NotFound => return Ok(Some(Stop::new(exit::CONFIG, text, hint))),
            _ => {}
        }
        match asked.person.untried(Stop::new(exit::UNAVAILABLE, text, hint).into())? {
            Untried::Again => {}
            Untried::GoOn => return Ok(None),
        }
    }
}

/// The key of the folder of documents.
const FOLDER: &str = "knowledge.dir";

/// What takes the documents away, typed in place of their folder.
const NONE: &str = "none";

/// The folder of the documents by its flag.
fn documents(asked: &Asked<'_>, plan: &mut Plan) -> anyhow::Result<()> {
    match asked.args.documents.as_deref() {
        None => Ok(()),
        Some("") => plan.unset(asked.target, FOLDER, None),
        Some(dir) => {
            readable::check(asked, dir)?;
            plan.set(asked.target, FOLDER, dir)
        }
    }
}

/// The folder of the documents, by flag or by question.
fn folder(asked: &Asked<'_>, plan: &mut Plan) -> anyhow::Result<()> {
    if asked.args.documents.is_some() || !asked.person.is_there() {
        return documents(asked, plan);
    }
    let config = plan.candidate(asked.target);
    let or_enter = match &config.knowledge.dir {
        Some(dir) => format!("Enter keeps {}, \"{NONE}\" for the built-in pages", dir.display()),
        None => "Enter for the built-in pages".to_owned(),
    };
    asked.person.until_right(|| {
        let question = format!("Folder with your documents, .md or .txt ({or_enter}):");
        match asked.person.line(&question, "--documents")?.as_str() {
            "" => Ok(()),
            NONE => plan.unset(asked.target, FOLDER, None),
            dir => {
                readable::check(asked, dir)?;
                plan.set(asked.target, FOLDER, dir)
            }
        }
    })
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

/// Asks who answers; `None` leaves it as it is.
fn choose(asked: &Asked<'_>) -> anyhow::Result<Option<Choice>> {
    let Asked { args, person, target, .. } = asked;
    let config = Config::examine(&target.sources).loaded.config;
    let now: Vec<&str> = config.chosen().iter().map(|chosen| chosen.name).collect();
    let now = now.join(", then ");
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
        let (base_url, model) = (address(args), args.model.clone());
        match chosen {
            None => {}
            Some((Offer::Usual(provider), _)) => {
                return Ok(Some(Choice { provider, base_url, model, is_usual: true }));
            }
            Some((Offer::Other(provider), _)) => {
                let base_url = server(asked, provider)?;
                // The vendor's own are not there.
                let mut model = model.unwrap_or_default();
                while model.is_empty() {
                    model = person.line("Its model, such as llama3.2:", "--model")?;
                }
                let (base_url, model) = (Some(base_url), Some(model));
                return Ok(Some(Choice { provider, base_url, model, is_usual: false }));
            }
        }
    }
}

/// The address of another server.
fn server(asked: &Asked<'_>, provider: &Descriptor) -> anyhow::Result<String> {
    let path = format!("{}.base_url", provider.name);
    let mut given = address(asked.args);
    asked.person.until_right(|| {
        let question = "Its address, such as http://127.0.0.1:11434/v1:";
        let ask = || asked.person.line(question, "--base-url");
        let url = given.take().map_or_else(ask, Ok)?;
        Plan::default().set(asked.target, &path, &url)?;
        Ok(url)
    })
}

/// The key; the user's own server may need none.
fn key(
    asked: &Asked<'_>,
    plan: &mut Plan,
    (service, is_optional): (&Service, bool),
) -> anyhow::Result<()> {
    const FLAG: &str = "--key-file";
    let Asked { args, person, .. } = asked;
    let name = asked.target.name(service.credential);
    plan.secrets.retain(|(there, _)| *there != name);
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
    let held = asked.store.opened(&name)?;
    let is_set = !matches!(held, Held::No);
    let typed = match person.is_there() {
        false if is_set || is_optional => String::new(),
        _ => {
            let question = match (is_set, is_optional) {
                (true, _) => "Its key (hidden; Enter keeps the one that is set):",
                (false, true) => "Its key (hidden; Enter for none):",
                (false, false) => "Its key (hidden):",
            };
            person.hidden(question, FLAG)?
        }
    };
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
