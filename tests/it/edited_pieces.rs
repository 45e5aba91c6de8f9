//! Edits of one piece of an album or of a long text: the whole is asked again, with the new wording.

use std::time::Duration;

use botapi_sim::{ModelFault, Sent};

use crate::harness::{OWNER, SOON, Stage};
use crate::pieces::{long, photo};

const GROUP: i64 = -700;

const MINUTE: Duration = Duration::from_secs(60);

/// Says a long text that is cut into three pieces.
fn paste(stage: &Stage, chat: i64) -> [Sent; 3] {
    [&long(1, 4096), &long(2, 4096), "the end"].map(|text| stage.sim.say(chat, text))
}

/// What the model was asked last.
fn last_asked(stage: &Stage) -> String {
    stage.sim.model().requests().last().expect("a request").last_user_text()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_piece_of_an_answered_paste_asks_the_whole_again() {
    let mut stage = Stage::with_model(&[]).await;
    let [_, second, _] = paste(&stage, 5);
    stage.sim.model().push("one");
    stage.texts(5, 1).await;
    stage.sim.model().push("two");
    stage.sim.edit(5, second.message_id, "a pear instead");
    assert_eq!(stage.texts(5, 2).await[1], "two");
    let asked = last_asked(&stage);
    assert!(asked.contains("part 1 ") && asked.contains("a pear instead\nthe end"), "{asked}");
    assert!(!asked.contains("part 2 "), "{asked}");
    // No word is changed: Telegram shows a preview of a link, or something became bold.
    stage.sim.edit(5, second.message_id, "a pear instead");
    stage.idle().await;
    assert_eq!(stage.sim.model().calls(), 2);
    // Not only as long as the process remembers, and of what is valid now.
    assert!(stage.stop().await);
    stage.start().await;
    stage.sim.edit(5, second.message_id, "a pear instead");
    stage.idle().await;
    assert_eq!(stage.sim.model().calls(), 2);
    stage.sim.model().push("three");
    stage.sim.edit(5, second.message_id + 1, "the very end");
    assert_eq!(stage.texts(5, 3).await[2], "three");
    assert!(last_asked(&stage).contains("a pear instead\nthe very end"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_is_edited_while_the_rest_is_awaited_waits_or_is_answered_counts_once() {
    let stage = Stage::with_model(&[]).await;
    let (sim, model) = (&stage.sim, stage.sim.model());
    // More may come.
    let first = sim.say(5, &long(1, 4096));
    sim.edit(5, first.message_id, &long(7, 4096));
    sim.say(5, "the end");
    stage.texts(5, 1).await;
    let asked = last_asked(&stage);
    assert!(asked.contains("part 7 ") && asked.ends_with("xthe end"), "{asked}");
    assert!(!asked.contains("part 1 "), "{asked}");
    // It is with the model.
    model.set_pace(SOON, Duration::ZERO);
    let [first, ..] = paste(&stage, 6);
    assert!(sim.wait_until(SOON, |sim| sim.model().calls() == 2).await);
    model.set_pace(Duration::ZERO, Duration::ZERO);
    sim.edit(6, first.message_id, "a plum");
    stage.texts(6, 1).await;
    let asked = last_asked(&stage);
    assert!(asked.contains("a plum\npart 2 ") && asked.contains("the end"), "{asked}");
    // It waits behind another.
    model.set_pace(SOON, Duration::ZERO);
    let blocking = sim.say(7, "wait");
    assert!(sim.wait_until(SOON, |sim| sim.model().calls() == 4).await);
    let [_, second, end] = paste(&stage, 7);
    sim.edit(7, second.message_id, "a fig");
    sim.edit(7, end.message_id, "then the end");
    model.set_pace(Duration::ZERO, Duration::ZERO);
    sim.edit(7, blocking.message_id, "go on");
    stage.texts(7, 2).await;
    let paste = model.requests().into_iter().rev().map(|r| r.last_user_text());
    let asked: Vec<String> = paste.take(2).filter(|text| text.contains("the end")).collect();
    assert!(asked.len() == 1 && asked[0].contains("a fig\nthen the end"), "{asked:?}");
    stage.idle().await;
    assert_eq!(model.calls(), 6);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paste_that_is_held_back_is_edited_there_and_albums_are_as_well() {
    let stage = Stage::with_model(&[]).await;
    let sim = &stage.sim;
    sim.say(OWNER, "/pause");
    stage.texts(OWNER, 1).await;
    let [_, _, end] = paste(&stage, 5);
    sim.say_fields(6, 6, &photo("a", "old?"));
    let other = sim.say_fields(6, 6, &photo("a", ""));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    sim.advance(MINUTE * 12);
    sim.edit(5, end.message_id, "the new end");
    sim.edit(6, other.message_id, "and new?");
    sim.say(5, "/help");
    sim.say(6, "/help");
    stage.texts(5, 1).await;
    stage.texts(6, 1).await;
    sim.say(OWNER, "/resume");
    stage.texts(5, 2).await;
    stage.texts(6, 2).await;
    let asked: Vec<String> = sim.model().requests().iter().map(|r| r.last_user_text()).collect();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().any(|text| text.contains("part 1 ") && text.ends_with("the new end")));
    assert!(asked.iter().any(|text| text.contains("old?\nand new?")), "{asked:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_edited_into_a_piece_is_not_run() {
    let stage = Stage::running(&[]).await;
    let sim = &stage.sim;
    let first = sim.say(OWNER, &long(1, 4096));
    sim.edit(OWNER, first.message_id, "/pause");
    assert!(stage.texts(OWNER, 1).await[0].starts_with("I do not run commands that were edited."));
    let [first, ..] = paste(&stage, OWNER);
    stage.texts(OWNER, 4).await;
    sim.edit(OWNER, first.message_id, "/pause");
    assert!(stage.texts(OWNER, 5).await[4].starts_with("I do not run commands"));
    assert_eq!(stage.ask(5, "still there?").await, "echo: still there?");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_on_disk_splits_no_album_and_no_paste_and_can_be_edited() {
    let stage = Stage::with_model(&[("KATANA_BOT_ALLOW_CHATS", "-700")]).await;
    let (sim, model) = (&stage.sim, stage.sim.model());
    let say = |user, text: &str| sim.say_in(GROUP, user, &format!("@katana_sim_bot {text}"));
    // Longer than pieces are waited for.
    model.set_pace(Duration::from_millis(2500), Duration::ZERO);
    say(6, "wait");
    assert!(sim.wait_until(SOON, |sim| sim.model().calls() == 1).await);
    let filler = || sim.say_in(GROUP, 6, "/whoami@katana_sim_bot");
    for _ in 0..26 {
        filler();
    }
    sim.say_fields(GROUP, 5, &photo("a", "@katana_sim_bot which?"));
    say(8, &long(1, 4050));
    say(6, "and wait");
    sim.say_fields(GROUP, 5, &photo("a", ""));
    sim.say_fields(GROUP, 5, &photo("a", ""));
    filler();
    // The queue in memory ends here, in the middle of both.
    sim.say_fields(GROUP, 5, &photo("a", ""));
    sim.say_fields(GROUP, 5, &photo("a", "and that?"));
    let second = sim.say_in(GROUP, 8, &long(2, 4096));
    let plain = say(6, "plum?");
    let last = sim.say_in(GROUP, 8, "the end");
    sim.edit(GROUP, second.message_id, "a pear");
    sim.edit(GROUP, last.message_id, "the new end");
    sim.edit(GROUP, plain.message_id, "@katana_sim_bot fig?");
    assert!(sim.wait_until(SOON, |sim| sim.model().calls() == 2).await);
    model.set_pace(Duration::ZERO, Duration::ZERO);
    stage.idle().await;
    let asked: Vec<String> = model.requests().iter().map(|r| r.last_user_text()).collect();
    let heads: Vec<String> = asked.iter().map(|text| text.chars().take(60).collect()).collect();
    let count = |words: &str| asked.iter().filter(|text| text.contains(words)).count();
    assert_eq!(count("which?\nand that?"), 1, "{heads:?}");
    let of_paste = (count("a pear\nthe new end"), count("part 2 "), count("the end"));
    assert_eq!(of_paste, (1, 0, 0), "{heads:?}");
    assert_eq!((count("plum?"), count("fig?")), (0, 1), "{heads:?}");
    assert_eq!(asked.len(), 5, "{heads:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_the_new_wording_of_a_question_is_answered_once() {
    let mut stage = Stage::with_model(&[]).await;
    assert!(stage.stop().await);
    let asked = stage.sim.say(5, "pear?");
    let [first, ..] = paste(&stage, 6);
    stage.sim.advance(MINUTE * 12);
    stage.sim.edit(5, asked.message_id, "pears?");
    stage.sim.edit(6, first.message_id, "a plum");
    stage.sim.advance(MINUTE * 30);
    stage.start().await;
    assert_eq!(stage.texts(5, 1).await, ["echo: pears?"]);
    stage.texts(6, 1).await;
    stage.idle().await;
    let asked = stage.sim.model().requests();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().any(|r| r.last_user_text().contains("a plum\npart 2 ")));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paste_that_had_to_be_tried_again_can_be_edited_too() {
    let stage = Stage::with_model(&[]).await;
    stage.sim.model().fault_next(ModelFault::status(400, "{}"));
    let [first, ..] = paste(&stage, 5);
    stage.texts(5, 1).await;
    let failed = stage.sim.bot_messages(5).remove(0);
    let data =
        failed.reply_markup.expect("a button")["inline_keyboard"][0][0]["callback_data"].clone();
    let data = data.as_str().expect("data");
    stage.sim.model().push("one");
    stage.sim.press(5, failed.message_id, 5, data);
    assert_eq!(stage.texts(5, 2).await[1], "one");
    stage.sim.press(5, failed.message_id, 5, data);
    stage.sim.model().push("two");
    stage.sim.edit(5, first.message_id, "a plum");
    assert_eq!(stage.texts(5, 3).await[2], "two");
    assert!(last_asked(&stage).contains("a plum\npart 2 "));
    stage.idle().await;
    assert_eq!(stage.sim.model().calls(), 3, "the button works once");
    stage.end().await;
}
