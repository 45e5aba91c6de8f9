//! The real binary at a terminal, with a person who reads questions and types.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::harness::{Stage, eventually, skipped};

/// A person at a terminal, by script(1).
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// The program with these arguments. `None`, with the reason printed, where there is no script(1).
    pub fn open(stage: &Stage, words: &[String]) -> Option<Self> {
        let line = format!("{} {}", env!("CARGO_BIN_EXE_katana-bot"), words.join(" "));
        let mut command = Command::new("script");
        command.args(["-qefc", &line, "/dev/null"]).env_clear();
        command.envs(stage.settings().iter().map(|(k, v)| (k, v))).env("SHELL", "/bin/sh");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(e) => {
                skipped(&format!("cannot run script(1): {e}; apt install bsdutils"));
                return None;
            }
        };
        let (keys, mut out) = (child.stdin.take()?, child.stdout.take()?);
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(n) = out.read(&mut bytes)
                && n > 0
            {
                shown.lock().expect("it").push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        Some(Self { child, keys, screen })
    }

    /// Everything shown so far.
    pub fn shown(&self) -> String {
        self.screen.lock().expect("the screen").clone()
    }

    /// Waits for a question and answers it.
    pub async fn answer(&mut self, question: &str, keys: &str) {
        let asked = eventually(|| self.shown().contains(question)).await;
        assert!(asked, "{question:?} expected in:\n{}", self.shown());
        self.keys.write_all(keys.as_bytes()).expect("typed");
        self.keys.flush().expect("typed");
    }

    /// Waits until a question has been asked this many times. Only from then on is nothing echoed.
    pub async fn asked(&self, question: &str, times: usize) {
        let asked = eventually(|| self.shown().matches(question).count() == times).await;
        assert!(asked, "{question:?} expected {times} times in:\n{}", self.shown());
    }

    /// Its exit code and all that was shown, once it has ended.
    pub async fn ended(mut self) -> (Option<i32>, String) {
        let child = Mutex::new(&mut self.child);
        let gone = || child.lock().expect("it").try_wait().expect("it can be waited for").is_some();
        assert!(eventually(gone).await, "it does not end:\n{}", self.screen.lock().expect("it"));
        let code = self.child.wait().expect("it is gone").code();
        (code, self.shown())
    }
}
