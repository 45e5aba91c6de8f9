//! What a hostile mail server or Bot API can say to the checker.

use std::time::{Duration, Instant};

use check_heartbeat::channel::{Channel, ChannelConfig, Environment, ping};
use check_heartbeat::notification::{Kind, Notification};

use super::server::{Manner, Server};
use super::{Inputs, assert_showable};

const PASSWORD: &str = "correct horse battery staple";
const TOKEN: &str = "1234567890:AAExampleExampleExampleExampleExampl";

fn channel(table: &str) -> Box<dyn Channel> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let env = [("SMTP_ALERT_PASSWORD", PASSWORD), ("TELEGRAM_ALERT_BOT_TOKEN", TOKEN)];
    let config: ChannelConfig = toml::from_str(table).expect("a channel");
    config.open(&Environment::from_iter(env)).unwrap_or_else(|p| panic!("{p}"))
}

/// Delivers once, and looks at what is said about it.
fn deliver(channel: &dyn Channel) -> bool {
    let notification = Notification {
        incident: "katana-bot-19aa2b3c4d5".to_owned(),
        number: 1,
        kind: Kind::Down,
        summary: "the heartbeat is old".to_owned(),
        ..Notification::default()
    };
    let outcome = channel.deliver(&notification, Instant::now() + Duration::from_secs(1));
    let said = match &outcome {
        Ok(taken) => taken.remarks.join(" "),
        Err(failure) => failure.to_string(),
    };
    assert_showable(&said, 2000);
    assert!(!said.contains('\n'), "{said:?}");
    assert!(!said.contains(PASSWORD) && !said.contains(&TOKEN[11..]), "{said}");
    outcome.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_mail_server_gets_one_short_line_in_return() {
    const WORDS: &[&str] = &[
        "220 ",
        "250 ",
        "250-",
        "354 ",
        "451 ",
        "550 ",
        "\r\n",
        "250-AUTH PLAIN LOGIN\r\n",
        "250-SIZE 1\r\n",
        "250-SMTPUTF8\r\n",
        "250-STARTTLS\r\n",
        "334 ",
        "4.7.0 ",
        "correct horse battery staple",
    ];
    let server = Server::start(Manner::Lines).await;
    let channel = channel(&format!(
        "type = 'smtp'\nhost = '127.0.0.1'\nport = {}\ntls = 'none'\nfrom = 'a@example.org'\n\
         to = ['b@example.org', 'c@example.org']\nuser = 'a'\n",
        server.port
    ));
    let (mut inputs, mut accepted) = (Inputs::of("mail", WORDS), 0);
    while let Some(input) = inputs.next() {
        server.says(&input);
        accepted += usize::from(tokio::task::block_in_place(|| deliver(&*channel)));
    }
    assert!(accepted > 0, "no mail was accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_http_answer_to_the_checker_ends_in_one_short_line() {
    const WORDS: &[&str] = &[
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 500 X\r\n",
        "content-length: ",
        "transfer-encoding: chunked\r\n",
        "\"ok\":true",
        "\"description\":",
        "location: /\r\n",
        "content-encoding: gzip\r\n",
        "0\r\n\r\n",
        "1234567890:AAExampleExampleExampleExampleExampl",
    ];
    let server = Server::start(Manner::Http).await;
    let channel =
        channel(&format!("type = 'telegram'\nchat_id = 5\napi_url = '{}'\n", server.url()));
    let (mut inputs, mut accepted) = (Inputs::of("checker_http", WORDS), 0);
    while let Some(input) = inputs.next() {
        server.says(&input);
        tokio::task::block_in_place(|| {
            accepted += usize::from(deliver(&*channel));
            let deadline = Instant::now() + Duration::from_secs(1);
            if let Err(failure) = ping(&format!("{}/secret-part-of-a-url", server.url()), deadline)
            {
                assert_showable(&failure.to_string(), 1000);
                assert!(!failure.to_string().contains("secret-part"), "{failure}");
            }
        });
    }
    assert!(accepted > 0, "no answer was taken for good");
}
