//! Chats that do not take replies: that is their own matter, reported to their people, and raises no alarm.

use katana::observe::finding::Kind;

use crate::harness::{Stage, eventually};
use crate::parrot::{Parrot, refusal};
use crate::process::Daemon;
use crate::show::Show;

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

#[tokio::test(flavor = "multi_thread")]
async fn log_and_metrics_agree_on_what_was_refused() {
    let mut stage = Stage::new().await;
    let parrot = Parrot::before(&stage.sim.api_url()).await;
    stage.set("KATANA_TELEGRAM_API_URL", &parrot.url());
    parrot.says(|asked| {
        if !asked.path.ends_with("/sendMessage") {
            return None;
        }
        match () {
            () if asked.body.contains("lost") => {
                Some(refusal(400, "Bad Request: not to our taste"))
            }
            () if asked.body.contains("gone") => {
                Some(refusal(403, "Forbidden: bot was blocked by the user"))
            }
            () => None,
        }
    });
    let daemon = Daemon::start(&stage);
    let show = Show::of_daemon(&stage, &daemon).await;
    daemon.says("ready").await;
    // One after the other, so that none is dropped together with the one before.
    for (n, (user, text)) in
        [(5, "lost"), (5, "lost"), (6, "gone"), (6, "gone"), (7, "gone")].into_iter().enumerate()
    {
        stage.sim.say(user, text);
        assert!(
            eventually(|| daemon.log().matches("are dropped").count()
                + daemon.log().matches("is dropped").count()
                > n)
            .await
        );
    }
    let (_, scrape) = show.get("/metrics", "").await.expect("a scrape");
    for series in [
        "katana_finding_events_total{finding=\"delivery_refused\"} 2",
        "katana_parts_refused_total{class=\"bad_request\"} 2",
        "katana_parts_refused_total{class=\"forbidden\"} 3",
        "katana_parts_refused_by_chat_total{reason=\"gone\"} 3",
        "katana_chats_shut_out_total 2",
        "katana_parts_total{outcome=\"dropped\"} 5",
    ] {
        assert!(scrape.lines().any(|line| line == series), "{series} is not in\n{scrape}");
    }
    let log = daemon.log();
    assert_eq!(log.matches("a reply cannot be delivered and is dropped").count(), 2, "{log}");
    assert_eq!(log.matches("a chat does not take replies; they are dropped").count(), 3, "{log}");
    let lines = log.lines().filter(|line| line.contains("finding=\"delivery_refused\""));
    let as_bad = lines.filter(|line| line.contains(" WARN ")).count();
    assert!(
        as_bad >= 2 && !log.contains("ERROR"),
        "as bad as the finding, which is degraded: {log}"
    );
}
