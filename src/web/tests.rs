//! The endpoint over real sockets, with a report hub and vitals made by hand.

mod connections;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hygiene::Redactor;
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{About, Parts, Web, WebError};
use crate::model::limits;
use crate::observe::finding::{Finding, Kind, Verdict};
use crate::observe::vitals::Vitals;
use crate::supervise::{Depth, Phase, Reading, Report, ReportHub, System};

const TOKEN: &str = "0123456789abcdef-admin";

const LOOPBACK: &str = "127.0.0.1:0";
const EVERYWHERE: &str = "0.0.0.0:0";

struct Stage {
    report_hub: ReportHub,
    vitals: Arc<Vitals>,
    token: Arc<ArcSwap<Option<SecretString>>>,
    address: SocketAddr,
    end: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        lines.filter_map(|l| l.split_once(": ")).find(|(n, _)| *n == name).map(|(_, v)| v)
    }
}

impl Stage {
    async fn new(listen: &str, token: Option<&str>) -> Self {
        Self::every(listen, token, Duration::from_secs(3600)).await
    }

    async fn every(listen: &str, token: Option<&str>, report_every: Duration) -> Self {
        let web = Web::bind(listen.parse().unwrap()).unwrap();
        let (report_hub, vitals) = (ReportHub::new(), Arc::new(Vitals::default()));
        let token = Arc::new(ArcSwap::from_pointee(token.map(SecretString::from)));
        let about = About {
            version: "9.8.7",
            environment: "testing".into(),
            username: "katana_<b>bot".into(),
            provider: "openai".into(),
            model: "sim-model".into(),
            features: vec![("models", "everyone")],
        };
        let parts = Parts {
            report_hub: report_hub.clone(),
            vitals: Arc::clone(&vitals),
            about: Arc::new(ArcSwap::from_pointee(about)),
            admin_token: Arc::clone(&token),
            report_every,
            connections_per_client: 16,
            commands: vec!["help"],
            redactor: Redactor::default(),
            store_timings: None,
        };
        let port = web.address().port();
        let end = CancellationToken::new();
        let running = tokio::spawn(web.run(parts, end.clone()));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { report_hub, vitals, token, address, end, running }
    }

    /// A report as of now.
    fn report(&self, phase: Phase, findings: Vec<Finding>) {
        self.report_hub.enter(phase);
        self.report_hub.hang(Report {
            sequence: 1,
            phase,
            reading: Reading {
                now_ms: self.vitals.now_ms(),
                wall_ms: self.vitals.wall_ms(),
                inbox: Some(Depth { count: 3, oldest_ms: Some(1500) }),
                outbox: Some(Depth::default()),
                system: Some(System {
                    disk_total_bytes: 1000,
                    disk_free_bytes: 250,
                    ..System::default()
                }),
                ..Reading::default()
            },
            verdict: Verdict::of(findings),
        });
    }

