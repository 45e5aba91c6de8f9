//! Whom `check-heartbeat` alerts: by a second bot, or by mail. With a test.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;

use super::answers::{AlertWord, SetupArgs, TlsWord};
use super::ask::{self, Person};
use super::chat;
use super::credential_store::{Held, Name, Vault};
use super::edits::texts;
use super::plan::{Plan, Target};
use crate::cli::exit;
use crate::cli::sources::ALERT_SECRETS;
use crate::cli::stop::Stop;
use crate::config::Secret;

const TOKEN: &str = "telegram-alert-token";
const PASSWORD: &str = "smtp-alert-password";

/// The Bot API server of the second bot, if not Telegram's own.
const API_URL: &str = "TELEGRAM_ALERT_API_URL";

/// The checkers.
pub(super) const UNITS: [&str; 2] = ["katana-bot-check", "katana-bot-check@"];

/// The checkers' credentials.
pub(super) fn names() -> [Name; 3] {
    ALERT_SECRETS.map(name)
}

fn name(id: &'static str) -> Name {
    Name { owner: "katana-bot".to_owned(), id, units: UNITS.map(str::to_owned).into() }
}

/// Adds the answers to the plan. `own`: the watched bot, which cannot report its own failure.
pub(super) fn plan(
    args: &SetupArgs,
    person: &Person,
    target: &Target,
    credential_store: &Vault,
    own: Option<i64>,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let chosen = match args.alert {
        Some(word) => word,
        None if person.is_there() => choose(person)?,
        None => AlertWord::None,
    };
    match chosen {
        AlertWord::None => Ok(()),
        AlertWord::Telegram => {
            let api_url = target.sources.env.get(API_URL).map(String::as_str);
            telegram(args, person, credential_store, (own, api_url), plan)
        }
        AlertWord::Smtp => smtp(args, person, credential_store, plan),
    }
}

fn choose(person: &Person) -> anyhow::Result<AlertWord> {
    eprintln!("Whom to alert when the bot does not work?");
    eprintln!("  1  a Telegram chat, by a second bot");
    eprintln!("  2  a mail address");
    loop {
        let question = "1 or 2, or Enter to leave it as it is:";
        match person.line(question, "--alert")?.as_str() {
            "" => return Ok(AlertWord::None),
            "1" => return Ok(AlertWord::Telegram),
            "2" => return Ok(AlertWord::Smtp),
            _ => {}
        }
    }
}

fn telegram(
    args: &SetupArgs,
    person: &Person,
    credential_store: &Vault,
    (own, api_url): (Option<i64>, Option<&str>),
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let once = || -> anyhow::Result<_> {
        let token = second_token(args, person, credential_store, own)?;
        let chat = match (args.alert_chat_id, &token) {
            (Some(id), _) => id,
            (None, Some(token)) if person.is_there() => {
                chat::find(person, token, api_url.unwrap_or("https://api.telegram.org"))?
            }
            (None, _) => person.until_right(|| {
                let line = person.line("Id of the chat that it writes to:", "--alert-chat-id")?;
                let hint =
                    "a number; /usr/share/doc/katana-bot/alert-channels.md says how to find it";
                Ok(line
                    .parse()
                    .map_err(|_| Stop::new(exit::CONFIG, "this is not a chat id", hint))?)
            })?,
        };
        Ok((token, chat))
    };
    // A file would only be read again.
    let (token, chat) = match args.alert_token_file.is_some() {
        true => once()?,
        false => person.until_right(once)?,
    };
    plan.secrets.extend(token.map(|token| (name(TOKEN), token)));
    let mut lines = format!("[[channel]]\ntype = \"telegram\"\nchat_id = {chat}\n");
    if let Some(url) = api_url {
        // The unit does not have this variable.
        lines.push_str(&format!("api_url = {}\n", quoted(url)));
    }
    plan.channel = Some(lines);
    Ok(())
}

/// The token of the second bot; `None` keeps the encrypted one.
fn second_token(
    args: &SetupArgs,
    person: &Person,
    credential_store: &Vault,
    own: Option<i64>,
) -> anyhow::Result<Option<Secret>> {
    let what = "Token of the second bot";
    let flags = ("--alert-token-file", args.alert_token_file.as_ref());
    let token = hidden(person, credential_store, name(TOKEN), what, flags)?;
    let hint = "create a second bot with @BotFather: the first one cannot report that it is down";
    let text = match &token {
        Some(token) if !token.is_token() => "this is not a bot token",
        Some(token) if token.bot_id() == own => "this is the same bot",
        _ => return Ok(token),
    };
    Err(Stop::new(exit::CONFIG, text, hint).into())
}

