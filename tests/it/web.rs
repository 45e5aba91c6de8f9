//! What the HTTP endpoint shows of the real application at work. Its limits and who may see what
//! are tested beside it, in `src/web/tests.rs`.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use botapi_sim::{Fault, ModelFault};
use katana::supervise::metrics::{self, Names};
use katana::supervise::{Phase, Report, System};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{MODEL_KEY, SOON, Stage, skipped};

/// The admin token of these bots.
const ADMIN: &str = "the-admin-token-of-a-test";

/// The endpoint of a running bot.
struct Endpoint(SocketAddr);

impl Endpoint {
    fn of(stage: &Stage) -> Self {
        Self(stage.app().web_address().expect("the endpoint is on"))
    }

    async fn get(&self, path: &str) -> String {
        let answer = self.ask("GET", path, "").await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}\n{body}");
        body.to_owned()
    }

    /// The whole answer, with its head.
    async fn ask(&self, method: &str, path: &str, headers: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.0).await.expect("connected");
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        answer
    }
}

/// The series of a scrape, by name and labels.
fn series(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|l| !l.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a series has a value");
            (name, value.parse().unwrap_or_else(|e| panic!("{e}: {line}")))
        })
        .collect()
}

/// Lets the real tool judge a scrape. Says so, loudly, when it is not there.
fn promtool(text: &str) {
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tool = match tool {
        Ok(tool) => tool,
        Err(e) => {
            skipped(&format!(
                "promtool did not check the metrics ({e}); install Debian's package \
                 prometheus"
            ));
            return;
        }
    };
    let mut input = tool.stdin.take().expect("its input");
    input.write_all(text.as_bytes()).expect("the scrape is read");
    drop(input);
    let output = tool.wait_with_output().expect("promtool ends");
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words);
    assert!(output.status.success() && words.trim().is_empty(), "promtool check metrics: {words}");
}

/// Series whose labels are known beforehand.
fn begins_at_zero(known: &BTreeMap<&str, f64>) {
    for name in [
        "katana_updates_received_total",
        "katana_commands_total{command=\"help\",outcome=\"ok\"}",
        "katana_questions_total{outcome=\"failed\"}",
        "katana_parts_total{outcome=\"sent\"}",
        "katana_finding{finding=\"poll_stalled\",severity=\"failing\"}",
        "katana_poll_failures_total{class=\"conflict\"}",
        "katana_telegram_call_duration_seconds_count{method=\"sendMessage\",outcome=\"ok\"}",
        "katana_inbound_lag_seconds_count",
        "katana_updates_ignored_total{reason=\"service_message\"}",
        "katana_chats_shut_out_total",
        "katana_response_duration_seconds_count{kind=\"question\",outcome=\"failed\"}",
    ] {
        assert_eq!(known.get(name), Some(&0.0), "{name}");
    }
}