    async fn say(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        read(&mut stream).await.expect("an answer")
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        self.say(&format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    async fn end(self) {
        self.end.cancel();
        self.running.await.unwrap();
    }
}

/// Everything until the other side closes.
async fn read(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let _ = tokio::time::timeout(Duration::from_secs(30), read).await.expect("closed in time");
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

fn finding(kind: Kind) -> Finding {
    let text = format!("{} <since> \"a while\"", kind.name());
    Finding { kind, severity: kind.severity(), text, since_ms: 1_790_000_000_000 }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[tokio::test]
async fn health_says_in_words_how_everything_is() {
    let stage = Stage::new(LOOPBACK, None).await;
    stage.vitals.worked(&stage.vitals.polling);
    stage.report(Phase::Running, vec![]);
    let answer = stage.get("/health").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/health+json"));
    let body = answer.json();
    assert_eq!((&body["status"], &body["version"]), (&"healthy".into(), &"9.8.7".into()));
    assert_eq!((&body["environment"], &body["phase"]), (&"testing".into(), &"running".into()));
    let telegram = &body["checks"]["telegram"][0];
    assert_eq!((&telegram["status"], &telegram["observedUnit"]), (&"healthy".into(), &"s".into()));
    assert!(telegram["observedValue"].as_f64().unwrap() < 30.0, "{telegram}");
    assert!(telegram["time"].as_str().unwrap().ends_with('Z'), "{telegram}");
    assert_eq!(body["checks"]["ai"][0]["status"], "unknown", "nothing was asked yet");
    assert_eq!(body["checks"]["disk"][0]["observedValue"], 75.0);

    stage.report(Phase::Running, vec![finding(Kind::ProviderFailing)]);
    let answer = stage.get("/health").await;
    let body = answer.json();
    assert_eq!((answer.status, &body["status"]), (200, &"degraded".into()));
    assert_eq!(body["checks"]["ai"][0]["status"], "unhealthy");
    assert_eq!(body["findings"][0]["name"], "provider_failing");
    assert!(body["findings"][0]["text"].as_str().unwrap().contains("<since>"));

    stage.report(Phase::Running, vec![finding(Kind::PollStalled), finding(Kind::DiskFull)]);
    let answer = stage.get("/health").await;
    let body = answer.json();
    assert_eq!((answer.status, &body["status"]), (503, &"unhealthy".into()));
    assert_eq!(body["checks"]["telegram"][0]["status"], "unhealthy");
    assert_eq!(body["checks"]["disk"][0]["status"], "degraded");
    stage.end().await;
}

#[tokio::test]
async fn ready_means_that_a_question_would_be_answered() {
    let stage = Stage::new(LOOPBACK, None).await;
    let ready = async |code: u16, words: &str| {
        let answer = stage.get("/ready").await;
        let body = answer.json();
        assert_eq!(answer.status, code, "{body}");
        assert_eq!(body["ready"], code == 200);
        assert!(body["reasons"].to_string().contains(words), "{body}");
        let live = stage.get("/live").await;
        assert_eq!((live.status, &live.json()["alive"]), (200, &true.into()), "{}", live.body);
    };
    ready(503, "starting: Telegram has not answered a poll yet").await;
    stage.report(Phase::Running, vec![finding(Kind::CpuHigh)]);
    ready(200, "[]").await;
    stage.report(Phase::Running, vec![finding(Kind::Conflict)]);
    ready(503, "conflict: conflict <since>").await;
    stage.report(Phase::Running, vec![finding(Kind::ProviderFailing)]);
    ready(503, "provider_failing").await;
    stage.report(Phase::Running, vec![finding(Kind::StageStalled)]);
    let live = stage.get("/live").await;
    assert!(live.status == 503 && live.body.contains("stage_stalled: "), "{}", live.body);
    stage.report(Phase::Running, vec![]);
    // Between two reports the phase is known, too.
    stage.report_hub.enter(Phase::Draining);
    ready(503, "stopping: no new updates are accepted").await;
    stage.end().await;
}

#[tokio::test]
async fn a_stale_report_is_unhealthy_whatever_it_says() {
    let stage = Stage::every(LOOPBACK, None, Duration::ZERO).await;
    stage.report(Phase::Running, vec![]);
    assert_eq!(stage.get("/health").await.status, 200);
    tokio::time::sleep(limits::REPORT_SLACK + Duration::from_millis(50)).await;
    for path in ["/health", "/live", "/ready"] {
        let answer = stage.get(path).await;
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("the supervisor is stalled"), "{}", answer.body);
    }
    assert_eq!(stage.get("/bot/status").await.json()["report"]["stale"], true);
    stage.end().await;
}

#[tokio::test]
async fn every_answer_has_its_form_and_its_headers() {
    let stage = Stage::new(LOOPBACK, None).await;
    stage.report(Phase::Running, vec![finding(Kind::InboxOld)]);
    let root = stage.get("/").await.json();
    assert_eq!((&root["name"], &root["version"]), (&"katana-bot".into(), &"9.8.7".into()));
    let links: Vec<&String> = root["links"].as_object().unwrap().keys().collect();
    for path in links {
        assert_ne!(stage.get(path).await.status, 404, "{path}");
    }
    let page = stage.ask("GET", "/", "Accept: text/html,*/*;q=0.8\r\n").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.body.contains("Inbox_old &lt;since&gt; &quot;a while&quot;"), "{}", page.body);
    assert!(page.body.contains("@katana_&lt;b&gt;bot") && !page.body.contains("{{"));
    assert!(page.body.contains("<meta http-equiv=\"refresh\" content=\"30\">"));
    let status = stage.get("/bot/status").await.json();
    assert_eq!(status["queues"]["inbox"], serde_json::json!({"count": 3, "oldest_s": 1.5}));
    assert_eq!((&status["health"], &status["ready"]), (&"unhealthy".into(), &false.into()));
    let text = stage.get("/metrics").await;
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(text.body.contains("\nkatana_finding{finding=\"inbox_old\",severity=\"failing\"} 1\n"));
    let json = stage.ask("GET", "/metrics", "Accept: application/json\r\n").await.json();
    assert_eq!(json[0]["name"], "katana_build_info");

    let head = stage.ask("HEAD", "/metrics", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-type"), text.header("content-type"));
    let missing = stage.get("/admin").await;
    assert_eq!((missing.status, missing.json()["error"].is_string()), (404, true));
    let wrong = stage.ask("DELETE", "/health", "").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET,HEAD")));
    let wrong = stage.get("/bot/restart").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
    for answer in [&page, &text, &missing, &wrong, &head] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.head);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("content-security-policy").is_some());
        assert_eq!(answer.header("server"), None);
    }
    for answer in [&text, &missing, &wrong] {
        let leaks =
            answer.head.contains("9.8.7") || answer.status >= 400 && answer.body.contains("9.8");
        assert!(!leaks, "the version must not be shown here: {}", answer.head);
    }
    stage.end().await;
}

