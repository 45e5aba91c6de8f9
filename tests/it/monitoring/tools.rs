//! Prometheus and Alertmanager with the shipped files, on loopback and in a hurry.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::peers::Peers;
use crate::harness::{SOON, skipped};

/// All times of the rules and examples are this much shorter; `.ci/release` takes more of them.
pub fn factor() -> u32 {
    let given = std::env::var("KATANA_MONITORING_FACTOR").ok();
    given.map_or(20, |n| n.parse().expect("KATANA_MONITORING_FACTOR is a number"))
}

/// A server that ends when dropped.
struct Server {
    child: Child,
    log: PathBuf,
}

/// Prometheus with the shipped configuration and rules.
pub struct Prometheus {
    server: Server,
    address: SocketAddr,
    http: reqwest::Client,
    _folder: TempDir,
}

/// Alertmanager with the shipped example.
pub struct Alertmanager {
    _server: Server,
    address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    /// `None`, said loudly, when it is not installed.
    fn start(folder: &Path, program: &str, arguments: &[String]) -> Option<Self> {
        let log = folder.join("log");
        let file = std::fs::File::create(&log).expect("a log file");
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        match command.stderr(file).spawn() {
            Ok(child) => Some(Self { child, log }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                skipped(&format!("{program} is not installed (Debian's package has that name)"));
                None
            }
            Err(e) => panic!("{program}: {e}"),
        }
    }

    async fn is_ready(&self, http: &reqwest::Client, address: SocketAddr) {
        let deadline = Instant::now() + SOON;
        let url = format!("http://{address}/-/ready");
        while !http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(Instant::now() < deadline, "it does not start:\n{log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/monitoring").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// Replaces what must be there.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in:\n{text}");
    text.replace(from, to)
}

/// A value in the query of a URL.
fn encoded(value: &str) -> String {
    let one = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    value.bytes().map(one).collect()
}

/// All durations (`30s`, `[10m]`, `offset 3h`) of a file, shortened by [`factor`].
fn fast(text: &str) -> String {
    shortened(text, factor())
}

fn shortened(text: &str, factor: u32) -> String {
    let mut quick = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        quick.push_str(before);
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        let unit = after.chars().next().unwrap_or(' ');
        let is_word = before.ends_with(|c: char| c.is_ascii_alphanumeric() || "_.'\"".contains(c))
            || after.chars().nth(1).is_some_and(|c| c.is_ascii_alphanumeric());
        let seconds = match unit {
            _ if is_word => None,
            's' => Some(1),
            'm' => Some(60),
            'h' => Some(3600),
            _ => None,
        };
        match seconds {
            Some(unit_s) => {
                let ms = digits.parse::<u64>().expect("digits") * unit_s * 1000 / u64::from(factor);
                quick.push_str(&format!("{ms}ms"));
                rest = &after[1..];
            }
            None => {
                quick.push_str(digits);
                rest = after;
            }
        }
    }
    quick.push_str(rest);
    quick
}

impl Prometheus {
    /// It watches this bot. `None` when it is not installed.
    pub async fn start(bot: SocketAddr, alertmanager: Option<SocketAddr>) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        let config = replace(&fast(&shipped("prometheus.yml")), "localhost:8080", &bot.to_string());
        let nowhere = free_address();
        let to = alertmanager.unwrap_or(nowhere).to_string();
        file("prometheus.yml", &replace(&config, "localhost:9093", &to));
        // Seconds without a unit.
        let rules =
            replace(&fast(&shipped("katana.rules.yml")), "> 150", &format!("> {}", 150 / factor()));
        file("katana.rules.yml", &rules);
        let address = free_address();
        let arguments = [
            "--config.file=prometheus.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            // A minute, unless it is said.
            format!("--rules.alert.resend-delay={}ms", 60_000 / factor()),
            format!("--web.listen-address={address}"),
        ];
        let server = Server::start(folder.path(), "prometheus", &arguments)?;
        let http = reqwest::Client::builder().timeout(SOON).build().expect("a client");
        server.is_ready(&http, address).await;
        Some(Self { server, address, http, _folder: folder })
    }

    async fn get(&self, path: &str, query: &[(&str, String)]) -> Value {
        let pairs: Vec<String> = query.iter().map(|(k, v)| format!("{k}={}", encoded(v))).collect();
        let url = format!("http://{}/api/v1/{path}?{}", self.address, pairs.join("&"));
        let answer = self.http.get(url).send().await.expect("it answers");
        let text = answer.text().await.expect("text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let log = || std::fs::read_to_string(&self.server.log).unwrap_or_default();
        assert_eq!(answer["status"], "success", "{query:?}: {text}\n{}", log());
        answer["data"].clone()
    }

    /// The series that an expression has now.
    pub async fn now(&self, expression: &str) -> Vec<Value> {
        let data = self.get("query", &[("query", expression.to_owned())]).await;
        data["result"].as_array().expect("a vector").clone()
    }

    /// The series that it had in the last six hours, a point a second of the last minutes.
    pub async fn lately(&self, expression: &str) -> Vec<Value> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.expect("a clock").as_secs_f64();
        let query = [
            ("query", expression.to_owned()),
            ("start", (now - 600.0).to_string()),
            ("end", now.to_string()),
            ("step", "1".to_owned()),
        ];
        let data = self.get("query_range", &query).await;
        data["result"].as_array().expect("a matrix").clone()
    }

    /// Waits until all these alerts fire.
    pub async fn fires(&self, names: &[&str]) {
        let deadline = Instant::now() + SOON * 2;
        let expression = "ALERTS{alertstate=\"firing\"}";
        loop {
            let firing = self.now(expression).await;
            let is_there = |name: &str| firing.iter().any(|a| a["metric"]["alertname"] == name);
            if names.iter().all(|name| is_there(name)) {
                return;
            }
            assert!(Instant::now() < deadline, "{names:?} do not all fire: {firing:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Alertmanager {
    /// It notifies these peers. `None` when it is not installed.
    pub async fn start(peers: &Peers) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let config = fast(&shipped("alertmanager.yml"));
        let http = peers.url();
        let dead_man = "https://hc-ping.com/REPLACE-WITH-THE-ID-OF-A-CHECK";
        let config = replace(&config, dead_man, &format!("{http}/watchdog"));
        let telegram = format!("parse_mode: \"\"\n        api_url: {http}");
        let config = replace(&config, "parse_mode: \"\"", &telegram);
        let config = replace(&config, "mail.example.org:587", &peers.mail().to_string());
        let config = replace(&config, "smtp_require_tls: true", "smtp_require_tls: false");
        std::fs::write(folder.path().join("alertmanager.yml"), config).expect("written");
        let address = free_address();
        let arguments = [
            "--config.file=alertmanager.yml".to_owned(),
            "--storage.path=data".to_owned(),
            "--cluster.listen-address=".to_owned(),
            format!("--web.listen-address={address}"),
        ];
        let server = Server::start(folder.path(), "prometheus-alertmanager", &arguments)?;
        server.is_ready(&reqwest::Client::new(), address).await;
        Some(Self { _server: server, address, _folder: folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[test]
fn only_durations_become_shorter() {
    for (text, wanted) in [
        ("for: 30s\n", "for: 2000ms\n"),
        ("rate(x[10m]) > 60", "rate(x[40000ms]) > 60"),
        ("x offset 3h and 24 * 3600", "x offset 720000ms and 24 * 3600"),
        ("katana:p50 smtp-0.25 127.0.0.1:8080 4hx", "katana:p50 smtp-0.25 127.0.0.1:8080 4hx"),
    ] {
        assert_eq!(shortened(text, 15), wanted);
    }
}
