//! *Try again* and *Continue*: where they put the question, and where their answer goes.

use std::time::Duration;

use botapi_sim::{ChatKind, ModelFault, Sim};

use crate::harness::{SOON, Stage};

const GROUP: i64 = -700;
const SUPER: i64 = -1_000_000_000_700;

/// Presses the button below the last message of the bot in a chat, as that of another chat where the group
/// has moved.
fn press_last(sim: &Sim, said_in: i64, user: i64, pressed_in: i64) {
    let message = sim.bot_messages(said_in).pop().expect("a message");
    let markup = message.reply_markup.expect("a button");
    let data = markup["inline_keyboard"][0][0]["callback_data"].as_str().expect("data").to_owned();
    sim.press(pressed_in, message.message_id, user, &data);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_try_takes_its_place_behind_those_who_wait_and_the_button_says_so() {
    let stage = Stage::with_model(&[("KATANA_PIPELINE_ANSWERS_AT_ONCE", "1")]).await;
    let (sim, model) = (&stage.sim, stage.sim.model());
    model.fault_next(ModelFault::status(400, "{}"));
    stage.ask(1, "one").await;
    model.set_pace(Duration::from_secs(1), Duration::ZERO);
    for chat in 2..=4 {
        sim.say(chat, &format!("chat {chat}"));
    }
    assert!(sim.wait_until(SOON, |sim| sim.model().calls() == 2).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    press_last(sim, 1, 1, 1);
    stage.texts(1, 2).await;
    stage.idle().await;
    let asked: Vec<String> = model.requests().iter().map(|r| r.last_user_text()).collect();
    assert_eq!(asked.last().map(String::as_str), Some("one"), "{asked:?}");
    let answers = format!("{:?}", sim.callback_answers());
    assert!(answers.contains("2 questions are before this one"), "{answers}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_a_group_is_found_again_when_it_has_become_a_supergroup() {
    let stage = Stage::with_model(&[("KATANA_BOT_ALLOW_CHATS", "-700")]).await;
    let (sim, model) = (&stage.sim, stage.sim.model());
    sim.group(GROUP, "Friends", ChatKind::Group);
    model.fault_next(ModelFault::FinishReason("length".to_owned()));
    model.push("a long");
    sim.say_in(GROUP, 5, "@katana_sim_bot cut?");
    stage.texts(GROUP, 1).await;
    press_later(&stage).await;
    stage.end().await;
}

/// The rest of that: a failure before the move, buttons after it.
async fn press_later(stage: &Stage) {
    let (sim, model) = (&stage.sim, stage.sim.model());
    model.fault_next(ModelFault::status(400, "{}"));
    sim.say_in(GROUP, 5, "@katana_sim_bot why?");
    stage.texts(GROUP, 2).await;
    sim.migrate(GROUP, SUPER);
    stage.idle().await;
    let messages = sim.bot_messages(GROUP);
    for (number, answer) in [(1, "because"), (0, " and on")] {
        let markup = messages[number].reply_markup.as_ref().expect("a button");
        let data = markup["inline_keyboard"][0][0]["callback_data"].as_str().expect("data");
        let before = sim.bot_messages(SUPER).len();
        model.push(answer);
        sim.press(SUPER, messages[number].message_id, 5, data);
        let texts = stage.texts(SUPER, before + 1).await;
        assert!(texts[before].contains(answer.trim()), "{texts:?}");
    }
    let asked = model.requests().into_iter().map(|r| r.last_user_text());
    assert!(asked.skip(2).any(|text| text.contains("why?")), "the same question");
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_below_a_message_that_telegram_no_longer_shows_answer_in_its_topic() {
    let stage = Stage::with_model(&[("KATANA_BOT_ALLOW_CHATS", "-1000000000700")]).await;
    let (sim, model) = (&stage.sim, stage.sim.model());
    let topic = sim.topic(SUPER);
    model.fault_next(ModelFault::FinishReason("length".to_owned()));
    sim.say_in_topic(SUPER, topic, 5, "@katana_sim_bot cut?");
    stage.texts(SUPER, 1).await;
    let message = sim.bot_messages(SUPER).pop().expect("a message");
    let markup = message.reply_markup.expect("a button");
    let data = markup["inline_keyboard"][0][0]["callback_data"].as_str().expect("data");
    sim.delete_message(SUPER, message.message_id);
    let before = sim.bot_messages(SUPER).len();
    model.push("and on");
    sim.press(SUPER, message.message_id, 5, data);
    stage.texts(SUPER, before + 1).await;
    let last = sim.bot_messages(SUPER).pop().expect("a message");
    assert_eq!(last.thread, Some(topic));
    stage.end().await;
}
