//! `katana-bot setup`: from a token to a bot that answers, by questions or by flags.
//!
//! Invariants: nothing is written before every answer is there and Telegram knows the token; a
//! secret is never printed and never in an argument; what is set already stays unless a new answer
//! is given; no line of somebody's configuration is changed.

mod age;
mod alert;
mod answers;
mod ask;
mod chat;
mod instance;
mod provider;
mod service;
mod vault;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use secrecy::SecretString;

use self::answers::SetupArgs;
use self::ask::Person;
use self::vault::{Held, Name, Vault};
use super::{Stop, exit, say, style};
use crate::config::{Config, Problems, Secret, Sources};
use crate::model::failure::chain;
use crate::telegram::{Client, Identity, Settings};

pub(super) use self::answers::SetupArgs as Args;

/// Longest time for one call to Telegram.
const CALL: Duration = Duration::from_secs(20);

/// How often a person may try again.
const TRIES: usize = 3;

/// Which bot of this machine is set up.
struct Target {
    /// `katana-bot`, or `katana-bot@NAME`.
    unit: String,
    /// The configuration file, if there may be one.
    config: PathBuf,
    /// What the daemon will be given, as far as it is known.
    sources: Sources,
}

impl Target {
    fn new(file: Option<PathBuf>, instance: Option<&str>) -> Self {
        let (unit, config) = match instance {
            Some(name) => (format!("katana-bot@{name}"), format!("/etc/katana-bot/{name}.toml")),
            None => ("katana-bot".to_owned(), crate::config::DEFAULT_FILE.to_owned()),
        };
        let file = file.or_else(|| instance.map(|_| PathBuf::from(&config)));
        let mut sources = Sources::from_process(file);
        let config = sources.file.clone().unwrap_or_else(|| config.into());
        if matches!(config.try_exists(), Ok(false)) {
            sources.file = None;
        }
        for (name, top) in [("STATE_DIRECTORY", "/var/lib"), ("RUNTIME_DIRECTORY", "/run")] {
            let folder = format!("{top}/{unit}");
            sources.env.entry(name.to_owned()).or_insert(folder);
        }
        Self { unit, config, sources }
    }

    fn name(&self, id: &'static str) -> Name {
        Name { owner: self.unit.clone(), id }
    }

    /// The credentials of the bot itself.
    fn own(&self) -> [Name; 4] {
        let own = ["telegram-token", "openai-api-key", "anthropic-api-key", "admin-token"];
        own.map(|id| self.name(id))
    }
}

