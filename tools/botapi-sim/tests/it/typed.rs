//! Everything that the simulator answers must decode as the types that the bot uses.

use botapi_sim::ChatKind;
use frankenstein::response::MethodResponse;
use frankenstein::types::{BotCommand, ChatFullInfo, ChatMember, File, Message, User};
use frankenstein::updates::{Update, UpdateContent, WebhookInfo};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Bot;

async fn typed<T: DeserializeOwned>(bot: &Bot, method: &str, params: Value) -> T {
    let (status, body) = bot.call(method, params).await;
    assert_eq!(status, 200, "{body}");
    let text = body.to_string();
    serde_json::from_value::<MethodResponse<T>>(body)
        .unwrap_or_else(|error| panic!("{method}: {error} in {text}"))
        .result
}

#[tokio::test]
async fn every_answer_decodes() {
    let bot = Bot::start().await;
    bot.sim.user(7, "Ada", Some("ada"));
    let said = bot.sim.say(7, "hi");
    assert!(typed::<User>(&bot, "getMe", json!({})).await.is_bot);
    let message: Message = typed(
        &bot,
        "sendMessage",
        json!({"chat_id": 7, "text": "hello bold",
        "entities": [{"type": "bold", "offset": 6, "length": 4}],
        "reply_parameters": {"message_id": said.message_id},
        "reply_markup": {"inline_keyboard": [[{"text": "ok", "callback_data": "x"}]]}}),
    )
    .await;
    assert_eq!(message.reply_to_message.unwrap().text.as_deref(), Some("hi"));
    assert_eq!(message.entities.unwrap()[0].offset, 6);
    assert!(message.reply_markup.is_some());
    let edited: Message = typed(
        &bot,
        "editMessageText",
        json!({"chat_id": 7, "message_id": message.message_id, "text": "other"}),
    )
    .await;
    assert!(edited.edit_date.is_some());
    let chat: ChatFullInfo = typed(&bot, "getChat", json!({"chat_id": 7})).await;
    assert_eq!(chat.username.as_deref(), Some("ada"));
    let member: ChatMember =
        typed(&bot, "getChatMember", json!({"chat_id": 7, "user_id": bot.sim.bot_id()})).await;
    assert!(matches!(member, ChatMember::Member(_)));
    typed::<WebhookInfo>(&bot, "getWebhookInfo", json!({})).await;
    typed::<Vec<BotCommand>>(&bot, "getMyCommands", json!({})).await;
    let id = bot.sim.file(&b"x"[..]);
    assert!(typed::<File>(&bot, "getFile", json!({"file_id": id})).await.file_path.is_some());
}

#[tokio::test]
async fn every_update_decodes() {
    let bot = Bot::start().await;
    let said = bot.sim.say(7, "/start");
    bot.sim.edit(7, said.message_id, "edited");
    bot.sim.photo(7, 7, "caption");
    bot.sim.voice(7, 7);
    bot.sim.sticker(7, 7);
    bot.sim.group(-1_000_000_000_009, "News", ChatKind::Channel);
    let post = bot.sim.channel_post(-1_000_000_000_009, "news");
    bot.sim.edit(-1_000_000_000_009, post.message_id, "newer news");
    bot.sim.join(-5, 7, &[8, 9]);
    bot.sim.migrate(-5, -1_000_000_000_005);
    bot.sim.block(7);
    bot.sim.unblock(7);
    bot.sim.kick(-6);
    bot.sim.invite(-6, 7);
    let own = bot.send(7, "button").await;
    bot.sim.press(7, own, 7, "data");
    bot.sim.press(7, 99_999, 7, "button of a lost message");
    let updates: Vec<Update> = typed(&bot, "getUpdates", json!({})).await;
    assert_eq!(updates.len(), 16);
    let kinds =
        |wanted: fn(&UpdateContent) -> bool| updates.iter().filter(|u| wanted(&u.content)).count();
    assert_eq!(kinds(|c| matches!(c, UpdateContent::Message(_))), 7);
    assert_eq!(kinds(|c| matches!(c, UpdateContent::EditedMessage(_))), 1);
    assert_eq!(kinds(|c| matches!(c, UpdateContent::ChannelPost(_))), 1);
    assert_eq!(kinds(|c| matches!(c, UpdateContent::EditedChannelPost(_))), 1);
    assert_eq!(kinds(|c| matches!(c, UpdateContent::MyChatMember(_))), 4);
    assert_eq!(kinds(|c| matches!(c, UpdateContent::CallbackQuery(_))), 2);
    let UpdateContent::Message(photo) = &updates[2].content else {
        panic!("a photo is a message");
    };
    assert_eq!(photo.caption.as_deref(), Some("caption"));
    assert!(photo.photo.is_some());
}
