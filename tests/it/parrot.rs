//! A server in between that says what a test wants, for instance all that it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct CommandRequest {
    /// Path and query.
    pub path: String,
    /// Everything before the body.
    pub head: String,
    /// The body.
    pub body: String,
}

/// What is said instead of the server's answer.
#[derive(Clone, Debug)]
pub enum Said {
    /// An answer with this status, content type and body.
    Answer(u16, &'static str, String),
    /// The same with more headers, one a line.
    Headed(u16, &'static str, String),
    /// An answer, cut in the middle of its body.
    Cut(u16, &'static str, String),
    /// Nothing, and the connection stays open.
    Silence,
}

type Rule = Arc<dyn Fn(&CommandRequest) -> Option<Said> + Send + Sync>;

/// The server; it ends when dropped.
pub struct Parrot {
    address: SocketAddr,
    rule: Arc<Mutex<Option<Rule>>>,
    _serving: JoinSet<()>,
}

impl Parrot {
    /// Everything goes to the server at this URL and back.
    pub async fn before(url: &str) -> Self {
        let server = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
        let server: SocketAddr = server.parse().expect("an address");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let rule: Arc<Mutex<Option<Rule>>> = Arc::default();
        let rules = Arc::clone(&rule);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(serve(client, server, Arc::clone(&rules)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, rule, _serving: serving }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on requests for which the rule says something get that.
    pub fn says(&self, rule: impl Fn(&CommandRequest) -> Option<Said> + Send + Sync + 'static) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(rule));
    }

    /// Everything reaches the server again.
    pub fn steps_aside(&self) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A Bot API refusal in Telegram's shape.
pub fn refusal(code: u16, description: &str) -> Said {
    let body = serde_json::json!({"ok": false, "error_code": code, "description": description});
    Said::Answer(code, "application/json", body.to_string())
}

async fn serve(mut client: TcpStream, server: SocketAddr, rule: Arc<Mutex<Option<Rule>>>) {
    while let Some((asked, raw_body)) = read(&mut client).await {
        let rule = rule.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let said = rule.and_then(|rule| rule(&asked));
        let done = match said {
            None => return forward(client, server, &asked, &raw_body).await,
            Some(Said::Silence) => std::future::pending().await,
            Some(Said::Answer(status, kind, body)) => {
                client.write_all(answer(status, kind, &body, body.len()).as_bytes()).await
            }
            Some(Said::Headed(status, headers, body)) => {
                let kind = format!("application/json\r\n{}", headers.replace('\n', "\r\n"));
                client.write_all(answer(status, &kind, &body, body.len()).as_bytes()).await
            }
            Some(Said::Cut(status, kind, body)) => {
                let half = body.chars().take(body.chars().count() / 2).collect::<String>();
                let _ = client.write_all(answer(status, kind, &half, body.len()).as_bytes()).await;
                return;
            }
        };
        if done.is_err() {
            return;
        }
    }
}

fn answer(status: u16, kind: &str, body: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

async fn read(client: &mut TcpStream) -> Option<(CommandRequest, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        match client.read(&mut buffer).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = bytes.split_off(end);
    while body.len() < length.unwrap_or(0) {
        match client.read(&mut buffer).await {
            Ok(n) if n > 0 => body.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let text = String::from_utf8_lossy(&body).into_owned();
    Some((CommandRequest { path, head, body: text }, body))
}

/// One exchange with the server; its end is the end of the connection.
async fn forward(mut client: TcpStream, server: SocketAddr, asked: &CommandRequest, body: &[u8]) {
    let Ok(mut upstream) = TcpStream::connect(server).await else { return };
    let head = asked.head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    if upstream.write_all(head.as_bytes()).await.is_err() || upstream.write_all(body).await.is_err()
    {
        return;
    }
    // A client that leaves takes its request with it.
    let mut gone = [0; 1];
    let (mut from_client, mut to_client) = client.split();
    tokio::select! {
        _ = copy(&mut upstream, &mut to_client) => {}
        _ = from_client.read(&mut gone) => {}
    }
}
