//! Troubles between the bot and Telegram.

use std::time::Duration;

use botapi_sim::{Class, Fault, Faults};
use katana::app::reload::Reloaded;
use katana::observe::finding::Kind;
use serde_json::json;

use super::{Scenario, a_while, begin, ends_well, watched};
use crate::harness::{SOON, Stage};
use crate::parrot::{Parrot, refusal};
use crate::show::{Show, checker, scaled};
use crate::wire::{Line, Wire};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        (&[Kind::PollStalled, Kind::PollFailing], "black hole", Box::pin(black_hole())),
        (&[Kind::PollStalled, Kind::PollFailing], "full backlog", Box::pin(full_backlog())),
        (&[Kind::PollStalled], "half-open", Box::pin(half_open())),
        (&[Kind::PollFailing], "refused", Box::pin(refused())),
        (&[Kind::Conflict], "another poller", Box::pin(another_poller())),
        (&[Kind::Conflict], "webhook", Box::pin(webhook())),
        (&[Kind::TokenRefused], "revoked token", Box::pin(revoked_token())),
        (&[Kind::TokenRefused], "unknown token", Box::pin(unknown_token())),
        (&[Kind::OutboxOld], "429 on sends", Box::pin(storm_on_sends())),
        (&[Kind::PollFailing], "429 on polls", Box::pin(storm_on_polls())),
        (&[Kind::PollFailing], "errors on polls", Box::pin(errors_on_polls())),
        (&[Kind::DeliveryRefused], "delivery refused", Box::pin(delivery_refused())),
        (&[Kind::ResponseSlow], "slow responses", Box::pin(response_slow())),
    ]
}

/// A green bot that reaches Telegram over a line which can fail.
async fn wired(changes: &[(&str, &str)]) -> (Stage, Show, Wire) {
    let mut stage = Stage::new().await;
    let wire = Wire::to(&stage.sim.api_url()).await;
    scaled(&mut stage, changes);
    stage.set("KATANA_TELEGRAM_API_URL", &wire.url());
    let show = begin(&mut stage).await;
    assert_eq!(stage.ask(5, "before").await, "echo: before");
    (stage, show, wire)
}

const BOTH: [&str; 2] = ["echo: before", "echo: meanwhile"];

async fn black_hole() {
    let (stage, show, wire) = wired(&[]).await;
    wire.fail(Line::Swallows).await;
    stage.sim.say(5, "meanwhile");
    show.shows(Kind::PollStalled).await;
    show.shows(Kind::PollFailing).await;
    let (code, said) = checker(show.heartbeat(), &[]).await;
    assert!(code == Some(1) && said.contains("poll_stalled: no poll"), "{code:?} {said}");
    let (code, said) = checker(show.heartbeat(), &["--nagios"]).await;
    assert!(code == Some(2) && said.contains("CRITICAL"), "{code:?} {said}");
    wire.set(Line::Open).await;
    ends_well(stage, &show, 5, &BOTH).await;
}

async fn full_backlog() {
    let (stage, show, wire) = wired(&[]).await;
    wire.fail(Line::Deaf).await;
    stage.sim.say(5, "meanwhile");
    show.shows(Kind::PollStalled).await;
    show.shows(Kind::PollFailing).await;
    wire.set(Line::Open).await;
    ends_well(stage, &show, 5, &BOTH).await;
}

/// At the real times a half-open connection is given up after 60 s, before anybody calls the bot
/// deaf (75 s). Here both come at the same time, and the next connection takes a while, so that the
/// finding can be seen at all.
async fn half_open() {
    let stalled = ("KATANA_WATCH_POLL_STALLED_S", "3");
    let (stage, show, wire) = wired(&[stalled]).await;
    stage.idle().await;
    assert!(stage.sim.wait_until(SOON, botapi_sim::Sim::polling).await);
    wire.fail(Line::Slow(Duration::from_millis(2500))).await;
    stage.sim.say(5, "meanwhile");
    show.shows(Kind::PollStalled).await;
    wire.set(Line::Open).await;
    ends_well(stage, &show, 5, &BOTH).await;
}

async fn refused() {
    let (stage, show, wire) = wired(&[("KATANA_WATCH_POLL_STALLED_S", "600")]).await;
    wire.fail(Line::Closed).await;
    stage.sim.say(5, "meanwhile");
    show.shows_only(Kind::PollFailing).await;
    wire.set(Line::Open).await;
    ends_well(stage, &show, 5, &BOTH).await;
}

async fn another_poller() {
    // Telegram paces conflicts to 3 s: an answer that waits for that must be in time.
    let patient = ("KATANA_TELEGRAM_POLL_DEADLINE_S", "10");
    let (stage, show) = watched(&[patient, ("KATANA_WATCH_POLL_STALLED_S", "600")]).await;
    let url = format!("{}/bot{}/getUpdates", stage.sim.api_url(), stage.sim.token());
    let other = tokio::spawn(async move {
        let http = reqwest::Client::new();
        loop {
            let body = json!({"timeout": 50}).to_string();
            let poll = http.post(&url).header("content-type", "application/json").body(body);
            let _ = poll.send().await;
        }
    });
    show.shows_only(Kind::Conflict).await;
    stage.sim.say(5, "meanwhile");
    other.abort();
    let _ = other.await;
    ends_well(stage, &show, 5, &["echo: meanwhile"]).await;
}

async fn webhook() {
    let (stage, show) = watched(&[("KATANA_WATCH_POLL_STALLED_S", "600")]).await;
    stage.sim.set_webhook_url("https://example.org/hook");
    show.shows_only(Kind::Conflict).await;
    stage.sim.say(5, "meanwhile");
    stage.sim.set_webhook_url("");
    ends_well(stage, &show, 5, &["echo: meanwhile"]).await;
}

