//! Messages that are changed afterwards: fresh questions are answered again, commands are not run.

use std::time::Duration;

use botapi_sim::ChatKind;

use crate::harness::{OWNER, SOON, Stage};

const GROUP: i64 = -700;

#[tokio::test(flavor = "multi_thread")]
async fn a_question_edited_after_its_answer_is_answered_again_below_it() {
    let mut stage = Stage::running(&[]).await;
    let sim = &stage.sim;
    let asked = sim.say(5, "plum?");
    stage.texts(5, 1).await;
    sim.edit(5, asked.message_id, "plums?");
    assert_eq!(stage.texts(5, 2).await[1], "echo: plums?");
    let [first, second] = &sim.bot_messages(5)[..] else { panic!("two answers") };
    assert_eq!((first.reply_to, second.reply_to), (None, Some(asked.message_id)));
    // Nothing was changed: the same again, and what Telegram adds by itself.
    sim.edit(5, asked.message_id, "plums?");
    stage.idle().await;
    assert_eq!(stage.counter("ignored", "edited_without_change"), 1);
    // Not only as long as the process remembers.
    assert!(stage.stop().await);
    stage.start().await;
    stage.sim.edit(5, asked.message_id, "plums?");
    stage.idle().await;
    assert_eq!(stage.counter("ignored", "edited_without_change"), 1);
    stage.sim.edit(5, asked.message_id, "plums or pears?");
    assert_eq!(stage.texts(5, 3).await[2], "echo: plums or pears?");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_after_ten_minutes_gets_a_hint() {
    let mut stage = Stage::new().await;
    stage.clock = katana::observe::clock::Clock::manual(now_ms());
    stage.start().await;
    let asked = stage.sim.say(5, "plum?");
    stage.texts(5, 1).await;
    stage.clock.advance(599_000);
    stage.sim.edit(5, asked.message_id, "plums?");
    assert_eq!(stage.texts(5, 2).await[1], "echo: plums?");
    // The edit itself was made at this moment, by the clock of both.
    stage.clock.advance(601_000);
    stage.sim.advance(std::time::Duration::from_secs(1200));
    stage.sim.edit(5, asked.message_id, "pears?");
    let texts = stage.texts(5, 3).await;
    assert!(texts[2].starts_with("I answer edited questions only"), "{texts:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_question_that_is_edited_before_its_answer_only_the_new_wording_is_answered() {
    let stage = Stage::with_model(&[]).await;
    let (sim, model) = (&stage.sim, stage.sim.model());
    // One is with the model, the other waits behind it.
    model.set_pace(SOON, Duration::ZERO);
    let (first, second) = (sim.say(5, "plum?"), sim.say(5, "pear?"));
    assert!(sim.wait_until(SOON, |sim| sim.model().calls() == 1).await);
    model.set_pace(Duration::ZERO, Duration::ZERO);
    sim.edit(5, second.message_id, "pears?");
    sim.edit(5, first.message_id, "plums?");
    let texts = stage.texts(5, 2).await;
    stage.idle().await;
    assert_eq!((texts, model.calls()), (vec!["echo: pears?".into(), "echo: plums?".into()], 3));
    assert_eq!(sim.bot_messages(5).len(), 2);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_changes_no_word_leaves_a_running_answer_alone() {
    let stage = Stage::with_model(&[]).await;
    let (sim, model) = (&stage.sim, stage.sim.model());
    model.set_pace(Duration::from_secs(1), Duration::ZERO);
    let asked = sim.say(5, "plum?");
    assert!(sim.wait_until(SOON, |sim| sim.model().calls() == 1).await);
    sim.edit(5, asked.message_id, "plum?");
    assert_eq!(stage.texts(5, 1).await, ["echo: plum?"]);
    stage.idle().await;
    assert_eq!((model.calls(), stage.counter("ignored", "edited_without_change")), (1, 1));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_edit_of_a_question_without_an_answer_is_answered() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let mut stage = Stage::new().await;
    stage.start().await;
    // A pause: the question waits, and so does its edit.
    stage.sim.say(OWNER, "/pause");
    stage.texts(OWNER, 1).await;
    let asked = stage.sim.say(5, "pear?");
    stage.sim.say(5, "/help");
    stage.texts(5, 1).await;
    stage.sim.advance(minutes(12));
    stage.sim.edit(5, asked.message_id, "pears?");
    stage.sim.say(5, "/help");
    stage.texts(5, 2).await;
    stage.sim.say(OWNER, "/resume");
    assert_eq!(stage.texts(5, 3).await[2], "echo: pears?");
    stage.idle().await;
    assert_eq!(stage.sim.bot_messages(5).len(), 3);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_command_is_a_hint_and_changes_nothing() {
    let stage = Stage::running(&[]).await;
    let sim = &stage.sim;
    let said = sim.say(OWNER, "hello");
    stage.texts(OWNER, 1).await;
    sim.edit(OWNER, said.message_id, "/pause");
    let texts = stage.texts(OWNER, 2).await;
    assert_eq!(
        texts[1],
        "I do not run commands that were edited. Please send it as a new message."
    );
    assert_eq!(stage.ask(5, "still there?").await, "echo: still there?");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_a_name_that_is_edited_in_asks_and_other_edits_are_not_for_the_bot() {
    let stage = Stage::running(&[("KATANA_BOT_ALLOW_CHATS", "-700")]).await;
    let sim = &stage.sim;
    sim.group(GROUP, "Friends", ChatKind::Group);
    let said = sim.say_in(GROUP, 5, "what is a plum?");
    sim.edit(GROUP, said.message_id, "what is a pear?");
    stage.idle().await;
    assert_eq!(sim.bot_message_count(), 0);
    sim.edit(GROUP, said.message_id, "@katana_sim_bot what is a pear?");
    assert_eq!(stage.texts(GROUP, 1).await, ["echo: what is a pear?"]);
    assert_eq!(sim.bot_messages(GROUP)[0].reply_to, Some(said.message_id));
    stage.end().await;
}

fn now_ms() -> i64 {
    katana::observe::clock::Clock::system().now_ms()
}
