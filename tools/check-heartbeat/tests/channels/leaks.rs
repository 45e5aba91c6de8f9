//! Every failure that can be made, searched for every secret: plain, percent-encoded, in base64.

use std::io::{Read, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use botapi_sim::Fault;
use check_heartbeat::channel::{Failure, ping};

use crate::peers::{Peer, closed_port, request};
use crate::postbox::{Postbox, Setup};
use crate::telegram::{self, TOKEN, Telegram};
use crate::{fails, later, open, within};

const PASSWORD: &str = "p@ss/w\"ord+with:every%thing";
const PING: &str = "0aa1-ping-id-that-no-one-may-know";
const LONG: Duration = Duration::from_secs(5);

/// Whether the secret stands in the text in any form. Written the other way round than the code
/// under test: this decodes the text, that one encodes the secret.
fn holds(text: &str, secret: &str) -> bool {
    let plain = text.contains(secret) || text.replace('\\', "").contains(secret);
    plain
        || String::from_utf8_lossy(&percent_decoded(text)).contains(secret)
        || in_base64(text, secret)
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => (out.push(byte), rest = &after[2..]),
            None => (out.push(first), rest = after),
        };
    }
    out
}

fn in_base64(text: &str, secret: &str) -> bool {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decode = |run: &str| {
        let alphabet = &base64::alphabet::STANDARD;
        GeneralPurpose::new(alphabet, config).decode(run).unwrap_or_default()
    };
    let text = text.replace('-', "+").replace('_', "/");
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '/').any(|run| {
        // A run may begin in the middle of a group of four, and end in the middle of one.
        (0..4).any(|skip| {
            let run = run.get(skip..).unwrap_or_default();
            let whole = &run[..run.len() - usize::from(run.len() % 4 == 1)];
            String::from_utf8_lossy(&decode(whole)).contains(secret)
        })
    })
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let b64 = base64::engine::general_purpose::STANDARD;
    for text in [
        PASSWORD.to_owned(),
        format!("{PASSWORD:?}"),
        "p%40ss%2Fw%22ord%2Bwith%3Aevery%25thing".to_owned(),
        format!("AUTH PLAIN {}", b64.encode(format!("\0user\0{PASSWORD}"))),
        format!("({})", b64.encode(format!("\0us\0{PASSWORD}"))),
    ] {
        assert!(holds(&text, PASSWORD), "{text}");
    }
    assert!(!holds("535 5.7.8 wrong user or password", PASSWORD));
}

fn assert_clean(failure: &Failure) {
    let text =
        format!("{failure} {failure:?} {failure:#?} {}", failure.hint.clone().unwrap_or_default());
    let tail = TOKEN.split(':').nth(1).expect("a tail");
    for secret in [TOKEN, tail, PASSWORD, PING] {
        assert!(!holds(&text, secret), "a secret stands in: {text}");
    }
}

/// Repeats what it was asked in the description of its error, in every form.
fn parrot(status: &'static str) -> Peer {
    Peer::serve(move |mut connection, _| {
        let asked = request(&mut connection);
        let path = asked.split(' ').nth(1).unwrap_or_default();
        let encoded = path.replace(':', "%3A").replace('/', "%2f");
        let b64 = base64::engine::general_purpose::STANDARD.encode(path);
        let body = format!(r#"{{"ok":false,"description":"no such path {path} {encoded} {b64}"}}"#);
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let _ = connection.write_all(answer.as_bytes());
    })
}

#[test]
fn secrets_reach_no_failure_of_telegram() {
    let telegram = Telegram::start();
    let channel = telegram.channel("timeout = '300ms'");
    let faults = [
        Fault::ServerError,
        Fault::BadGateway,
        Fault::TooManyRequests(99),
        Fault::Reset,
        Fault::AnswerLost,
        Fault::BlackHole,
    ];
    for fault in faults {
        telegram.sim.fault_next("sendMessage", fault);
        assert_clean(&fails(&*channel, later(), LONG));
    }
    telegram.sim.revoke_token();
    assert_clean(&fails(&*channel, later(), LONG));
    for status in ["400 Bad", "401 No", "404 None", "429 Slow", "502 Bad", "200 OK", "302 There"] {
        let peer = parrot(status);
        let failure = fails(&*telegram::channel(&url(peer.port), ""), later(), LONG);
        assert_clean(&failure);
        if status.starts_with('4') {
            assert!(
                failure.message.contains("no such path /bot")
                    && failure.message.contains("[secret]"),
                "{failure:?}"
            );
        }
    }
    let peers =
        [Peer::silent(), Peer::dripping("HTTP/1.1 200 OK\r\n", "x"), Peer::answering("spam")];
    for peer in &peers {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://127.0.0.1:{}", peer.port);
            assert_clean(&fails(&*telegram::channel(&url, "timeout = '300ms'"), later(), LONG));
        }
    }
    assert_clean(&fails(&*telegram::channel(&url(closed_port()), ""), later(), LONG));
    let nowhere = telegram::channel("https://no-such-host.invalid", "timeout = '3s'");
    assert_clean(&fails(&*nowhere, later(), LONG));
    assert_clean(&fails(&*nowhere, within(Duration::ZERO), LONG));
}

