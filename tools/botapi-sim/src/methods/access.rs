//! Who may do what where: the checks in front of a method, after `Client::check_chat_access`.

use serde_json::Value;

use crate::options::ChatKind;
use crate::params::Params;
use crate::refusal::Refusal;
use crate::state::{Chat, Standing, State};

/// What a method needs of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Read,
    Edit,
    Write,
}

/// The chat that a request names, after checking that the bot may use it.
pub(crate) fn chat_id(state: &State, params: &Params, need: Need) -> Result<i64, Refusal> {
    if !params.has("chat_id") {
        return Err(Refusal::bad("chat_id is empty"));
    }
    let id = match params.number("chat_id") {
        Some(id) => id,
        None => by_name(state, params.text("chat_id"))?,
    };
    let chat = state.chats.get(&id).ok_or_else(|| Refusal::bad("chat not found"))?;
    check(chat, need)?;
    Ok(id)
}

fn by_name(state: &State, name: &str) -> Result<i64, Refusal> {
    let wanted = name.strip_prefix('@').map(str::to_ascii_lowercase);
    state
        .users
        .iter()
        .find(|(_, user)| {
            wanted.is_some() && user.username.as_ref().map(|u| u.to_ascii_lowercase()) == wanted
        })
        .map(|(id, _)| *id)
        .ok_or_else(|| Refusal::bad("chat not found"))
}

fn check(chat: &Chat, need: Need) -> Result<(), Refusal> {
    match chat.kind {
        ChatKind::Private if need == Need::Write && !chat.started => {
            Err(Refusal::forbidden("bot can't initiate conversation with a user"))
        }
        ChatKind::Private if need == Need::Write && chat.blocked => {
            Err(Refusal::forbidden("bot was blocked by the user"))
        }
        ChatKind::Private => Ok(()),
        ChatKind::Group => {
            if let Some(id) = chat.migrated_to {
                return if need == Need::Write {
                    Err(Refusal {
                        migrate_to_chat_id: Some(id),
                        ..Refusal::bad("group chat was upgraded to a supergroup chat")
                    })
                } else {
                    Ok(())
                };
            }
            match chat.standing {
                Standing::Kicked if need != Need::Read => {
                    Err(Refusal::forbidden("bot was kicked from the group chat"))
                }
                Standing::Left if need != Need::Read => {
                    Err(Refusal::forbidden("bot is not a member of the group chat"))
                }
                _ => Ok(()),
            }
        }
        ChatKind::Supergroup | ChatKind::Channel => {
            let kind = chat.kind.name();
            match chat.standing {
                Standing::Member => Ok(()),
                Standing::Kicked => {
                    Err(Refusal::forbidden(&format!("bot was kicked from the {kind} chat")))
                }
                Standing::Left => {
                    Err(Refusal::forbidden(&format!("bot is not a member of the {kind} chat")))
                }
            }
        }
    }
}

/// Takes one message or edit from the send limits, or says how long to wait.
pub(crate) fn pace(state: &mut State, chat_id: i64) -> Result<(), Refusal> {
    let now = state.clock.now();
    let limits = state.limits;
    let Some(chat) = state.chats.get_mut(&chat_id) else {
        return Ok(());
    };
    let in_group = chat.kind != ChatKind::Private;
    let mut wait = std::time::Duration::ZERO;
    if let Some(rate) = limits.per_chat {
        wait = wait.max(chat.bucket.wait(rate, now));
    }
    if let Some(rate) = limits.per_group.filter(|_| in_group) {
        wait = wait.max(chat.group_bucket.wait(rate, now));
    }
    if let Some(rate) = limits.overall {
        wait = wait.max(state.overall.wait(rate, now));
    }
    if !wait.is_zero() {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        return Err(Refusal::too_many(seconds));
    }
    chat.bucket.take();
    chat.group_bucket.take();
    state.overall.take();
    Ok(())
}

/// The list of entities of a request, after refusing `parse_mode`.
pub(crate) fn entities(params: &Params) -> Result<Vec<Value>, Refusal> {
    if params.has("parse_mode") {
        return Err(Refusal::bad("strict: parse_mode not allowed"));
    }
    match params.json("entities")? {
        None => Ok(Vec::new()),
        Some(Value::Array(entities)) => Ok(entities),
        Some(_) => Err(Refusal::bad("strict: entities must be an Array")),
    }
}
