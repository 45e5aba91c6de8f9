//! What a bot shows of itself: endpoint and heartbeat, read together and compared with each other.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use heartbeat::{Judgement, Now, Reason, State, judge};
use katana::observe::finding::{Kind, Severity};
use serde_json::Value;

use crate::harness::{SOON, Stage};
use crate::process::Daemon;

/// The checker's own default.
const THRESHOLD: Duration = Duration::from_secs(heartbeat::DEFAULT_THRESHOLD_S);

/// Settings that scale time down and keep the machine's own load out of the verdict.
const SCALED: &[(&str, &str)] = &[
    ("KATANA_TELEGRAM_POLL_TIMEOUT_S", "1"),
    ("KATANA_TELEGRAM_POLL_DEADLINE_S", "3"),
    ("KATANA_TELEGRAM_SEND_TIMEOUT_S", "3"),
    ("KATANA_WATCH_EVERY_S", "1"),
    ("KATANA_WATCH_PATIENCE", "0.05"),
    ("KATANA_WATCH_SYSTEM_EVERY_S", "3600"),
    ("KATANA_WATCH_POLL_STALLED_S", "4"),
    ("KATANA_WATCH_POLL_FAILING_S", "2"),
    ("KATANA_WATCH_CONFLICT_S", "1"),
    ("KATANA_WATCH_EVENT_S", "3"),
    ("KATANA_WATCH_RESPONSE_S", "3600"),
    ("KATANA_WATCH_PROVIDER_SLOW_S", "3600"),
    ("KATANA_WATCH_COMMIT_SLOW_MS", "60000"),
    ("KATANA_WATCH_CPU_RATIO", "1.0"),
    ("KATANA_WATCH_MEMORY_RATIO", "1.0"),
    ("KATANA_WATCH_DISK_RATIO", "1.0"),
    ("KATANA_WATCH_RSS_WARN_MB", "0"),
    ("KATANA_WATCH_RSS_STOP_MB", "0"),
];

/// Sets a stage to scaled times, then to these settings.
pub fn scaled(stage: &mut Stage, changes: &[(&str, &str)]) {
    for (key, value) in SCALED.iter().chain(changes) {
        stage.set(key, value);
    }
}

/// One bot's endpoint and heartbeat.
pub struct Show {
    address: SocketAddr,
    heartbeat: PathBuf,
    http: reqwest::Client,
}

impl Show {
    /// Of the bot that runs in process on this stage.
    pub fn of(stage: &Stage) -> Self {
        let address = stage.app().web_address().expect("it listens");
        Self::at(address, stage.config().config.watch.heartbeat_path)
    }

    /// Of a daemon on this stage.
    pub async fn of_daemon(stage: &Stage, daemon: &Daemon) -> Self {
        const LINE: &str = "answering HTTP requests address=";
        daemon.says(LINE).await;
        let log = daemon.log();
        let after = log.split(LINE).nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = after.and_then(|a| a.parse().ok()).expect("an address in the log");
        Self::at(address, stage.config().config.watch.heartbeat_path)
    }

    fn at(address: SocketAddr, heartbeat: PathBuf) -> Self {
        let http = reqwest::Client::builder().timeout(SOON).build().expect("a client");
        Self { address, heartbeat, http }
    }

    /// The heartbeat file.
    pub fn heartbeat(&self) -> &Path {
        &self.heartbeat
    }

    /// Where the endpoint listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks for a fresh intake; the status of the answer.
    pub async fn restart(&self, admin_token: &str) -> u16 {
        let url = format!("http://{}/bot/restart", self.address);
        let answer = self.http.post(url).bearer_auth(admin_token).send().await;
        answer.expect("it answers").status().as_u16()
    }

