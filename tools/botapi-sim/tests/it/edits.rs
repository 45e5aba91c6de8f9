//! editMessageText, editMessageReplyMarkup, deleteMessage: what the reconciler stands on.

use serde_json::json;

use crate::Bot;

const SAME: &str = "Bad Request: message is not modified: specified new message content and reply markup are \
     exactly the same as a current content and reply markup of the message";

#[tokio::test]
async fn identical_content_is_not_modified_after_the_same_normalisation() {
    let bot = Bot::start().await;
    bot.sim.say(7, "hi");
    let markup = json!({"inline_keyboard": [[{"text": "ok", "callback_data": "x"}]]});
    let bold = json!({"type": "bold", "offset": 0, "length": 2});
    let italic = json!({"type": "italic", "offset": 0, "length": 1});
    let sent = bot
        .ok("sendMessage", json!({"chat_id": 7, "text": "hello ", "entities": [bold, italic], "reply_markup": markup}))
        .await;
    let id = &sent["message_id"];
    let edit = json!({"chat_id": 7, "message_id": id, "text": "hello\n", "entities": [italic, bold], "reply_markup": markup});
    assert_eq!(bot.refused("editMessageText", edit).await, (400, SAME.to_owned()));
    assert!(!bot.sim.bot_messages(7)[0].edited);
    for other in [
        json!({"chat_id": 7, "message_id": id, "text": "hello", "entities": [bold, italic]}),
        json!({"chat_id": 7, "message_id": id, "text": "hello", "entities": [bold], "reply_markup": markup}),
        json!({"chat_id": 7, "message_id": id, "text": "hellO", "entities": [bold], "reply_markup": markup}),
    ] {
        bot.ok("editMessageText", other).await;
    }
    let message = &bot.sim.bot_messages(7)[0];
    assert!(message.edited);
    assert_eq!(message.text, "hellO");
}

#[tokio::test]
async fn only_own_messages_of_that_chat_can_be_edited() {
    let bot = Bot::start().await;
    let said = bot.sim.say(7, "hi").message_id;
    bot.sim.say(8, "hi");
    let own = bot.send(7, "mine").await;
    let edit = |chat: i64, id: i64| json!({"chat_id": chat, "message_id": id, "text": "new"});
    let table = [
        (edit(7, said), "Bad Request: message can't be edited"),
        (edit(8, own), "Bad Request: message to edit not found"),
        (edit(7, own + 100), "Bad Request: message to edit not found"),
        (edit(9, own), "Bad Request: chat not found"),
    ];
    for (params, words) in table {
        assert_eq!(bot.refused("editMessageText", params).await, (400, words.to_owned()));
    }
    bot.sim.delete_message(7, own);
    let gone = bot.refused("editMessageText", edit(7, own)).await;
    assert_eq!(gone.1, "Bad Request: message to edit not found");
}

#[tokio::test]
async fn markup_alone_can_change() {
    let bot = Bot::start().await;
    bot.sim.say(7, "hi");
    let id = bot.send(7, "x").await;
    let markup = json!({"inline_keyboard": [[{"text": "ok", "callback_data": "x"}]]});
    let edit = json!({"chat_id": 7, "message_id": id, "reply_markup": markup});
    bot.ok("editMessageReplyMarkup", edit.clone()).await;
    assert_eq!(bot.refused("editMessageReplyMarkup", edit).await.1, SAME);
    bot.ok("editMessageReplyMarkup", json!({"chat_id": 7, "message_id": id})).await;
    assert_eq!(bot.sim.bot_messages(7)[0].reply_markup, None);
}

#[tokio::test]
async fn deleting() {
    let bot = Bot::start().await;
    bot.sim.say(7, "hi");
    let id = bot.send(7, "x").await;
    bot.ok("deleteMessage", json!({"chat_id": 7, "message_id": id})).await;
    let gone = bot.refused("deleteMessage", json!({"chat_id": 7, "message_id": id})).await;
    assert_eq!(gone.1, "Bad Request: message to delete not found");
    assert!(bot.sim.bot_messages(7).is_empty());
    let next = bot.send(7, "y").await;
    assert_eq!(next, id + 1, "ids are not used again");
    bot.ok("deleteMessages", json!({"chat_id": 7, "message_ids": [next, 5]})).await;
    assert!(bot.sim.bot_messages(7).is_empty());
}
