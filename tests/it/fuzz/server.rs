//! A server that answers whatever is asked with the bytes of the hour, and closes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longest wait for the client's next words: it may wait for ours.
const TURN: Duration = Duration::from_millis(40);

/// How the bytes are said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// All of them after one request of HTTP.
    Http,
    /// A line first, and another after each line of the client, as mail servers do.
    Lines,
}

/// Ends with its runtime.
pub struct Server {
    pub port: u16,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answer = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let bytes = said.lock().expect("the answer").clone();
                tokio::spawn(async move {
                    match manner {
                        Manner::Http => http(stream, &bytes).await,
                        Manner::Lines => lines(stream, &bytes).await,
                    }
                });
            }
        });
        Self { port, answer }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it says from now on.
    pub fn says(&self, bytes: &[u8]) {
        *self.answer.lock().expect("the answer") = bytes.to_vec();
    }
}

async fn http(mut stream: TcpStream, bytes: &[u8]) -> Option<()> {
    let mut asked = Vec::new();
    loop {
        let head = asked.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&asked[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length = length.map_or(0, |length| length.trim().parse().expect("a length"));
            // One that is closed with a part of it unread is reset, and the answer lost.
            if asked.len() >= head + 4 + length {
                break;
            }
        }
        if stream.read_buf(&mut asked).await.ok()? == 0 {
            return None;
        }
    }
    stream.write_all(bytes).await.ok()?;
    stream.shutdown().await.ok()
}

async fn lines(mut stream: TcpStream, bytes: &[u8]) -> Option<()> {
    let mut heard = [0; 16 * 1024];
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        stream.write_all(line).await.ok()?;
        // More lines of one answer follow at once.
        if line.get(3) == Some(&b'-') {
            continue;
        }
        let read = tokio::time::timeout(TURN, stream.read(&mut heard)).await;
        if matches!(read, Ok(Ok(0) | Err(_))) {
            return None;
        }
    }
    stream.shutdown().await.ok()
}