/// Everything that is to be changed.
#[derive(Default)]
struct Plan {
    /// Secrets to keep.
    secrets: Vec<(Name, Secret)>,
    /// Keys for the bot's configuration.
    keys: Vec<(&'static str, String)>,
    /// A channel for the checker's.
    channel: Option<String>,
}

/// Runs the command.
pub(super) fn setup(file: Option<PathBuf>, args: &SetupArgs) -> anyhow::Result<ExitCode> {
    let person = Person::new(args.non_interactive);
    let target = Target::new(file, args.instance.as_deref());
    let vault = Vault { dir: args.credentials_dir.clone(), form: args.form() };
    sound(args, &target)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut plan = Plan::default();
    let (token, identity) = runtime.block_on(token(args, &person, &target, &vault, &mut plan))?;
    provider::plan(args, &person, &target, &vault, &mut plan)?;
    let own = token.as_ref().and_then(Secret::bot_id);
    alert::plan(args, &person, &target, &vault, own, &mut plan)?;
    let edits = Edits::prepare(args, &person, &target, &plan)?;
    let changed = apply(args, &target, &vault, &plan, edits)?;
    let started = service::start(args, &target, changed, &vault, &runtime)?;
    end(&target, identity.as_ref(), own, started);
    // Last: a mail server that is away must not leave the bot with its old token.
    alert::test(args, &vault, &plan)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the configuration is good, apart from what setup is for. With a bad one, a default would
/// stand in, and the token would go to another server than somebody wrote.
fn sound(args: &SetupArgs, target: &Target) -> Result<(), Problems> {
    const SECRETS: [&str; 3] = ["telegram.token", "openai.api_key", "anthropic.api_key"];
    let mut problems = Config::examine(&target.sources).problems;
    problems.0.retain(|problem| match problem.key.as_str() {
        // Missing or wrong, unless the file holds it, where it must not be.
        key if SECRETS.contains(&key) => problem.message.contains("in the configuration file"),
        "openai.model" | "anthropic.model" => args.model.is_none(),
        _ => true,
    });
    if problems.0.is_empty() { Ok(()) } else { Err(problems) }
}

/// The token, and whom it belongs to; neither when only systemd can read it.
async fn token(
    args: &SetupArgs,
    person: &Person,
    target: &Target,
    vault: &Vault,
    plan: &mut Plan,
) -> anyhow::Result<(Option<Secret>, Option<Identity>)> {
    const FLAG: &str = "--token-file";
    let name = target.name("telegram-token");
    let held = vault.held(&name)?;
    if let Some(file) = &args.token_file {
        let token = ask::secret(FLAG, file)?;
        let identity = verified(&token, target).await?;
        plan.secrets.push((name, token.clone()));
        return Ok((Some(token), Some(identity)));
    }
    let question = match &held {
        Held::No => "Bot token from @BotFather (hidden):".to_owned(),
        Held::Plain(old) => format!("Bot token (hidden; Enter keeps {}):", old.masked_token()),
        Held::Encrypted => "Bot token (hidden; Enter keeps the encrypted one):".to_owned(),
    };
    for left in (0..TRIES).rev() {
        let typed = match (&held, person.is_there()) {
            (Held::Plain(_) | Held::Encrypted, false) => String::new(),
            _ => person.hidden(&question, FLAG)?,
        };
        let token = match (&held, typed.is_empty()) {
            (Held::Encrypted, true) => return Ok((None, None)),
            (Held::Plain(old), true) => Ok(old.clone()),
            (Held::No, true) => Err(no_token("no token was given")),
            (_, false) => ask::checked(&typed).ok_or_else(|| no_token("this is not a bot token")),
        };
        let outcome = match token {
            Ok(token) => verified(&token, target).await.map(|identity| (token, identity)),
            Err(e) => Err(e.into()),
        };
        match outcome {
            Ok((token, identity)) => {
                // Kept anew, so that --encrypt encrypts what was plain.
                plan.secrets.push((name, token.clone()));
                return Ok((Some(token), Some(identity)));
            }
            Err(e) if left > 0 && person.is_there() => eprintln!("{}", chain(e.as_ref())),
            Err(e) => return Err(e),
        }
    }
    Err(no_token("no token was given").into())
}

fn no_token(why: &str) -> Stop {
    Stop::new(exit::CONFIG, why, "@BotFather gives one: /newbot, or /token for an old bot")
}

/// Asks Telegram whose token it is.
async fn verified(token: &Secret, target: &Target) -> anyhow::Result<Identity> {
    if !token.is_token() {
        return Err(no_token("this is not a bot token, such as 123456789:AAE…").into());
    }
    let api_url = Config::examine(&target.sources).loaded.config.telegram.api_url;
    match client(&api_url, token)?.identity().await {
        Ok(mut identity) => {
            identity.username = username(&identity)?;
            eprintln!("Telegram knows the token: @{}", identity.username);
            Ok(identity)
        }
        Err(e) if e.token_refused() => Err(no_token("Telegram refuses this token").into()),
        Err(e) => {
            let hint = format!("try `curl -sS {api_url}` on this machine: network, DNS, proxy");
            Err(Stop::new(exit::UNAVAILABLE, chain(&e), hint).into())
        }
    }
}

/// The bot's name, fit to be printed. Every bot has one.
fn username(identity: &Identity) -> Result<String, Stop> {
    let name = style::visible(identity.username.trim());
    let hint = "something that is not Telegram answers: look at telegram.api_url and the proxy";
    let none = || Stop::new(exit::UNAVAILABLE, "the answer to getMe names no bot", hint);
    Some(name).filter(|name| !name.is_empty()).ok_or_else(none)
}

/// A client for the few calls that setup makes.
fn client(api_url: &str, token: &Secret) -> anyhow::Result<Client> {
    let settings = Settings {
        api_url: api_url.to_owned(),
        token: SecretString::from(token.expose()),
        poll_timeout: CALL,
        poll_deadline: CALL,
        send_timeout: CALL,
    };
    Ok(Client::new(&settings, std::sync::Arc::default())?)
}

/// A new text of a configuration file.
struct Edit {
    file: PathBuf,
    /// What is there; empty for a file that is not.
    old: String,
    new: String,
}

impl Edit {
    /// Whether nobody has changed the file since it was read: what was shown is what is written.
    fn is_as_shown(&self) -> anyhow::Result<()> {
        if read(&self.file)? == self.old {
            return Ok(());
        }
        let why = format!("{} was changed by somebody else meanwhile", self.file.display());
        Err(Stop::new(exit::TEMPFAIL, why, "it was left as it is; run setup again").into())
    }
}

/// New texts of configuration files.
struct Edits(Vec<Edit>);

impl Edits {
    /// Works out the new texts, and asks whether they may be written. What may not be written is
    /// told.
    fn prepare(
        args: &SetupArgs,
        person: &Person,
        target: &Target,
        plan: &Plan,
    ) -> anyhow::Result<Self> {
        let mut edits = Vec::new();
        let is_new = args.instance.is_some() && !target.config.exists();
        let text = if is_new { instance::config(target) } else { read(&target.config)? };
        let wanted: Vec<_> = plan.keys.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let new = match wanted.as_slice() {
            [] => text.clone(),
            wanted => crate::config::with_keys(&text, wanted)?,
        };
        // Nobody has to be asked for a file that is not there yet.
        let config = |old, new| Edit { file: target.config.clone(), old, new };
        let mut made = None;
        if is_new {
            made = Some(config(String::new(), new));
        } else {
            edits.push(config(text, new));
        }
        if let Some(channel) = &plan.channel {
            let (file, old) = (args.alert_config.clone(), read(&args.alert_config)?);
            let new = crate::config::with_channel(&file, &old, channel)?;
            edits.push(Edit { file, old, new });
        }
        edits.retain(|edit| edit.new != edit.old);
        if edits.is_empty() || args.write_config {
            return Ok(Self::of(made, edits));
        }
        let mut told = String::new();
        for Edit { file, old, new } in &edits {
            told.push_str(&format!("{}:\n", file.display()));
            let old: Vec<&str> = old.lines().collect();
            let fresh = new.lines().filter(|l| !l.is_empty() && !old.contains(l));
            told.extend(fresh.map(|line| format!("  {line}\n")));
        }
        if !person.is_there() {
            let hint = format!("--write-config allows to add these lines, or add them:\n{told}");
            return Err(Stop::new(exit::USAGE, "--write-config is missing", hint.trim_end()).into());
        }
        eprint!("To be added to {told}");
        match person.line("Add them? [Y/n]", "--write-config")?.to_lowercase().as_str() {
            "" | "y" | "yes" => Ok(Self::of(made, edits)),
            _ => {
                eprintln!("They are left to you.");
                Ok(Self::of(made, Vec::new()))
            }
        }
    }

    fn of(made: Option<Edit>, edits: Vec<Edit>) -> Self {
        Self(made.into_iter().chain(edits).collect())
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|e| vault::failed(path, &e).into()),
    }
}

/// Writes everything; says whether anything changed that the daemon has to be started for.
fn apply(
    args: &SetupArgs,
    target: &Target,
    vault: &Vault,
    plan: &Plan,
    edits: Edits,
) -> anyhow::Result<bool> {
    let own = target.own();
    let mut changed = false;
    // All of them, before anything is written.
    edits.0.iter().try_for_each(Edit::is_as_shown)?;
    for name in own.iter().chain(&alert::names()) {
        vault.mend(name)?;
    }
    for (name, secret) in &plan.secrets {
        changed |= vault.keep(name, secret)?;
    }
    // What nobody was asked for, too.
    for name in own.iter().chain(&alert::names()) {
        changed |= vault.convert(name)?;
    }
    for edit in edits.0 {
        edit.is_as_shown()?;
        vault::edit(&edit.file, edit.new.as_bytes()).map_err(|e| vault::failed(&edit.file, &e))?;
        eprintln!("Written: {}", edit.file.display());
        changed = true;
    }
    changed |= service::drop_in(args, &target.unit, vault.drop_in(&own))?;
    // All checkers of this machine share theirs.
    for unit in ["katana-bot-check", "katana-bot-check@"] {
        service::drop_in(args, unit, vault.drop_in(&alert::names()))?;
    }
    Ok(changed)
}

/// Tells how to go on.
fn end(target: &Target, identity: Option<&Identity>, bot: Option<i64>, started: service::Started) {
    let link = identity.map(|i| format!("https://t.me/{}", i.username));
    let mut text = match started {
        service::Started::Ready => format!("{} runs.\n", target.unit),
        service::Started::No => {
            let order = format!("systemctl restart {}", target.unit);
            format!("Everything is in place; the bot was not started. For that: {order}\n")
        }
    };
    if let Some(link) = &link {
        text.push_str(&format!("The bot: {link}\n"));
    }
    let config = Config::examine(&target.sources).loaded.config;
    match (bot, started) {
        _ if !config.bot.owners.is_empty() => {}
        (Some(bot), _) => text.push_str(&service::ownership(&config.store.path, bot, started)),
        (None, _) => {
            text.push_str(
                "Who owns the bot: `katana-bot users list`; a claim code is in its log.\n",
            );
        }
    }
    say(&text);
}