#[test]
fn secrets_reach_no_failure_of_mail() {
    let channel = |port: u16, more: &str| {
        let table = format!(
            "type = 'smtp'\nhost = '127.0.0.1'\nport = {port}\nuser = 'watch'\n\
             from = 'a@example.org'\nto = 'unknown@example.org'\ntimeout = '2s'\n{more}"
        );
        open(&table, &[("SMTP_ALERT_PASSWORD", PASSWORD)]).expect("opens")
    };
    // Another user than the server knows, and a server that repeats what it was given.
    for tls in ["implicit", "starttls", "none"] {
        for password in [PASSWORD, "another"] {
            for without in [None, Some("PLAIN")] {
                let login = Some(("watch", password));
                let Some(postbox) = Postbox::start(Setup { tls, login, chatty: true, without })
                else {
                    return;
                };
                let ca = postbox.ca_file();
                let more = format!("tls = '{tls}'\nca_file = '{}'", ca.display());
                let failure = fails(&*channel(postbox.port, &more), later(), LONG);
                assert_clean(&failure);
                if password == "another" {
                    assert!(failure.message.contains("[secret]"), "it was repeated: {failure:?}");
                }
                assert_clean(&fails(
                    &*channel(postbox.port, &format!("tls = '{tls}'")),
                    later(),
                    LONG,
                ));
            }
        }
    }
    let echo = Peer::serve(|mut connection, _| {
        let mut buffer = [0; 4096];
        let mut answer = "220 x\r\n".to_owned();
        while connection.write_all(answer.as_bytes()).is_ok() {
            let Ok(count @ 1..) = connection.read(&mut buffer) else { return };
            let said = String::from_utf8_lossy(&buffer[..count]).trim().to_owned();
            answer = if said.starts_with("EHLO") {
                "250-x\r\n250 AUTH PLAIN\r\n".to_owned()
            } else {
                format!("500 what is {said}\r\n")
            };
        }
    });
    let failure = fails(&*channel(echo.port, "tls = 'none'"), later(), LONG);
    assert!(failure.message.contains("AUTH PLAIN"), "{failure:?}");
    assert_clean(&failure);
    let peers = [Peer::silent(), Peer::dripping("220 x\r\n250 AUTH PLAIN\r\n", "235-x\r\n")];
    for peer in &peers {
        assert_clean(&fails(&*channel(peer.port, "tls = 'none'"), later(), LONG));
    }
    assert_clean(&fails(&*channel(closed_port(), "tls = 'none'"), later(), LONG));
}

#[test]
fn the_address_of_the_ping_reaches_no_failure() {
    let peers = [
        parrot("404 None"),
        parrot("302 There"),
        parrot("500 No"),
        Peer::silent(),
        Peer::answering("spam"),
        Peer::dripping("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
    ];
    for port in peers.iter().map(|peer| peer.port).chain([closed_port()]) {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://user:{PING}@127.0.0.1:{port}/{PING}?rid={PING}");
            let failure = ping(&url, within(Duration::from_millis(400))).expect_err("fails");
            assert_clean(&failure);
        }
    }
    for url in [format!("https:///{PING}"), PING.to_owned(), format!("https://a b/{PING}")] {
        assert_clean(&ping(&url, later()).expect_err("fails"));
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
