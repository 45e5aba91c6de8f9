//! The provider that answers: its key, its address and model, or the folder of documents. What was
//! answered is tried with one cheap question.

use std::path::Path;

use super::answers::{SetupArgs, UNITS};
use super::ask::{self, Untried};
use super::asked::Asked;
use super::credential_store::Held;
use super::plan::Plan;
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::cli::try_model::{advice, try_model};
use crate::config::{Config, Secret};
use crate::model::class::AnswerClass;
use crate::model::failure::chain;
use crate::provider::{Descriptor, Kind, PROVIDERS, ProviderError, Service, services};

/// Folders that the packaged unit cannot see.
const HIDDEN: [&str; 6] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp", "/var/lib"];

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
    let Asked { args, person, .. } = asked;
    let Some(provider) = args.provider else {
        for (set, flag) in [
            (args.key_file.is_some(), "--key-file"),
            (args.base_url.is_some(), "--base-url"),
            (args.model.is_some(), "--model"),
        ] {
            if set && !person.is_there() {
                let text = format!("{flag} needs --provider");
                return Err(Stop::new(exit::USAGE, text, "--provider says whose it is").into());
            }
        }
        if !person.is_there() {
            return documents(asked, plan);
        }
        return person.until_right(|| {
            let Some(choice) = choose(asked)? else { return documents(asked, plan) };
            add(asked, plan, &choice)
        });
    };
    let (base_url, model) = (address(args), args.model.clone());
    let is_usual = base_url.is_none() && args.base_url.is_some();
    add(asked, plan, &Choice { provider, base_url, model, is_usual })
}

/// The address by its flag, unless that is empty, which means the vendor's own.
fn address(args: &SetupArgs) -> Option<String> {
    args.base_url.clone().filter(|url| !url.is_empty())
}

/// Plans a choice, and tries it.
fn add(asked: &Asked<'_>, plan: &mut Plan, choice: &Choice) -> anyhow::Result<()> {
    let (target, name) = (asked.target, choice.provider.name);
    plan.set(target, "answer.provider", name)?;
    let Some(service) = choice.provider.service() else { return folder(asked, plan) };
    documents(asked, plan)?;
    for (key, value, usual) in
        [("base_url", &choice.base_url, service.base_url), ("model", &choice.model, service.model)]
    {
        let path = format!("{name}.{key}");
        match value {
            Some(value) => plan.set(target, &path, value)?,
            None if choice.is_usual => plan.unset(target, &path, usual)?,
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

/// Asks the model, unless that is not wanted, or the key cannot be read here. Returns what is wrong when
/// another key would not help.
fn tried(asked: &Asked<'_>, plan: &Plan, service: &Service) -> anyhow::Result<Option<Stop>> {
    let name = asked.target.name(service.credential);
    let is_planned = plan.secrets.iter().any(|(there, _)| *there == name);
    if asked.args.no_verify || !is_planned && matches!(asked.store.held(&name)?, Held::Encrypted) {
        return Ok(None);
    }
    let config = plan.candidate(asked.target);
    let who = config.answer.provider.name;
    let model = config.chosen().map(|section| section.model.clone()).unwrap_or_default();
    loop {
        eprintln!("Asking {who} ({model}) for one word …");
        let Err(e) = asked.runtime.block_on(try_model(&config)) else {
            eprintln!("The model answers.");
            return Ok(None);
        };
        let Some(error) = e.downcast_ref::<ProviderError>() else { return Err(e) };
        let text = format!("the model does not answer: {}", chain(error));
        let hint = format!("{}; --no-verify stores it untried", advice(error));
        match error.answer_class() {
            AnswerClass::Auth => return Err(Stop::new(exit::CONFIG, text, hint).into()),
            AnswerClass::NotFound => return Ok(Some(Stop::new(exit::CONFIG, text, hint))),
            _ => {}
        }
        match asked.person.untried(Stop::new(exit::UNAVAILABLE, text, hint).into())? {
            Untried::Again => {}
            Untried::GoOn => return Ok(None),
            Untried::Back => return Ok(Some(ask::back())),
        }
    }
}

/// The key of the folder of documents.
const FOLDER: &str = "knowledge.dir";

/// The folder of the documents by its flag.
fn documents(asked: &Asked<'_>, plan: &mut Plan) -> anyhow::Result<()> {
    let Some(dir) = &asked.args.documents else { return Ok(()) };
    sound(asked, dir)?;
    Ok(plan.set(asked.target, FOLDER, dir)?)
}

/// The folder of the documents, by flag or by question.
fn folder(asked: &Asked<'_>, plan: &mut Plan) -> anyhow::Result<()> {
    if asked.args.documents.is_some() || !asked.person.is_there() {
        return documents(asked, plan);
    }
    let config = plan.candidate(asked.target);
    let or_enter = match &config.knowledge.dir {
        Some(dir) => format!("Enter keeps {}", dir.display()),
        None => "Enter for the built-in pages".to_owned(),
    };
    asked.person.until_right(|| {
        let question = format!("Folder with your documents, .md or .txt ({or_enter}):");
        let dir = asked.person.line(&question, "--documents")?;
        if dir.is_empty() {
            return Ok(());
        }
        sound(asked, &dir)?;
        Ok(plan.set(asked.target, FOLDER, &dir)?)
    })
}

/// Whether the bot can read this folder, as far as that can be seen here.
fn sound(asked: &Asked<'_>, dir: &str) -> Result<(), Stop> {
    let path = Path::new(dir);
    let stop = |text: String, hint: &str| Err(Stop::new(exit::CONFIG, text, hint));
    if !path.is_absolute() || !path.is_dir() {
        return stop(format!("{dir} is not a folder"), "write its path from / on");
    }
    let is_packaged = asked.args.units_dir == Path::new(UNITS);
    if is_packaged && HIDDEN.iter().any(|hidden| path.starts_with(hidden)) {
        let hint = "use /etc/katana-bot/knowledge or a folder in /srv";
        return stop(format!("the service cannot see {dir}"), hint);
    }
    match crate::knowledge::Knowledge::open(path) {
        Ok(knowledge) if knowledge.size().0 == 0 => {
            eprintln!("There is no .md or .txt file in it yet.");
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(e) => stop(chain(&e), "choose another folder, or let everyone read it"),
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

/// Asks who answers; `None` leaves it as it is.
fn choose(asked: &Asked<'_>) -> anyhow::Result<Option<Choice>> {
    let Asked { args, person, target, .. } = asked;
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
