//! sendMessage and its relatives.

use std::time::Duration;

use botapi_sim::{ChatKind, Limits, Options};
use serde_json::{Value, json};

use crate::Bot;

#[tokio::test]
async fn a_message_is_stored_as_telegram_stores_it() {
    let bot = Bot::start().await;
    let said = bot.sim.say(7, "hi");
    let sent = bot
        .ok(
            "sendMessage",
            json!({"chat_id": 7, "text": "  a\tbold\r text ",
                "entities": [{"type": "bold", "offset": 4, "length": 4}],
                "reply_parameters": {"message_id": said.message_id},
                "reply_markup": {"inline_keyboard": [[{"text": "ok", "callback_data": "x"}]]}}),
        )
        .await;
    assert_eq!(sent["message_id"], said.message_id + 1, "one counter");
    assert_eq!(sent["text"], "a bold text");
    assert_eq!(sent["reply_to_message"]["text"], "hi");
    let message = &bot.sim.bot_messages(7)[0];
    assert_eq!(message.text, "a bold text");
    assert_eq!(message.entities, [json!({"type": "bold", "offset": 2, "length": 4})]);
    assert_eq!(message.reply_to, Some(said.message_id));
    assert!(message.reply_markup.is_some() && !message.edited);
    assert_eq!(bot.sim.transcript(7).len(), 2);
    assert_eq!(bot.sim.latencies().len(), 1);
}

