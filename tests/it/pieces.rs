//! Albums and long texts that arrive in pieces: one reply, whatever happens in between.

use std::time::{Duration, Instant};

use botapi_sim::ModelFault;
use serde_json::json;

use crate::harness::Stage;
use crate::process::Daemon;

const GROUP: i64 = -700;

/// A text of so many units, with its number.
pub fn long(number: usize, units: usize) -> String {
    let head = format!("part {number} ");
    format!("{head}{}", "x".repeat(units - head.len()))
}

pub fn photo(album: &str, caption: &str) -> serde_json::Value {
    let mut fields = json!({"media_group_id": album, "photo": [{"file_id": "p", "file_unique_id": "u",
        "width": 9, "height": 9}]});
    if !caption.is_empty() {
        fields["caption"] = caption.into();
    }
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_gets_one_reply() {
    let stage = Stage::running(&[("KATANA_BOT_ALLOW_CHATS", "-700")]).await;
    let sim = &stage.sim;
    for _ in 0..6 {
        sim.say_fields(5, 5, &photo("a", ""));
    }
    let texts = stage.texts(5, 1).await;
    assert!(texts[0].starts_with("Sorry, I cannot read pictures"), "{texts:?}");
    // The caption of any of them is the question, and the reply is attached to that picture.
    sim.say_fields(GROUP, 6, &photo("b", ""));
    let asked = sim.say_fields(GROUP, 6, &photo("b", "@katana_sim_bot what are these?"));
    sim.say_fields(GROUP, 6, &photo("b", ""));
    // Two albums at once, in one chat.
    for number in 0..20 {
        let caption = if number < 2 { format!("album {number}?") } else { String::new() };
        sim.say_fields(7, 7, &photo(if number % 2 == 0 { "c" } else { "d" }, &caption));
    }
    stage.texts(7, 2).await;
    stage.idle().await;
    let texts = stage.texts(GROUP, 1).await;
    assert_eq!(texts, ["echo: what are these?"], "echo says what was said, and no more");
    assert_eq!(sim.bot_messages(GROUP)[0].reply_to, Some(asked.message_id));
    let mut texts = stage.texts(7, 2).await;
    texts.sort();
    let is_of = |text: &str, number| text.starts_with(&format!("echo: album {number}?"));
    assert!(texts.len() == 2 && is_of(&texts[0], 0) && is_of(&texts[1], 1), "{texts:?}");
    assert_eq!(sim.bot_message_count(), 4);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_paste_is_one_question_and_delays_no_one_else() {
    let stage = Stage::with_model(&[("KATANA_BOT_ALLOW_CHATS", "-700")]).await;
    let sim = &stage.sim;
    let begun = Instant::now();
    sim.say(5, &long(1, 4096));
    sim.say(5, &long(2, 4050));
    assert_eq!(sim.model().requests().len(), 0);
    sim.say(5, "the end");
    stage.texts(5, 1).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "a short piece is the last one");
    let asked = sim.model().requests();
    assert_eq!(asked.len(), 1, "one call of the model");
    let body = asked[0].last_user_text();
    let whole = format!("{}{}\nthe end", long(1, 4096), long(2, 4050));
    assert!(body.contains(&whole), "{body}");
    // In a group, only the first piece names the bot; others are answered at once.
    sim.say_in(GROUP, 6, &format!("@katana_sim_bot {}", long(1, 4000)));
    let begun = Instant::now();
    sim.say_in(GROUP, 7, "@katana_sim_bot quick?");
    stage.texts(GROUP, 1).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "it waited for someone else's pieces");
    sim.say_in(GROUP, 6, "that was all");
    stage.texts(GROUP, 2).await;
    stage.idle().await;
    assert_eq!(sim.model().requests().len(), 3);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_after_pieces_comes_after_them() {
    let stage = Stage::running(&[]).await;
    let sim = &stage.sim;
    sim.say(5, &long(1, 4096));
    sim.say(5, "/whoami");
    let texts = stage.texts(5, 3).await;
    assert!(texts[0].starts_with("echo: part 1"), "{texts:?}");
    assert!(texts[2].starts_with("You are"), "{texts:?}");
    // `/cancel` reaches pieces that wait.
    sim.say(6, &long(1, 4096));
    sim.say(6, &long(2, 4096));
    sim.say(6, "/cancel");
    assert_eq!(stage.texts(6, 1).await, ["Stopped."]);
    stage.idle().await;
    assert_eq!(sim.bot_messages(6).len(), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_that_were_written_apart_stay_apart() {
    let mut stage = Stage::running(&[]).await;
    assert!(stage.stop().await);
    // They arrive together, because the bot was away.
    stage.sim.say(5, &long(1, 4000));
    stage.sim.advance(Duration::from_secs(60));
    stage.sim.say(5, &long(2, 4000));
    stage.start().await;
    let texts = stage.texts(5, 2).await;
    assert!(texts[0].starts_with("echo: part 1") && texts[1].starts_with("echo: part 2"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_pieces_wait_nothing_is_lost_and_one_answer_comes() {
    let stage = Stage::new().await;
    let mut daemon = Daemon::start(&stage);
    stage.sim.say(4, "hello");
    stage.texts(4, 1).await;
    stage.sim.say(5, &long(1, 4096));
    for _ in 0..3 {
        stage.sim.say_fields(6, 6, &photo("a", ""));
    }
    // They were accepted, and wait.
    assert!(stage.sim.wait_until(Duration::from_secs(5), |sim| sim.pending() == 0).await);
    daemon.signal("KILL");
    daemon.ended().await;
    stage.sim.say(5, "the end");
    stage.sim.say_fields(6, 6, &photo("a", "what is it?"));
    let daemon = Daemon::start(&stage);
    let texts = stage.texts(5, 2).await;
    assert!(texts[0].starts_with("echo: part 1") && texts[1].ends_with("xthe end"), "{texts:?}");
    let texts = stage.texts(6, 1).await;
    assert!(texts[0].starts_with("echo: what is it?"), "{texts:?}");
    // None of the pieces is answered by itself.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(stage.sim.bot_message_count(), 4);
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn try_again_asks_the_whole_again() {
    let stage = Stage::with_model(&[]).await;
    stage.sim.model().fault_next(ModelFault::status(400, "{}"));
    stage.sim.say(5, &long(1, 4096));
    stage.sim.say(5, "the end");
    stage.texts(5, 1).await;
    let failed = stage.sim.bot_messages(5).remove(0);
    let data = failed.reply_markup.unwrap()["inline_keyboard"][0][0]["callback_data"].clone();
    stage.sim.press(5, failed.message_id, 5, data.as_str().unwrap());
    stage.texts(5, 2).await;
    let asked = stage.sim.model().requests();
    let body = asked.last().unwrap().last_user_text();
    assert!(body.contains("part 1 ") && body.contains("xthe end"), "{body}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_of_different_people_stay_apart_when_they_are_forwarded() {
    let stage = Stage::running(&[]).await;
    for (number, name) in [(1, "Ann"), (2, "Bob")] {
        let origin = json!({"type": "hidden_user", "sender_user_name": name, "date": 1});
        let fields = json!({"text": long(number, 4_000), "forward_origin": origin});
        stage.sim.say_fields(5, 5, &fields);
    }
    stage.texts(5, 2).await;
    stage.idle().await;
    // Not the number of messages: one answer to both would be cut into two.
    let answers = stage.sim.bot_messages(5);
    let begins: Vec<String> = answers.iter().map(|m| m.text.chars().take(60).collect()).collect();
    let count = begins.iter().filter(|text| text.starts_with("echo:")).count();
    assert_eq!(count, 2, "{begins:?}");
    stage.end().await;
}
