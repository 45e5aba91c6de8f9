//! An embeddings server for scenarios: its vectors have a place for each of a few meanings.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Words that mean the same, a line each: what stands together is near, whatever the words.
const MEANINGS: [&str; 4] = [
    "refund money back return erstattung",
    "install setup einrichten",
    "backup copy sicherung",
    "holiday leave urlaub",
];

/// A server on the loopback.
pub struct EmbeddingsServer {
    /// Its address, up to `/v1`.
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_down: AtomicBool,
    requests: AtomicUsize,
    texts: Mutex<Vec<String>>,
}

impl EmbeddingsServer {
    pub async fn start() -> Self {
        let shared: Arc<Shared> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("its address"));
        let mine = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                tokio::spawn(answer(socket, Arc::clone(&mine)));
            }
        });
        Self { url, shared }
    }

    /// Whether it refuses everything from now on.
    pub fn set_down(&self, is_down: bool) {
        self.shared.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Texts that were embedded so far.
    /// Texts that were embedded so far.
    pub fn texts(&self) -> Vec<String> {
        self.shared.texts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One request, one answer. Who only looks whether it is there gets nothing.
async fn answer(mut socket: TcpStream, shared: Arc<Shared>) {
    let mut bytes = Vec::new();
    let body: Value = loop {
        if !socket.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
            return;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.starts_with("GET ") && text.ends_with("\r\n\r\n") {
            let _ = socket.write_all(&response(404, "{}")).await;
            return;
        }
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
        if let Some(value) = body.and_then(|body| serde_json::from_str(body).ok()) {
            break value;
        }
    };
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let response = match shared.is_down.load(Ordering::SeqCst) {
        true => response(500, r#"{"error":"down"}"#),
        false => {
            let texts: Vec<String> = serde_json::from_value(body["input"].clone()).expect("texts");
            let row = |text: &String| json!({ "embedding": vector(text) });
            let data: Vec<Value> = texts.iter().map(row).collect();
            shared.texts.lock().unwrap_or_else(PoisonError::into_inner).extend(texts);
            response(200, &json!({ "data": data, "usage": { "prompt_tokens": 7 } }).to_string())
        }
    };
    // Who asked may be gone.
    let _ = socket.write_all(&response).await;
}

fn response(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body.as_bytes()].concat()
}

fn vector(text: &str) -> Vec<f32> {
    let lower = text.to_lowercase();
    let has = |words: &&str| words.split(' ').any(|word| lower.contains(word));
    let mut vector: Vec<f32> =
        MEANINGS.iter().map(|words| if has(words) { 1.0 } else { 0.0 }).collect();
    // Nothing is about nothing.
    vector.push(0.1);
    vector
}
