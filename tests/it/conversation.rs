//! Questions, answers, order, and a restart in between.

use crate::harness::{SOON, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered() {
    let mut stage = Stage::new().await;
    stage.start().await;
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_leave_in_order() {
    let mut stage = Stage::new().await;
    stage.start().await;
    for i in 0..200 {
        stage.sim.say(5 + i % 4, &format!("{i}"));
    }
    for chat in 5..9 {
        let texts = stage.texts(chat, 50).await;
        let expected: Vec<_> =
            (0..200).filter(|i| 5 + i % 4 == chat).map(|i| format!("echo: {i}")).collect();
        assert_eq!(texts, expected);
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_the_bot_was_down_is_answered_once() {
    let mut stage = Stage::new().await;
    stage.start().await;
    assert_eq!(stage.ask(5, "one").await, "echo: one");
    stage.stop().await;
    stage.sim.say(5, "two");
    stage.start().await;
    assert_eq!(stage.texts(5, 2).await, ["echo: one", "echo: two"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_answered_whole() {
    let mut stage = Stage::new().await;
    stage.sim.flood(2000, 50, "flood");
    stage.start().await;
    let all = stage.sim.wait_until(SOON, |sim| sim.bot_message_count() >= 2000).await;
    assert!(all, "{} of 2000", stage.sim.bot_message_count());
    stage.end().await;
}