async fn revoked_token() {
    let (mut stage, show) = watched(&[]).await;
    let new = stage.sim.reissue_token();
    show.shows(Kind::TokenRefused).await;
    stage.sim.say(5, "meanwhile");
    stage.set("KATANA_TELEGRAM_TOKEN", &new);
    let reloaded = stage.app().reload(&stage.sources()).await;
    assert!(matches!(reloaded, Reloaded::Applied { .. }), "{reloaded:?}");
    ends_well(stage, &show, 5, &["echo: meanwhile"]).await;
}

/// A token that never was one is answered with 404.
async fn unknown_token() {
    let mut stage = Stage::new().await;
    let parrot = Parrot::before(&stage.sim.api_url()).await;
    scaled(&mut stage, &[]);
    stage.set("KATANA_TELEGRAM_API_URL", &parrot.url());
    let show = begin(&mut stage).await;
    parrot.says(|_| Some(refusal(404, "Not Found")));
    show.shows(Kind::TokenRefused).await;
    stage.sim.say(5, "meanwhile");
    parrot.steps_aside();
    // It is tried again each minute; a fresh intake does not wait for that.
    stage.app().report_hub().ask_restart();
    ends_well(stage, &show, 5, &["echo: meanwhile"]).await;
}

async fn storm_on_sends() {
    let (stage, show) = watched(&[("KATANA_WATCH_OUTBOX_AGE_S", "2")]).await;
    let storm = Faults::none().on(Class::Sends, Fault::TooManyRequests(1), 1.0);
    stage.sim.set_faults(storm);
    for i in 0..20 {
        stage.sim.say(5 + i % 4, &format!("{i}"));
    }
    show.shows_only(Kind::OutboxOld).await;
    a_while().await;
    assert_eq!(stage.sim.bot_message_count(), 0);
    stage.sim.set_faults(Faults::none());
    for chat in 6..9 {
        let expected: Vec<_> = (0..5).map(|i| format!("echo: {}", 4 * i + chat - 5)).collect();
        assert_eq!(stage.texts(chat, 5).await, expected);
    }
    let expected = ["echo: 0", "echo: 4", "echo: 8", "echo: 12", "echo: 16"];
    let sim = stage.sim.clone();
    ends_well(stage, &show, 5, &expected).await;
    assert_eq!(sim.bot_message_count(), 20);
}

async fn storm_on_polls() {
    let (stage, show) = watched(&[("KATANA_WATCH_POLL_STALLED_S", "600")]).await;
    stage.sim.set_faults(Faults::none().on(Class::Polls, Fault::TooManyRequests(1), 1.0));
    stage.sim.say(5, "meanwhile");
    show.shows_only(Kind::PollFailing).await;
    stage.sim.set_faults(Faults::none());
    ends_well(stage, &show, 5, &["echo: meanwhile"]).await;
}

async fn errors_on_polls() {
    for fault in [Fault::ServerError, Fault::BadGateway, Fault::AnswerCut] {
        let (stage, show) = watched(&[("KATANA_WATCH_POLL_STALLED_S", "600")]).await;
        stage.sim.set_faults(Faults::none().on(Class::Polls, fault, 1.0));
        stage.sim.say(5, "meanwhile");
        show.shows_only(Kind::PollFailing).await;
        stage.sim.set_faults(Faults::none());
        ends_well(stage, &show, 5, &["echo: meanwhile"]).await;
    }
}

async fn delivery_refused() {
    let mut stage = Stage::new().await;
    let parrot = Parrot::before(&stage.sim.api_url()).await;
    // Long enough to ask the checker twice.
    scaled(&mut stage, &[("KATANA_WATCH_EVENT_S", "10")]);
    stage.set("KATANA_TELEGRAM_API_URL", &parrot.url());
    let show = begin(&mut stage).await;
    parrot.says(|asked| {
        let sent = asked.path.ends_with("/sendMessage") && asked.body.contains("lost");
        sent.then(|| refusal(400, "Bad Request: this text is not to our taste"))
    });
    stage.sim.say(5, "lost");
    show.shows_only(Kind::DeliveryRefused).await;
    let (code, said) = checker(show.heartbeat(), &[]).await;
    assert!(code == Some(0) && said.contains("delivery_refused"), "{code:?} {said}");
    let (code, said) = checker(show.heartbeat(), &["--warn-exit"]).await;
    assert_eq!(code, Some(1), "{said}");
    stage.sim.say(5, "meanwhile");
    ends_well(stage, &show, 5, &["echo: meanwhile"]).await;
}

async fn response_slow() {
    let (stage, show) = watched(&[("KATANA_WATCH_RESPONSE_S", "0.6")]).await;
    let late = Duration::from_millis(900)..Duration::from_millis(901);
    stage.sim.set_faults(Faults::none().on(Class::Sends, Fault::DelayBefore(late), 1.0));
    for user in 5..10 {
        stage.sim.say(user, "/help");
    }
    show.shows_only(Kind::ResponseSlow).await;
    stage.sim.set_faults(Faults::none());
    stage.idle().await;
    // Averages of five minutes forget slowly; quick replies make up for the slow ones.
    for _ in 0..40 {
        stage.ask(6, "/help").await;
    }
    show.green().await;
    for user in [5, 7, 8, 9] {
        assert_eq!(stage.sim.bot_messages(user).len(), 1);
    }
    assert_eq!(stage.sim.bot_messages(6).len(), 41);
    stage.end().await;
}
