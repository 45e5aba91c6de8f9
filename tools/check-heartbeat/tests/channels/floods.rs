//! Servers that never end a line or an answer, and the real program: it ends in time, within little
//! memory, and says what went wrong.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::peers::{Peer, request};

/// Address space of a run, in kB: a run takes a third of it, mostly stacks.
const ROOM_KB: u32 = 400_000;

/// Writes `bytes` over and over, as fast as they are taken.
fn flood(connection: &mut TcpStream, bytes: &[u8]) {
    let chunk = bytes.repeat(64 * 1024 / bytes.len() + 1);
    while connection.write_all(&chunk).is_ok() {}
}

/// A server that says `first` after each line of the client, and then never ends what it says last.
fn mail(first: &'static [&'static str], rest: &'static [u8]) -> Peer {
    Peer::serve(move |mut connection, _| {
        let mut buffer = [0; 4096];
        for line in first {
            if connection.write_all(line.as_bytes()).is_err() {
                return;
            }
            if !matches!(std::io::Read::read(&mut connection, &mut buffer), Ok(1..)) {
                return;
            }
        }
        flood(&mut connection, rest);
    })
}

/// An HTTP server whose answer begins so and never ends.
fn http(first: &'static str, rest: &'static [u8]) -> Peer {
    Peer::serve(move |mut connection, _| {
        request(&mut connection);
        if connection.write_all(first.as_bytes()).is_ok() {
            flood(&mut connection, rest);
        }
    })
}

/// One run of the program with this configuration; its exit status and what it said.
fn run(config: &str) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let heartbeat = dir.path().join("heartbeat");
    if config.contains("ping_url") {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
        std::fs::write(&heartbeat, format!("{}\n", now.as_secs())).expect("written");
    }
    let path = dir.path().join("config.toml");
    std::fs::write(&path, config.replace("HEARTBEAT", &heartbeat.display().to_string()))
        .expect("written");
    let begun = Instant::now();
    let mut command = Command::new("sh");
    if config.contains("telegram") {
        let token = "1234567890:AAExampleExampleExampleExampleExampl";
        command.env("TELEGRAM_ALERT_BOT_TOKEN", token);
    }
    let output = command
        .arg("-c")
        .arg(format!("ulimit -v {ROOM_KB}; exec \"$@\""))
        .args(["sh", env!("CARGO_BIN_EXE_check-heartbeat"), "--config"])
        .arg(&path)
        .arg("--state-dir")
        .arg(dir.path().join("state"))
        .output()
        .expect("it runs");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_mail_server_that_never_ends_a_line_costs_neither_memory_nor_time() {
    for (first, rest) in [
        (&[][..], &b"2"[..]),
        (&[], b"220-welcome\r\n"),
        (&[], b"\0"),
        (&["220 ok\r\n"], b"250-X-MORE\r\n"),
        (&["220 ok\r\n"], b"250 "),
        (&["220 ok\r\n", "250 mail.test\r\n"], b"250-"),
        (&["220 ok\r\n", "250 mail.test\r\n", "250 ok\r\n"], b"451-x\r\n"),
        (&["220 ok\r\n", "250 mail.test\r\n", "250 ok\r\n", "250 ok\r\n"], b"354"),
    ] {
        let peer = mail(first, rest);
        let config = format!(
            "[[watch]]\nname = 'bot'\nfile = 'HEARTBEAT'\n[[channel]]\ntype = 'smtp'\n\
             host = '127.0.0.1'\nport = {}\ntls = 'none'\nfrom = 'a@example.org'\n\
             to = 'b@example.org'\ntimeout = '5s'\n",
            peer.port
        );
        let (status, said) = run(&config);
        assert_eq!(status, Some(1), "{first:?}: {said}");
        assert!(said.contains("too long") || said.contains("not SMTP"), "{first:?}: {said}");
        assert!(said.len() < 4_000, "{first:?}: {said}");
    }
}

/// Beginnings of answers of an HTTP server, and what follows without end.
const ANSWERS: [(&str, &[u8]); 7] = [
    ("", b"H"),
    ("HTTP/1.1 200 ", b"O"),
    ("HTTP/1.1 200 OK\r\n", b"X-More: more\r\n"),
    ("HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"{"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    ("HTTP/1.1 200 OK\r\n\r\n", b"{\"ok\":"),
];

#[test]
fn an_http_server_that_never_ends_its_answer_costs_neither_memory_nor_time() {
    for (first, rest) in ANSWERS {
        let peer = http(first, rest);
        let ping = format!(
            "[[watch]]\nname = 'bot'\nfile = 'HEARTBEAT'\nping_url = 'http://127.0.0.1:{}/x'\n",
            peer.port
        );
        let (status, said) = run(&ping);
        assert_eq!(status, Some(0), "{first:?}: {said}");
        assert!(said.len() < 4_000, "{first:?}: {said}");
        let alert = format!(
            "[[watch]]\nname = 'bot'\nfile = 'HEARTBEAT'\n[[channel]]\ntype = 'telegram'\n\
             chat_id = 5\napi_url = 'http://127.0.0.1:{}'\ntimeout = '5s'\n",
            peer.port
        );
        let (status, said) = run(&alert);
        assert_eq!(status, Some(1), "{first:?}: {said}");
        assert!(said.contains("telegram") && said.len() < 4_000, "{first:?}: {said}");
    }
    for (first, rest) in ANSWERS.into_iter().chain([("HTTP/1.1 400 No\r\n\r\n", &b"no "[..])]) {
        let peer = http(first, rest);
        let alert = format!(
            "[[watch]]\nname = 'bot'\nfile = 'HEARTBEAT'\n[[channel]]\ntype = 'webhook'\n\
             url = 'http://127.0.0.1:{}'\ntimeout = '5s'\n",
            peer.port
        );
        let (status, said) = run(&alert);
        assert_eq!(status, Some(1), "{first:?}: {said}");
        // A whole head with 200 is an answer, whatever follows.
        let is_accepted = first.contains("200 OK") && first.ends_with("\r\n\r\n");
        assert_eq!(!said.contains("channel webhook: "), is_accepted, "{first:?}: {said}");
        assert!(said.len() < 4_000, "{first:?}: {said}");
    }
}
