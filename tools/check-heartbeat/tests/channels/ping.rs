//! The dead-man's ping.

use std::time::{Duration, Instant};

use check_heartbeat::channel::ping;

use crate::peers::{Peer, closed_port};
use crate::{later, within};

fn status(line: &str) -> Peer {
    Peer::answering(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n"))
}

fn url(peer: &Peer) -> String {
    format!("http://127.0.0.1:{}/6f1c-secret-id?rid=secret-run", peer.port)
}

#[test]
fn any_2xx_will_do() {
    for line in ["200 OK", "204 No Content", "202 Accepted"] {
        let peer = status(line);
        assert_eq!(ping(&url(&peer), later()), Ok(()), "{line}");
        assert_eq!(peer.connections(), 1);
    }
}

#[test]
fn everything_else_fails_and_shows_only_the_host() {
    let elsewhere = status("200 OK");
    let redirect = format!("302 Found\r\nlocation: {}", url(&elsewhere));
    for (line, permanent) in [
        (redirect.as_str(), true),
        ("404 Not Found", true),
        ("410 Gone", true),
        ("429 Too Many Requests", false),
        ("500 Oh No", false),
    ] {
        let peer = status(line);
        let failure = ping(&url(&peer), later()).expect_err(line);
        assert_eq!(failure.permanent, permanent, "{failure:?}");
        let said = format!("{failure:?}");
        assert!(said.contains(&format!("http://127.0.0.1:{}", peer.port)), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
    assert_eq!(elsewhere.connections(), 0, "redirects are not followed");
}

#[test]
fn it_never_outlives_its_deadline() {
    let peers = [
        Peer::silent(),
        Peer::dripping("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
        Peer::dripping("", " "),
    ];
    for peer in peers {
        let begun = Instant::now();
        let failure = ping(&url(&peer), within(Duration::from_millis(400))).expect_err("no answer");
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert!(!failure.permanent && !format!("{failure:?}").contains("secret"), "{failure:?}");
    }
    let closed = format!("http://127.0.0.1:{}/secret", closed_port());
    let failure = ping(&closed, later()).expect_err("no server listens");
    assert!(!failure.permanent && !format!("{failure:?}").contains("secret"), "{failure:?}");
    assert!(ping(&closed, within(Duration::ZERO)).is_err());
}

#[test]
fn an_invalid_address_is_a_configuration_error() {
    for url in
        ["", "secret", "ftp://host/secret", "https://", "https:///secret", "http://ho st/secret"]
    {
        let failure = ping(url, later()).expect_err(url);
        assert!(failure.permanent && !format!("{failure:?}").contains("secret"), "{failure:?}");
    }
}
