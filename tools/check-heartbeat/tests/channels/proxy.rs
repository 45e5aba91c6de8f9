//! Calls through a proxy, which only the environment of a whole process can name.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};

use check_heartbeat::channel::ping;

use crate::later;
use crate::peers::Peer;

#[test]
fn the_usual_variables_are_honoured() {
    let asked = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&asked);
    let proxy = Peer::serve(move |mut connection, _| {
        let mut buffer = [0; 4096];
        let count = connection.read(&mut buffer).unwrap_or(0);
        seen.lock().expect("a lock").push_str(&String::from_utf8_lossy(&buffer[..count]));
        let _ = connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    });
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "proxy::in_a_process_with_a_proxy", "--ignored", "--nocapture"])
        .env("HTTPS_PROXY", format!("http://user:hunter2@127.0.0.1:{}", proxy.port))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .expect("starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let asked = asked.lock().expect("a lock");
    assert!(asked.starts_with("CONNECT ping.example.org:443 "), "{asked}");
}

#[test]
#[ignore = "run by the_usual_variables_are_honoured, in a process of its own"]
fn in_a_process_with_a_proxy() {
    let failure = ping("https://ping.example.org/secret", later()).expect_err("refused");
    let said = format!("{failure:?}");
    assert!(said.contains("proxy"), "{said}");
    assert!(!said.contains("secret") && !said.contains("hunter2"), "{said}");
    // This machine itself is never asked through a proxy.
    let here = Peer::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(ping(&format!("http://127.0.0.1:{}/", here.port), later()), Ok(()));
}
