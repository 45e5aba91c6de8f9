//! What the bot sends: messages, drafts, actions, reactions, answers to buttons.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::access::{Need, chat_id, entities, pace};
use crate::options::ChatKind;
use crate::params::Params;
use crate::refusal::{Outcome, Refusal};
use crate::state::{Message, State};
use crate::validate;

/// How many drafts of a chat are remembered.
const MAX_DRAFTS: usize = 10_000;
/// How long a button waits for its answer.
const CALLBACK_LIFE: Duration = Duration::from_mins(15);
const ACTIONS: [&str; 11] = [
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

pub(crate) fn message(state: &mut State, params: &Params, received: Instant) -> Outcome {
    let entities = entities(params)?;
    let stored = validate::store(params.text("text"), &entities).map_err(Refusal::bad)?;
    let chat_id = chat_id(state, params, Need::Write)?;
    let thread = thread(state, params, chat_id)?;
    if let Some(chat) = state.chats.get(&chat_id) {
        if let Some(words) = &chat.refuses {
            return Err(Refusal::bad(words));
        }
        if chat.closed.contains(&thread.unwrap_or(0)) {
            return Err(Refusal::bad("TOPIC_CLOSED"));
        }
    }
    let reply_to = reply_to(state, params, chat_id)?;
    let reply_markup = match params.json("reply_markup")? {
        Some(markup) => validate::check_markup(&markup).map_err(Refusal::bad)?,
        None => None,
    };
    pace(state, chat_id)?;
    let message = Message {
        message_id: state.next_message_id(chat_id),
        from_bot: true,
        from: state.bot_id,
        text: stored.text,
        entities: stored.entities,
        reply_markup,
        reply_to,
        thread,
        date: state.clock.unix(),
        edited: false,
        extra: BTreeMap::new(),
    };
    state.answered(chat_id, reply_to, received);
    let json = state
        .chats
        .get(&chat_id)
        .map(|chat| state.message_json(chat, &message))
        .unwrap_or_default();
    if let Some(chat) = state.chats.get_mut(&chat_id) {
        chat.messages.insert(message.message_id, message);
    }
    Ok(json)
}

/// The topic that a message is for.
fn thread(state: &State, params: &Params, chat_id: i64) -> Result<Option<i64>, Refusal> {
    let Some(thread) = params.number("message_thread_id").filter(|id| *id != 0) else {
        return Ok(None);
    };
    let there = state.chats.get(&chat_id).is_some_and(|chat| chat.topics.contains(&thread));
    there.then_some(Some(thread)).ok_or_else(|| Refusal::bad("message thread not found"))
}

/// The message that is answered, if it is there.
fn reply_to(state: &State, params: &Params, chat_id: i64) -> Result<Option<i64>, Refusal> {
    let (id, without) = match params.json("reply_parameters")? {
        Some(Value::Object(reply)) => {
            if reply.contains_key("quote_parse_mode") {
                return Err(Refusal::bad("strict: parse_mode not allowed"));
            }
            let elsewhere = reply.get("chat_id").and_then(Value::as_i64);
            if elsewhere.is_some_and(|other| other != chat_id) {
                return Err(Refusal::bad("strict: replies to other chats are not simulated"));
            }
            (
                reply.get("message_id").and_then(Value::as_i64),
                reply.get("allow_sending_without_reply") == Some(&Value::Bool(true)),
            )
        }
        Some(_) => return Err(Refusal::bad("object expected as reply parameters")),
        None => (params.number("reply_to_message_id"), params.flag("allow_sending_without_reply")),
    };
    let Some(id) = id.filter(|id| *id != 0) else {
        return Ok(None);
    };
    let there = state.chats.get(&chat_id).is_some_and(|chat| chat.messages.contains_key(&id));
    match (there, without) {
        (true, _) => Ok(Some(id)),
        (false, true) => Ok(None),
        (false, false) => Err(Refusal::bad("message to be replied not found")),
    }
}

pub(crate) fn draft(state: &mut State, params: &Params) -> Outcome {
    if state.faults.without_drafts {
        return Err(Refusal::not_found());
    }
    let entities = entities(params)?;
    let text = params.text("text");
    let text = if text.is_empty() {
        String::new()
    } else {
        validate::store(text, &entities).map_err(Refusal::bad)?.text
    };
    let chat_id = chat_id(state, params, Need::Write)?;
    if params.number("draft_id").unwrap_or(0) == 0 {
        return Err(Refusal::bad("draft_id must be non-zero"));
    }
    let Some(chat) = state.chats.get_mut(&chat_id) else {
        return Err(Refusal::bad("chat not found"));
    };
    if chat.kind != ChatKind::Private {
        return Err(Refusal::bad("TEXTDRAFT_PEER_INVALID"));
    }
    if chat.drafts.len() < MAX_DRAFTS {
        chat.drafts.push(text);
    }
    Ok("true".to_owned())
}

pub(crate) fn action(state: &mut State, params: &Params) -> Outcome {
    if !ACTIONS.contains(&params.text("action")) {
        return Err(Refusal::bad("wrong parameter action in request"));
    }
    let chat_id = chat_id(state, params, Need::Write)?;
    if let Some(chat) = state.chats.get_mut(&chat_id) {
        chat.actions += 1;
    }
    Ok("true".to_owned())
}

pub(crate) fn callback_answer(state: &mut State, params: &Params) -> Outcome {
    let too_old =
        || Refusal::bad("query is too old and response timeout expired or query ID is invalid");
    if params.text("text").chars().count() > 200 {
        return Err(Refusal::bad("MESSAGE_TOO_LONG"));
    }
    let asked = state.callbacks.remove(params.text("callback_query_id")).ok_or_else(too_old)?;
    if state.clock.now().saturating_sub(asked) > CALLBACK_LIFE {
        return Err(too_old());
    }
    state.callback_answers.push(Value::Object(params.map.clone()));
    Ok("true".to_owned())
}

pub(crate) fn reaction(state: &mut State, params: &Params) -> Outcome {
    let chat_id = chat_id(state, params, Need::Read)?;
    let id = params.number("message_id").unwrap_or(0);
    let there = state.chats.get(&chat_id).is_some_and(|chat| chat.messages.contains_key(&id));
    if !there {
        return Err(Refusal::bad("message to react not found"));
    }
    match params.json("reaction")? {
        None | Some(Value::Array(_)) => Ok("true".to_owned()),
        Some(_) => Err(Refusal::bad("expected an Array of ReactionType")),
    }
}
