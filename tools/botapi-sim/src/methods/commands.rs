//! The published command menus, one list for each scope and language.

use serde_json::{Value, json};

use super::access::{Need, chat_id};
use crate::params::Params;
use crate::refusal::{Outcome, Refusal};
use crate::state::State;

/// The Bot API's limit of commands in one scope.
const MAX_COMMANDS: usize = 100;

/// The key under which a menu is kept: type, chat, user and language.
pub(crate) fn key(scope: &Value, language: &str) -> String {
    format!(
        "{}/{}/{}/{language}",
        scope["type"].as_str().unwrap_or(""),
        scope["chat_id"],
        scope["user_id"]
    )
}

fn scope_key(state: &State, params: &Params) -> Result<String, Refusal> {
    let scope = params.json("scope")?.unwrap_or_else(|| json!({"type": "default"}));
    let kind = scope["type"].as_str().unwrap_or("");
    match kind {
        "default" | "all_private_chats" | "all_group_chats" | "all_chat_administrators" => {}
        "chat" | "chat_administrators" | "chat_member" => {
            let mut inner = Params::default();
            inner.map.insert("chat_id".to_owned(), scope["chat_id"].clone());
            chat_id(state, &inner, Need::Read)?;
            if kind == "chat_member" && scope["user_id"].as_i64().is_none() {
                return Err(Refusal::bad("can't parse BotCommandScope: Invalid user_id specified"));
            }
        }
        _ => {
            return Err(Refusal::bad("can't parse BotCommandScope: Unsupported type specified"));
        }
    }
    let language = params.text("language_code");
    let fits = language.len() == 2 && language.bytes().all(|b| b.is_ascii_lowercase());
    if !language.is_empty() && !fits {
        return Err(Refusal::bad("invalid language code specified"));
    }
    Ok(key(&scope, language))
}

pub(crate) fn set(state: &mut State, params: &Params) -> Outcome {
    let Some(Value::Array(commands)) = params.json("commands")? else {
        return Err(Refusal::bad("expected an Array of BotCommand"));
    };
    if commands.len() > MAX_COMMANDS {
        return Err(Refusal::bad("BOT_COMMANDS_TOO_MUCH"));
    }
    for command in &commands {
        let name = command["command"].as_str().unwrap_or("");
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !(1..=32).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(Refusal::bad("BOT_COMMAND_INVALID"));
        }
        let described = command["description"].as_str().unwrap_or("");
        if !(1..=256).contains(&described.chars().count()) || described.trim().is_empty() {
            return Err(Refusal::bad("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
    }
    let key = scope_key(state, params)?;
    if commands.is_empty() {
        state.commands.remove(&key);
    } else {
        state.commands.insert(key, Value::Array(commands));
    }
    Ok("true".to_owned())
}

pub(crate) fn delete(state: &mut State, params: &Params) -> Outcome {
    let key = scope_key(state, params)?;
    state.commands.remove(&key);
    Ok("true".to_owned())
}

pub(crate) fn get(state: &State, params: &Params) -> Outcome {
    let key = scope_key(state, params)?;
    Ok(state.commands.get(&key).map_or_else(|| "[]".to_owned(), Value::to_string))
}
