//! The real program with the environment alone, with pings, and with channels that never answer.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use botapi_sim::{Options, Sim};
use check_heartbeat::channel::{Accepted, Channel, Taken};
use check_heartbeat::deliver::{Job, deliver};
use check_heartbeat::notification::{Kind, Level, Notification};

use crate::place::{Place, ran};

const TOKEN: &str = "7000000002:AAH-second_bot-for-alerts-0123456789";
const CHAT: i64 = 4711;

#[test]
fn the_environment_alone_is_enough_for_an_alert() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let options = Options { token: TOKEN.to_owned(), ..Options::default() };
    let sim = runtime.block_on(Sim::start(options)).unwrap();
    sim.user(CHAT, "Ada", None);
    sim.say(CHAT, "/start");
    let place = Place::new();
    let run = |args: &[&str]| {
        let mut command = place.command(&[&["--file", "HEARTBEAT"], args].concat());
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut again = std::process::Command::new(command.get_program());
        again.args(args.into_iter().map(|a| match a.to_str() {
            Some("HEARTBEAT") => place.heartbeat.clone().into_os_string(),
            _ => a,
        }));
        command = again;
        command.env_clear().env("TELEGRAM_ALERT_BOT_TOKEN", TOKEN);
        command.env("TELEGRAM_ALERT_CHAT_ID", CHAT.to_string());
        command.env("TELEGRAM_ALERT_API_URL", sim.api_url());
        ran(command)
    };
    place.stale();
    let down = run(&[]);
    assert_eq!(down.status, 1, "{down:?}");
    place.good();
    let up = run(&[]);
    assert_eq!((up.status, up.err.as_str()), (0, ""), "{up:?}");
    let test = run(&["--test-alert"]);
    assert_eq!((test.status, test.out.as_str()), (0, "channel telegram: accepted\n"), "{test:?}");
    let texts: Vec<String> = sim.bot_messages(CHAT).into_iter().map(|m| m.text).collect();
    let begins: Vec<&str> = texts.iter().map(|t| t.split(':').next().unwrap()).collect();
    assert_eq!(begins, ["DOWN", "RECOVERED", "TEST"], "{texts:?}");
    for ran in [down, up, test] {
        assert!(!format!("{ran:?}").contains("AAH-second"), "the token stays secret");
    }
}

/// A server that answers 200 and keeps the paths it was asked for.
fn pinged() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let paths: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = paths.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            kept.lock().unwrap().push(first.split(' ').nth(1).unwrap().to_owned());
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    (address, paths)
}

#[test]
fn good_checks_ping_and_no_others() {
    let (address, paths) = pinged();
    let place = Place::new();
    let other = place.path("other");
    place.configure(&format!(
        "ping_url = \"{address}/all\"\n\n[[watch]]\nname = \"other\"\nfile = \"{}\"\n\
         ping_url = \"{address}/other\"\n",
        other.display()
    ));
    let now = heartbeat::Now::read().time_ms;
    std::fs::write(&other, format!("{now}\n")).unwrap();
    place.good();
    assert_eq!(place.run(&[]).status, 0);
    let mut seen = std::mem::take(&mut *paths.lock().unwrap());
    seen.sort();
    assert_eq!(seen, ["/all", "/other"]);
    place.beat(heartbeat::Verdict::Degraded, 1, &[]);
    assert_eq!(place.run(&[]).status, 0);
    assert_eq!(std::mem::take(&mut *paths.lock().unwrap()), ["/other"], "a warning is not good");
    place.stale();
    assert_eq!(place.run(&[]).status, 1);
    assert_eq!(std::mem::take(&mut *paths.lock().unwrap()), ["/other"]);
    assert_eq!(place.run(&["--no-alert"]).status, 1);
    assert!(paths.lock().unwrap().is_empty());
}

#[test]
fn a_failed_ping_is_reported_and_changes_no_status() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = Place::new();
    place.configure(&format!("ping_url = \"http://{closed}/secret-path\"\n\n"));
    place.good();
    let ran = place.run(&[]);
    assert_eq!(ran.status, 0);
    assert!(ran.out.starts_with("OK: ") && ran.err.starts_with("ping_url of bot: "), "{ran:?}");
    assert!(!ran.err.contains("secret"), "{ran:?}");
}

/// Accepts at once, or never answers at all.
struct Peer {
    name: &'static str,
    hang: Option<Mutex<mpsc::Receiver<()>>>,
}

impl Channel for Peer {
    fn name(&self) -> &str {
        self.name
    }

    fn deliver(&self, _: &Notification, _: Instant) -> Accepted {
        if let Some(hang) = &self.hang {
            // Ends only when the sender is dropped.
            let _ = hang.lock().unwrap().recv();
        }
        Ok(Taken::default())
    }
}

#[test]
fn a_channel_that_never_answers_blocks_no_one() {
    let (hold, hang) = mpsc::channel();
    let notification = Notification {
        incident: "x".to_owned(),
        number: 1,
        kind: Kind::Down,
        level: Level::Critical,
        watch: "bot".to_owned(),
        finding: None,
        host: "h".to_owned(),
        environment: None,
        summary: String::new(),
        details: Vec::new(),
        causes: Vec::new(),
        started_ms: 0,
        ended_ms: None,
        duration_s: None,
        at_ms: 0,
        only: Vec::new(),
    };
    let job = |peer: Peer| -> Job { (Box::new(peer), vec![notification.clone()]) };
    let jobs = vec![
        job(Peer { name: "stuck", hang: Some(Mutex::new(hang)) }),
        job(Peer { name: "well", hang: None }),
    ];
    let begun = Instant::now();
    let deadline = begun + Duration::from_millis(200);
    let mut marked = Vec::new();
    let outcomes = deliver(jobs, deadline, &mut |outcome| {
        marked.push((outcome.channel.clone(), outcome.result.is_ok()));
        true
    });
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(marked, [("well".to_owned(), true)], "what never came is not marked");
    let stuck = outcomes.iter().find(|o| o.channel == "stuck").unwrap();
    assert!(stuck.result.as_ref().unwrap_err().message.contains("no answer"), "{stuck:?}");
    drop(hold);
}
