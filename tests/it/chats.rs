//! Chats: one worker each, in order, and none that waits for another.

use std::time::{Duration, Instant};

use botapi_sim::{ModelFault, Sim};

use crate::harness::{SOON, Stage};

/// What the model was asked, in order.
fn asked(sim: &Sim) -> Vec<String> {
    sim.model().requests().iter().map(botapi_sim::ModelRequest::last_user_text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_per_chat() {
    let stage = Stage::with_model(&[]).await;
    let first = Duration::from_millis(150);
    stage.sim.model().set_pace(first, Duration::ZERO);
    let begun = Instant::now();
    for i in 0..4 {
        for chat in 5..8 {
            stage.sim.say(chat, &format!("{chat}/{i}"));
        }
    }
    // All chats are asked about at once, but the second question of each only after the first.
    assert!(stage.sim.model().wait_calls(3, SOON).await);
    let mut chats: Vec<_> = asked(&stage.sim).iter().map(|t| t[..1].to_owned()).collect();
    chats.sort();
    assert_eq!(chats, ["5", "6", "7"]);
    for chat in 5..8 {
        let expected: Vec<_> = (0..4).map(|i| format!("echo: {chat}/{i}")).collect();
        assert_eq!(stage.texts(chat, 4).await, expected);
    }
    let took = begun.elapsed();
    assert!(took >= first * 4, "four questions of a chat took {took:?}");
    assert!(took < first * 10, "the chats waited for each other: {took:?}");
    // Each question was asked when the answer before it was known.
    for request in stage.sim.model().requests() {
        let text = request.last_user_text();
        let before: usize = text[2..].parse().expect("a number");
        let turns = request.messages.iter().filter(|m| m["role"] == "assistant").count();
        assert_eq!(turns, before, "{text}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_chat_never_delays_another() {
    let stage = Stage::with_model(&[]).await;
    stage.sim.model().fault_next(ModelFault::Hang);
    stage.sim.say(5, "this hangs");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    for chat in 100..150 {
        stage.sim.say(chat, "quick");
    }
    let all = stage.sim.wait_until(SOON, |sim| sim.bot_message_count() >= 50).await;
    assert!(all, "{} of 50", stage.sim.bot_message_count());
    assert!(stage.sim.bot_messages(5).is_empty());
    assert_eq!(stage.ask(5, "/cancel").await, "Stopped.");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_answered_while_every_place_for_answers_is_taken() {
    let stage = Stage::with_model(&[("KATANA_PIPELINE_ANSWERS_AT_ONCE", "2")]).await;
    for chat in 5..7 {
        stage.sim.model().fault_next(ModelFault::Hang);
        stage.sim.say(chat, "this hangs");
    }
    assert!(stage.sim.model().wait_calls(2, SOON).await);
    stage.sim.say(7, "waits for a place");
    assert!(stage.ask(8, "/help").await.starts_with("Ask me anything"));
    assert_eq!(stage.ask(5, "/cancel").await, "Stopped.");
    assert_eq!(stage.texts(7, 1).await, ["echo: waits for a place"]);
    assert_eq!(stage.ask(6, "/cancel").await, "Stopped.");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_in_one_chat_keeps_its_order() {
    let mut stage = Stage::new().await;
    stage.openai().unlimited();
    stage.sim.model().set_pace(Duration::from_millis(3), Duration::ZERO);
    stage.sim.flood(150, 1, "{n}");
    stage.start().await;
    stage.texts(1001, 10).await;
    for n in 151..=250 {
        stage.sim.say(1001, &n.to_string());
    }
    let expected: Vec<_> = (1..=250).map(|n| format!("echo: {n}")).collect();
    assert_eq!(stage.texts(1001, 250).await, expected);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_reaches_the_running_answer_and_the_queue_behind_it_at_once() {
    let stage = Stage::with_model(&[]).await;
    stage.sim.model().fault_next(ModelFault::StallAfter(1));
    stage.sim.say(5, "one");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    for text in ["two", "three", "/cancel"] {
        stage.sim.say(5, text);
    }
    let texts = stage.texts(5, 1).await;
    assert_eq!(texts, ["Stopped: 3 questions will not be answered."]);
    assert_eq!(stage.ask(5, "four").await, "echo: four", "the chat goes on");
    stage.idle().await;
    assert_eq!(asked(&stage.sim), ["one", "four"]);
    assert_eq!(stage.sim.bot_messages(5).len(), 2);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_reaches_questions_that_wait_on_disk() {
    let stage = Stage::with_model(&[]).await;
    stage.sim.model().fault_next(ModelFault::Hang);
    stage.sim.flood(101, 1, "{n}");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    stage.sim.say(1001, "/cancel");
    let texts = stage.texts(1001, 1).await;
    assert_eq!(texts, ["Stopped: 101 questions will not be answered."]);
    assert_eq!(stage.ask(1001, "after").await, "echo: after");
    assert_eq!(asked(&stage.sim), ["1", "after"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_twice_counts_each_question_once() {
    let stage = Stage::with_model(&[]).await;
    stage.sim.model().fault_next(ModelFault::Hang);
    stage.sim.say(5, "one");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    for text in ["two", "/cancel", "/cancel"] {
        stage.sim.say(5, text);
    }
    let texts = stage.texts(5, 2).await;
    assert_eq!(texts[0], "Stopped: 2 questions will not be answered.");
    assert_eq!(texts[1], "There is nothing to stop: I am not writing an answer here.");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_everybody_cancels_only_their_own() {
    let stage = Stage::with_model(&[("KATANA_BOT_ALLOW_CHATS", "-700")]).await;
    stage.sim.model().fault_next(ModelFault::Hang);
    stage.sim.say_in(-700, 5, "@katana_sim_bot one");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    stage.sim.say_in(-700, 6, "@katana_sim_bot two");
    stage.sim.say_in(-700, 6, "/cancel@katana_sim_bot");
    stage.sim.say_in(-700, 7, "@katana_sim_bot three");
    stage.sim.say_in(-700, 5, "/cancel@katana_sim_bot");
    let texts = stage.texts(-700, 3).await;
    assert_eq!(texts, ["Stopped.", "echo: <said by=\"User 7\">\nthree\n</said>", "Stopped."]);
    stage.idle().await;
    assert_eq!(asked(&stage.sim).len(), 2, "the question of User 6 is not asked");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_reaches_paused_questions() {
    let stage = Stage::running(&[]).await;
    stage.ask(crate::harness::OWNER, "/pause").await;
    stage.sim.say(5, "one");
    stage.sim.say(5, "two");
    assert_eq!(stage.ask(5, "/cancel").await, "Stopped: 2 questions will not be answered.");
    stage.sim.say(5, "three");
    stage.ask(crate::harness::OWNER, "/resume").await;
    assert_eq!(stage.texts(5, 2).await[1], "echo: three");
    stage.end().await;
}
