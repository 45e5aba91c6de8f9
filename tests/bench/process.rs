//! A bot as a process: starting it, reading what it uses, ending it.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use botapi_sim::Sim;
use tokio::process::{Child, Command};

use crate::minimal;

/// Clock ticks a second in `/proc/PID/stat`: 100 on every Linux that Rust supports (proc(5)).
const TICKS_PER_S: f64 = 100.0;

/// The bots that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bot {
    /// The real binary.
    Katana,
    /// See [`minimal`].
    Minimal,
}

impl Bot {
    /// In the order in which they are measured.
    pub(crate) const ALL: [Self; 2] = [Self::Katana, Self::Minimal];

    /// As in tables and JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Katana => "katana",
            Self::Minimal => "minimal",
        }
    }

    fn command(self, sim: &Sim, state: &Path, binary: Option<&Path>) -> Command {
        match self {
            Self::Katana => {
                let built = PathBuf::from(env!("CARGO_BIN_EXE_katana-bot"));
                let mut command = Command::new(binary.map_or(built, Path::to_owned));
                command
                    .arg("run")
                    .env_clear()
                    .env("KATANA_TELEGRAM_TOKEN", sim.token())
                    .env("KATANA_TELEGRAM_API_URL", sim.api_url())
                    .env("KATANA_STORE_PATH", state.join("katana.db"))
                    .env("KATANA_ANSWER_PROVIDER", "echo")
                    .env("KATANA_BOT_ACCESS", "open")
                    .env("KATANA_BOT_OWNERS", "1")
                    .env("KATANA_DELIVERY_PACE", "false")
                    .env("KATANA_WEB_LISTEN", "off")
                    .env("LOG_LEVEL", "warn");
                command
            }
            Self::Minimal => {
                let this = std::env::current_exe().expect("this program has a path");
                let mut command = Command::new(this);
                let url = format!("{}/bot{}", sim.api_url(), sim.token());
                command.env_clear().env(minimal::URL, url);
                command
            }
        }
    }

    /// Starts it against the simulator. It logs to a file: `tmp/bench.log` in the target directory.
    /// `binary`: the bot, unless the one that was just built.
    pub(crate) fn start(self, sim: &Sim, state: &Path, binary: Option<&Path>) -> Running {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench.log");
        let log = OpenOptions::new().create(true).append(true).open(log);
        let begun = Instant::now();
        let child = self
            .command(sim, state, binary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.map_or(Stdio::null(), Stdio::from))
            .kill_on_drop(true)
            .spawn()
            .expect("the bot can be started");
        Running { pid: child.id().expect("it was just started"), child, begun }
    }
}

/// A bot that runs.
pub(crate) struct Running {
    child: Child,
    pid: u32,
    /// Just before it was started.
    pub(crate) begun: Instant,
}

impl Running {
    /// Waits until it has polled and listens.
    pub(crate) async fn listening(&self, sim: &Sim) {
        let listens = sim.wait_until(Duration::from_secs(20), Sim::polling).await;
        assert!(listens, "the bot does not poll");
    }

    /// A size from `/proc/PID/status` in MB (of 1,000,000 bytes): `VmRSS`, `VmHWM`.
    pub(crate) fn memory_mb(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))
            .expect("the bot still runs");
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
            .expect("the kernel reports sizes");
        kib * 1024.0 / 1e6
    }

    /// CPU time used so far, in seconds, all threads.
    pub(crate) fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))
            .expect("the bot still runs");
        // The name in brackets may hold anything; fields are counted behind it.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |place: usize| fields[place].parse::<f64>().expect("a number");
        (ticks(11) + ticks(12)) / TICKS_PER_S
    }

    /// Waits until it uses no CPU any more, and gives what it used.
    pub(crate) async fn quiet_cpu_s(&self) -> f64 {
        let mut before = self.cpu_s();
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = self.cpu_s();
            if now - before < 0.001 {
                break;
            }
            before = now;
        }
        self.cpu_s()
    }

    /// Asks it to stop, and insists after a while.
    pub(crate) async fn stop(mut self) {
        let asked = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.pid)).status();
        let _ = asked.await;
        if tokio::time::timeout(Duration::from_secs(15), self.child.wait()).await.is_err() {
            eprintln!("the bot did not stop by itself");
            let _ = self.child.kill().await;
        }
    }
}
