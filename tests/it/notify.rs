//! A service manager's ear: what the daemon says with sd_notify(3).

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::harness::{SOON, Stage};

/// Hears what a daemon says to `$NOTIFY_SOCKET`.
pub struct Ear {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Ear {
    /// Sets the stage so that the next daemon talks to this ear.
    pub fn listening(stage: &mut Stage) -> Self {
        let path = stage.dir.path().join("notify");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        stage.set("NOTIFY_SOCKET", &path.display().to_string());
        Self { socket, heard: Vec::new() }
    }

    /// Takes in what was said meanwhile; gives everything from the beginning.
    pub fn all(&mut self) -> &[String] {
        let mut buffer = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            self.heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        &self.heard
    }

    /// How often a message with these words was heard.
    pub fn count(&mut self, words: &str) -> usize {
        self.all().iter().filter(|said| said.contains(words)).count()
    }

    /// Waits for a message with these words.
    pub async fn hears(&mut self, words: &str) {
        self.hears_within(words, SOON).await;
    }

    /// The same with a time of one's own.
    pub async fn hears_within(&mut self, words: &str, within: Duration) {
        let begun = Instant::now();
        while self.count(words) == 0 {
            assert!(begun.elapsed() < within, "{words:?} expected, heard {:#?}", self.heard);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Forgets what was heard so far.
    pub fn forget(&mut self) {
        self.all();
        self.heard.clear();
    }
}
