//! A server for the tests of this edge: it reads requests and answers with raw bytes as scripted,
//! so that a test controls chunks, cuts, silence and lies.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Answering, ProviderError};
use crate::model::conversation::{Event, Finished, ToolCall};
use crate::model::failure::Classify;

/// What happens after a request was read.
pub(super) enum Reply {
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
    /// These bytes, then nothing, for ever.
    Hang(Vec<u8>),
}

/// A server that answers its n-th request with the n-th reply, and the last one for ever.
pub(super) struct Fake {
    /// Where it listens, such as `http://127.0.0.1:1234`.
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            for number in 0.. {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read_request(&mut socket).await;
                seen.lock().unwrap().push(request);
                match &replies[number.min(replies.len() - 1)] {
                    Reply::Raw(bytes) => socket.write_all(bytes).await.unwrap(),
                    Reply::Hang(bytes) => {
                        socket.write_all(bytes).await.unwrap();
                        std::future::pending::<()>().await;
                    }
                }
            }
        });
        Self { url, requests }
    }

    pub(super) async fn answering(bytes: Vec<u8>) -> Self {
        Self::start(vec![Reply::Raw(bytes)]).await
    }

    /// Requests so far, head and body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The JSON body of the n-th request.
    pub(super) fn body(&self, number: usize) -> serde_json::Value {
        let request = &self.requests()[number];
        serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        socket.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
        if body.len() >= length {
            return String::from_utf8(bytes).unwrap();
        }
    }
}

/// A response whose body ends with the connection.
pub(super) fn response(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body.as_bytes()].concat()
}

/// A 200 with these events.
pub(super) fn events(data: &[&str]) -> Vec<u8> {
    let body: String = data.iter().map(|data| format!("data: {data}\n\n")).collect();
    response(200, "content-type: text/event-stream\r\n", &body)
}

/// A 200 in chunks of one byte; without its last chunk it is cut.
pub(super) fn bytewise(body: &str, complete: bool) -> Vec<u8> {
    let mut bytes = response(200, "transfer-encoding: chunked\r\n", "");
    for byte in body.bytes() {
        bytes.extend([b"1\r\n".as_slice(), &[byte], b"\r\n"].concat());
    }
    if complete {
        bytes.extend(b"0\r\n\r\n");
    }
    bytes
}

/// Reads an answer: its text, and its end. What is not text is marked: `(thought)`,
/// `[id name arguments]` for a call, `{word}` for what is not known. Fails if anything follows the
/// end.
pub(super) async fn read(answering: Answering) -> (String, Result<Finished, ProviderError>) {
    let pieces: Vec<_> = answering.collect().await;
    let mut text = String::new();
    let count = pieces.len();
    for (index, piece) in pieces.into_iter().enumerate() {
        let end = match piece {
            Ok(Event::Text(more)) => {
                assert!(!more.is_empty(), "an empty piece");
                text.push_str(&more);
                continue;
            }
            Ok(Event::Reasoning(more)) => {
                text.push_str(&format!("({more})"));
                continue;
            }
            Ok(Event::ToolCall(ToolCall { id, name, arguments })) => {
                text.push_str(&format!("[{id} {name} {arguments}]"));
                continue;
            }
            Ok(Event::RateLeft(_)) => continue,
            Ok(Event::Withdrawn) => {
                text.clear();
                continue;
            }
            Ok(Event::Alive) => continue,
            Ok(Event::Unknown(word)) => {
                text.push_str(&format!("{{{word}}}"));
                continue;
            }
            Ok(Event::Done(finished)) => Ok(finished),
            Err(error) => Err(error),
        };
        assert_eq!(index + 1, count, "something follows the end");
        return (text, end);
    }
    panic!("no end after {text:?}");
}

/// An answer in one line: its text, a bar, and how it ended.
pub(super) async fn told(answering: Answering) -> String {
    match read(answering).await {
        (text, Ok(finished)) => format!("{text}|{:?}", finished.reason),
        (text, Err(error)) => format!("{text}|{}", error.class()),
    }
}
