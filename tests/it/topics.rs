//! Forum topics: each is a conversation of its own, and replies stay in theirs.

use std::time::Duration;

use botapi_sim::{Message, ModelFault};

use crate::harness::{OWNER, SOON, Stage};

const FORUM: i64 = -1_000_000_000_702;

/// A bot with a model in a forum, and two topics of it.
async fn forum() -> (Stage, i64, i64) {
    let changes =
        [("KATANA_BOT_ALLOW_CHATS", &*FORUM.to_string()), ("KATANA_ANSWER_MODELS", "sim-large")];
    let stage = Stage::with_model(&changes).await;
    let (one, two) = (stage.sim.topic(FORUM), stage.sim.topic(FORUM));
    (stage, one, two)
}

/// Asks in a topic and waits until there are `count` messages of the bot in the forum.
async fn ask(stage: &Stage, topic: i64, text: &str, count: usize) -> Message {
    stage.sim.say_in_topic(FORUM, topic, 5, &format!("@katana_sim_bot {text}"));
    stage.texts(FORUM, count).await;
    stage.sim.bot_messages(FORUM).swap_remove(count - 1)
}

/// All that the model read for its last answer.
fn prompt(stage: &Stage) -> String {
    stage.sim.model().requests().pop().expect("a request").params.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_do_not_read_each_other() {
    let (stage, one, two) = forum().await;
    ask(&stage, one, "the password is plum", 1).await;
    let other = ask(&stage, two, "what is the password?", 2).await;
    assert!(!prompt(&stage).contains("plum"), "{}", prompt(&stage));
    assert_eq!(other.thread, Some(two));
    stage.sim.say_in_topic(FORUM, two, 5, "/new@katana_sim_bot");
    stage.texts(FORUM, 3).await;
    ask(&stage, one, "what is it?", 4).await;
    assert!(prompt(&stage).contains("plum"), "/new in one topic ends only that");
    stage.sim.say_in_topic(FORUM, one, 5, "/forget@katana_sim_bot yes");
    stage.texts(FORUM, 5).await;
    ask(&stage, one, "what is it now?", 6).await;
    assert!(!prompt(&stage).contains("plum"), "/forget forgets everything");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_is_chosen_per_topic() {
    let (stage, one, two) = forum().await;
    stage.sim.say_in_topic(FORUM, one, OWNER, "/model@katana_sim_bot sim-large");
    let texts = stage.texts(FORUM, 1).await;
    assert!(texts[0].contains("in this topic"), "{texts:?}");
    let model = || stage.sim.model().requests().pop().expect("a request").model;
    ask(&stage, one, "a", 2).await;
    assert_eq!(model(), "sim-large");
    ask(&stage, two, "b", 3).await;
    assert_eq!(model(), "sim-model");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_stops_only_what_was_asked_in_its_topic() {
    let (stage, one, two) = forum().await;
    stage.sim.model().set_pace(Duration::from_millis(700), Duration::ZERO);
    stage.sim.say_in_topic(FORUM, one, 5, "@katana_sim_bot first");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    stage.sim.say_in_topic(FORUM, one, 5, "@katana_sim_bot second");
    stage.sim.say_in_topic(FORUM, two, 5, "/cancel@katana_sim_bot");
    let texts = stage.texts(FORUM, 3).await;
    assert!(texts[0].contains("first") && texts[1].contains("second"), "{texts:?}");
    assert!(texts[2].starts_with("There is nothing to stop"), "{texts:?}");
    stage.sim.say_in_topic(FORUM, two, 5, "@katana_sim_bot third");
    assert!(stage.sim.model().wait_calls(3, SOON).await);
    stage.sim.say_in_topic(FORUM, two, 5, "/cancel@katana_sim_bot");
    assert_eq!(stage.texts(FORUM, 4).await[3], "Stopped.");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_carries_the_topic_and_what_it_answers_also_after_a_button() {
    let (stage, one, _) = forum().await;
    stage.sim.model().fault_next(ModelFault::status(401, "{}"));
    let asked = stage.sim.say_in_topic(FORUM, one, 5, "@katana_sim_bot a long one");
    stage.texts(FORUM, 1).await;
    let failed = stage.sim.bot_messages(FORUM).swap_remove(0);
    assert_eq!((failed.thread, failed.reply_to), (Some(one), Some(asked.message_id)));
    let markup = failed.reply_markup.as_ref().expect("a button");
    let data = markup["inline_keyboard"][0][0]["callback_data"].as_str().expect("data").to_owned();
    stage.sim.model().push("word ".repeat(2000));
    stage.sim.press(FORUM, failed.message_id, 5, &data);
    stage.texts(FORUM, 4).await;
    for part in &stage.sim.bot_messages(FORUM)[1..] {
        assert_eq!((part.thread, part.reply_to), (Some(one), Some(asked.message_id)));
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_for_a_topic_that_is_gone_is_sent_outside_of_it() {
    let (stage, one, _) = forum().await;
    stage.sim.model().set_pace(Duration::from_millis(300), Duration::ZERO);
    stage.sim.model().push("word ".repeat(2000));
    stage.sim.say_in_topic(FORUM, one, 5, "@katana_sim_bot a long one");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    stage.sim.delete_topic(FORUM, one);
    stage.texts(FORUM, 3).await;
    assert!(stage.sim.bot_messages(FORUM).iter().all(|part| part.thread.is_none()));
    stage.idle().await;
    assert_eq!(stage.app().pipeline().base.vitals.dropped.get(), 0);
    stage.end().await;
}
