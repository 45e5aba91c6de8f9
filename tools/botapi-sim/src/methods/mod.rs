//! The methods of the Bot API. Each is one step under the lock; only `getUpdates` waits, in [`poll`].

pub(crate) mod access;
pub(crate) mod chats;
pub(crate) mod commands;
pub(crate) mod edit;
pub(crate) mod poll;
pub(crate) mod send;

use std::time::Instant;

use crate::params::Params;
use crate::refusal::{Outcome, Refusal, quoted};
use crate::state::State;

/// The methods that are simulated, in Telegram's spelling; names are matched in any case.
const METHODS: [&str; 21] = [
    "sendMessage",
    "getUpdates",
    "editMessageText",
    "sendMessageDraft",
    "sendChatAction",
    "getMe",
    "editMessageReplyMarkup",
    "deleteMessage",
    "deleteMessages",
    "answerCallbackQuery",
    "setMyCommands",
    "deleteMyCommands",
    "getMyCommands",
    "getWebhookInfo",
    "setWebhook",
    "deleteWebhook",
    "getFile",
    "getChat",
    "getChatMember",
    "setMessageReaction",
    "leaveChat",
];

/// Telegram's spelling of a method, if it is simulated.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(name))
}

/// Carries out any method but `getUpdates`.
pub(crate) fn carry_out(
    state: &mut State,
    method: &str,
    params: &Params,
    received: Instant,
) -> Outcome {
    if state.revoked {
        return Err(Refusal::unauthorized());
    }
    check_names(method, params)?;
    match method {
        "sendMessage" => send::message(state, params, received),
        "editMessageText" => edit::text(state, params),
        "editMessageReplyMarkup" => edit::markup(state, params),
        "deleteMessage" => edit::delete(state, params),
        "deleteMessages" => edit::delete_many(state, params),
        "sendMessageDraft" => send::draft(state, params),
        "sendChatAction" => send::action(state, params),
        "answerCallbackQuery" => send::callback_answer(state, params),
        "setMessageReaction" => send::reaction(state, params),
        "setMyCommands" => commands::set(state, params),
        "deleteMyCommands" => commands::delete(state, params),
        "getMyCommands" => commands::get(state, params),
        "getMe" => Ok(me(state)),
        "getWebhookInfo" => Ok(chats::webhook_info(state)),
        "setWebhook" => chats::set_webhook(state, params, params.text("url")),
        "deleteWebhook" => chats::set_webhook(state, params, ""),
        "getFile" => chats::file(state, params),
        "getChat" => chats::chat(state, params),
        "getChatMember" => chats::member(state, params),
        "leaveChat" => chats::leave(state, params),
        _ => Err(Refusal::not_found()),
    }
}

/// Refuses parameters that the method does not have: Telegram ignores them, which hides misspellings.
fn check_names(method: &str, params: &Params) -> Result<(), Refusal> {
    let names: &[&str] = match method {
        "sendMessage" => &[
            "chat_id",
            "text",
            "entities",
            "reply_parameters",
            "reply_markup",
            "parse_mode",
            "link_preview_options",
            "disable_notification",
            "protect_content",
            "message_thread_id",
            "direct_messages_topic_id",
            "business_connection_id",
            "ephemeral_message_parameters",
            "allow_paid_broadcast",
            "message_effect_id",
            "suggested_post_parameters",
            "reply_to_message_id",
            "allow_sending_without_reply",
            "disable_web_page_preview",
        ],
        "sendMessageDraft" => &[
            "chat_id",
            "draft_id",
            "text",
            "entities",
            "parse_mode",
            "message_thread_id",
            "can_stop",
            "keep_on_stop",
        ],
        "editMessageText" | "editMessageReplyMarkup" => &[
            "chat_id",
            "message_id",
            "text",
            "entities",
            "reply_markup",
            "parse_mode",
            "link_preview_options",
            "inline_message_id",
            "business_connection_id",
            "disable_web_page_preview",
        ],
        _ => return Ok(()),
    };
    match params.map.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(Refusal::bad(format!("strict: unknown parameter {key}"))),
        None => Ok(()),
    }
}

fn me(state: &State) -> String {
    format!(
        "{{\"id\":{},\"is_bot\":true,\"first_name\":\"Katana\",\"username\":{},\
         \"can_join_groups\":true,\"can_read_all_group_messages\":true,\
         \"supports_inline_queries\":false,\"can_connect_to_business\":false,\
         \"has_main_web_app\":false}}",
        state.bot_id,
        quoted(&state.bot_username)
    )
}