#[tokio::test]
async fn what_telegram_refuses_is_refused() {
    let bot = Bot::start().await;
    bot.sim.say(7, "hi");
    let table = [
        (json!({"chat_id": 7}), "Bad Request: message text is empty"),
        (json!({"chat_id": 7, "text": ""}), "Bad Request: message text is empty"),
        (json!({"chat_id": 7, "text": " \n "}), "Bad Request: text must be non-empty"),
        (json!({"chat_id": 7, "text": "x".repeat(4097)}), "Bad Request: message is too long"),
        (json!({"chat_id": 7, "text": "😀".repeat(2049)}), "Bad Request: message is too long"),
        (json!({"text": "x"}), "Bad Request: chat_id is empty"),
        (json!({"chat_id": 8, "text": "x"}), "Bad Request: chat not found"),
        (
            json!({"chat_id": 7, "text": "*x*", "parse_mode": "HTML"}),
            "Bad Request: strict: parse_mode not allowed",
        ),
        (
            json!({"chat_id": 7, "text": "x", "reply_parameters": {"message_id": 99999}}),
            "Bad Request: message to be replied not found",
        ),
        (
            json!({"chat_id": 7, "text": "x",
            "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "y".repeat(65)}]]}}),
            "Bad Request: BUTTON_DATA_INVALID",
        ),
    ];
    for (params, words) in table {
        assert_eq!(bot.refused("sendMessage", params).await, (400, words.to_owned()));
    }
    let misspelt = json!({"chat_id": 7, "text": "x", "replyParameters": {}});
    assert_eq!(
        bot.refused("sendMessage", misspelt).await.1,
        "Bad Request: strict: unknown parameter replyParameters"
    );
    let crossing = json!({"chat_id": 7, "text": "abcdef", "entities": [
        {"type": "bold", "offset": 0, "length": 3}, {"type": "italic", "offset": 2, "length": 3}]});
    let (status, words) = bot.refused("sendMessage", crossing).await;
    assert!(status == 400 && words.contains("cross"), "{words}");
    assert!(bot.sim.bot_messages(7).is_empty(), "a refusal has no effect");
    bot.ok("sendMessage", json!({"chat_id": 7, "text": "x".repeat(4096)})).await;
    let lost = json!({"message_id": 99999, "allow_sending_without_reply": true});
    bot.ok("sendMessage", json!({"chat_id": 7, "text": "x", "reply_parameters": lost})).await;
    assert_eq!(bot.sim.outcomes()["sendMessage"][&400], 12);
    assert_eq!(bot.sim.outcomes()["sendMessage"][&200], 2);
    assert_eq!(bot.sim.calls("sendMessage"), 14);
    assert_eq!(bot.sim.log().last().unwrap().params["text"], "x");
}

#[tokio::test]
async fn parameters_come_in_four_ways() {
    let bot = Bot::start().await;
    bot.sim.say(7, "hi");
    let url = bot.url("sendmessage");
    let entities = r#"[{"type":"bold","offset":0,"length":1}]"#;
    bot.client
        .get(format!("{url}?chat_id=7&text=query+string&entities={}", entities.replace('"', "%22")))
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    bot.client
        .post(&url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("chat_id=7&text=form%20%26%20url")
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    let form = reqwest::multipart::Form::new()
        .text("chat_id", "7")
        .text("text", "many parts")
        .text("entities", entities);
    bot.client.post(&url).multipart(form).send().await.unwrap().error_for_status().unwrap();
    bot.send(7, "json").await;
    let messages = bot.sim.bot_messages(7);
    let texts: Vec<_> = messages.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(texts, ["query string", "form & url", "many parts", "json"]);
    assert_eq!(messages[0].entities.len(), 1);
    assert_eq!(messages[2].entities.len(), 1);
    let broken = bot.client.post(&url).header("content-type", "application/json").body("{").send();
    assert_eq!(broken.await.unwrap().status(), 400);
}

#[tokio::test]
async fn ids_are_shared_by_private_chats_and_basic_groups_only() {
    let bot = Bot::start().await;
    let first = bot.sim.say(7, "hi").message_id;
    assert_eq!(bot.sim.say_in(-5, 7, "hi").message_id, first + 1);
    assert_eq!(bot.send(7, "x").await, first + 2);
    assert_eq!(bot.send(-5, "x").await, first + 3);
    let group = -1_000_000_000_042;
    bot.sim.group(group, "Super", ChatKind::Supergroup);
    assert_eq!(bot.sim.say_in(group, 7, "hi").message_id, 1);
    assert_eq!(bot.send(group, "x").await, 2);
    assert_eq!(bot.send(7, "x").await, first + 4);
}

#[tokio::test]
async fn limits_hold_and_say_how_long_to_wait() {
    let bot = Bot::with(Options { limits: Limits::real(), ..Options::default() }).await;
    bot.sim.say(7, "hi");
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(bot.send(7, "burst").await);
    }
    let (status, body) = bot.call("sendMessage", json!({"chat_id": 7, "text": "one more"})).await;
    assert_eq!(status, 429);
    assert_eq!(body["parameters"]["retry_after"], 1);
    assert_eq!(body["description"], "Too Many Requests: retry after 1");
    let edit = json!({"chat_id": 7, "message_id": ids[0], "text": "edits count"});
    assert_eq!(bot.call("editMessageText", edit.clone()).await.0, 429);
    bot.sim.say(8, "another chat is free");
    bot.send(8, "x").await;
    bot.sim.advance(Duration::from_secs(1));
    bot.ok("editMessageText", edit).await;
    assert_eq!(bot.call("sendMessage", json!({"chat_id": 7, "text": "again"})).await.0, 429);
}

#[tokio::test]
async fn groups_take_twenty_a_minute_and_all_chats_thirty_a_second() {
    let bot = Bot::with(Options { limits: Limits::real(), ..Options::default() }).await;
    bot.sim.say_in(-5, 7, "hi");
    let send = json!({"chat_id": -5, "text": "x"});
    let mut passed = 0;
    for _ in 0..40 {
        passed += i32::from(bot.call("sendMessage", send.clone()).await.0 == 200);
        bot.sim.advance(Duration::from_secs(1));
    }
    assert!((30..=34).contains(&passed), "20 at once and one every 3 s, not {passed}");
    let mut passed = 0;
    for user in 100..140 {
        bot.sim.say(user, "hi");
        passed += i32::from(
            bot.call("sendMessage", json!({"chat_id": user, "text": "x"})).await.0 == 200,
        );
    }
    assert!((30..=35).contains(&passed), "{passed} of 40 at once");
}

#[tokio::test]
async fn drafts_are_private_and_numbered() {
    let bot = Bot::start().await;
    bot.sim.say(7, "hi");
    bot.sim.say_in(-5, 7, "hi");
    let draft =
        |chat: i64, id: i64, text: &str| json!({"chat_id": chat, "draft_id": id, "text": text});
    bot.ok("sendMessageDraft", draft(7, 1, "so")).await;
    bot.ok("sendMessageDraft", draft(7, 1, "so far")).await;
    assert_eq!(bot.sim.drafts(7), ["so", "so far"]);
    assert_eq!(bot.refused("sendMessageDraft", draft(7, 0, "x")).await.0, 400);
    assert_eq!(bot.refused("sendMessageDraft", draft(-5, 1, "x")).await.0, 400);
    assert_eq!(bot.refused("sendMessageDraft", draft(7, 1, &"x".repeat(4097))).await.0, 400);
    assert!(bot.sim.bot_messages(7).is_empty(), "a draft is not a message");
    bot.sim.set_faults(botapi_sim::Faults::none().without_drafts());
    let refused = bot.refused("sendMessageDraft", draft(7, 1, "x")).await;
    assert_eq!(refused, (404, "Not Found".to_owned()));
}

#[tokio::test]
async fn actions_and_reactions() {
    let bot = Bot::start().await;
    let said = bot.sim.say(7, "hi");
    bot.ok("sendChatAction", json!({"chat_id": 7, "action": "typing"})).await;
    assert_eq!(bot.sim.actions(7), 1);
    let wrong = bot.refused("sendChatAction", json!({"chat_id": 7, "action": "singing"})).await;
    assert_eq!(wrong.1, "Bad Request: wrong parameter action in request");
    let reaction = json!([{"type": "emoji", "emoji": "👍"}]);
    bot.ok(
        "setMessageReaction",
        json!({"chat_id": 7, "message_id": said.message_id, "reaction": reaction}),
    )
    .await;
    let wrong = bot
        .refused(
            "setMessageReaction",
            json!({"chat_id": 7, "message_id": 99999, "reaction": reaction}),
        )
        .await;
    assert_eq!(wrong.1, "Bad Request: message to react not found");
}

#[tokio::test]
async fn buttons_are_answered_once_and_in_time() {
    let bot = Bot::start().await;
    bot.sim.say(7, "hi");
    let keyboard = json!({"inline_keyboard": [[{"text": "ok", "callback_data": "go"}]]});
    let sent =
        bot.ok("sendMessage", json!({"chat_id": 7, "text": "?", "reply_markup": keyboard})).await;
    let message_id = sent["message_id"].as_i64().unwrap();
    let press = bot.sim.press(7, message_id, 7, "go");
    bot.sim.press(7, message_id, 7, "late");
    let updates = bot.ok("getUpdates", json!({"offset": press})).await;
    let queries: Vec<&Value> =
        updates.as_array().unwrap().iter().map(|u| &u["callback_query"]).collect();
    assert_eq!(queries[0]["data"], "go");
    assert_eq!(queries[0]["message"]["message_id"], message_id);
    let answer = json!({"callback_query_id": queries[0]["id"], "text": "done"});
    bot.ok("answerCallbackQuery", answer.clone()).await;
    assert_eq!(bot.sim.callback_answers()[0]["text"], "done");
    let words = "Bad Request: query is too old and response timeout expired or query ID is invalid";
    assert_eq!(bot.refused("answerCallbackQuery", answer).await.1, words);
    bot.sim.advance(Duration::from_secs(3600));
    let late = json!({"callback_query_id": queries[1]["id"]});
    assert_eq!(bot.refused("answerCallbackQuery", late).await.1, words);
}
