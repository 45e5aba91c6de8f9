//! Chats that do not take replies: that is their own matter, reported to their people, and raises no alarm.

use katana::observe::finding::Kind;

use crate::harness::Stage;

const FORUM: i64 = -1_000_000_000_800;

/// A bot in a forum, with a topic, and a person who has talked to it in private.
async fn forum() -> (Stage, i64) {
    let stage = Stage::running(&[("KATANA_BOT_ALLOW_CHATS", &FORUM.to_string())]).await;
    let topic = stage.sim.topic(FORUM);
    stage.ask(5, "hello").await;
    (stage, topic)
}

/// Nothing of it is a finding or a failure, and all of it is counted.
fn raises_no_alarm(stage: &Stage, reason: &str, count: u64) {
    let vitals = &stage.app().pipeline().base.vitals;
    let kinds: Vec<Kind> = vitals.events().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, []);
    assert_eq!(stage.counter("chat_refused", reason), count);
    assert_eq!(vitals.dropped.get(), vitals.of_chats.get());
    assert_eq!(vitals.sending.read().failures, 0, "sending works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_topic_is_reported_outside_of_it_and_raises_no_alarm() {
    let (stage, topic) = forum().await;
    let sim = &stage.sim;
    sim.close_topic(FORUM, topic);
    for question in ["one", "two"] {
        sim.say_in_topic(FORUM, topic, 5, &format!("@katana_sim_bot {question}"));
    }
    let texts = stage.texts(FORUM, 1).await;
    assert!(texts[0].starts_with("I could not answer in a topic of this group"), "{texts:?}");
    assert_eq!(sim.bot_messages(FORUM)[0].thread, None);
    stage.idle().await;
    assert_eq!(sim.bot_messages(FORUM).len(), 1, "once an hour");
    raises_no_alarm(&stage, "topic_closed", 2);
    // Closed everywhere: the person who asked hears of it.
    let other = sim.topic(FORUM);
    sim.close_topic(FORUM, 0);
    sim.say_in(FORUM, 5, "@katana_sim_bot three");
    let texts = stage.texts(5, 2).await;
    assert_eq!(texts[1], "I could not answer you in a group, because its topics are closed.");
    // Other topics go on.
    sim.say_in_topic(FORUM, other, 5, "@katana_sim_bot four");
    assert_eq!(stage.texts(FORUM, 2).await[1], "echo: four");
    raises_no_alarm(&stage, "topic_closed", 3);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_where_the_bot_may_not_write_hears_of_it_in_private() {
    for words in [
        "CHAT_WRITE_FORBIDDEN",
        "not enough rights to send text messages to the chat",
        "have no rights to send a message",
        "CHAT_RESTRICTED",
    ] {
        let (stage, _) = forum().await;
        let sim = &stage.sim;
        sim.refuse_messages(FORUM, Some(words));
        sim.say_in(FORUM, 5, "@katana_sim_bot one");
        let texts = stage.texts(5, 2).await;
        assert!(texts[1].contains("because I may not write there"), "{texts:?}");
        // Someone who never talked to the bot cannot be reached; that raises no alarm either.
        sim.say_in(FORUM, 6, "@katana_sim_bot two");
        stage.idle().await;
        raises_no_alarm(&stage, "no_right", 2);
        sim.refuse_messages(FORUM, None);
        sim.say_in(FORUM, 5, "@katana_sim_bot three");
        assert_eq!(stage.texts(FORUM, 1).await, ["echo: three"]);
        stage.end().await;
    }
}
