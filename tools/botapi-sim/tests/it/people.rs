//! What people do becomes the right updates.

use serde_json::{Value, json};

use crate::{Bot, SOON};

async fn updates(bot: &Bot) -> Vec<Value> {
    let updates = bot.ok("getUpdates", json!({})).await;
    updates.as_array().unwrap().clone()
}

#[tokio::test]
async fn messages_edits_and_contents() {
    let bot = Bot::start().await;
    let said = bot.sim.say(7, "/start now");
    bot.sim.edit(7, said.message_id, "/help");
    bot.sim.reply_in(7, 7, said.message_id, "about that");
    bot.sim.photo(7, 7, "look");
    bot.sim.voice(7, 7);
    bot.sim.sticker(7, 7);
    bot.sim.say_with(
        -5,
        7,
        "",
        "pinned_message",
        json!({"message_id": 1, "date": 1, "chat": {"id": -5, "type": "group"}}),
    );
    bot.sim.join(-5, 7, &[8]);
    let pinned = bot.sim.say_in(-5, 7, "pin me").message_id;
    bot.sim.block(7);
    bot.sim.pin(-5, 7, pinned);
    let updates = updates(&bot).await;
    assert_eq!(
        updates[0]["message"]["entities"],
        json!([{"type": "bot_command", "offset": 0, "length": 6}])
    );
    assert_eq!(updates[1]["edited_message"]["text"], "/help");
    assert!(updates[1]["edited_message"]["edit_date"].is_number());
    assert_eq!(updates[2]["message"]["reply_to_message"]["message_id"], said.message_id);
    assert_eq!(updates[3]["message"]["caption"], "look");
    assert!(updates[3]["message"]["text"].is_null());
    assert_eq!(updates[4]["message"]["voice"]["duration"], 2);
    assert_eq!(updates[5]["message"]["sticker"]["type"], "regular");
    assert_eq!(updates[6]["message"]["pinned_message"]["message_id"], 1);
    assert_eq!(updates[7]["message"]["new_chat_members"][0]["id"], 8);
    assert_eq!(updates[9]["my_chat_member"]["new_chat_member"]["status"], "kicked");
    assert_eq!(updates[10]["message"]["pinned_message"]["text"], "pin me");
}

#[tokio::test]
async fn a_group_that_moves_is_announced_in_both_chats() {
    let bot = Bot::start().await;
    bot.sim.migrate(-5, -1_000_000_000_006);
    let updates = updates(&bot).await;
    assert_eq!(updates[0]["message"]["migrate_to_chat_id"], -1_000_000_000_006_i64);
    assert_eq!(updates[1]["message"]["migrate_from_chat_id"], -5);
}

#[tokio::test]
async fn a_flood_is_dealt_over_chats() {
    let bot = Bot::start().await;
    bot.sim.flood(250, 100, "hi {n}");
    assert_eq!(bot.sim.transcript(1001)[2].text, "hi 201");
    assert_eq!(bot.sim.pending(), 250);
    let chats = bot.sim.chats();
    assert_eq!((chats.len(), chats[0], chats[99]), (100, 1001, 1100));
    assert_eq!(bot.sim.transcript(1001).len(), 3);
    assert_eq!(bot.sim.transcript(1100).len(), 2);
    assert_eq!(updates(&bot).await.len(), 100, "a poll gets 100 at most");
}

#[tokio::test]
async fn waiting_is_woken_and_bounded() {
    let bot = Bot::start().await;
    bot.sim.say(7, "hi");
    let never = std::time::Duration::from_millis(30);
    assert!(!bot.sim.wait_until(never, |sim| !sim.bot_messages(7).is_empty()).await);
    let sim = bot.sim.clone();
    let waiting =
        tokio::spawn(
            async move { sim.wait_until(SOON, |sim| !sim.bot_messages(7).is_empty()).await },
        );
    bot.send(7, "x").await;
    assert!(waiting.await.unwrap());
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let (one, two) = (Bot::start().await, Bot::start().await);
    assert_eq!(one.sim.say(7, "hi"), two.sim.say(7, "hi"));
}
