//! Servers that close, cut and say nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::*;

/// What a server does with each of its connections.
#[derive(Clone, Copy)]
enum Server {
    /// Answers, and closes what was not used for a moment.
    ClosesIdle,
    /// Reads the request and closes.
    Closes,
    /// Reads the request and nothing else.
    Silent,
}

async fn serve(mut connection: TcpStream, server: Server) {
    let mut buffer = [0; 4096];
    loop {
        let read = tokio::time::timeout(Duration::from_millis(50), connection.read(&mut buffer));
        match (read.await, server) {
            (Ok(Ok(1..)), Server::ClosesIdle) => {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue";
                connection.write_all(answer).await.unwrap();
            }
            (Ok(Ok(1..)), Server::Silent) => sleep(Duration::from_secs(60)).await,
            _ => return,
        }
    }
}

/// A transport to such a server, and how many connections it has had.
async fn transport(server: Server, whole: Duration) -> (Transport, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(connection, server));
        }
    });
    (Transport::new(&Target::new(&url).unwrap(), "/bot", 8, whole), count)
}

const NOTHING: Bytes = Bytes::new();

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_nothing() {
    let (transport, count) = transport(Server::ClosesIdle, Duration::from_secs(5)).await;
    for _ in 0..2 {
        for _ in 0..3 {
            let answer = transport.call("getMe", NOTHING).await.unwrap();
            assert_eq!((answer.status, &answer.body[..]), (200, &b"true"[..]));
        }
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(count.load(Ordering::SeqCst), 2, "one before the pause, one after");
}

#[tokio::test]
async fn what_may_have_been_received_is_distinguished_from_what_surely_was_not() {
    let second = Duration::from_secs(1);
    let (cut, _) = transport(Server::Closes, second).await;
    assert!(matches!(cut.call("sendMessage", NOTHING).await, Err(Failure::Cut(_))));
    let (late, _) = transport(Server::Silent, second / 5).await;
    assert!(matches!(late.call("sendMessage", NOTHING).await, Err(Failure::Late)));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let target = Target::new(&format!("http://{closed}")).unwrap();
    let refused = Transport::new(&target, "/bot", 8, second).call("sendMessage", NOTHING).await;
    assert!(matches!(refused, Err(Failure::NotSent(_))));
}
