//! `katana-bot setup`: from a token to a bot that answers, by questions or by flags.
//!
//! Invariants: nothing is written before every answer is there and Telegram knows the token; a
//! secret is never printed and never in an argument; what is set already stays unless a new answer
//! is given; no file of the configuration is changed but setup's own.

mod age;
mod alert;
mod answers;
mod ask;
mod asked;
mod budget;
mod chat;
mod credential_store;
mod creds;
mod drop_in;
mod edits;
mod instance;
mod plan;
mod provider;
mod readable;
mod service;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use hygiene::url::Origin;

use self::answers::SetupArgs;
use self::ask::{Person, Untried};
use self::asked::Asked;
use self::chat::{client, username};
use self::credential_store::{Change, Held, Name, Vault};
use self::edits::Edits;
use self::plan::{Plan, Target};
use super::stop::Stop;
use super::style::say;
use super::tool::tool;
use super::{endpoint, exit};
use crate::config::{Config, Problems, Secret};
use crate::model::failure::chain;
use crate::provider::services;
use crate::telegram::Identity;

pub(super) use self::answers::SetupArgs as Args;

/// Runs the command.
pub(super) fn setup(file: Option<PathBuf>, args: &SetupArgs) -> anyhow::Result<ExitCode> {
    let person = Person::new(args.non_interactive);
    let done = set_up(&person, file, args);
    if done.is_err() {
        person.discard_typed();
    }
    done
}

