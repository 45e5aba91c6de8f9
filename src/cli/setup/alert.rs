//! Whom `check-heartbeat` alerts: by a second bot, or by mail. With a test.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;

use super::answers::{AlertWord, SetupArgs, TlsWord};
use super::ask::{self, Person};
use super::asked::Asked;
use super::chat;
use super::credential_store::{Held, Name, Vault};
use super::edits::{Checker, own_channels, texts};
use super::plan::Plan;
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
pub(super) fn plan(asked: &Asked<'_>, own: Option<i64>, plan: &mut Plan) -> anyhow::Result<()> {
    let before = plan.clone();
    let is_given = asked.args.alert.is_some() || !asked.args.drop_channel.is_empty();
    let flags = (is_given, SetupArgs::without_alert as fn(&_) -> _);
    asked.person.by_flags_or_questions(asked.args, flags, |args| {
        plan.clone_from(&before);
        plan.dropped.clone_from(&args.drop_channel);
        let asked = &Asked { args, ..*asked };
        match chosen(asked)? {
            Chosen::Nothing => {}
            Chosen::Telegram => telegram(asked, own, plan)?,
            Chosen::Mail => smtp(asked, plan)?,
            Chosen::Drop(name) => plan.dropped.push(name),
        }
        plan.unused = unused(args, plan)?;
        Ok(())
    })
}

/// What to do about the channels.
enum Chosen {
    Nothing,
    Telegram,
    Mail,
    Drop(String),
}

fn chosen(asked: &Asked<'_>) -> anyhow::Result<Chosen> {
    let is_settled = !asked.args.drop_channel.is_empty() || !asked.person.is_there();
    match asked.args.alert {
        Some(AlertWord::Telegram) => Ok(Chosen::Telegram),
        Some(AlertWord::Smtp) => Ok(Chosen::Mail),
        Some(AlertWord::None) => Ok(Chosen::Nothing),
        None if is_settled => Ok(Chosen::Nothing),
        None => choose(asked),
    }
}

/// Secrets of dropped channels that no other channel can use.
fn unused(args: &SetupArgs, plan: &Plan) -> anyhow::Result<Vec<Name>> {
    let Some(checker) = Checker::planned(args, plan)? else { return Ok(Vec::new()) };
    let is_gone = |kind: &str| {
        checker.dropped().any(|dropped| dropped.kind() == kind)
            && checker.after.iter().all(|there| there.kind() != kind)
    };
    let secrets = [("telegram", TOKEN), ("smtp", PASSWORD)];
    Ok(secrets.into_iter().filter(|(kind, _)| is_gone(kind)).map(|(_, id)| name(id)).collect())
}

fn choose(asked: &Asked<'_>) -> anyhow::Result<Chosen> {
    eprintln!("Whom to alert when the bot does not work?");
    eprintln!("  1  a Telegram chat, by a second bot");
    eprintln!("  2  a mail address");
    let own = own_channels(asked.args)?;
    for (n, (_, words)) in own.iter().enumerate() {
        eprintln!("  {}  no longer {words}", n + 3);
    }
    let last = match own.len() {
        0 => "or 2".to_owned(),
        n => format!("to {}", n + 2),
    };
    let question = format!("1 {last}, or Enter to leave it as it is:");
    loop {
        let line = asked.person.line(&question, "--alert")?;
        let dropped = || own.get(line.parse::<usize>().ok()?.checked_sub(3)?);
        match line.as_str() {
            "" => return Ok(Chosen::Nothing),
            "1" => return Ok(Chosen::Telegram),
            "2" => return Ok(Chosen::Mail),
            _ => {
                if let Some((name, _)) = dropped() {
                    return Ok(Chosen::Drop(name.clone()));
                }
            }
        }
    }
}

fn telegram(asked: &Asked<'_>, own: Option<i64>, plan: &mut Plan) -> anyhow::Result<()> {
    let Asked { args, person, .. } = asked;
    let api_url = asked.target.sources.env.get(API_URL).map(String::as_str);
    let once = || -> anyhow::Result<_> {
        let token = second_token(asked, own)?;
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
fn second_token(asked: &Asked<'_>, own: Option<i64>) -> anyhow::Result<Option<Secret>> {
    let what = "Token of the second bot";
    let flags = ("--alert-token-file", asked.args.alert_token_file.as_ref());
    let token = hidden(asked, name(TOKEN), what, flags)?;
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

fn smtp(asked: &Asked<'_>, plan: &mut Plan) -> anyhow::Result<()> {
    let Asked { args, person, .. } = asked;
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
        let once = || hidden(asked, name(PASSWORD), "Password", flags);
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
    Asked { person, store, .. }: &Asked<'_>,
    name: Name,
    what: &str,
    (flag, file): (&str, Option<&PathBuf>),
) -> anyhow::Result<Option<Secret>> {
    if let Some(file) = file {
        return ask::secret(flag, file).map(Some);
    }
    let held = store.opened(&name)?;
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
