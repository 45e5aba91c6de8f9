//! Tokens, methods, and chats that the bot may not use.

use botapi_sim::ChatKind;
use serde_json::json;

use crate::Bot;

#[tokio::test]
async fn tokens_and_methods() {
    let bot = Bot::start().await;
    let me = bot.ok("getMe", json!({})).await;
    assert_eq!(me["id"], bot.sim.bot_id());
    assert_eq!(me["is_bot"], true);
    let unknown = bot.refused("getMeNot", json!({})).await;
    assert_eq!(unknown, (404, "Not Found".to_owned()));
    for (token, status) in
        [("123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 401), ("nonsense", 404), ("12:short", 404)]
    {
        let url = format!("{}/bot{token}/getMe", bot.sim.api_url());
        assert_eq!(bot.client.get(url).send().await.unwrap().status(), status, "{token}");
    }
    let encoded = bot.url("getMe").replace("001:", "001%3A");
    assert_eq!(bot.client.get(encoded).send().await.unwrap().status(), 200);
    bot.sim.revoke_token();
    for method in ["getMe", "getUpdates", "sendMessage"] {
        let refused = bot.refused(method, json!({})).await;
        assert_eq!(refused, (401, "Unauthorized".to_owned()));
    }
    bot.sim.restore_token();
    bot.ok("getMe", json!({})).await;
}

#[tokio::test]
async fn people_must_come_first_and_may_block() {
    let bot = Bot::start().await;
    bot.sim.user(7, "Ada", Some("ada"));
    let send = json!({"chat_id": 7, "text": "x"});
    assert_eq!(
        bot.refused("sendMessage", send.clone()).await,
        (403, "Forbidden: bot can't initiate conversation with a user".to_owned())
    );
    bot.sim.say(7, "/start");
    bot.ok("sendMessage", send.clone()).await;
    bot.ok("sendMessage", json!({"chat_id": "@Ada", "text": "by name"})).await;
    bot.sim.block(7);
    assert_eq!(
        bot.refused("sendMessage", send.clone()).await,
        (403, "Forbidden: bot was blocked by the user".to_owned())
    );
    bot.sim.unblock(7);
    bot.ok("sendMessage", send).await;
}

#[tokio::test]
async fn groups_may_kick_and_move() {
    let bot = Bot::start().await;
    let supergroup = -1_000_000_000_042;
    bot.sim.group(-5, "Old", ChatKind::Group);
    bot.sim.group(supergroup, "Super", ChatKind::Supergroup);
    for (chat, words) in [
        (-5, "Forbidden: bot was kicked from the group chat"),
        (supergroup, "Forbidden: bot was kicked from the supergroup chat"),
    ] {
        let send = json!({"chat_id": chat, "text": "x"});
        bot.ok("sendMessage", send.clone()).await;
        bot.sim.kick(chat);
        assert_eq!(bot.refused("sendMessage", send.clone()).await, (403, words.to_owned()));
        bot.sim.invite(chat, 7);
        bot.ok("sendMessage", send).await;
    }
    let moved = -1_000_000_000_077;
    bot.sim.migrate(-5, moved);
    let (status, body) = bot.call("sendMessage", json!({"chat_id": -5, "text": "x"})).await;
    assert_eq!(status, 400);
    assert_eq!(body["description"], "Bad Request: group chat was upgraded to a supergroup chat");
    assert_eq!(body["parameters"]["migrate_to_chat_id"], moved);
    bot.ok("sendMessage", json!({"chat_id": moved, "text": "x"})).await;
    bot.ok("leaveChat", json!({"chat_id": moved})).await;
    let left = bot.refused("sendMessage", json!({"chat_id": moved, "text": "x"})).await;
    assert_eq!(left.1, "Forbidden: bot is not a member of the supergroup chat");
}
