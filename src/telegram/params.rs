//! What is sent, in frankenstein's types: one function for each method.
//!
//! Invariant: everything that leaves here is typed by the library, so a field or a value that the
//! Bot API does not have cannot be written. Only answers are decoded by types of our own.

use std::time::Duration;

use frankenstein::methods::{
    AnswerCallbackQueryParams, DeleteMyCommandsParams, EditMessageTextParams, GetFileParams,
    GetUpdatesParams, SendChatActionParams, SendMessageDraftParams, SendMessageParams,
    SetMyCommandsParams,
};
use frankenstein::types::{
    AllowedUpdate, BotCommand, BotCommandScope, BotCommandScopeChat, ChatAction,
    InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, MessageEntity,
    MessageEntityType, ReplyMarkup, ReplyParameters,
};

use super::failure::TelegramError;
use super::outgoing::{MenuScope, Outgoing};
use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;
use crate::model::reply::Button;
use crate::model::text::{Entity, EntityKind};

/// Updates asked for. Named at each poll: omitted, the server would use the last list it was given.
const ALLOWED_UPDATES: [AllowedUpdate; 6] = [
    AllowedUpdate::Message,
    AllowedUpdate::EditedMessage,
    AllowedUpdate::ChannelPost,
    AllowedUpdate::EditedChannelPost,
    AllowedUpdate::CallbackQuery,
    AllowedUpdate::MyChatMember,
];

/// `getUpdates`; the server holds the poll open for as long as `hold`.
pub(super) fn updates(offset: i64, hold: Duration) -> GetUpdatesParams {
    GetUpdatesParams {
        offset: (offset != 0).then_some(offset),
        limit: Some(limits::POLL_BATCH),
        timeout: Some(u32::try_from(hold.as_secs()).unwrap_or(u32::MAX)),
        allowed_updates: Some(ALLOWED_UPDATES.to_vec()),
    }
}

/// `sendMessage`.
pub(super) fn send(message: Outgoing<'_>) -> Result<SendMessageParams, TelegramError> {
    let reply_to = message.reply_to.map(|id| narrow(id.0)).transpose()?.map(|id| {
        let to = ReplyParameters::builder().message_id(id);
        to.allow_sending_without_reply(true).build()
    });
    Ok(SendMessageParams::builder()
        .chat_id(message.chat.0)
        .maybe_message_thread_id(message.thread.map(narrow).transpose()?)
        .text(message.text)
        .maybe_entities(entities(message.entities))
        .link_preview_options(LinkPreviewOptions::DISABLED)
        .maybe_reply_parameters(reply_to)
        .maybe_reply_markup(keyboard(message.buttons).map(ReplyMarkup::InlineKeyboardMarkup))
        .build())
}

/// `editMessageText`.
pub(super) fn edit(
    id: MessageId,
    message: Outgoing<'_>,
) -> Result<EditMessageTextParams, TelegramError> {
    Ok(EditMessageTextParams::builder()
        .chat_id(message.chat.0)
        .message_id(narrow(id.0)?)
        .text(message.text)
        .maybe_entities(entities(message.entities))
        .link_preview_options(LinkPreviewOptions::DISABLED)
        .maybe_reply_markup(keyboard(message.buttons))
        .build())
}

/// `sendMessageDraft`.
pub(super) fn draft(
    draft_id: i64,
    message: Outgoing<'_>,
) -> Result<SendMessageDraftParams, TelegramError> {
    Ok(SendMessageDraftParams::builder()
        .chat_id(message.chat.0)
        .maybe_message_thread_id(message.thread.map(narrow).transpose()?)
        .draft_id(narrow(draft_id)?)
        .text(message.text)
        .maybe_entities(entities(message.entities))
        .build())
}

/// `sendChatAction`.
pub(super) fn typing(
    chat: ChatId,
    thread: Option<i64>,
) -> Result<SendChatActionParams, TelegramError> {
    Ok(SendChatActionParams::builder()
        .chat_id(chat.0)
        .maybe_message_thread_id(thread.map(narrow).transpose()?)
        .action(ChatAction::Typing)
        .build())
}

/// `getFile`.
pub(super) fn file(file_id: &str) -> GetFileParams {
    GetFileParams::builder().file_id(file_id).build()
}

/// `answerCallbackQuery`.
pub(super) fn answer_press(id: &str, notice: Option<&str>) -> AnswerCallbackQueryParams {
    AnswerCallbackQueryParams::builder()
        .callback_query_id(id)
        .maybe_text(notice.map(str::to_owned))
        .build()
}

/// `setMyCommands`.
pub(super) fn publish(of: MenuScope, commands: &[(&str, &str)]) -> SetMyCommandsParams {
    let commands = commands.iter().map(|(command, description)| {
        BotCommand::builder().command(*command).description(*description).build()
    });
    SetMyCommandsParams::builder().commands(commands.collect::<Vec<_>>()).scope(scope(of)).build()
}

/// `deleteMyCommands` for one chat.
pub(super) fn unpublish(chat: ChatId) -> DeleteMyCommandsParams {
    DeleteMyCommandsParams::builder().scope(scope(MenuScope::Chat(chat))).build()
}

