//! Servers that behave badly, on loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// A server whose connections are all treated by one function; it ends when this is dropped.
pub struct Peer {
    pub port: u16,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Peer {
    /// Serves each connection on a thread of its own.
    pub fn serve(treat: impl Fn(TcpStream, &dyn Fn() -> bool) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (connections, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ended, treat) = (Arc::clone(&connections), Arc::clone(&stop), Arc::new(treat));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let (ended, treat) = (Arc::clone(&ended), Arc::clone(&treat));
                thread::spawn(move || treat(connection, &|| ended.load(Ordering::SeqCst)));
            }
        });
        Self { port, connections, stop }
    }

    /// Sends `first` at once and then one byte of `rest` every 50 ms, for ever.
    pub fn dripping(first: &'static str, rest: &'static str) -> Self {
        Self::serve(move |mut connection, ended| {
            let _ = connection.write_all(first.as_bytes());
            for byte in rest.bytes().cycle() {
                if ended() || connection.write_all(&[byte]).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(50));
            }
        })
    }

    /// Accepts, reads, and never says anything.
    pub fn silent() -> Self {
        Self::serve(|mut connection, _| {
            let mut buffer = [0; 1024];
            while matches!(connection.read(&mut buffer), Ok(1..)) {}
        })
    }

    /// Answers every HTTP request with these bytes and closes.
    pub fn answering(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::serve(move |mut connection, _| {
            request(&mut connection);
            let _ = connection.write_all(answer.as_bytes());
        })
    }

    /// Follows a script: says each line, and reads a line from the client before the next.
    pub fn reciting(lines: &'static [&'static str]) -> Self {
        Self::serve(move |mut connection, _| {
            let mut buffer = [0; 4096];
            for line in lines {
                if connection.write_all(line.as_bytes()).is_err() {
                    return;
                }
                if !matches!(connection.read(&mut buffer), Ok(1..)) {
                    return;
                }
            }
        })
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Reads one HTTP request whole, head and body, however it was cut on its way. A server that closes
/// with a part of it unread resets the connection, and the client may lose the answer to that.
pub fn request(connection: &mut impl Read) -> String {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let body = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let body = body.map_or(0, |length| length.trim().parse().expect("a length"));
            if read.len() >= head.len() + 4 + body {
                break;
            }
        }
        match connection.read(&mut buffer) {
            Ok(count @ 1..) => read.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// A port that no program listens on.
pub fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("an address").port()
}