/// All counters of a scrape were in an earlier one.
fn none_came_late(known: &BTreeMap<&str, f64>, counted: &BTreeMap<&str, f64>) {
    // rate() and increase() do not see the first event of a series that begins with it.
    let late: Vec<_> = counted
        .keys()
        .filter(|name| name.split('{').next().is_some_and(|family| family.ends_with("_total")))
        .filter(|name| !known.contains_key(*name))
        // Totals of the machine come with its first sample, and do not begin at zero.
        .filter(|name| !name.starts_with("katana_system_") && !name.starts_with("process_"))
        .collect();
    assert!(late.is_empty(), "these counters were not there from the start: {late:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happened_and_begin_at_zero() {
    let stage = Stage::with_model(&[]).await;
    let endpoint = Endpoint::of(&stage);
    let before = endpoint.get("/metrics").await;
    promtool(&before);
    let known = series(&before);
    begins_at_zero(&known);
    // The age of a 0 would be half a century.
    let never = "katana_update_last_done_timestamp_seconds";
    assert!(!before.contains(never), "{before}");

    stage.ask(5, "/help").await;
    stage.ask(5, "/help").await;
    stage.ask(5, "/nonsense").await;
    stage.ask(5, "a question of secret content").await;
    stage.sim.model().fault_next(ModelFault::Html);
    stage.ask(5, "a question that fails").await;
    stage.sim.join(-500, 5, &[6]);
    stage.sim.channel_post(-1_000_000_000_700, "a post");
    stage.idle().await;
    let after = endpoint.get("/metrics").await;
    promtool(&after);
    assert!(after.contains(never), "{after}");
    let counted = series(&after);
    let model = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",\
                 gen_ai_request_model=\"sim-model\"";
    for (name, wanted) in [
        ("katana_updates_received_total".to_owned(), 7.0),
        ("katana_commands_total{command=\"help\",outcome=\"ok\"}".to_owned(), 2.0),
        ("katana_commands_total{command=\"unknown\",outcome=\"ok\"}".to_owned(), 1.0),
        ("katana_questions_total{outcome=\"answered\"}".to_owned(), 1.0),
        ("katana_questions_total{outcome=\"failed\"}".to_owned(), 1.0),
        ("katana_updates_done_total{outcome=\"command\"}".to_owned(), 3.0),
        ("katana_parts_total{outcome=\"dropped\"}".to_owned(), 0.0),
        ("katana_response_duration_seconds_count{kind=\"command\",outcome=\"ok\"}".to_owned(), 3.0),
        (
            "katana_response_duration_seconds_count{kind=\"question\",outcome=\"ok\"}".to_owned(),
            1.0,
        ),
        (
            "katana_response_duration_seconds_count{kind=\"question\",outcome=\"failed\"}"
                .to_owned(),
            1.0,
        ),
        (format!("gen_ai_client_operation_duration_seconds_count{{{model},error_type=\"\"}}"), 1.0),
    ] {
        assert_eq!(counted.get(name.as_str()), Some(&wanted), "{name}\n{after}");
    }
    let some = |name: &str| counted.get(name).is_some_and(|n| *n > 0.0);
    assert!(some("katana_parts_total{outcome=\"sent\"}"));
    assert!(some("katana_store_commit_duration_seconds_count"));
    assert!(some("katana_store_query_duration_seconds_count"));
    assert!(some("katana_poll_last_completed_timestamp_seconds"));
    assert!(some(&format!(
        "gen_ai_client_token_usage_sum{{{model},gen_ai_token_type=\"output\"}}"
    )));
    for (name, old) in &known {
        let (family, _) = name.split_once('{').unwrap_or((name, ""));
        assert!(counted.contains_key(name), "{name} is gone");
        if family.ends_with("_total") || family.ends_with("_count") || family.ends_with("_bucket") {
            assert!(counted.get(name) >= Some(old), "{name} went back");
        }
    }
    none_came_late(&known, &counted);
    assert!(!after.contains("secret content") && !after.contains("nonsense"), "no texts of people");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_status_tell_of_the_running_bot() {
    let stage = Stage::running(&[]).await;
    let endpoint = Endpoint::of(&stage);
    stage.ask(5, "hello").await;
    stage.idle().await;
    let json = |text: String| serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    // The first report may be from before the first poll was answered.
    let mut reports = stage.app().report_hub().reports();
    let running = reports.wait_for(|r| r.phase == Phase::Running && r.sequence > 0);
    tokio::time::timeout(SOON, running).await.expect("soon").expect("a report");
    let health = json(endpoint.get("/health").await);
    assert_eq!(health["checks"]["telegram"][0]["status"], "healthy", "{health}");
    assert!(health["last_processed_age_s"].as_f64().is_some(), "{health}");
    let status = json(endpoint.get("/bot/status").await);
    assert_eq!((&status["phase"], &status["counts"]["updates"]), (&"running".into(), &1.into()));
    assert_eq!(status["about"]["username"], stage.app().pipeline().context.about().username);
    assert!(status["polling"]["last_worked_age_s"].as_f64().is_some(), "{status}");
    assert_eq!(status["budget"]["day"]["limit_usd"], 5.0, "{status}");
    assert!(endpoint.get("/ready").await.contains("\"ready\": true"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_over_http_loses_nothing() {
    let stage = Stage::running(&[("KATANA_WEB_ADMIN_TOKEN", ADMIN)]).await;
    let endpoint = Endpoint::of(&stage);
    assert!(endpoint.ask("POST", "/bot/restart", "").await.starts_with("HTTP/1.1 401"));
    let token = format!("Authorization: Bearer {ADMIN}\r\n");
    for round in 0..3 {
        // A held poll is given up, and the next one gets what was said meanwhile.
        let polls = stage.app().pipeline().base.vitals.polls.get();
        stage.sim.say(5, &format!("before {round}"));
        let answer = endpoint.ask("POST", "/bot/restart", &token).await;
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        assert_eq!(
            stage.texts(5, 2 * round + 1).await.pop(),
            Some(format!("echo: before {round}"))
        );
        assert_eq!(stage.ask(5, "after").await, "echo: after");
        assert!(stage.app().pipeline().base.vitals.polls.get() > polls);
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_bot_drains_the_endpoint_says_so() {
    let mut stage = Stage::with_model(&[]).await;
    let endpoint = Endpoint::of(&stage);
    stage.sim.model().set_pace(Duration::from_millis(1500), Duration::ZERO);
    stage.sim.say(5, "slow");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    let stopping = tokio::spawn(stage.app.take().expect("it runs").stop(SOON));
    // The phase turns a moment after the stop began.
    let mut answer = endpoint.ask("GET", "/ready", "").await;
    while !answer.contains("stopping: no new updates are accepted") {
        assert!(!stopping.is_finished(), "the endpoint never said so: {answer}");
        answer = endpoint.ask("GET", "/ready", "").await;
    }
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(endpoint.get("/bot/status").await.contains("\"phase\": \"draining\""));
    assert!(stopping.await.expect("no panic"), "the answer was finished in time");
    assert!(tokio::net::TcpStream::connect(endpoint.0).await.is_err(), "the endpoint ended, too");
    assert_eq!(stage.texts(5, 1).await, ["echo: slow"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_on_no_page() {
    let stage = Stage::with_model(&[("KATANA_WEB_ADMIN_TOKEN", ADMIN)]).await;
    let endpoint = Endpoint::of(&stage);
    let token = stage.sim.token().to_owned();
    let (_, tail) = token.split_once(':').expect("a token");
    let model = stage.sim.model();
    for _ in 0..2 {
        let words = format!("token {token} key {MODEL_KEY}");
        model.fault_next(ModelFault::status(500, &words));
        model.fault_next(ModelFault::status(
            401,
            &format!(r#"{{"error":{{"message":"bad key {MODEL_KEY}"}}}}"#),
        ));
    }
    for n in 0..4 {
        stage.ask(5, &format!("what people say {n}")).await;
    }
    stage.sim.fault_next("getUpdates", Fault::AnswerCut);
    stage.ask(5, "what people say at last").await;
    stage.idle().await;
    for path in
        ["/", "/health", "/live", "/ready", "/metrics", "/bot/status", "/nothing", "/bot/restart"]
    {
        for headers in ["", "Accept: text/html\r\n", "Accept: application/json\r\n"] {
            let answer = endpoint.ask("GET", path, headers).await;
            for secret in [tail, MODEL_KEY, ADMIN, "what people say"] {
                assert!(!answer.contains(secret), "{path}: {answer}");
            }
        }
    }
    let wrong = endpoint.ask("POST", "/bot/restart", "Authorization: Bearer x\r\n").await;
    assert!(wrong.starts_with("HTTP/1.1 401") && !wrong.contains(ADMIN), "{wrong}");
    stage.end().await;
}

/// Rows of the tables in `docs/metrics.md`: name, type and labels.
fn documented() -> Vec<(String, String, Vec<String>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let page = std::fs::read_to_string(path).expect("docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    // The alerts have a table of their own.
    rows.filter(|row| !row.starts_with("Katana"))
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            assert_eq!(cells.len(), 4, "docs/metrics.md: four cells in {row}");
            assert!(!cells[3].trim().is_empty(), "docs/metrics.md: {row}: what does it mean?");
            let labels = cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
            (cells[0].trim_end_matches('`').to_owned(), cells[1].to_owned(), labels)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented_and_exists() {
    let stage = Stage::running(&[]).await;
    let vitals = &stage.app().pipeline().base.vitals;
    let mut report = Report::default();
    report.reading.system = Some(System::default());
    let timings = stage.store().timings();
    let families = metrics::families(&Names::default(), vitals, &report, Some(&timings));
    let rows: Vec<_> = families
        .iter()
        .map(|f| {
            let labels = f.labels.iter().map(|l| (*l).to_owned()).collect();
            (f.name.to_owned(), f.kind.name().to_owned(), labels)
        })
        .collect();
    let documented = documented();
    let silent: Vec<_> = rows.iter().filter(|row| !documented.contains(row)).collect();
    assert!(silent.is_empty(), "docs/metrics.md lacks rows for {silent:#?}");
    let gone: Vec<_> = documented.iter().filter(|row| !rows.contains(row)).collect();
    assert!(gone.is_empty(), "docs/metrics.md: there are no such metrics: {gone:#?}");
    assert_eq!(documented.len(), rows.len(), "docs/metrics.md names one twice");
    // And what a scrape really holds is nothing else.
    // The machine's figures come with the first report.
    let looked = || stage.app().report_hub().report().reading.system.is_some();
    assert!(crate::harness::eventually(looked).await, "a first report");
    let endpoint = Endpoint::of(&stage);
    let scrape = endpoint.get("/metrics").await;
    let types = scrape.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split_once(' '));
    let mut seen = 0;
    for (name, kind) in types {
        assert!(documented.iter().any(|(n, k, _)| n == name && k == kind), "{name} {kind}");
        seen += 1;
    }
    assert!(seen > 40, "{seen} families in a scrape");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_was_asked_for_and_is_taken_stops_the_start() {
    let mut stage = Stage::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    stage.set("KATANA_WEB_LISTEN", &address);
    let done = crate::process::run(&stage, &["run"]).await;
    assert_eq!(done.code, Some(69), "{}", done.stderr);
    let said = format!("cannot listen on {address}: another program uses this port");
    assert!(done.stderr.contains(&said) && done.stderr.contains("web.listen"), "{}", done.stderr);
    assert!(!stage.dir.path().join("heartbeat").exists(), "it never lived");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_port_may_belong_to_something_else() {
    // Another program may hold it already, which serves as well.
    let _taken = std::net::TcpListener::bind("127.0.0.1:8080");
    let mut stage = Stage::new().await;
    stage.set("KATANA_WEB_LISTEN", "").start().await;
    assert_eq!(stage.app().web_address(), None, "the bot goes on without it");
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    stage.end().await;
}
