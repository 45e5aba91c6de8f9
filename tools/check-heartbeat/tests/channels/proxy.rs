//! Calls through a proxy, which only the environment of a whole process can name.

use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};

use check_heartbeat::channel::ping;

use crate::peers::{Peer, request};
use crate::{later, passes};

#[test]
fn the_usual_variables_are_honoured() {
    let asked = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&asked);
    let proxy = Peer::serve(move |mut connection, _| {
        let request = request(&mut connection);
        seen.lock().expect("a lock").push_str(&request);
        let _ = connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    });
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "proxy::in_a_process_with_a_proxy", "--ignored", "--nocapture"]);
    // The machine may have proxies of its own, and some of the names go before others.
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_ascii_lowercase());
    }
    command.env("HTTPS_PROXY", format!("http://user:hunter2@127.0.0.1:{}", proxy.port));
    passes(command);
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
