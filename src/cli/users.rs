//! `katana-bot users`: access from the machine, also while the bot runs.

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use hygiene::line::one_line;

use super::exit;
use super::stop::Stop;
use super::style::{say, say_json};
use crate::commands::fresh_code;
use crate::config::Loaded;
use crate::model::access::{Role, normalise_code};
use crate::model::effect::Effect;
use crate::model::ids::{BotId, UserId};
use crate::model::limits;
use crate::model::message::Person;
use crate::observe::clock::Clock;
use crate::store::{KnownUser, Opening, Store};

#[derive(Debug, Subcommand)]
pub(super) enum UsersCommand {
    /// List owners, members and people who wait, with their pairing codes
    List {
        /// Machine-readable output
        #[arg(long)]
        json: bool,
    },
    /// Let someone chat: by pairing code, or by Telegram user id
    Approve {
        /// The code the person was given, or a user id
        #[arg(value_name = "CODE|ID")]
        who: String,
    },
    /// Make a new claim code for a bot without an owner, also while it runs
    #[command(
        after_help = "The code works once, and for 30 minutes. It makes its sender the owner."
    )]
    Claim,
    /// Revoke someone's right to chat
    Remove {
        /// A user id or @username
        #[arg(value_name = "ID|@USERNAME", allow_hyphen_values = true)]
        who: String,
    },
}

/// Characters of a name that are shown.
const NAME: usize = 64;

/// The origin of a person who was approved or asked in a chat or here.
const STATE: &str = "state";

/// A person in the list.
struct Row {
    user: KnownUser,
    /// [`STATE`], or the key of the configuration and where it was set.
    from: String,
}

impl Row {
    /// A person who is only in the configuration.
    fn unseen(id: UserId, role: Role, from: &str) -> Self {
        let person = Person { id, name: String::new(), username: None };
        let user = KnownUser { person, role, code: None, since_ms: 0, told_ms: None };
        Self { user, from: from.to_owned() }
    }
}

pub(super) fn users(loaded: &Loaded, command: &UsersCommand) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    let bot = BotId(config.telegram.token.bot_id().context("the token has no bot id")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // A bot that never ran has no file yet; an empty list is the honest answer then.
        let path = &config.store.path;
        let listed = listed(loaded);
        if !path.exists() && matches!(command, UsersCommand::List { .. }) {
            let rows = rows(Vec::new(), &listed);
            show(&rows, matches!(command, UsersCommand::List { json: true }));
            return Ok(ExitCode::SUCCESS);
        }
        let store = Store::visit(path, bot, Clock::system())?;
        let outcome = act(&store, &listed, command).await;
        store.close().await;
        outcome
    })
}

/// People whom the configuration allows: id, role, and where it says so.
fn listed(loaded: &Loaded) -> Vec<(UserId, Role, String)> {
    let bot = &loaded.config.bot;
    let from = |key: &str| match loaded.origins.get(key) {
        Some(origin) => format!("{key} ({origin})"),
        None => key.to_owned(),
    };
    let owners = bot.owners.iter().map(|id| (UserId(*id), Role::Owner, from("bot.owners")));
    let members =
        bot.allow_users.iter().map(|id| (UserId(*id), Role::Member, from("bot.allow_users")));
    owners.chain(members).collect()
}

/// Everyone, each person once, with the higher of the two roles: owners first.
fn rows(known: Vec<KnownUser>, listed: &[(UserId, Role, String)]) -> Vec<Row> {
    let mut rows: Vec<Row> =
        known.into_iter().map(|user| Row { user, from: STATE.into() }).collect();
    for (id, role, from) in listed {
        match rows.iter_mut().find(|row| row.user.person.id == *id) {
            Some(row) if row.user.role >= *role => {}
            Some(row) => {
                row.user.role = *role;
                row.user.code = None;
                row.from.clone_from(from);
            }
            None => rows.push(Row::unseen(*id, *role, from)),
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.user.role));
    rows
}

