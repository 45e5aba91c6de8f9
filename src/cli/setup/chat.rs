//! The calls to Telegram that setup makes, and the chat that alerts go to: the user writes there,
//! and the second bot sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use hygiene::Redactor;
use secrecy::SecretString;

use super::ask::Person;
use crate::cli::stop::Stop;
use crate::cli::{exit, style};
use crate::config::Secret;
use crate::model::failure::chain;
use crate::model::ids::{ChatId, UserId};
use crate::model::message::{Place, Update, UpdateEvent};
use crate::telegram::{Client, Identity, TelegramSettings};

/// Longest time for one call to Telegram.
const CALL: Duration = Duration::from_secs(20);

/// The bot's name, fit to be printed. Every bot has one.
pub(super) fn username(identity: &Identity) -> Result<String, Stop> {
    let name = style::visible(identity.username.trim());
    let hint = "a server other than Telegram answers: check telegram.api_url and the proxy";
    let none = || Stop::new(exit::UNAVAILABLE, "the answer to getMe names no bot", hint);
    Some(name).filter(|name| !name.is_empty()).ok_or_else(none)
}

/// A client for the few calls that setup makes.
pub(super) fn client(api_url: &str, token: &Secret) -> anyhow::Result<Client> {
    let settings = TelegramSettings {
        api_url: api_url.to_owned(),
        token: SecretString::from(token.expose()),
        poll_timeout: CALL,
        poll_deadline: CALL,
        send_timeout: CALL,
        redactor: Redactor::new([token.expose()]),
    };
    Ok(Client::new(&settings, std::sync::Arc::default())?)
}

/// Asks for the chat's id, or finds it. `api_url`: the Bot API server of the second bot.
pub(super) fn find(person: &Person, token: &Secret, api_url: &str) -> anyhow::Result<i64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let bot = client(api_url, token)?;
    let name = match runtime.block_on(bot.identity()) {
        Ok(identity) => format!("@{}", username(&identity)?),
        Err(e) if e.token_refused() => {
            let hint = "@BotFather shows it again: /token";
            return Err(Stop::new(exit::CONFIG, "Telegram refuses this token", hint).into());
        }
        Err(e) => {
            eprintln!("{}", chain(&e));
            "the second bot".to_owned()
        }
    };
    eprintln!("Alerts go to one chat. In Telegram, write to {name} there, such as /start;");
    eprintln!("in a group, add the bot to it first.");
    loop {
        let question = "Then press Enter, or type the chat's id:";
        let line = person.line(question, "--alert-chat-id")?;
        if let Ok(id) = line.parse() {
            return Ok(id);
        }
        if !line.is_empty() {
            eprintln!("This is not a chat id: a number, negative for a group.");
            continue;
        }
        // Without a confirmed offset, so that another setup run finds the same messages.
        match runtime.block_on(bot.poll(0, false, UserId(token.bot_id().unwrap_or_default()))) {
            Ok(batch) => {
                let chats = chats(&batch.updates);
                if chats.is_empty() {
                    eprintln!("Nothing has arrived at {name}.");
                } else if let Some(id) = choose(person, &chats)? {
                    return Ok(id);
                }
            }
            Err(e) => eprintln!("{}", chain(&e)),
        }
    }
}

/// The chats that something came from, and what to call them.
fn chats(updates: &[Update]) -> BTreeMap<ChatId, String> {
    let mut found = BTreeMap::new();
    for update in updates {
        let (chat, words) = match &update.event {
            UpdateEvent::Message(m) if m.place == Place::Private => (m.chat, m.from.name.clone()),
            UpdateEvent::Message(m) => (m.chat, format!("a group in which {} wrote", m.from.name)),
            UpdateEvent::Membership { chat, present: true } => {
                (*chat, "where it was added".to_owned())
            }
            UpdateEvent::Ignored { chat: Some(chat), kind } => (*chat, kind.clone()),
            _ => continue,
        };
        // A message says more than the fact that the bot was added.
        if !found.contains_key(&chat) || matches!(update.event, UpdateEvent::Message(_)) {
            found.insert(chat, style::visible(&words));
        }
    }
    found
}

/// `None`: the user wants to look again.
fn choose(person: &Person, chats: &BTreeMap<ChatId, String>) -> anyhow::Result<Option<i64>> {
    let chats: Vec<_> = chats.iter().collect();
    for (at, (id, words)) in chats.iter().enumerate() {
        eprintln!("  {}  {words} ({})", at + 1, id.0);
    }
    loop {
        // Telegram may hold some back if it is queried twice within seconds.
        let question = "Which one? Enter for 1, 0 to look again:";
        let line = person.line(question, "--alert-chat-id")?;
        let number = if line.is_empty() { Ok(1) } else { line.parse::<usize>() };
        if number == Ok(0) {
            return Ok(None);
        }
        if let Some((id, _)) = number.ok().and_then(|n| chats.get(n.checked_sub(1)?)) {
            return Ok(Some(id.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::UpdateId;

    fn update(id: i64, event: UpdateEvent) -> Update {
        Update { id: UpdateId(id), event }
    }

    #[test]
    fn a_chat_is_offered_once_under_its_best_name() {
        let chat = ChatId(-1005);
        let let_in = UpdateEvent::Membership { chat, present: true };
        let post = UpdateEvent::Ignored { kind: "channel_post".into(), chat: Some(ChatId(-7)) };
        let gone = UpdateEvent::Membership { chat: ChatId(3), present: false };
        let updates = [update(1, post), update(2, let_in), update(3, gone)];
        let found = chats(&updates);
        let words: Vec<_> = found.values().map(String::as_str).collect();
        assert_eq!(words, ["where it was added", "channel_post"]);
    }
}
