//! What the bot asks about chats, files and its webhook.

use serde_json::{Value, json};

use super::access::{Need, chat_id};
use crate::options::ChatKind;
use crate::params::Params;
use crate::queue::Ended;
use crate::refusal::{Outcome, Refusal};
use crate::state::{Standing, State};

pub(crate) fn chat(state: &State, params: &Params) -> Outcome {
    let id = chat_id(state, params, Need::Read)?;
    let chat = &state.chats[&id];
    let mut full: Value =
        serde_json::from_str(&chat.json).map_err(|_| Refusal::bad("chat not found"))?;
    full["accent_color_id"] = json!(0);
    full["max_reaction_count"] = json!(11);
    full["accepted_gift_types"] = json!({"unlimited_gifts": false, "limited_gifts": false,
        "unique_gifts": false, "premium_subscription": false, "gifts_from_channels": false});
    if chat.kind != ChatKind::Private {
        full["permissions"] = json!({"can_send_messages": true});
    }
    Ok(full.to_string())
}

pub(crate) fn member(state: &State, params: &Params) -> Outcome {
    let id = chat_id(state, params, Need::Read)?;
    let user_id = params.number("user_id").unwrap_or(0);
    if user_id == state.bot_id {
        let (status, until) = match state.chats[&id].standing {
            Standing::Member => ("member", ""),
            Standing::Left => ("left", ""),
            Standing::Kicked => ("kicked", ",\"until_date\":0"),
        };
        return Ok(format!("{{\"status\":\"{status}\",\"user\":{}{until}}}", state.bot_json));
    }
    match state.users.get(&user_id) {
        Some(user) => Ok(format!("{{\"status\":\"member\",\"user\":{}}}", user.json)),
        None => Err(Refusal::bad("member not found")),
    }
}

pub(crate) fn leave(state: &mut State, params: &Params) -> Outcome {
    let id = chat_id(state, params, Need::Read)?;
    match state.chats.get_mut(&id) {
        Some(chat) if chat.kind != ChatKind::Private => {
            chat.standing = Standing::Left;
            Ok("true".to_owned())
        }
        _ => Err(Refusal::bad("chat member status can't be changed in private chats")),
    }
}

pub(crate) fn file(state: &State, params: &Params) -> Outcome {
    let id = params.text("file_id");
    match state.files.get(id) {
        Some(bytes) => Ok(json!({"file_id": id, "file_unique_id": format!("u{id}"),
            "file_size": bytes.len(), "file_path": format!("files/{id}")})
        .to_string()),
        None if id.is_empty() => Err(Refusal::bad("file_id not specified")),
        None => Err(Refusal::bad("wrong file_id or the file is temporarily unavailable")),
    }
}

pub(crate) fn webhook_info(state: &State) -> String {
    let mut info = json!({"url": state.webhook_url, "has_custom_certificate": false,
        "pending_update_count": state.queue.len()});
    if let Some(kinds) = &state.queue.allowed
        && !kinds.is_empty()
    {
        info["allowed_updates"] = json!(kinds);
    }
    info.to_string()
}

/// Sets the webhook's address, or deletes it with an empty one. Nothing is ever delivered to it.
pub(crate) fn set_webhook(state: &mut State, params: &Params, url: &str) -> Outcome {
    if !url.is_empty() && !url.starts_with("https://") {
        return Err(Refusal::bad("bad webhook: An HTTPS URL must be provided for webhook"));
    }
    super::poll::remember_kinds(state, params)?;
    if params.flag("drop_pending_updates") {
        state.queue.clear();
    }
    if !url.is_empty() {
        state.queue.end_waiting(Ended::WebhookSet);
    }
    url.clone_into(&mut state.webhook_url);
    Ok("true".to_owned())
}
