//! A bot on another machine, and the loop of a container.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::place::Place;

/// Answers so many requests, then is gone. Returns the address.
fn server(status: &'static str, body: &'static str, requests: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten().take(requests) {
            let _ = connection.read(&mut [0; 4096]);
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
            let _ = connection.write_all(head.as_bytes());
            let _ = connection.write_all(body.as_bytes());
        }
    });
    format!("http://{address}/health")
}

#[test]
fn a_bot_elsewhere_is_judged_by_its_health() {
    let place = Place::new();
    for (status, body, code, words) in [
        ("200 OK", r#"{"status":"healthy","report_age_s":2.5}"#, 0, "OK: "),
        (
            "200 OK",
            r#"{"status":"degraded","environment":"east","findings":["provider_slow"]}"#,
            0,
            "(east): degraded: provider_slow",
        ),
        (
            "503 Service Unavailable",
            r#"{"status":"unhealthy","findings":[{"name":"conflict","severity":"failing","text":"two\u001b[2J"}]}"#,
            1,
            "failing: conflict: two [2J",
        ),
        ("200 OK", "<html>hello</html>", 1, "is not that of /health"),
        ("302 Found", "", 1, "(status 302) is not that of /health"),
    ] {
        let ran = place.run(&["--url", &server(status, body, 1)]);
        assert_eq!(ran.status, code, "{body}: {ran:?}");
        let said = ran.out + &ran.err;
        assert!(said.contains(words) && !said.contains("/health: "), "{body}: {said}");
    }
    // It is gone, and that is an incident like any other; the path may hold a secret.
    let gone = server("200 OK", "", 0);
    place.configure(&place.command_channel("a"));
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let watch = format!("[[watch]]\nname = \"east\"\nurl = \"{gone}?key=hidden\"\n");
    let channel = config.find("[[channel]]").unwrap();
    std::fs::write(place.path("config.toml"), watch + &config[channel..]).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let ran = place.run(&[]);
    assert!(ran.status == 1 && ran.err.contains("CRITICAL: east: cannot reach http://"), "{ran:?}");
    assert_eq!(place.kinds("a"), ["down"]);
    let told = place.told("a")[0].to_string();
    assert!(!(ran.err + &told + &place.run(&["--json"]).out).contains("hidden"));
    // Whether people are served cannot be seen from here, nor can its commands be run here.
    for words in ["Impact: not known from here", "on the bot's machine: `katana-bot status`"] {
        assert!(told.contains(words), "{told}");
    }
    for wrong in ["systemctl", "check-config", "no one gets answers", "pid 0"] {
        assert!(!told.contains(wrong), "{wrong}: {told}");
    }
    let sick = r#"{"status":"unhealthy","version":"0.3.0","findings":["store_failing"]}"#;
    std::fs::remove_dir_all(place.path("state")).unwrap();
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let sick = server("503 Service Unavailable", sick, 1);
    std::fs::write(place.path("config.toml"), config.replace(&gone, &sick)).unwrap();
    place.run(&[]);
    let told = place.told("a")[1].to_string();
    assert!(told.contains("Version: 0.3.0\"") && !told.contains("pid 0"), "{told}");
    assert!(told.contains("Do: on the bot's machine: `katana-bot status`"), "{told}");
}

#[test]
fn a_loop_checks_again_and_ends_at_once() {
    let place = Place::new();
    place.good();
    let file = place.heartbeat.to_str().unwrap().to_owned();
    let mut command = place.command(&["--every", "1s", "--file", &file]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let (mut seen, mut buffer) = (String::new(), [0; 1024]);
    while seen.matches("OK: ").count() < 3 {
        let count = out.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let threads = status.lines().find(|line| line.starts_with("Threads:")).unwrap();
    assert!(threads.ends_with("\t2"), "the loop and its signals: {threads}");
    let begun = Instant::now();
    let killed = std::process::Command::new("kill").arg(child.id().to_string()).status();
    assert!(killed.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}
