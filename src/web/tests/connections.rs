//! Clients that hold connections, are slow, or say half of what they announce.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{EVERYWHERE, LOOPBACK, Stage, TOKEN, bearer, read};
use crate::model::limits;
use crate::supervise::Phase;

#[tokio::test]
async fn idle_connections_make_room_and_the_slow_are_cut_off() {
    let stage = Stage::new(LOOPBACK, None).await;
    stage.report(Phase::Running, vec![]);
    let probed = async || {
        let begun = Instant::now();
        assert_eq!(stage.get("/health").await.status, 200);
        assert!(begun.elapsed() < limits::WEB_HEADER_TIMEOUT, "it waited for a slow one");
    };
    // A client that does nothing but connect, thirty times as often as there is room.
    let mut idle = Vec::new();
    for at in 0..30 * limits::WEB_CONNECTIONS {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        let _ = stream.write_all(b"GET /health HTTP/1.1\r\nHost: ").await;
        idle.push(stream);
        if at % 200 == 0 {
            probed().await;
        }
    }
    probed().await;
    // One of those that are left drips: each byte comes in time, the headers do not.
    let mut last = idle.pop().unwrap();
    drop(idle);
    let begun = Instant::now();
    while last.write_all(b"x").await.is_ok() && begun.elapsed() < Duration::from_secs(15) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(begun.elapsed() < limits::WEB_REQUEST_TIMEOUT, "{:?}", begun.elapsed());
    stage.end().await;
}

#[tokio::test]
async fn a_body_that_never_comes_keeps_no_probe_out() {
    for token in [None, Some(TOKEN)] {
        let stage = Stage::new(LOOPBACK, token).await;
        stage.report(Phase::Running, vec![]);
        let mut held = Vec::new();
        for kind in ["", "Expect: 100-continue\r\n"] {
            for _ in 0..2 * limits::WEB_CONNECTIONS {
                let mut stream = TcpStream::connect(stage.address).await.unwrap();
                let head = format!("POST /bot/restart HTTP/1.1\r\nHost: x\r\n{}", bearer(TOKEN));
                let ask = format!("{head}{kind}Content-Length: 100\r\n\r\n");
                let _ = stream.write_all(ask.as_bytes()).await;
                held.push(stream);
            }
            let ready = tokio::time::timeout(Duration::from_secs(2), stage.get("/ready")).await;
            assert_eq!(ready.expect("answered soon").status, 200, "{kind:?}, {token:?}");
        }
        stage.end().await;
    }
}

#[tokio::test]
async fn without_the_token_no_body_is_waited_for() {
    let stage = Stage::new(LOOPBACK, Some(TOKEN)).await;
    for kind in ["", "Expect: 100-continue\r\n"] {
        let headers = format!("{kind}Content-Length: 100\r\n");
        let ask = stage.ask("POST", "/bot/restart", &headers);
        let no = tokio::time::timeout(Duration::from_secs(2), ask).await.expect("answered soon");
        assert_eq!(no.status, 401, "{kind:?}");
    }
    stage.end().await;
}

#[tokio::test]
async fn a_client_from_elsewhere_has_so_many_connections() {
    let stage = Stage::new(EVERYWHERE, None).await;
    let mut idle = Vec::new();
    for _ in 0..16 {
        idle.push(TcpStream::connect(stage.address).await.unwrap());
    }
    let mut more = TcpStream::connect(stage.address).await.unwrap();
    let _ = more.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(read(&mut more).await.is_none(), "the seventeenth is refused");
    idle.pop();
    let again = async {
        loop {
            let mut stream = TcpStream::connect(stage.address).await.unwrap();
            let _ = stream.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n").await;
            if read(&mut stream).await.is_some() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.expect("one went, one may come");
    stage.end().await;
}

#[tokio::test]
async fn a_client_that_never_finishes_is_cut_off_in_time() {
    let stage = Stage::new(LOOPBACK, Some(TOKEN)).await;
    let mut half = TcpStream::connect(stage.address).await.unwrap();
    let head = format!("POST /bot/restart HTTP/1.1\r\nHost: x\r\n{}", bearer(TOKEN));
    half.write_all(format!("{head}Content-Length: 10\r\n\r\n12").as_bytes()).await.unwrap();
    let begun = Instant::now();
    assert_eq!(read(&mut half).await.map(|late| late.status), Some(408));
    let bound = limits::WEB_BODY_TIMEOUT;
    assert!(begun.elapsed() < bound * 2, "{:?}", begun.elapsed());
    assert!(begun.elapsed() > bound / 2, "it had time to finish");
    stage.end().await;
}

#[tokio::test]
async fn a_half_sent_body_does_not_hold_the_end() {
    let stage = Stage::new(LOOPBACK, Some(TOKEN)).await;
    let mut half = TcpStream::connect(stage.address).await.unwrap();
    let head = format!("POST /bot/restart HTTP/1.1\r\nHost: x\r\n{}", bearer(TOKEN));
    half.write_all(format!("{head}Content-Length: 10\r\n\r\n12").as_bytes()).await.unwrap();
    // An answered request shows that the half one was accepted before it.
    assert_eq!(stage.get("/health").await.status, 200);
    let begun = Instant::now();
    let (report_hub, address) = (stage.report_hub.clone(), stage.address);
    stage.end().await;
    assert!(begun.elapsed() < limits::WEB_END_GRACE * 2, "{:?}", begun.elapsed());
    let asked = tokio::time::timeout(Duration::ZERO, report_hub.restart_asked()).await;
    assert!(asked.is_err(), "half a request asks for nothing");
    assert!(TcpStream::connect(address).await.is_err(), "the port is free again");
}

#[tokio::test]
async fn who_was_let_in_is_answered_after_the_end() {
    let stage = Stage::new(LOOPBACK, None).await;
    let mut early = TcpStream::connect(stage.address).await.unwrap();
    // An answered request shows that the silent one was accepted before it.
    assert_eq!(stage.get("/health").await.status, 200);
    let ending = tokio::spawn(stage.end());
    tokio::time::sleep(Duration::from_millis(100)).await;
    early.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(read(&mut early).await.is_some(), "the connection was dropped");
    ending.await.unwrap();
}