fn scope(scope: MenuScope) -> BotCommandScope {
    match scope {
        MenuScope::Private => BotCommandScope::AllPrivateChats,
        MenuScope::Groups => BotCommandScope::AllGroupChats,
        MenuScope::Chat(chat) => {
            BotCommandScope::Chat(BotCommandScopeChat { chat_id: chat.0.into() })
        }
    }
}

/// Numbers of messages and topics have 32 bits in the Bot API. A larger one cannot be sent, so this
/// answers as Telegram does for a number that it never gave.
fn narrow(id: i64) -> Result<i32, TelegramError> {
    i32::try_from(id).map_err(|_| TelegramError::Refused {
        code: 400,
        description: "Bad Request: MESSAGE_ID_INVALID".to_owned(),
        retry_after: None,
        moved_to: None,
    })
}

fn keyboard(rows: &[Vec<Button>]) -> Option<InlineKeyboardMarkup> {
    let button =
        |b: &Button| InlineKeyboardButton::builder().text(&b.label).callback_data(&b.data).build();
    let rows: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(button).collect()).collect();
    (!rows.is_empty()).then(|| InlineKeyboardMarkup::builder().inline_keyboard(rows).build())
}

fn entities(entities: &[Entity]) -> Option<Vec<MessageEntity>> {
    (!entities.is_empty()).then(|| entities.iter().map(entity).collect())
}

fn entity(entity: &Entity) -> MessageEntity {
    let (kind, url, language) = match &entity.kind {
        EntityKind::Bold => (MessageEntityType::Bold, None, None),
        EntityKind::Italic => (MessageEntityType::Italic, None, None),
        EntityKind::Underline => (MessageEntityType::Underline, None, None),
        EntityKind::Strikethrough => (MessageEntityType::Strikethrough, None, None),
        EntityKind::Code => (MessageEntityType::Code, None, None),
        EntityKind::Pre { language } => (MessageEntityType::Pre, None, language.clone()),
        EntityKind::Link { url } => (MessageEntityType::TextLink, Some(url.clone()), None),
        EntityKind::Quote => (MessageEntityType::Blockquote, None, None),
        EntityKind::FoldedQuote => (MessageEntityType::ExpandableBlockquote, None, None),
    };
    // A message has at most 4,096 units, so neither number is ever cut.
    let units = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    MessageEntity::builder()
        .type_field(kind)
        .offset(units(entity.offset))
        .length(units(entity.length))
        .maybe_url(url)
        .maybe_language(language)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(params: impl serde::Serialize) -> serde_json::Value {
        serde_json::to_value(params).unwrap()
    }

    #[test]
    fn what_is_not_said_is_left_out() {
        let plain = Outgoing {
            chat: ChatId(-5),
            thread: None,
            text: "hi",
            entities: &[],
            buttons: &[],
            reply_to: None,
        };
        let sent = serde_json::json!({
            "chat_id": -5, "text": "hi", "link_preview_options": {"is_disabled": true}
        });
        assert_eq!(json(send(plain).unwrap()), sent);
        let (link, pre) = (
            EntityKind::Link { url: "https://x".into() },
            EntityKind::Pre { language: Some("rust".into()) },
        );
        let entities = [link, pre, EntityKind::Quote, EntityKind::FoldedQuote].map(|kind| Entity {
            kind,
            offset: 1,
            length: 2,
        });
        let buttons = [vec![Button::new("Go", "go:1")]];
        let whole = Outgoing {
            thread: Some(7),
            entities: &entities,
            buttons: &buttons,
            reply_to: Some(MessageId(9)),
            ..plain
        };
        let marked = serde_json::json!([
            {"type": "text_link", "offset": 1, "length": 2, "url": "https://x"},
            {"type": "pre", "offset": 1, "length": 2, "language": "rust"},
            {"type": "blockquote", "offset": 1, "length": 2},
            {"type": "expandable_blockquote", "offset": 1, "length": 2},
        ]);
        let keyboard = serde_json::json!({
            "inline_keyboard": [[{"text": "Go", "callback_data": "go:1"}]]
        });
        let sent = json(send(whole).unwrap());
        assert_eq!(sent["message_thread_id"], 7);
        assert_eq!((&sent["entities"], &sent["reply_markup"]), (&marked, &keyboard));
        let reply = serde_json::json!({"message_id": 9, "allow_sending_without_reply": true});
        assert_eq!(sent["reply_parameters"], reply);
        let edited = json(edit(MessageId(4), whole).unwrap());
        let fields =
            ["chat_id", "entities", "link_preview_options", "message_id", "reply_markup", "text"];
        assert_eq!(edited.as_object().unwrap().keys().collect::<Vec<_>>(), fields);
        let drafted = json(draft(3, Outgoing { buttons: &[], ..whole }).unwrap());
        let fields = ["chat_id", "draft_id", "entities", "message_thread_id", "text"];
        assert_eq!(drafted.as_object().unwrap().keys().collect::<Vec<_>>(), fields);
    }

    #[test]
    fn a_number_that_no_message_has_is_refused_as_telegram_does() {
        let message = Outgoing {
            chat: ChatId(5),
            thread: None,
            text: "hi",
            entities: &[],
            buttons: &[],
            reply_to: None,
        };
        let error = edit(MessageId(1 << 40), message).unwrap_err();
        assert!(error.description().contains("MESSAGE_ID_INVALID") && !error.in_doubt());
    }
}
