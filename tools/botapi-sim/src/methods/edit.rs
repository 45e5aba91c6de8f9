//! Changing and deleting what is already there.

use serde_json::Value;

use super::access::{Need, chat_id, entities, pace};
use crate::params::Params;
use crate::refusal::{Outcome, Refusal};
use crate::state::{Message, State};
use crate::validate;

const NOT_MODIFIED: &str = "message is not modified: specified new message content and reply markup are exactly \
     the same as a current content and reply markup of the message";

pub(crate) fn text(state: &mut State, params: &Params) -> Outcome {
    let entities = entities(params)?;
    let stored = validate::store(params.text("text"), &entities).map_err(Refusal::bad)?;
    let markup = new_markup(params)?;
    change(state, params, |message| {
        let same = message.text == stored.text
            && message.entities == stored.entities
            && message.reply_markup == markup;
        message.text = stored.text;
        message.entities = stored.entities;
        message.reply_markup = markup;
        !same
    })
}

pub(crate) fn markup(state: &mut State, params: &Params) -> Outcome {
    let markup = new_markup(params)?;
    change(state, params, |message| {
        let same = message.reply_markup == markup;
        message.reply_markup = markup;
        !same
    })
}

fn new_markup(params: &Params) -> Result<Option<Value>, Refusal> {
    match params.json("reply_markup")? {
        Some(markup) if markup.get("inline_keyboard").is_none() => {
            Err(Refusal::bad("inline keyboard expected"))
        }
        Some(markup) => validate::check_markup(&markup).map_err(Refusal::bad),
        None => Ok(None),
    }
}

/// Changes a message of the bot; `edit` says whether anything changed.
fn change(state: &mut State, params: &Params, edit: impl FnOnce(&mut Message) -> bool) -> Outcome {
    let chat_id = chat_id(state, params, Need::Edit)?;
    let id = params.number("message_id").unwrap_or(0);
    let message = state
        .chats
        .get(&chat_id)
        .and_then(|chat| chat.messages.get(&id))
        .ok_or_else(|| Refusal::bad("message to edit not found"))?;
    if !message.from_bot || !message.extra.is_empty() {
        return Err(Refusal::bad("message can't be edited"));
    }
    pace(state, chat_id)?;
    let Some(chat) = state.chats.get_mut(&chat_id) else {
        return Err(Refusal::bad("chat not found"));
    };
    if let Some(message) = chat.messages.get_mut(&id) {
        if !edit(message) {
            return Err(Refusal::bad(NOT_MODIFIED));
        }
        message.edited = true;
    }
    let chat = &state.chats[&chat_id];
    Ok(state.message_json(chat, &chat.messages[&id]))
}

pub(crate) fn delete(state: &mut State, params: &Params) -> Outcome {
    let chat_id = chat_id(state, params, Need::Write)?;
    let id = params.number("message_id").unwrap_or(0);
    let chat = state.chats.get_mut(&chat_id);
    match chat.and_then(|chat| chat.messages.remove(&id)) {
        Some(_) => Ok("true".to_owned()),
        None => Err(Refusal::bad("message to delete not found")),
    }
}

pub(crate) fn delete_many(state: &mut State, params: &Params) -> Outcome {
    let chat_id = chat_id(state, params, Need::Write)?;
    let Some(Value::Array(ids)) = params.json("message_ids")? else {
        return Err(Refusal::bad("message identifiers are not specified"));
    };
    if ids.len() > 100 {
        return Err(Refusal::bad("too many message identifiers specified"));
    }
    if let Some(chat) = state.chats.get_mut(&chat_id) {
        for id in ids.iter().filter_map(Value::as_i64) {
            chat.messages.remove(&id);
        }
    }
    Ok("true".to_owned())
}
