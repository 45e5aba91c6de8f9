//! Servers that answer everything and are of no use: deaf with every call green, or without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use katana::observe::finding::Kind;
use katana::pipeline::Polling;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{SOON, Stage};

/// What the server does with `getUpdates`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Nothing to any offset but none, although seven updates wait.
    Forgetful,
    /// An answer that does not end.
    Endless,
    /// More updates than asked for, in no order, some twice, and some with ids that cannot be.
    Wild,
}

/// A Bot API of one mood. Counts the polls without an offset.
struct OddServer {
    url: String,
    afresh: Arc<AtomicUsize>,
}

impl OddServer {
    async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let afresh = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&afresh);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, mood, Arc::clone(&count)));
            }
        });
        Self { url, afresh }
    }
}

/// Answers the requests of one connection until it closes.
async fn serve(mut stream: TcpStream, mood: Mood, afresh: Arc<AtomicUsize>) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let (path, body) = request(&mut stream, &mut buffer).await?;
        let result = match path.rsplit('/').next().unwrap_or_default() {
            "getMe" => r#"{"id":4242,"is_bot":true,"first_name":"Odd","username":"odd_bot"}"#,
            "getWebhookInfo" => r#"{"url":"","pending_update_count":7}"#,
            "getUpdates" if mood == Mood::Endless => return endless(&mut stream).await,
            "getUpdates" if mood == Mood::Wild => &wild(&body),
            "getUpdates" => {
                if !body.contains("\"offset\"") {
                    afresh.fetch_add(1, Ordering::SeqCst);
                }
                // The bot asks for patience, and not in a circle.
                tokio::time::sleep(Duration::from_millis(600)).await;
                "[]"
            }
            _ => "true",
        };
        let answer = format!(r#"{{"ok":true,"result":{result}}}"#);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all(format!("{head}{answer}").as_bytes()).await.ok()?;
    }
}

/// The path and the body of the next request.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().expect("a length"));
            if rest.len() >= length {
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let body = rest[..length].to_owned();
                buffer.clear();
                return Some((path, body));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// The updates 1 to 250 from the offset on, and those that cannot be.
fn wild(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let offset = body["offset"].as_i64().unwrap_or(0);
    let real = (1..=250).rev().filter(|id| *id >= offset);
    let ids =
        [i64::MAX, -5, 0, i64::from(u32::MAX)].into_iter().chain(real.flat_map(|id| [id, id]));
    let updates: Vec<_> = ids.map(|id| json!({ "update_id": id, "poll": {} })).collect();
    serde_json::Value::from(updates).to_string()
}

async fn endless(stream: &mut TcpStream) -> Option<()> {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.ok()?;
    let piece = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    loop {
        stream.write_all(piece.as_bytes()).await.ok()?;
    }
}

async fn stage(server: &OddServer) -> Stage {
    let mut stage = Stage::new().await;
    stage
        .set("KATANA_TELEGRAM_TOKEN", "4242:not-a-real-token-at-all")
        .set("KATANA_TELEGRAM_API_URL", &server.url)
        .set("KATANA_WATCH_EVERY_S", "1");
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_that_work_and_bring_nothing_are_reported() {
    let server = OddServer::start(Mood::Forgetful).await;
    let mut stage = stage(&server).await;
    stage.start().await;
    let app = stage.app.take().expect("the bot runs");
    // A stored offset, as a bot has one that was at work.
    let store = app.pipeline().base.store.clone();
    store.accept(Vec::new(), Some(9_000)).await.expect("an offset");
    let before = server.afresh.load(Ordering::SeqCst);
    let stuck = || {
        let report = app.report_hub().report();
        report.verdict.findings.iter().any(|f| f.kind == Kind::UpdatesStuck)
    };
    // Two looks, half a minute apart.
    let begun = Instant::now();
    while !stuck() {
        assert!(begun.elapsed() < SOON * 3, "{:?}", app.report_hub().report().verdict);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!app.report_hub().report().is_ready());
    while server.afresh.load(Ordering::SeqCst) == before {
        assert!(begun.elapsed() < SOON * 4, "it asks once without its offset");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(app.stop(SOON).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_cut_off_long_before_the_deadline() {
    let server = OddServer::start(Mood::Endless).await;
    let stage = stage(&server).await;
    let loaded = stage.config();
    let prepared = katana::app::Prepared::open(
        &loaded,
        hygiene::Redactor::default(),
        katana::app::Tuning::default(),
    );
    let prepared = prepared.expect("the state opens");
    let tasks = katana::lifecycle::Tasks::new();
    let app = prepared.start(tasks).await.expect("it starts").expect("it was not stopped");
    let mut polling = app.polling();
    let failing = polling.wait_for(|now| *now == Polling::Failing);
    // A poll that is answered at once may take 15 s; 16 MiB over the loopback take far less.
    let soon = tokio::time::timeout(Duration::from_secs(10), failing).await;
    assert!(soon.is_ok_and(|r| r.is_ok()), "it reads on and on");
    assert!(app.stop(SOON).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_cannot_be_poison_neither_the_offset_nor_the_disk() {
    let server = OddServer::start(Mood::Wild).await;
    let mut stage = stage(&server).await;
    stage.start().await;
    let store = stage.store();
    let begun = Instant::now();
    while store.next_offset().await.expect("an offset") != 251 {
        assert!(begun.elapsed() < SOON, "{:?}", store.next_offset().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let counted =
        rusqlite::Connection::open(stage.dir.path().join("katana.db")).expect("the state");
    let sql = "SELECT count(*), min(update_id), max(update_id) FROM inbox";
    let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get(2)?));
    let kept: (i64, i64, i64) = counted.query_row(sql, [], row).expect("a row");
    assert_eq!(kept, (250, 1, 250));
    assert!(stage.stop().await);
}
