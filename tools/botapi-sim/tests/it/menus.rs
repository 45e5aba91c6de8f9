//! Command menus and files.

use serde_json::{Value, json};

use crate::Bot;

#[tokio::test]
async fn menus_are_kept_by_scope() {
    let bot = Bot::start().await;
    bot.sim.say(7, "hi");
    let help = json!([{"command": "help", "description": "What I can do"}]);
    bot.ok("setMyCommands", json!({"commands": help})).await;
    bot.ok(
        "setMyCommands",
        json!({"commands": help, "scope": {"type": "chat", "chat_id": 7}, "language_code": "de"}),
    )
    .await;
    assert_eq!(json!(bot.sim.commands(r#"{"type":"default"}"#)), help);
    assert!(bot.sim.commands(r#"{"type":"chat","chat_id":7}"#).is_empty());
    assert_eq!(bot.sim.commands_for(r#"{"chat_id":7,"type":"chat"}"#, "de").len(), 1);
    assert_eq!(bot.ok("getMyCommands", json!({})).await, help);
    bot.ok("deleteMyCommands", json!({})).await;
    assert_eq!(bot.ok("getMyCommands", json!({})).await, json!([]));
}

#[tokio::test]
async fn wrong_menus_are_refused() {
    let bot = Bot::start().await;
    let menu =
        |name: &str, words: &str| json!({"commands": [{"command": name, "description": words}]});
    let many: Vec<Value> =
        (0..101).map(|i| json!({"command": format!("c{i}"), "description": "x"})).collect();
    let scope = |scope: Value| json!({"commands": [], "scope": scope});
    let table = [
        (menu("Help", "x"), "BOT_COMMAND_INVALID"),
        (menu("", "x"), "BOT_COMMAND_INVALID"),
        (menu("with space", "x"), "BOT_COMMAND_INVALID"),
        (menu(&"a".repeat(33), "x"), "BOT_COMMAND_INVALID"),
        (menu("help", ""), "BOT_COMMAND_DESCRIPTION_INVALID"),
        (menu("help", &"x".repeat(257)), "BOT_COMMAND_DESCRIPTION_INVALID"),
        (json!({"commands": many}), "BOT_COMMANDS_TOO_MUCH"),
        (
            scope(json!({"type": "galaxy"})),
            "can't parse BotCommandScope: Unsupported type specified",
        ),
        (scope(json!({"type": "chat", "chat_id": 99})), "chat not found"),
        (json!({"commands": [], "language_code": "german"}), "invalid language code specified"),
    ];
    for (params, words) in table {
        let refused = bot.refused("setMyCommands", params).await;
        assert_eq!(refused, (400, format!("Bad Request: {words}")));
    }
}

#[tokio::test]
async fn files_can_be_fetched() {
    let bot = Bot::start().await;
    let id = bot.sim.file(&b"contents"[..]);
    let file = bot.ok("getFile", json!({"file_id": id})).await;
    assert_eq!(file["file_size"], 8);
    let path = file["file_path"].as_str().unwrap();
    let url = format!("{}/file/bot{}/{path}", bot.sim.api_url(), bot.sim.token());
    let bytes = bot.client.get(&url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(&bytes[..], b"contents");
    assert_eq!(bot.client.get(url + "x").send().await.unwrap().status(), 404);
    assert_eq!(bot.refused("getFile", json!({"file_id": "no"})).await.0, 400);
}