/// A string of JSON is one of TOML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn smtp(
    args: &SetupArgs,
    person: &Person,
    credential_store: &Vault,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let answer = |given: &Option<String>, question: &str, flag: &str| -> anyhow::Result<_> {
        match given {
            Some(text) if text.trim().is_empty() => {
                let hint = "leave the flag out to be asked, or give a value";
                Err(Stop::new(exit::USAGE, format!("{flag} is empty"), hint).into())
            }
            Some(text) => Ok(text.clone()),
            None => loop {
                let line = person.line(question, flag)?;
                if !line.is_empty() {
                    break Ok(line);
                }
            },
        }
    };
    let host = answer(&args.smtp_host, "Mail server:", "--smtp-host")?;
    let from = answer(&args.smtp_from, "Sender:", "--smtp-from")?;
    let to = answer(&args.smtp_to, "Receiver:", "--smtp-to")?;
    let user = match &args.smtp_user {
        Some(user) => user.clone(),
        None if person.is_there() => {
            person.line("User at the mail server (Enter for none):", "--smtp-user")?
        }
        None => String::new(),
    };
    let tls = match args.smtp_tls {
        Some(word) => word,
        None if person.is_there() => encryption(person)?,
        None => TlsWord::Implicit,
    };
    let tls = match tls {
        TlsWord::Implicit => "implicit",
        TlsWord::Starttls => "starttls",
        TlsWord::None => "none",
    };
    let mut lines = format!(
        "[[channel]]\ntype = \"smtp\"\nhost = {}\ntls = \"{tls}\"\nfrom = {}\nto = {}\n",
        quoted(&host),
        quoted(&from),
        quoted(&to)
    );
    if let Some(port) = args.smtp_port {
        lines.push_str(&format!("port = {port}\n"));
    }
    if !user.is_empty() {
        lines.push_str(&format!("user = {}\n", quoted(&user)));
        let flags = ("--smtp-password-file", args.smtp_password_file.as_ref());
        let once = || hidden(person, credential_store, name(PASSWORD), "Password", flags);
        let password = if flags.1.is_some() { once()? } else { person.until_right(once)? };
        plan.secrets.extend(password.map(|password| (name(PASSWORD), password)));
    }
    plan.channel = Some(lines);
    Ok(())
}

fn encryption(person: &Person) -> anyhow::Result<TlsWord> {
    loop {
        let question = "1 TLS from the first byte (port 465), 2 STARTTLS (port 587); Enter for 1:";
        match person.line(question, "--smtp-tls")?.as_str() {
            "" | "1" => return Ok(TlsWord::Implicit),
            "2" => return Ok(TlsWord::Starttls),
            _ => {}
        }
    }
}

/// A secret by flag or by question; `None` keeps the encrypted one that cannot be read here.
fn hidden(
    person: &Person,
    credential_store: &Vault,
    name: Name,
    what: &str,
    (flag, file): (&str, Option<&PathBuf>),
) -> anyhow::Result<Option<Secret>> {
    if let Some(file) = file {
        return ask::secret(flag, file).map(Some);
    }
    let held = credential_store.opened(&name)?;
    let is_set = !matches!(held, Held::No);
    let typed = match (is_set, person.is_there()) {
        (true, false) => String::new(),
        (true, true) => person.hidden(&format!("{what} (hidden; Enter keeps it):"), flag)?,
        (false, _) => person.hidden(&format!("{what} (hidden):"), flag)?,
    };
    match (ask::checked(&typed), held) {
        (Some(secret), _) => Ok(Some(secret)),
        (None, Held::Plain(old)) if typed.is_empty() => Ok(Some(old)),
        (None, Held::Encrypted) if typed.is_empty() => Ok(None),
        (None, _) => {
            let text = format!("{what}: this is not one line of text");
            Err(Stop::new(exit::CONFIG, text, "paste it again, whole").into())
        }
    }
}

/// Sends a test through the channel, where the checker is installed.
pub(super) fn test(args: &SetupArgs, credential_store: &Vault, plan: &Plan) -> anyhow::Result<()> {
    let Some(channel) = &plan.channel else { return Ok(()) };
    let alone = crate::config::channel_alone(&texts(&args.alert_config)?, channel)?;
    let mut command = Command::new("check-heartbeat");
    // This channel alone: others may run programs, and not as the user who runs this.
    command.args(["--test-alert", "--config", "/dev/stdin"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("CREDENTIALS_DIRECTORY");
    let variables = [(TOKEN, "TELEGRAM_ALERT_BOT_TOKEN"), (PASSWORD, "SMTP_ALERT_PASSWORD")];
    for (id, variable) in variables {
        let typed = plan.secrets.iter().find(|(name, _)| name.id == id).map(|(_, s)| s.clone());
        let secret = match typed
            .map_or_else(|| credential_store.opened(&name(id)), |s| Ok(Held::Plain(s)))?
        {
            Held::Plain(secret) => secret,
            Held::Encrypted => {
                eprintln!("No test alert: systemd-creds cannot decrypt the secret.");
                return Ok(());
            }
            Held::No => continue,
        };
        command.env(variable, secret.expose());
    }
    let output = match command.spawn() {
        Ok(mut child) => {
            // When it does not read, it says why.
            let _ = child.stdin.take().map(|mut stdin| stdin.write_all(alone.as_bytes()));
            child.wait_with_output().context("cannot wait for check-heartbeat")?
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("No test alert: check-heartbeat is not installed.");
            return Ok(());
        }
        Err(e) => return Err(anyhow::Error::new(e).context("cannot run check-heartbeat")),
    };
    // It redacts its secrets itself.
    for text in [&output.stdout, &output.stderr] {
        for line in String::from_utf8_lossy(text).lines() {
            eprintln!("check-heartbeat: {}", crate::cli::style::visible(line));
        }
    }
    if output.status.success() {
        eprintln!("The test alert was accepted. Check whether it arrived.");
        return Ok(());
    }
    let hint = "everything else is in place; fix what it says, and run setup again";
    Err(Stop::new(exit::UNAVAILABLE, "the test alert was not accepted", hint).into())
}