async fn act(
    store: &Store,
    listed: &[(UserId, Role, String)],
    command: &UsersCommand,
) -> anyhow::Result<ExitCode> {
    match command {
        UsersCommand::List { json } => show(&rows(store.users().await?, listed), *json),
        UsersCommand::Approve { who } => {
            let user = approved(store, who).await?;
            store.apply(vec![Effect::Approve(user)]).await?;
            say(&format!(
                "{user} may chat now. This does not notify them; ask them to write again.\n"
            ));
        }
        UsersCommand::Claim => claim(store, listed).await?,
        UsersCommand::Remove { who } => {
            let known = found(store, who).await?;
            if known.role == Role::Owner && owners(store).await? == 1 {
                return Err(Stop::new(
                    exit::USAGE,
                    "this is the only owner",
                    "make someone else an owner first (bot.owners in the configuration)",
                )
                .into());
            }
            store.apply(vec![Effect::Remove(known.person.id)]).await?;
            match listed.iter().find(|(id, _, _)| *id == known.person.id) {
                Some((id, _, from)) => {
                    say(&format!("{id} is forgotten here, but may chat by {from}.\n"));
                }
                None => say(&format!("{} may no longer chat.\n", known.person.id)),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a claim code that was just made, and what to do with it.
async fn claim(store: &Store, listed: &[(UserId, Role, String)]) -> anyhow::Result<()> {
    if let Some((_, _, from)) = listed.iter().find(|(_, role, _)| *role == Role::Owner) {
        let hint = "to let someone else own it, write their user id there (/whoami shows it)";
        let text = format!("the bot has an owner by {from}");
        return Err(Stop::new(exit::USAGE, text, hint).into());
    }
    let fresh = fresh_code().context("cannot get random bytes")?;
    let Opening::Claimable(code) = store.renew_claim_code(fresh).await? else {
        let hint = "`katana-bot users list` shows who; bot.owners in the configuration makes others owners";
        return Err(Stop::new(exit::USAGE, "the bot has an owner", hint).into());
    };
    let minutes = limits::CLAIM_CODE_LIFE.as_secs() / 60;
    say(&format!(
        "Send this message to your bot, in a private chat, within {minutes} minutes:\n\n  /claim {code}\n\n\
         The first person to send it owns the bot. Older codes no longer work. Then write to the bot \
         what you like to know, or /help.\n"
    ));
    Ok(())
}

async fn owners(store: &Store) -> anyhow::Result<usize> {
    Ok(store.users().await?.iter().filter(|u| u.role == Role::Owner).count())
}

async fn approved(store: &Store, who: &str) -> anyhow::Result<UserId> {
    if let Some(code) = normalise_code(who)
        && let Some(known) = store.user_by_code(&code).await?
    {
        return Ok(known.person.id);
    }
    match who.parse::<i64>() {
        Ok(id) if id > 0 => Ok(UserId(id)),
        _ => Err(Stop::new(
            exit::USAGE,
            // Not repeated: it may be a secret that was pasted in the wrong place.
            "no open request has this code",
            "`katana-bot users list` shows the open requests; codes are valid for a day",
        )
        .into()),
    }
}

async fn found(store: &Store, who: &str) -> anyhow::Result<KnownUser> {
    let name = who.strip_prefix('@');
    let all = store.users().await?;
    let same = |u: &KnownUser| match name {
        Some(name) => u.person.username.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)),
        None => who.parse() == Ok(u.person.id.0),
    };
    all.into_iter().find(same).ok_or_else(|| {
        let hint = "`katana-bot users list` shows everyone the bot knows";
        Stop::new(exit::USAGE, "the bot knows no one of this id or @username", hint).into()
    })
}

fn show(rows: &[Row], json: bool) {
    if !json {
        return say(&table(rows));
    }
    let rows = rows.iter().map(|Row { user: u, from }| {
        serde_json::json!({
            "id": u.person.id.0, "role": u.role.as_str(), "name": u.person.name,
            "username": u.person.username, "code": u.code, "since_ms": u.since_ms,
            "from": from,
        })
    });
    say_json(&rows.collect());
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "No one yet. `katana-bot users claim` makes a code that makes you the owner.\n"
            .into();
    }
    let mut text = format!("{:<14} {:<9} {:<10} NAME\n", "ID", "ROLE", "CODE");
    for Row { user: u, from } in rows {
        // Strangers choose their names: they must not play tricks with the operator's terminal.
        let name = one_line(&u.person.name, NAME);
        let at = u.person.username.as_ref().map(|n| format!("(@{})", one_line(n, NAME)));
        let at = at.unwrap_or_default();
        let code = u.code.as_deref().unwrap_or("-");
        let role = if u.role == Role::Stranger { "waiting" } else { u.role.as_str() };
        let from = if from == STATE { String::new() } else { format!("[{from}]") };
        let who = [name, at, from].into_iter().filter(|s| !s.is_empty());
        let who = who.collect::<Vec<_>>().join(" ");
        text.push_str(&format!("{:<14} {role:<9} {code:<10} {who}\n", u.person.id));
    }
    text
}
