//! Vectors of 384 dimensions around centres, as those of texts lie, and a server that makes them.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// As many as multilingual-e5-small has.
pub(crate) const DIMENSIONS: usize = 384;

const CENTRES: u64 = 500;

/// What questions begin with here.
pub(crate) const QUESTION: &str = "How can the ";

/// The vector of a text: the same with each run, of length 1.
pub(crate) fn vector(text: &str) -> Vec<f32> {
    let sum = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut own = Rng::with_seed(sum);
    let mut centre = Rng::with_seed(own.u64(..CENTRES));
    let noise = |random: &mut Rng| random.f32() + random.f32() + random.f32() - 1.5;
    // A question is about something that there is.
    let share = if text.contains(QUESTION) { 0.4 } else { 0.8 };
    let mut vector: Vec<f32> =
        (0..DIMENSIONS).map(|_| noise(&mut centre) + share * noise(&mut own)).collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

/// What the server was asked.
#[derive(Default)]
pub(crate) struct Asked {
    /// Texts that are not questions.
    pub(crate) passages: usize,
    /// When the first question came.
    pub(crate) question: Option<Instant>,
}

/// An embeddings server on the loopback.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Asked>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("its address"));
        let server = Self { url, asked: Arc::default() };
        let mine = server.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let mine = mine.clone();
                tokio::spawn(async move { mine.answer(socket).await });
            }
        });
        server
    }

    /// What it was asked since the last time.
    pub(crate) fn asked(&self) -> Asked {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }

    /// Whether a question has come.
    pub(crate) fn has_question(&self) -> bool {
        self.asked.lock().expect("no panic").question.is_some()
    }

    async fn answer(&self, mut socket: TcpStream) -> Option<()> {
        let mut bytes = Vec::new();
        let (head, length) = loop {
            socket.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, _)) = text.split_once("\r\n\r\n") {
                let length = head.to_lowercase();
                let length = length.split("content-length: ").nth(1).unwrap_or("0");
                let length = length.lines().next().and_then(|one| one.trim().parse().ok());
                break (head.len() + 4, length.unwrap_or(0_usize));
            }
        };
        while bytes.len() < head + length {
            socket.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
        }
        let body: Value = serde_json::from_slice(&bytes[head..]).unwrap_or_default();
        let texts: Vec<String> = serde_json::from_value(body["input"].clone()).unwrap_or_default();
        {
            let mut asked = self.asked.lock().expect("no panic");
            match texts.iter().any(|text| text.contains(QUESTION)) {
                true => drop(asked.question.get_or_insert_with(Instant::now)),
                false => asked.passages += texts.len(),
            }
        }
        let data: Vec<Value> =
            texts.iter().map(|text| json!({ "embedding": vector(text) })).collect();
        let body = json!({ "data": data, "usage": { "prompt_tokens": 7 } }).to_string();
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        socket.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.ok()
    }
}
