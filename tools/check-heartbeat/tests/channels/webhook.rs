//! The `webhook` channel, and the documented examples of it, sent for real to a server on this machine.

use std::io::Write;
use std::sync::{Arc, Mutex};

use check_heartbeat::channel::Channel;
use check_heartbeat::notification::Kind;
use serde_json::Value;

use crate::documented::tables;
use crate::peers::{Peer, request};
use crate::{fails, later, notice, open, within, words};

const TOKEN: &str = "tk_a/token-of-the-tests";
/// What some people write into the configuration all the same.
const WRITTEN: &str = "k7Wq0vXn2LzP9dRt5YbG";

/// A server that answers so, and what it was asked.
fn server(answer: &'static str) -> (Peer, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&seen);
    let peer = Peer::serve(move |mut connection, _| {
        let text = request(&mut connection);
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        asked.lock().expect("no panic").push(text);
        let head = format!("HTTP/1.1 {answer}\r\nConnection: close\r\n");
        let body = format!("no {path}: {TOKEN} is odd");
        let _ = write!(connection, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
    });
    (peer, seen)
}

/// A channel with nothing but an address.
pub fn webhook(url: &str) -> Box<dyn Channel> {
    open(&format!("type = 'webhook'\nurl = '{url}'"), &[]).expect("opens")
}

/// The head and the body of the only request.
fn only(seen: &Arc<Mutex<Vec<String>>>) -> (String, Value) {
    let seen = seen.lock().expect("no panic");
    assert_eq!(seen.len(), 1, "{seen:?}");
    let (head, body) = seen[0].split_once("\r\n\r\n").expect("a request");
    (head.to_owned(), serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
}

fn sent(table: &str) -> (String, Value) {
    let (peer, seen) = server("200 OK");
    let table = table.replace("PEER", &format!("http://127.0.0.1:{}", peer.port));
    let channel = open(&table, &[("WEBHOOK_ALERT_TOKEN", TOKEN)]).expect("opens");
    let mut down = notice(2, Kind::Down);
    down.summary = "it's \"down\"\\ {token} {nothing}\nand a line".to_owned();
    channel.deliver(&down, later()).expect("accepted");
    only(&seen)
}

#[test]
fn the_documented_examples_are_what_the_services_take() {
    let tables: Vec<_> = tables().into_iter().filter(|t| t.contains("\"webhook\"")).collect();
    let [ntfy, matrix, slack] = &tables[..] else { panic!("{tables:?}") };
    let local = |table: &str, host: &str| {
        assert!(table.contains(host), "{table}");
        let lines = table.lines().filter(|line| !line.starts_with("token_"));
        lines.collect::<Vec<_>>().join("\n").replace(host, "PEER")
    };
    let (head, body) = sent(&local(ntfy, "https://ntfy.sh"));
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains(&format!("authorization: bearer {TOKEN}")), "{head}");
    assert_eq!(body["topic"], "your-topic");
    assert_eq!(body["title"], "DOWN: katana-bot on host-1.example (production)");
    assert_eq!(body["priority"], 5);
    let text = body["message"].as_str().expect("a text");
    assert!(text.contains("it's \"down\"\\ {token} {nothing}\nand a line"), "{text}");

    let (head, body) = sent(&local(matrix, "https://matrix.example.org"));
    let line = head.lines().next().expect("a line");
    // The same pair is the same transaction, so a repeat is shown once.
    assert_eq!(
        line,
        "PUT /_matrix/client/v3/rooms/!abcdef:example.org/send/m.room.message/\
         katana-bot-19aa2b3c4d5-2-down HTTP/1.1"
    );
    assert!(head.to_lowercase().contains(&format!("authorization: bearer {TOKEN}")), "{head}");
    assert_eq!(body["msgtype"], "m.text");
    assert!(body["body"].as_str().expect("a text").contains("{nothing}\nand a line"), "{body}");

    let (head, body) = sent(&local(slack, "https://hooks.slack.com"));
    assert!(head.starts_with(&format!("POST /{TOKEN} HTTP/1.1\r\n")), "{head}");
    assert!(body["text"].as_str().expect("a text").starts_with("DOWN: katana-bot on "), "{body}");
}

#[test]
fn a_field_is_escaped_for_where_it_stands() {
    let (head, body) = sent(
        "type = 'webhook'\nurl = 'PEER/a?q={summary}&s={token}'\nbody = 'x {summary}'\n\
         headers = { Content-Type = 'text/plain', X-Why = '{summary}' }",
    );
    let line = head.lines().next().expect("a line");
    assert!(line.contains("q=it%27s%20%22down%22%5C%20%7Btoken%7D"), "{line}");
    assert!(line.contains(&format!("&s={TOKEN} ")), "{line}");
    let why = head.lines().find_map(|line| line.strip_prefix("x-why: "));
    assert_eq!(why, Some("it's \"down\"\\ {token} {nothing} and a line"), "{head}");
    assert_eq!(body, "x it's \"down\"\\ {token} {nothing}\nand a line");
    let (head, body) = sent(
        "type = 'webhook'\nurl = 'PEER'\nbody = 'token={token}&text={summary}'\n\
         headers = { Content-Type = 'application/x-www-form-urlencoded' }",
    );
    assert!(head.starts_with("POST / ") && !head.contains("application/json"), "{head}");
    let body = body.as_str().expect("a form");
    let token = TOKEN.replace('/', "%2F");
    assert!(body.starts_with(&format!("token={token}&text=it%27s%20%22down%22")), "{body}");
    let (head, body) = sent("type = 'webhook'\nmethod = 'GET'\nurl = 'PEER/send?text={kind}'");
    assert!(head.starts_with("GET /send?text=down HTTP/1.1\r\n"), "{head}");
    assert_eq!(body, "");
    // All of it, also inside other JSON, as it is or as a text.
    let (_, body) = sent(
        "type = 'webhook'\nurl = 'PEER'\nbody = '{\"all\": {json}, \"text\": \"{json}\", \"n\": {number}}'",
    );
    assert_eq!((&body["all"]["number"], &body["n"]), (&2.into(), &2.into()));
    let text: Value = serde_json::from_str(body["text"].as_str().expect("a text")).expect("JSON");
    assert_eq!(text, body["all"]);
    // By default, all of it.
    let (head, body) = sent("type = 'webhook'\nurl = 'PEER'");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!((&body["kind"], &body["number"]), (&"down".into(), &2.into()));
}

#[test]
fn refusals_have_words_and_never_the_secret() {
    for (answer, permanent, hint) in [
        ("500 Oops", false, ""),
        ("429 Too Many Requests", false, ""),
        ("403 Forbidden", true, "check the token"),
        ("302 Found", true, "it redirects"),
        ("400 Bad Request", true, "compare headers and body"),
    ] {
        let (peer, _) = server(answer);
        let table = format!(
            "type = 'webhook'\nurl = 'http://127.0.0.1:{}/{{token}}/{WRITTEN}'\n\
             headers = {{ X-Key = 'Bearer {WRITTEN}' }}",
            peer.port
        );
        let channel = open(&table, &[("WEBHOOK_ALERT_TOKEN", TOKEN)]).expect("opens");
        let failure = fails(&*channel, later(), std::time::Duration::from_secs(5));
        let said = words(&failure);
        assert_eq!(failure.permanent, permanent, "{said}");
        assert!(said.contains(&answer[..3]) && said.contains(hint), "{said}");
        assert!(!said.contains(TOKEN) && !said.contains(WRITTEN), "{said}");
        assert!(said.contains("[secret] is odd"), "what it answers is quoted: {said}");
    }
    let silent = Peer::silent();
    let channel = webhook(&format!("http://127.0.0.1:{}", silent.port));
    let time = std::time::Duration::from_millis(300);
    let failure = fails(&*channel, within(time), std::time::Duration::from_secs(2));
    assert!(!failure.permanent && words(&failure).contains("no answer"), "{failure}");
}

#[test]
fn mistakes_are_named() {
    for (rest, key, why) in [
        ("url = 'https://a.example/{subjct}'", "url", "{subjct}"),
        ("url = 'https://a.example/{Text}'", "url", "{Text}"),
        ("url = 'https://{host}/'", "url", "in its host"),
        ("url = 'https://{token}?a'", "url", "in its host"),
        ("url = 'https://me:pw@a.example/'", "url", "in its host"),
        ("url = 'http://a.example/'", "url", "unencrypted"),
        ("url = 'ftp://a.example/'", "url", ""),
        ("url = 'https://a.example/'\nbody = '{\"a\": {text}}'", "body", "is not JSON"),
        ("url = 'https://a.example/'\nmethod = 'get'", "method", "is not a method"),
        ("url = 'https://a.example/'\nmethod = 'GET'\nbody = 'x'", "body", "not sent with GET"),
        ("url = 'https://a.example/'\nheaders = { 'a b' = 'c' }", "headers", "not a header"),
        ("url = 'https://a.example/'\nheaders = { Host = 'c' }", "headers", "not a header"),
        ("url = 'https://a.example/{token}'", "token", "is missing"),
        ("url = 'https://a.example/'\ntoken = 'x'", "token", "does not belong"),
    ] {
        let problem = open(&format!("type = 'webhook'\n{rest}"), &[]).err().expect(rest);
        assert_eq!(problem.key, key, "{rest}: {problem}");
        assert!(problem.to_string().contains(why), "{rest}: {problem}");
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), TOKEN).expect("written");
    let named = format!("token_file = '{}'", file.path().display());
    let table = format!("type = 'webhook'\nurl = 'https://a.example/'\n{named}");
    let problem = open(&table, &[]).err().expect("the token is not used");
    assert!(problem.to_string().contains("is in no header"), "{problem}");
    let table = format!("{table}\nheaders = {{ X-Token = '{{token}}' }}");
    assert!(open(&table, &[]).is_ok());
    let plain = "type = 'webhook'\nurl = 'http://a.example/'\nallow_plaintext = true";
    assert!(open(plain, &[]).is_ok());
}