    /// Status and body of a page, asked for with this `Accept`.
    pub async fn get(&self, path: &str, accept: &str) -> Result<(u16, String), String> {
        let url = format!("http://{}{path}", self.address);
        let answer = self.http.get(url).header("accept", accept).send().await;
        let answer = answer.map_err(|e| format!("{path}: {e}"))?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(|e| format!("{path}: {e}"))?))
    }

    async fn json(&self, path: &str) -> Result<(u16, Value), String> {
        let (status, body) = self.get(path, "application/json").await?;
        Ok((status, serde_json::from_str(&body).map_err(|e| format!("{path}: {e}: {body}"))?))
    }

    /// The heartbeat as the checker judges it at this moment.
    pub fn judged(&self, now: &Now) -> Judgement {
        let content = heartbeat::read(&self.heartbeat);
        judge(content.as_deref(), now, THRESHOLD)
    }

    /// What is open, if all that is shown agrees with it.
    async fn look(&self) -> Result<Vec<Kind>, String> {
        let (_, status) = self.json("/bot/status").await?;
        let open = kinds(&status)?;
        let worst = open.iter().map(|(_, severity)| *severity).max();
        let (health, code, verdict, state, reason) = match worst {
            None => ("healthy", 200, "ok", State::Ok, Reason::Fresh),
            Some(Severity::Degraded) => {
                ("degraded", 200, "degraded", State::Warning, Reason::Degraded)
            }
            Some(Severity::Failing) => {
                ("unhealthy", 503, "failing", State::Critical, Reason::Failing)
            }
        };
        same("the status", &status["status"], &Value::from(verdict))?;
        let said = self.json("/health").await?;
        same("the code of /health", &said.0, &code)?;
        same("the word of /health", &said.1["status"], &Value::from(health))?;
        same("the findings of /health", &kinds(&said.1)?, &open)?;
        self.look_at_ready(&open).await?;
        let judged = self.judged(&Now::read());
        same("the checker's state", &judged.state, &state)?;
        same("the checker's reason", &judged.reason, &reason)?;
        let beat = judged.heartbeat.ok_or("no heartbeat")?;
        let named: Vec<_> = beat.findings.iter().map(|f| f.name.clone()).collect();
        let open: Vec<_> = open.into_iter().map(|(kind, _)| kind).collect();
        same("the heartbeat's findings", &named, &names(&open))?;
        match beat.findings.iter().find(|f| f.text.is_empty()) {
            Some(silent) => Err(format!("{} has no words", silent.name)),
            None => Ok(open),
        }
    }

    async fn look_at_ready(&self, open: &[(Kind, Severity)]) -> Result<(), String> {
        let blocking: Vec<_> = open
            .iter()
            .filter(|(k, s)| k.facts().blocks_answers || *s == Severity::Failing)
            .collect();
        let (code, said) = self.json("/ready").await?;
        let expected = if blocking.is_empty() { 200 } else { 503 };
        same("the code of /ready", &code, &expected)?;
        let reasons = said["reasons"].to_string();
        match blocking.iter().find(|(kind, _)| !reasons.contains(kind.name())) {
            Some((kind, _)) => Err(format!("/ready does not name {}: {reasons}", kind.name())),
            None => Ok(()),
        }
    }

    /// Waits until what is open is as wanted and everything that is shown agrees with it.
    async fn becomes(&self, what: &str, within: Duration, wanted: impl Fn(&[Kind]) -> bool) {
        let begun = Instant::now();
        loop {
            let seen = self.look().await;
            if seen.as_ref().is_ok_and(|open| wanted(open)) {
                return;
            }
            let beat = || std::fs::read_to_string(&self.heartbeat).unwrap_or_default();
            assert!(begun.elapsed() < within, "{what} expected, seen {seen:?}\n{}", beat());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until this is shown everywhere, among others perhaps.
    pub async fn shows(&self, kind: Kind) {
        self.becomes(kind.name(), SOON * 2, |open| open.contains(&kind)).await;
    }

    /// Waits until this and nothing else is shown everywhere.
    pub async fn shows_only(&self, kind: Kind) {
        self.becomes(kind.name(), SOON * 2, |open| *open == [kind]).await;
    }

    /// Waits until all is well everywhere.
    pub async fn green(&self) {
        self.green_within(SOON * 2).await;
    }

    /// The same with a time of one's own.
    pub async fn green_within(&self, within: Duration) {
        self.becomes("nothing", within, <[Kind]>::is_empty).await;
    }
}

fn names(kinds: &[Kind]) -> Vec<String> {
    kinds.iter().map(|kind| kind.name().to_owned()).collect()
}

/// The findings in an answer of the endpoint.
fn kinds(answer: &Value) -> Result<Vec<(Kind, Severity)>, String> {
    let findings = answer["findings"].as_array().ok_or("no findings")?;
    let kind = |finding: &Value| {
        let kind = Kind::ALL.into_iter().find(|kind| finding["name"] == kind.name());
        let kind = kind.ok_or_else(|| format!("an unknown finding: {finding}"))?;
        // Some are milder than their kind while other people are served.
        let severities = [Severity::Degraded, Severity::Failing];
        let severity = severities.into_iter().find(|s| finding["severity"] == s.name());
        let severity = severity.filter(|s| *s <= kind.severity());
        Ok((kind, severity.ok_or_else(|| format!("not so bad: {finding}"))?))
    };
    findings.iter().map(kind).collect()
}

fn same<T: PartialEq + Debug>(what: &str, is: &T, should: &T) -> Result<(), String> {
    if is == should { Ok(()) } else { Err(format!("{what} is {is:?}, not {should:?}")) }
}

/// Builds the checker, unless that was done already.
pub async fn build_checker() {
    let built = tokio::task::spawn_blocking(checker_binary).await;
    built.expect("it is built");
}

/// What the real `check-heartbeat` says of a file: exit status and both its outputs.
pub async fn checker(heartbeat: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command: Vec<String> = ["--no-alert", "--file"].map(str::to_owned).to_vec();
    command.push(heartbeat.display().to_string());
    command.extend(args.iter().map(|arg| (*arg).to_owned()));
    let run = tokio::task::spawn_blocking(move || {
        std::process::Command::new(checker_binary()).args(command).env_clear().output()
    });
    let output = run.await.expect("it ran").expect("it runs");
    let both = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&both).into_owned())
}

/// The checker is another package, so cargo has to be asked for it, once.
fn checker_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("check-heartbeat", &["-p", "check-heartbeat"]))
}

/// A program that cargo builds when it is asked for these: of another package, or an example.
pub fn built(program: &str, what: &[&str]) -> PathBuf {
    let ours = Path::new(env!("CARGO_BIN_EXE_katana-bot"));
    let target = ours.ancestors().nth(2).expect("a target directory");
    let build = std::process::Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--target-dir"])
        .arg(target)
        .args(what)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    target.join("debug").join(program)
}