fn set_up(person: &Person, file: Option<PathBuf>, args: &SetupArgs) -> anyhow::Result<ExitCode> {
    let target = Target::new(file, args.instance.as_deref())?;
    let credential_store = Vault {
        dir: args.credentials_dir.clone(),
        units: args.units_dir.clone(),
        form: args.form(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(runs_with(args, &target))?;
    sound(args, &target)?;
    let mut plan = Plan::default();
    if let Some(url) = &args.api_url {
        plan.set(&target, "telegram.api_url", url)?;
    }
    let asked =
        Asked { args, person, target: &target, store: &credential_store, runtime: &runtime };
    let (token, identity) = token(&asked, &mut plan)?;
    provider::plan(&asked, &mut plan)?;
    budget::plan(&asked, &mut plan)?;
    let own = token.as_ref().and_then(Secret::bot_id);
    alert::plan(&asked, own, &mut plan)?;
    let edits = Edits::prepare(args, person, &target, &plan)?;
    let Applied { changed, old } = apply(args, &target, &credential_store, &plan, edits)?;
    service::reload(args, !old.is_empty(), &runtime)?;
    // Last: only now does no unit use the old forms any more.
    old.iter().try_for_each(|path| credential_store::remove(path))?;
    let started = service::start(args, &target, changed, &credential_store, &runtime)?;
    runtime.block_on(end(&target, identity.as_ref(), own, started));
    if args.no_verify {
        return Ok(ExitCode::SUCCESS);
    }
    // Last: a mail server that is down must not leave the bot with its old token.
    alert::test(args, &credential_store, &plan)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the unit that is set up would read this configuration. Otherwise another bot's secrets would be
/// replaced, and that bot started.
async fn runs_with(args: &SetupArgs, target: &Target) -> Result<(), Stop> {
    let (unit, config) = (&target.unit, target.config.display());
    if endpoint::is_packaged(&target.config) || !args.is_packaged() {
        return Ok(());
    }
    // By a drop-in of the administrator's.
    let said = tool("systemctl", &["show", unit, "--property=Environment,ExecStart"]).await;
    if said.is_some_and(|said| said.contains(&config.to_string())) {
        return Ok(());
    }
    let text = format!("{unit} does not read {config}");
    let hint = "--instance NAME alone sets up a bot with /etc/katana-bot/NAME.toml; for one that no packaged \
                unit runs, choose its other places, too: --credentials-dir DIR --units-dir DIR --no-start";
    Err(Stop::new(exit::USAGE, text, hint))
}

/// Whether the configuration is valid, apart from what setup is for. With an invalid one, a default
/// would be used, and the token would be sent to another server than the configured one.
fn sound(args: &SetupArgs, target: &Target) -> Result<(), Problems> {
    let of_a_provider = |key: &str, name: &str| {
        let is_table = key.starts_with("providers.") && key.ends_with(name);
        is_table || services().any(|(provider, _)| key.strip_prefix(provider.name) == Some(name))
    };
    let mut problems = Config::examine(&target.sources).problems;
    problems.0.retain(|problem| match problem.key.as_str() {
        // Missing or wrong, unless the file holds it, where it must not be.
        key if key == "telegram.token" || of_a_provider(key, ".api_key") => {
            problem.message.contains("in the configuration file")
        }
        key if of_a_provider(key, ".model") => args.model.is_none(),
        _ => true,
    });
    if problems.0.is_empty() { Ok(()) } else { Err(problems) }
}

/// The token, and whom it belongs to; neither when only systemd can read it, and no identity when it
/// was not tried.
fn token(asked: &Asked<'_>, plan: &mut Plan) -> anyhow::Result<(Option<Secret>, Option<Identity>)> {
    let name = asked.target.name("telegram-token");
    let api_url = plan.candidate(asked.target).telegram.api_url;
    let held = asked.store.opened(&name)?;
    let flags = (asked.args.token_file.is_some(), SetupArgs::without_token as fn(&_) -> _);
    let (token, identity) = asked.person.by_flags_or_questions(asked.args, flags, |args| {
        let asked = &Asked { args, ..*asked };
        let Some(token) = named(asked, &held)? else { return Ok((None, None)) };
        let identity = verified(asked, &token, &api_url)?;
        Ok((Some(token), identity))
    })?;
    // Stored again, so that --encrypt encrypts a plain secret.
    plan.secrets.extend(token.clone().map(|token| (name, token)));
    Ok((token, identity))
}

/// The token by flag or by question; `None` keeps the encrypted one.
fn named(asked: &Asked<'_>, held: &Held) -> anyhow::Result<Option<Secret>> {
    const FLAG: &str = "--token-file";
    if let Some(file) = &asked.args.token_file {
        return ask::secret(FLAG, file).map(Some);
    }
    let question = match held {
        Held::No => "Bot token from @BotFather (hidden):".to_owned(),
        Held::Plain(old) => format!("Bot token (hidden; Enter keeps {}):", old.masked_token()),
        Held::Encrypted => "Bot token (hidden; Enter keeps the encrypted one):".to_owned(),
    };
    let typed = match (held, asked.person.is_there()) {
        (Held::Plain(_) | Held::Encrypted, false) => String::new(),
        _ => asked.person.hidden(&question, FLAG)?,
    };
    match (held, typed.is_empty()) {
        (Held::Encrypted, true) => Ok(None),
        (Held::Plain(old), true) => Ok(Some(old.clone())),
        (Held::No, true) => Err(no_token("no token was given").into()),
        (_, false) => match ask::checked(&typed) {
            None => Err(no_token("this is not a bot token").into()),
            token => Ok(token),
        },
    }
}

fn no_token(why: &str) -> Stop {
    Stop::new(exit::CONFIG, why, "@BotFather gives one: /newbot, or /token for an old bot")
}

/// Asks Telegram whose token it is; `None` when that was not wanted, or when Telegram cannot be reached
/// and the person goes on.
fn verified(asked: &Asked<'_>, token: &Secret, api_url: &str) -> anyhow::Result<Option<Identity>> {
    if !token.is_token() {
        return Err(no_token("this is not a bot token, such as 123456789:AAE…").into());
    }
    if asked.args.no_verify {
        return Ok(None);
    }
    loop {
        match asked.runtime.block_on(client(api_url, token)?.identity()) {
            Ok(mut identity) => {
                identity.username = username(&identity)?;
                eprintln!("Telegram knows the token: @{}", identity.username);
                return Ok(Some(identity));
            }
            Err(e) if e.token_refused() => {
                return Err(no_token("Telegram refuses this token").into());
            }
            Err(e) => {
                let host = Origin::of(api_url).map(|origin| origin.host).unwrap_or_default();
                let hint = format!(
                    "see whether this machine knows the address: `getent hosts {host}`; if it does, it is \
                     the network, a firewall or the proxy; or go on without trying the token: --no-verify"
                );
                let why = Stop::new(exit::UNAVAILABLE, chain(&e), hint);
                match asked.person.untried(why.into())? {
                    Untried::Again => {}
                    Untried::GoOn => return Ok(None),
                }
            }
        }
    }
}

/// What was written.
struct Applied {
    /// Whether the daemon has to be started for it.
    changed: bool,
    /// Secrets in a form that is no longer used, to be taken away.
    old: Vec<PathBuf>,
}

/// Writes everything, and removes nothing: wherever it is stopped, every unit finds its secrets.
fn apply(
    args: &SetupArgs,
    target: &Target,
    credential_store: &Vault,
    plan: &Plan,
    edits: Edits,
) -> anyhow::Result<Applied> {
    edits.are_as_shown()?;
    let given = |name: &Name| plan.secrets.iter().find(|(n, _)| n == name).map(|(_, s)| s);
    // Including those that were not asked for. All of them, before any is written.
    let planned = |names: &[Name]| -> anyhow::Result<Vec<Change>> {
        names.iter().try_for_each(|name| credential_store.repair(name))?;
        names
            .iter()
            .filter_map(|name| credential_store.change(name, given(name)).transpose())
            .collect()
    };
    let alert = alert::names().into_iter().filter(|name| !plan.unused.contains(name));
    let (own, alert) = (planned(&target.own())?, planned(&alert.collect::<Vec<_>>())?);
    let mut changed = false;
    for change in own.iter().chain(&alert) {
        changed |= change.write()?;
    }
    changed |= edits.write()?;
    changed |= service::drop_in(args, &target.unit, credential_store.drop_in(&own))?;
    // All checkers of this machine share theirs.
    for unit in alert::UNITS {
        service::drop_in(args, unit, credential_store.drop_in(&alert))?;
    }
    let old = own.into_iter().chain(alert).filter_map(|change| change.old);
    let unused = plan.unused.iter().flat_map(|name| credential_store.removable(name));
    Ok(Applied { changed, old: old.chain(unused).collect() })
}

/// Says what to do next.
async fn end(
    target: &Target,
    identity: Option<&Identity>,
    bot: Option<i64>,
    started: service::Started,
) {
    let link = identity.map(|i| format!("https://t.me/{}", i.username));
    let mut text = match started {
        service::Started::Ready => format!("{} runs.\n", target.unit),
        service::Started::No => {
            let units = service::units(target);
            format!(
                "Everything is in place; the bot was not started. To start it now and at each boot:\n  \
                 systemctl enable {units} && systemctl restart {units}\n"
            )
        }
    };
    if let Some(link) = &link {
        text.push_str(&format!("The bot: {link}\n"));
    }
    let config = Config::examine(&target.sources).loaded.config;
    match (bot, started) {
        _ if !config.bot.owners.is_empty() => {}
        (Some(bot), _) => {
            text.push_str(&service::ownership(&config.store.path, bot, started).await);
        }
        (None, _) => {
            text.push_str(
                "Who owns the bot: `katana-bot users list`. If no one does: `katana-bot users claim`.\n",
            );
        }
    }
    if let [only] = config.chosen().as_slice()
        && only.section.is_some()
    {
        text.push_str(
            "A second provider, for the time when this one does not answer: \
             /usr/share/doc/katana-bot/providers.md\n",
        );
    }
    say(&text);
}