#[test]
fn what_is_too_long_is_sent_shorter() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&seen);
    let peer = Peer::serve(move |mut connection, _| {
        let text = request(&mut connection);
        let body = text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
        asked.lock().expect("no panic").push(body);
        let answer = if body > 1_200 { "413 Content Too Large" } else { "200 OK" };
        let _ = write!(connection, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
    });
    let channel = webhook(&format!("http://127.0.0.1:{}", peer.port));
    let mut down = notice(2, Kind::Down);
    down.details = vec!["y".repeat(300); 8];
    let taken = channel.deliver(&down, later()).expect("accepted");
    assert!(taken.remarks[0].contains("only shortened"), "{taken:?}");
    let sizes = seen.lock().expect("no panic").clone();
    assert!(sizes.len() == 2 && sizes[0] > 2_400 && sizes[1] > 800, "{sizes:?}");
}

#[test]
fn a_template_that_the_service_refuses_is_the_channels_fault() {
    let (peer, _) = server("400 Bad Request");
    let table = format!(
        "type = 'webhook'\nurl = 'http://127.0.0.1:{}'\nbody = '{{\"a\": \"{{text}}\"}}'",
        peer.port
    );
    let channel = open(&table, &[]).expect("opens");
    let mut down = notice(2, Kind::Down);
    down.details = vec!["y".repeat(300); 8];
    let failure = channel.deliver(&down, later()).expect_err("refused, long and short");
    assert!(failure.permanent && !failure.of_this_alert, "{failure}");
}