#[tokio::test]
async fn only_the_admin_token_restarts() {
    let stage = Stage::new(LOOPBACK, None).await;
    let off = stage.ask("POST", "/bot/restart", &bearer(TOKEN)).await;
    assert_eq!(off.status, 403);
    assert!(off.json()["error"].as_str().unwrap().contains("is off"), "{}", off.body);
    stage.token.store(Arc::new(Some(SecretString::from(TOKEN))));
    let refused = [
        String::new(),
        bearer(""),
        bearer(&TOKEN[1..]),
        bearer(&format!("{TOKEN}x")),
        format!("Authorization: Basic {TOKEN}\r\n"),
        format!("Authorization: {TOKEN}\r\n"),
        "Authorization: Bearer ü\r\n".to_owned(),
    ];
    for headers in &refused {
        let no = stage.ask("POST", "/bot/restart", headers).await;
        assert_eq!(no.status, 401, "{headers}");
        assert!(no.header("www-authenticate").unwrap().starts_with("Bearer"));
        assert!(!no.body.contains(TOKEN) && !no.head.contains(TOKEN));
    }
    let early = tokio::time::timeout(Duration::ZERO, stage.report_hub.restart_asked()).await;
    assert!(early.is_err(), "no request with the token was made yet");
    for headers in [bearer(TOKEN), format!("authorization: bearer  {TOKEN} \r\n")] {
        let stage = Stage::new(LOOPBACK, Some(TOKEN)).await;
        let yes = stage.ask("POST", "/bot/restart", &headers).await;
        assert_eq!((yes.status, &yes.json()["accepted"]), (202, &true.into()));
        stage.report_hub.restart_asked().await;
        stage.end().await;
    }
    stage.end().await;
}

