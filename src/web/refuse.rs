//! Connections that wait for a bot that cannot start: each gets a 503, and is closed.
//!
//! Invariant: this ends within [`limits::WEB_REFUSING`], whatever the other sides do.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Instant;

use crate::model::limits;

/// What is said, and what it is headed by.
const BODY: &str = "katana-bot cannot start; see journalctl -u katana-bot\n";
const STATUS: &str = "HTTP/1.1 503 Service Unavailable";

/// Answers and closes every connection that waits to be accepted, and waits for no other.
pub fn refuse(listener: &TcpListener) {
    if listener.set_nonblocking(true).is_err() {
        return;
    }
    let answer = format!(
        "{STATUS}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let end = Instant::now() + limits::WEB_REFUSING;
    for _ in 0..limits::WEB_REFUSED {
        match listener.accept() {
            Ok((stream, _)) => tell(stream, &answer),
            // That one has gone away by itself.
            Err(e) if e.kind() == ErrorKind::ConnectionAborted => {}
            Err(_) => return,
        }
        if Instant::now() >= end {
            return;
        }
    }
}

/// A client that does not read it at once gets nothing.
fn tell(mut stream: TcpStream, answer: &str) {
    if stream.set_nonblocking(true).is_err() {
        return;
    }
    // Closed over something unread, the connection would be reset, and the answer lost with it.
    let mut asked = [0; 8 * 1024];
    let _ = stream.read(&mut asked);
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_sends_and_reads_nothing_blocks_no_one() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let connect = || TcpStream::connect(address).expect("connected");
        let (_silent, gone, mut last) = (connect(), connect(), connect());
        drop(gone);
        last.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").expect("asked");
        let begun = Instant::now();
        refuse(&listener);
        assert!(begun.elapsed() < limits::WEB_REFUSING, "{:?}", begun.elapsed());
        let mut answer = String::new();
        last.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with(STATUS) && body == BODY, "{answer}");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
    }
}
