//! A listener that systemd holds and passes: who waits there while the bot cannot start.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::harness::Stage;
use crate::process::{self, Output};

/// Takes the place of systemd, which passes the listener as number 3.
const PASSING: &str = r#"LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@" 3<&0 0</dev/null"#;

/// `katana-bot` with these arguments and the listener, to its end.
fn run(stage: &Stage, args: &[&str], listener: &TcpListener) -> Output {
    let ours = process::command(stage.settings());
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", PASSING]).arg(ours.get_program()).args(args).env_clear();
    command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let held = listener.try_clone().expect("the same listener");
    let done = command.stdin(OwnedFd::from(held)).output().expect("it runs");
    Output {
        code: done.status.code(),
        stdout: String::from_utf8(done.stdout).expect("UTF-8"),
        stderr: String::from_utf8(done.stderr).expect("UTF-8"),
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

/// A connection that was made, and not accepted yet.
fn asking(listener: &TcpListener) -> TcpStream {
    let address = listener.local_addr().expect("an address");
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").expect("asked");
    stream
}

/// No connection waits to be accepted.
fn is_empty(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).expect("it may not wait");
    listener.accept().is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_bot_that_cannot_start_get_an_answer() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_BOT_ACCESS", "opne");
    for (args, code) in [(&["run"][..], 78), (&["run", "--such-a-flag"], 64)] {
        let listener = listener();
        let waiting = [asking(&listener), asking(&listener)];
        let begun = Instant::now();
        let out = run(&stage, args, &listener);
        assert_eq!(out.code, Some(code), "{}", out.stderr);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        for mut stream in waiting {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("answered and closed");
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
            assert!(answer.ends_with("cannot start; see journalctl -u katana-bot\n"), "{answer}");
        }
        // Else systemd would start the bot again for them.
        assert!(is_empty(&listener));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_waited_for() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_BOT_ACCESS", "opne");
    let listener = listener();
    let begun = Instant::now();
    let out = run(&stage, &["run"], &listener);
    assert_eq!(out.code, Some(78), "{}", out.stderr);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_bot_that_is_started_again_waits_on() {
    let mut stage = Stage::new().await;
    // Root may write anywhere, but not make a folder in a file.
    let file = stage.dir.path().join("file");
    std::fs::write(&file, "").expect("a file");
    stage.set("KATANA_STORE_PATH", &file.join("katana.db").display().to_string());
    let listener = listener();
    let _waiting = asking(&listener);
    let out = run(&stage, &["run"], &listener);
    assert_eq!(out.code, Some(69), "{}", out.stderr);
    assert!(!is_empty(&listener));
}
