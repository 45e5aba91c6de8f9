//! `[limits]`: too many questions of a person or a chat get one friendly refusal a minute, and then silence.

use std::time::Duration;

use botapi_sim::ChatKind;
use katana::app::reload::Reloaded;

use crate::harness::{OWNER, SOON, Stage, eventually};

const GROUP: i64 = -700;
const MINUTE: Duration = Duration::from_secs(60);

/// Presses the button below this message of the bot.
fn press(stage: &Stage, chat: i64, user: i64, number: usize) {
    let message = stage.sim.bot_messages(chat).swap_remove(number);
    let markup = message.reply_markup.expect("a button");
    let data = markup["inline_keyboard"][0][0]["callback_data"].as_str().expect("data").to_owned();
    stage.sim.press(chat, message.message_id, user, &data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_asks_too_much_hears_it_once_a_minute() {
    let stage = Stage::with_model(&[("KATANA_LIMITS_USER_QUESTIONS_PER_MINUTE", "3")]).await;
    let (sim, model) = (&stage.sim, stage.sim.model());
    for number in 1..=7 {
        sim.say(5, &format!("question {number}"));
    }
    stage.idle().await;
    let texts = stage.texts(5, 4).await;
    assert_eq!(texts.len(), 4, "three answers and one refusal: {texts:?}");
    assert!(texts[3].contains("at most 3 of your questions a minute"), "{texts:?}");
    let wait = texts[3].split(" in ").nth(1).and_then(|rest| rest.split(' ').next());
    let wait_s: u64 = wait.and_then(|text| text.parse().ok()).expect("when to ask again");
    assert!((30..=60).contains(&wait_s), "{texts:?}");
    assert_eq!((model.calls(), stage.counter("rate_limited", "user")), (3, 4));

    // Neither others nor commands are concerned.
    assert_eq!(stage.ask(6, "plum?").await, "echo: plum?");
    assert!(stage.ask(5, "/status").await.contains("running"));

    // The button says so each time, and nothing else.
    press(&stage, 5, 5, 3);
    assert!(eventually(|| format!("{:?}", sim.callback_answers()).contains("at most 3")).await);
    stage.idle().await;
    assert_eq!((model.calls(), sim.bot_messages(5).len()), (4, 5));

    // A minute later all is as before, and the refused question was kept for its button.
    sim.advance(MINUTE);
    assert_eq!(stage.ask(5, "pear?").await, "echo: pear?");
    press(&stage, 5, 5, 3);
    assert_eq!(stage.texts(5, 7).await[6], "echo: question 4");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_hears_once_that_it_asks_too_much_and_its_owner_is_answered() {
    let stage = Stage::with_model(&[
        ("KATANA_LIMITS_CHAT_QUESTIONS_PER_MINUTE", "2"),
        ("KATANA_BOT_ALLOW_CHATS", "-700"),
    ])
    .await;
    let sim = &stage.sim;
    sim.group(GROUP, "Friends", ChatKind::Group);
    for user in 5..=9 {
        sim.say_in(GROUP, user, "@katana_sim_bot plum?");
    }
    stage.idle().await;
    let texts = stage.texts(GROUP, 3).await;
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts[2].contains("at most 2 questions a minute in this chat"), "{texts:?}");
    assert_eq!(stage.counter("rate_limited", "chat"), 3);
    // A person's own count is untouched by what the chat refused.
    assert_eq!(stage.ask(9, "pear?").await, "echo: pear?");
    sim.say_in(GROUP, OWNER, "@katana_sim_bot fig?");
    assert!(stage.texts(GROUP, 4).await[3].contains("fig?"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_so_many_answers_at_a_time() {
    let stage = Stage::with_model(&[
        ("KATANA_LIMITS_USER_PARALLEL_ANSWERS", "1"),
        ("KATANA_BOT_ALLOW_CHATS", "-700"),
    ])
    .await;
    let (sim, model) = (&stage.sim, stage.sim.model());
    sim.group(GROUP, "Friends", ChatKind::Group);
    model.set_pace(Duration::from_secs(2), Duration::ZERO);
    sim.say(5, "slow?");
    assert!(sim.wait_until(SOON, |sim| sim.model().calls() == 1).await);
    sim.say_in(GROUP, 5, "@katana_sim_bot plum?");
    sim.say_in(GROUP, 5, "@katana_sim_bot pear?");
    let refused = stage.texts(GROUP, 1).await;
    assert!(refused[0].contains("still writing an answer to you in another chat"), "{refused:?}");
    assert!(eventually(|| stage.counter("rate_limited", "user_parallel") == 2).await);
    model.set_pace(Duration::ZERO, Duration::ZERO);
    assert_eq!(stage.texts(5, 1).await, ["echo: slow?"]);
    stage.idle().await;
    assert_eq!(sim.bot_messages(GROUP).len(), 1, "silence after the first refusal");
    press(&stage, GROUP, 5, 0);
    assert!(stage.texts(GROUP, 2).await[1].contains("plum?"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_count_and_questions_that_waited_on_disk_do_not_count_as_one_flood() {
    let stage = Stage::with_model(&[("KATANA_LIMITS_USER_QUESTIONS_PER_MINUTE", "2")]).await;
    let sim = &stage.sim;
    let asked = sim.say(5, "plum?");
    stage.texts(5, 1).await;
    sim.edit(5, asked.message_id, "plums?");
    stage.texts(5, 2).await;
    sim.edit(5, asked.message_id, "pears?");
    assert!(stage.texts(5, 3).await[2].contains("at most 2"));

    stage.ask(OWNER, "/pause").await;
    for number in 1..=3 {
        for part in ["a", "b"] {
            sim.say(6, &format!("question {number}{part}"));
        }
        sim.advance(MINUTE);
    }
    stage.ask(OWNER, "/resume").await;
    let texts = stage.texts(6, 6).await;
    assert!(texts.iter().all(|text| text.starts_with("echo: question")), "{texts:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_no_model_is_limited_only_when_configured_and_a_reload_changes_that() {
    let mut stage = Stage::running(&[]).await;
    for number in 0..100 {
        stage.sim.say(5, &format!("question {number}"));
    }
    assert_eq!(stage.texts(5, 100).await.len(), 100);
    stage.idle().await;
    stage.set("KATANA_LIMITS_USER_QUESTIONS_PER_MINUTE", "2");
    let reloaded = stage.app().reload(&stage.sources()).await;
    let Reloaded::Applied { changed, needs_restart } = reloaded else { panic!("{reloaded:?}") };
    assert_eq!((changed.len(), needs_restart.len()), (1, 0), "{changed:?}");
    for _ in 0..4 {
        stage.sim.say(7, "plum?");
    }
    let texts = stage.texts(7, 3).await;
    stage.idle().await;
    assert!(texts[2].contains("at most 2"), "{texts:?}");
    assert_eq!((stage.sim.bot_messages(7).len(), stage.counter("rate_limited", "user")), (3, 2));
    stage.end().await;
}
