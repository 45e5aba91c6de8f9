//! What anyone who reaches the HTTP endpoint can send.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Inputs;
use crate::harness::{SOON, Stage};

/// The admin token, in a request that no one sends.
const ADMIN: &str = "the-admin-token-of-a-test";

/// The answer to some bytes; `ends` if the client says that nothing follows, which a server may take for
/// someone who went away.
async fn answer(address: std::net::SocketAddr, request: &[u8], ends: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let mut answer = Vec::new();
    // Who sends too much is cut off while sending.
    let _ = stream.write_all(request).await;
    if ends {
        let _ = stream.shutdown().await;
    }
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "no end after {SOON:?}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn any_request_gets_an_answer_of_http_or_none_and_the_bot_goes_on() {
    const WORDS: &[&str] = &[
        "GET ",
        "POST ",
        "HEAD ",
        "CONNECT ",
        "/health",
        "/live",
        "/ready",
        "/metrics",
        "/bot/status",
        "/bot/restart",
        "/",
        "*",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        " HTTP/2.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "Host: x\r\n",
        "Content-Length: ",
        "Transfer-Encoding: chunked\r\n",
        "Authorization: Bearer ",
        "Expect: 100-continue\r\n",
        "Upgrade: websocket\r\nConnection: upgrade\r\n",
        "Accept: application/json\r\n",
        "\x16\x03\x01",
    ];
    let stage = Stage::running(&[("KATANA_WEB_ADMIN_TOKEN", ADMIN)]).await;
    let address = stage.app().web_address().expect("the endpoint is on");
    let (mut inputs, mut answered) = (Inputs::of("web", WORDS), 0);
    while let Some(input) = inputs.next() {
        let answer = answer(address, &input, true).await;
        if answer.is_empty() {
            continue;
        }
        answered += 1;
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8_lossy(&answer[..head]).into_owned();
        let status = head.split(' ').nth(1).and_then(|word| word.parse::<u16>().ok());
        assert!(head.starts_with("HTTP/1."), "{head}");
        assert!(status.is_some_and(|status| (200..506).contains(&status)), "{head}");
        assert!(answer.len() < 256 * 1024, "{} bytes", answer.len());
        assert!(!String::from_utf8_lossy(&answer).contains(ADMIN), "{head}");
    }
    assert!(answered > 0, "no request was answered");
    let sound = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let sound = answer(address, sound, false).await;
    assert!(sound.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&sound));
    stage.end().await;
}
