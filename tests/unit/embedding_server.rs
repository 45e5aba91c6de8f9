//! A server of embeddings that answers as a test says.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server of embeddings on the loopback.
pub struct Server {
    /// Its address.
    pub url: String,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Server {
    /// `answer` says what it does with a request, by its number and its texts: a status and a body, or silence.
    pub async fn start(
        answer: impl Fn(usize, &[String]) -> Option<(u16, String)> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut bytes = Vec::new();
                let body: Value = loop {
                    socket.read_buf(&mut bytes).await.unwrap();
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
                    if let Some(value) = body.and_then(|body| serde_json::from_str(body).ok()) {
                        break value;
                    }
                };
                let texts: Vec<String> = serde_json::from_value(body["input"].clone()).unwrap();
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(texts.clone());
                    seen.len() - 1
                };
                let Some((status, body)) = answer(number, &texts) else {
                    std::mem::forget(socket);
                    continue;
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
                );
                socket.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
            }
        });
        Self { url, asked }
    }

    /// The texts of each request.
    pub fn asked(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap().clone()
    }

    /// All texts, in their order.
    pub fn texts(&self) -> Vec<String> {
        self.asked().concat()
    }
}
