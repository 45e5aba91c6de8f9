//! Who Alertmanager notifies: the Bot API of the second bot, a dead man's switch, and a mail server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::harness::SOON;
use crate::parrot::{Parrot, Said};

type Texts = Arc<Mutex<Vec<String>>>;

/// All of them.
pub struct Peers {
    http: Parrot,
    mail: SocketAddr,
    pages: Texts,
    pings: Texts,
    mails: Texts,
    _serving: JoinSet<()>,
}

fn add(texts: &Texts, text: String) {
    texts.lock().unwrap_or_else(PoisonError::into_inner).push(text);
}

fn all(texts: &Texts) -> Vec<String> {
    texts.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Takes mail without asking who sends it.
async fn take_mail(stream: TcpStream, mails: Texts) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail\r\n").await?;
    let (mut line, mut mail, mut is_data) = (String::new(), String::new(), false);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match line.trim_end() {
            "." if is_data => {
                is_data = false;
                add(&mails, std::mem::take(&mut mail));
                b"250 taken\r\n"
            }
            _ if is_data => {
                mail.push_str(&line);
                continue;
            }
            "DATA" => {
                is_data = true;
                b"354 go on\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 well\r\n",
        };
        stream.write_all(answer).await?;
    }
}

impl Peers {
    /// They listen on loopback.
    pub async fn start() -> Self {
        let (pages, pings, mails) = (Texts::default(), Texts::default(), Texts::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mail = listener.local_addr().expect("an address");
        let mut serving = JoinSet::new();
        let taken = Arc::clone(&mails);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(take_mail(stream, Arc::clone(&taken)));
            }
        });
        // All is answered here; the server behind it is never asked.
        let http = Parrot::before(&format!("http://{mail}")).await;
        let (told, pinged) = (Arc::clone(&pages), Arc::clone(&pings));
        http.says(move |asked| {
            if asked.path == "/watchdog" {
                add(&pinged, asked.body.clone());
                return Some(Said::Answer(200, "text/plain", String::new()));
            }
            let sent: serde_json::Value = serde_json::from_str(&asked.body).unwrap_or_default();
            add(&told, sent["text"].as_str().unwrap_or(&asked.body).to_owned());
            let result = serde_json::json!({"ok": true, "result":
                {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}});
            Some(Said::Answer(200, "application/json", result.to_string()))
        });
        Self { http, mail, pages, pings, mails, _serving: serving }
    }

    /// Where HTTP is answered.
    pub fn url(&self) -> String {
        self.http.url()
    }

    /// Where mail is taken.
    pub fn mail(&self) -> SocketAddr {
        self.mail
    }

    /// The messages of the second bot.
    pub fn pages(&self) -> Vec<String> {
        all(&self.pages)
    }

    /// The subjects of all mails.
    pub fn subjects(&self) -> Vec<String> {
        let subject = |mail: &String| {
            mail.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or("").to_owned()
        };
        all(&self.mails).iter().map(subject).collect()
    }

    /// Waits for the alert that always fires.
    pub async fn watchdog_came(&self) {
        self.wait("the watchdog's alert", || !all(&self.pings).is_empty()).await;
    }

    /// Waits for so many pages.
    pub async fn pages_become(&self, count: usize) {
        self.wait(&format!("{count} pages"), || self.pages().len() >= count).await;
    }

    async fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + SOON * 2;
        while !holds() {
            assert!(Instant::now() < deadline, "waited for {what}: {:#?}", self.pages());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
