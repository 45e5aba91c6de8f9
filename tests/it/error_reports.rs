//! Error reports arrive at a server that reads real envelopes, without what must not leave, and never delay anything.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{SOON, Stage, eventually};
use crate::parrot::{CommandRequest, Parrot, Said};
use crate::process::Daemon;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// The server of a project; it keeps what it was sent.
struct Receiver {
    server: Parrot,
    got: Arc<Mutex<Vec<CommandRequest>>>,
}

impl Receiver {
    /// A server that answers so.
    async fn answering(said: Said) -> Self {
        let (server, got) = (Parrot::before("http://127.0.0.1:9").await, Arc::default());
        let kept: Arc<Mutex<Vec<CommandRequest>>> = Arc::clone(&got);
        server.says(move |request| {
            kept.lock().expect("no panic").push(request.clone());
            Some(said.clone())
        });
        Self { server, got }
    }

    async fn new() -> Self {
        Self::answering(Said::Answer(200, "application/json", "{\"id\":\"1\"}".to_owned())).await
    }

    fn dsn(&self) -> String {
        format!("{}/42", self.server.url().replace("http://", &format!("http://{KEY}@")))
    }

    fn count(&self) -> usize {
        self.got.lock().expect("no panic").len()
    }

    /// The events, read as the protocol wants it.
    fn events(&self) -> Vec<Value> {
        self.got.lock().expect("no panic").iter().map(event).collect()
    }
}

/// The event of an envelope.
fn event(request: &CommandRequest) -> Value {
    assert_eq!(request.path, "/api/42/envelope/");
    let head = request.head.to_lowercase();
    assert!(request.head.starts_with("POST "), "{head}");
    assert!(head.contains("content-type: application/x-sentry-envelope"), "{head}");
    let auth = format!(
        "x-sentry-auth: sentry sentry_version=7, sentry_client=katana-bot/{}, sentry_key={KEY}",
        env!("CARGO_PKG_VERSION")
    );
    assert!(head.contains(&auth), "{head}");
    let mut lines = request.body.splitn(3, '\n');
    let mut json =
        || -> Value { serde_json::from_str(lines.next().expect("a line")).expect("JSON") };
    let (header, item) = (json(), json());
    let length = item["length"].as_u64().expect("a length") as usize;
    assert_eq!(item["type"], "event");
    let rest = lines.next().expect("the item");
    assert_eq!(&rest[length..], "\n", "nothing follows the item");
    let event: Value = serde_json::from_str(&rest[..length]).expect("an event");
    let id = event["event_id"].as_str().expect("an id");
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_eq!(header["event_id"], event["event_id"]);
    event
}

/// A bot whose errors are reported there.
async fn stage(receiver: &Receiver) -> Stage {
    let mut stage = Stage::new().await;
    stage.set("SENTRY_DSN", &receiver.dsn()).set("ENVIRONMENT", "staging");
    stage.set("KATANA_WATCH_PATIENCE", "0").set("KATANA_WATCH_EVERY_S", "1");
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_findings_arrive_once_and_hold_nothing_of_people() {
    let receiver = Receiver::new().await;
    let stage = stage(&receiver).await;
    let mut bot = Daemon::start(&stage);
    bot.says("ready: Telegram").await;
    stage.sim.say(4711, "a very private text");
    assert!(stage.sim.wait_until(SOON, |sim| sim.bot_message_count() == 1).await);
    // A busy machine may be a finding.
    let of_machine = |event: &Value| !event["tags"]["finding"].is_null();
    assert!(receiver.events().iter().all(of_machine), "{:?}", receiver.events());
    stage.sim.revoke_token();
    let finding = || receiver.events().iter().any(|e| e["tags"]["finding"] == "token_refused");
    assert!(eventually(|| receiver.count() >= 2 && finding()).await, "{}", bot.log());
    bot.signal("TERM");
    assert!(bot.ended().await.success());
    let events = receiver.events();
    let is_it = |event: &&Value| {
        let words = event["logentry"]["formatted"].as_str().unwrap_or_default();
        words.contains("refuses the token") && event["tags"]["finding"].is_null()
    };
    let refused: Vec<&Value> = events.iter().filter(is_it).collect();
    assert_eq!(refused.len(), 1, "{events:?}");
    let refused = refused[0];
    assert_eq!(refused["level"], "error");
    assert_eq!(refused["release"], format!("katana-bot@{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(refused["environment"], "staging");
    assert_eq!(refused["exception"]["values"][0]["type"], "unauthorized");
    assert!(refused["timestamp"].as_f64().is_some_and(|at| at > 1.7e9));
    for event in &events {
        let text = event.to_string();
        let (id, secret) = stage.sim.token().split_once(':').expect("a token");
        assert!(!text.contains(secret) && !text.contains(&format!("{id}:")), "{text}");
        assert!(!text.contains("private") && !text.contains("4711"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_start_failed_is_reported_before_the_end() {
    let receiver = Receiver::new().await;
    let mut stage = stage(&receiver).await;
    stage.set("KATANA_STORE_PATH", "/proc/none/katana.db");
    let mut bot = Daemon::start(&stage);
    assert_eq!(bot.ended().await.code(), Some(69), "{}", bot.log());
    let events = receiver.events();
    assert_eq!(events.len(), 1, "{events:?}");
    let cause = events[0]["exception"]["values"][0]["value"].as_str().expect("a text");
    assert!(cause.contains("cannot open the state file") && cause.contains(": "), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_or_refuses_delays_nothing() {
    let refusing = Said::Answer(429, "application/json", "{}".to_owned());
    for (said, words) in [(Said::Silence, ""), (refusing, "the server answers with 429")] {
        let receiver = Receiver::answering(said).await;
        let stage = stage(&receiver).await;
        let mut bot = Daemon::start(&stage);
        bot.says("ready: Telegram").await;
        stage.sim.set_webhook_url("https://example.org/hook");
        assert!(eventually(|| receiver.count() >= 1).await, "{}", bot.log());
        stage.sim.set_webhook_url("");
        stage.sim.say(5, "hello");
        assert!(stage.sim.wait_until(SOON, |sim| sim.bot_message_count() == 1).await);
        bot.says(words).await;
        assert_eq!(receiver.count(), 1, "one at a time, and none during the pause");
        let begun = Instant::now();
        bot.signal("TERM");
        assert!(bot.ended().await.success(), "{}", bot.log());
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_is_a_warning_and_the_bot_works() {
    let mut stage = Stage::new().await;
    stage.set("SENTRY_DSN", "your-sentry-dsn-here");
    let bot = Daemon::start(&stage);
    bot.says("ready: Telegram").await;
    assert!(bot.log().contains("is not a DSN"), "{}", bot.log());
    assert!(!bot.log().contains("your-sentry-dsn-here"), "{}", bot.log());
}