#[tokio::test]
async fn other_machines_see_health_and_need_the_token_for_the_rest() {
    let stage = Stage::new(EVERYWHERE, None).await;
    stage.report(Phase::Running, vec![finding(Kind::PollFailing)]);
    for path in ["/", "/metrics", "/bot/status", "/nothing"] {
        let no = stage.ask("GET", path, &bearer(TOKEN)).await;
        assert_eq!(no.status, 403, "{path}");
        assert!(no.json()["hint"].as_str().unwrap().contains("web.admin_token"), "{}", no.body);
    }
    for (path, code) in [("/health", 503), ("/ready", 503)] {
        let short = stage.get(path).await;
        assert_eq!(short.status, code);
        assert!(short.body.contains("poll_failing"), "{}", short.body);
        for private in ["9.8.7", "testing", "<since>", "observedValue"] {
            assert!(!short.body.contains(private), "{private}: {}", short.body);
        }
    }
    stage.token.store(Arc::new(Some(SecretString::from(TOKEN))));
    for path in ["/", "/metrics", "/bot/status", "/health"] {
        let headers = bearer(TOKEN);
        let full = stage.ask("GET", path, &headers).await;
        assert!(full.body.contains("9.8.7"), "{path}: {}", full.body);
    }
    for path in ["/", "/metrics", "/bot/status", "/nothing"] {
        assert_eq!(stage.get(path).await.status, 401, "{path}");
    }
    stage.end().await;
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let stage = Stage::new(LOOPBACK, Some(TOKEN)).await;
    let headers = format!("X-Long: {}\r\n", "a".repeat(10_000));
    assert_eq!(stage.ask("GET", "/health", &headers).await.status, 431);
    let many = "a: b\r\n".repeat(200);
    assert_eq!(stage.ask("GET", "/health", &many).await.status, 431);
    let head = format!("POST /bot/restart HTTP/1.1\r\nHost: x\r\n{}", bearer(TOKEN));
    let announced = stage.say(&format!("{head}Content-Length: 5000\r\n\r\n")).await;
    assert_eq!(announced.status, 413);
    let chunk = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n1388\r\n{}\r\n0\r\n\r\n",
        "a".repeat(5000)
    );
    assert_eq!(stage.say(&chunk).await.status, 413);
    let fits = format!("{head}Content-Length: 2\r\n\r\n{{}}");
    assert_eq!(stage.say(&fits).await.status, 202);
    assert_eq!(stage.say("NONSENSE\r\n\r\n").await.status, 400);
    stage.end().await;
}

#[tokio::test]
async fn the_name_that_a_request_has_for_this_server_is_looked_at() {
    let stage = Stage::new(LOOPBACK, Some(TOKEN)).await;
    stage.report(Phase::Running, vec![]);
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("bot.localhost", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("192.0.2.7", 200),
        ("attacker.example", 403),
        ("localhost.attacker.example", 403),
        ("127.0.0.1.attacker.example:8080", 403),
        ("", 403),
        ("a b", 403),
    ] {
        let answer = stage.say(&format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{host}");
        let probe = stage.say(&format!("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(probe.status, 200, "{host}");
        assert_eq!(probe.json().get("version").is_some(), status == 200, "in short: {host}");
    }
    let named = format!("GET /metrics HTTP/1.1\r\nHost: bot.example\r\n{}\r\n", bearer(TOKEN));
    assert_eq!(stage.say(&named).await.status, 200, "the token opens it under each name");
    for (request, status) in [
        ("GET /health HTTP/1.0\r\n\r\n", 200),
        ("GET /ready HTTP/1.0\r\n\r\n", 200),
        ("GET /metrics HTTP/1.0\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
    ] {
        assert_eq!(stage.say(request).await.status, status, "{request}");
    }
    stage.end().await;
}

#[tokio::test]
async fn a_port_in_use_is_named_with_a_remedy() {
    let stage = Stage::new(LOOPBACK, None).await;
    let e = Web::bind(stage.address).unwrap_err();
    assert!(matches!(e, WebError::InUse { .. }), "{e:?}");
    assert!(e.to_string().contains(&stage.address.to_string()), "{e}");
    assert!(e.hint().contains("web.listen"));
    // 192.0.2.0/24 is for documentation (RFC 5737); no machine has it.
    let e = Web::bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
    assert!(matches!(e, WebError::NoSuchAddress { .. }), "{e:?}");
    stage.end().await;
}
