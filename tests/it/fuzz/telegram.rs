//! What a hostile Bot API server, or a proxy before a good one, can answer.

use std::sync::Arc;
use std::time::Duration;

use hygiene::Redactor;
use katana::model::failure::chain;
use katana::model::ids::UserId;
use katana::model::message::Update;
use katana::observe::clock::Clock;
use katana::observe::vitals::Vitals;
use katana::telegram::{Client, TelegramSettings};
use secrecy::SecretString;

use super::server::{Manner, Server};
use super::{Inputs, assert_showable};

/// The secret part of the token, as no error may show it.
const SECRET: &str = "not-a-real-token-at-all-0123456789";

fn client(server: &Server) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let token = format!("4242:{SECRET}");
    let settings = TelegramSettings {
        api_url: server.url(),
        redactor: Redactor::new([token.as_str()]),
        token: SecretString::from(token),
        poll_timeout: Duration::from_secs(1),
        poll_deadline: Duration::from_secs(2),
        send_timeout: Duration::from_secs(2),
    };
    Client::new(&settings, Arc::new(Vitals::new(Clock::system()))).expect("a client")
}

#[tokio::test(flavor = "multi_thread")]
async fn any_update_is_read_or_counted_and_its_offset_never_goes_back() {
    const WORDS: &[&str] =
        &["\"update_id\":", "\"message\":", "\"entities\":", "\"length\":", "\"chat\":"];
    let server = Server::start(Manner::Http).await;
    let client = client(&server);
    let (mut inputs, mut seen) = (Inputs::of("updates", WORDS), 0);
    while let Some(input) = inputs.next() {
        let body = [br#"{"ok":true,"result":"#, &*input, b"}"].concat();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        server.says(&[head.as_bytes(), &body].concat());
        match client.poll(0, false, UserId(4242)).await {
            Ok(batch) => {
                seen += batch.updates.len();
                assert!(batch.updates.len() + batch.nonsense <= body.len());
                let highest = batch.updates.iter().map(|update| update.id.0).max();
                assert_eq!(batch.next_offset, highest.map(|id| id.saturating_add(1)));
                for update in &batch.updates {
                    let kept = serde_json::to_string(update).expect("it can be kept");
                    let read: Update = serde_json::from_str(&kept).expect("and read again");
                    assert_eq!(read, *update);
                }
            }
            Err(error) => assert!(chain(&error).chars().count() < 1000, "{error:?}"),
        }
    }
    assert!(seen > 0, "no input was understood");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_answer_of_the_bot_api_ends_in_a_short_word_without_the_token() {
    const WORDS: &[&str] = &[
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 429 Too Many Requests\r\n",
        "content-length: ",
        "transfer-encoding: chunked\r\n",
        "retry_after",
        "\"ok\":false",
        "\"description\":",
        "migrate_to_chat_id",
        "bot4242:not-a-real-token-at-all-0123456789",
        "location: /\r\n",
        "connection: close\r\n",
        "0\r\n\r\n",
    ];
    let server = Server::start(Manner::Http).await;
    let client = client(&server);
    let mut inputs = Inputs::of("bot_api", WORDS);
    while let Some(input) = inputs.next() {
        server.says(&input);
        for error in [client.me().await.err(), client.pending().await.err()].into_iter().flatten() {
            let said = chain(&error);
            assert_showable(&said, 1000);
            assert!(!format!("{said} {error:?}").contains(SECRET), "{error:?}");
        }
    }
}
