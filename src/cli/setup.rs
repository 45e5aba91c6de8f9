//! `katana-bot setup`: from a token to a bot that answers, by questions or by flags.
//!
//! Invariants: nothing is written before every answer is there and Telegram knows the token; a
//! secret is never printed and never in an argument; what is set already stays unless a new answer
//! is given; no line of somebody's configuration is changed.

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
use super::{Stop, exit, say};
use crate::config::{Config, Secret, Sources};
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
    let vault = Vault { dir: args.credentials_dir.clone(), encrypt: args.encrypt };
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
    let started = service::start(args, &target, changed, &runtime)?;
    end(&target, identity.as_ref(), own, started);
    // Last: a mail server that is away must not leave the bot with its old token.
    alert::test(args, &vault, &plan)?;
    Ok(ExitCode::SUCCESS)
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
        Ok(identity) => {
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

/// New texts of configuration files.
struct Edits(Vec<(PathBuf, String)>);

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
        let made = is_new.then(|| (target.config.clone(), new.clone()));
        if !is_new {
            edits.push((target.config.clone(), new, text));
        }
        if let Some(channel) = &plan.channel {
            let text = read(&args.alert_config)?;
            edits.push((args.alert_config.clone(), alert::with_channel(&text, channel)?, text));
        }
        edits.retain(|(_, new, old)| new != old);
        if edits.is_empty() || args.write_config {
            return Ok(Self::of(made, edits));
        }
        let mut told = String::new();
        for (file, new, old) in &edits {
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

    fn of(made: Option<(PathBuf, String)>, edits: Vec<(PathBuf, String, String)>) -> Self {
        let edits = edits.into_iter().map(|(file, new, _)| (file, new));
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
    let own = ["telegram-token", "openai-api-key", "anthropic-api-key", "admin-token"];
    let own = own.map(|id| target.name(id));
    let mut changed = false;
    for (name, secret) in &plan.secrets {
        changed |= vault.keep(name, secret)?;
    }
    // What nobody was asked for, too.
    for name in own.iter().chain(&alert::names()).filter(|_| args.encrypt) {
        if let Held::Plain(secret) = vault.held(name)? {
            changed |= vault.keep(name, &secret)?;
        }
    }
    for (file, text) in edits.0 {
        let mode = std::fs::metadata(&file).map_or(0o644, |about| {
            std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777
        });
        vault::replace(&file, text.as_bytes(), mode, 0o755)
            .map_err(|e| vault::failed(&file, &e))?;
        eprintln!("Written: {}", file.display());
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
