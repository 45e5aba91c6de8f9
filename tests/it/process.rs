//! The real binary: short commands, and the daemon as a process of its own.

use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use crate::harness::{SOON, Stage, eventually};

/// What a short command printed.
#[derive(Debug)]
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A daemon, killed when dropped.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

/// `katana-bot` with these settings and nothing else of the environment.
pub fn command(settings: &[(String, String)]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_katana-bot"));
    command
        .env_clear()
        .env("KATANA_TEST_RECONCILE_AFTER_MS", "300")
        .envs(settings.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null());
    command
}

/// Runs `katana-bot` with these arguments and a stage's settings to its end.
pub async fn run(stage: &Stage, args: &[&str]) -> Output {
    let mut command = command(stage.settings());
    command.args(args);
    let done = tokio::task::spawn_blocking(move || command.output().expect("it runs"));
    let output = tokio::time::timeout(SOON, done).await.expect("it ends soon").expect("it ran");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

impl Daemon {
    /// Starts `katana-bot run`; its log goes to a new file in the stage's directory.
    pub fn start(stage: &Stage) -> Self {
        let name = format!("log-{}", fastrand::u64(..));
        let log = stage.dir.path().join(name);
        let file = std::fs::File::create(&log).expect("a log file");
        let mut command = command(stage.settings());
        let child = command.arg("run").stdout(Stdio::null()).stderr(file).spawn();
        Self { child: child.expect("it starts"), log }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).expect("the log")).into_owned()
    }

    /// Waits until the log holds these words.
    pub async fn says(&self, words: &str) {
        let said = eventually(|| self.log().contains(words)).await;
        assert!(said, "{words:?} expected in:\n{}", self.log());
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let done = std::process::Command::new("sh").args(["-c", &kill]).status();
        assert!(done.expect("a shell").success(), "{kill}");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let wait = async {
            loop {
                if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let ended = tokio::time::timeout(SOON, wait).await;
        ended.unwrap_or_else(|_| panic!("it does not end:\n{}", self.log()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
