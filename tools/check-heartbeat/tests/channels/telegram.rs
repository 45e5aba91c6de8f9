//! Telegram: against the strict simulator, and against servers that are none.

use std::time::{Duration, Instant};

use botapi_sim::{Fault, Options, Sim};
use check_heartbeat::channel::{Channel, Environment, telegram_from_env};
use check_heartbeat::notification::Kind;
use tokio::runtime::Runtime;

use crate::peers::{Peer, closed_port, request};
use crate::{fails, later, notice, open, within, words};

pub const TOKEN: &str = "7000000002:AAH-second_bot-for-alerts-0123456789";
const CHAT: i64 = 4711;
const SOON: Duration = Duration::from_secs(5);

/// A simulator with the runtime that it lives in.
pub struct Telegram {
    pub sim: Sim,
    _runtime: Runtime,
}

impl Telegram {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let options = Options { token: TOKEN.to_owned(), ..Options::default() };
        let sim = runtime.block_on(Sim::start(options)).expect("starts");
        sim.user(CHAT, "Ada", None);
        sim.say(CHAT, "/start");
        Self { sim, _runtime: runtime }
    }

    pub fn channel(&self, more: &str) -> Box<dyn Channel> {
        channel(&self.sim.api_url(), more)
    }
}

pub fn channel(api_url: &str, more: &str) -> Box<dyn Channel> {
    let chat = if more.contains("chat_id") { String::new() } else { format!("chat_id = {CHAT}\n") };
    let table = format!("type = 'telegram'\napi_url = '{api_url}'\n{chat}{more}");
    open(&table, &[("TELEGRAM_ALERT_BOT_TOKEN", TOKEN)]).expect("opens")
}

#[test]
fn a_notice_arrives_with_its_first_line_in_bold() {
    let telegram = Telegram::start();
    let channel = telegram.channel("");
    assert_eq!(channel.name(), "telegram");
    let down = notice(1, Kind::Down);
    channel.deliver(&down, later()).expect("accepted");
    let messages = telegram.sim.bot_messages(CHAT);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].text, down.text().trim());
    let bold = &messages[0].entities[0];
    assert_eq!((bold["type"].as_str(), bold["offset"].as_u64()), (Some("bold"), Some(0)));
    assert_eq!(bold["length"].as_u64(), Some(down.subject().encode_utf16().count() as u64));
}

#[test]
fn a_long_notice_is_cut_and_still_arrives() {
    let telegram = Telegram::start();
    let mut long = notice(1, Kind::Down);
    long.details = vec!["😀 <b>&amp; *_[markup](x)".repeat(500)];
    telegram.channel("").deliver(&long, later()).expect("accepted");
    let text = &telegram.sim.bot_messages(CHAT)[0].text;
    assert!(text.ends_with('…') && text.encode_utf16().count() >= 4_095, "{}", text.len());
}

#[test]
fn the_environment_alone_can_describe_it() {
    let telegram = Telegram::start();
    let url = telegram.sim.api_url();
    let env = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<Environment>();
    assert!(telegram_from_env(&env(&[])).is_none());
    assert!(telegram_from_env(&env(&[("TELEGRAM_ALERT_CHAT_ID", " ")])).is_none());
    let all = env(&[
        ("TELEGRAM_ALERT_BOT_TOKEN", TOKEN),
        ("TELEGRAM_ALERT_CHAT_ID", "4711"),
        ("TELEGRAM_ALERT_API_URL", &url),
    ]);
    let channel = telegram_from_env(&all).expect("described").open(&all).expect("opens");
    channel.deliver(&notice(1, Kind::Test), later()).expect("accepted");
    assert_eq!(telegram.sim.bot_messages(CHAT).len(), 1);

    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("telegram-alert-token"), TOKEN).expect("written");
    let dir = dir.path().display().to_string();
    let credential = env(&[
        ("CREDENTIALS_DIRECTORY", &dir),
        ("TELEGRAM_ALERT_CHAT_ID", "4711"),
        ("TELEGRAM_ALERT_API_URL", &url),
    ]);
    let channel =
        telegram_from_env(&credential).expect("described").open(&credential).expect("opens");
    channel.deliver(&notice(2, Kind::Test), later()).expect("accepted");

    for (pairs, key) in [
        (vec![("TELEGRAM_ALERT_BOT_TOKEN", TOKEN)], "chat_id"),
        (vec![("TELEGRAM_ALERT_CHAT_ID", "4711")], "token"),
        (
            vec![("TELEGRAM_ALERT_CHAT_ID", "someone"), ("TELEGRAM_ALERT_BOT_TOKEN", TOKEN)],
            "chat_id",
        ),
        (
            vec![("TELEGRAM_ALERT_CHAT_ID", "1"), ("TELEGRAM_ALERT_BOT_TOKEN", "hunter2-token")],
            "token",
        ),
    ] {
        let env = env(&pairs);
        let problem = telegram_from_env(&env).expect("described").open(&env).err().expect(key);
        assert_eq!(problem.key, key);
        assert!(
            !format!("{problem:?}").contains("hunter2") && !format!("{problem:?}").contains("AAH")
        );
    }
}

#[test]
fn mistakes_in_the_table_are_named_by_their_key() {
    for (more, key) in [
        ("chat_id = 0", "chat_id"),
        ("chat_id = 'hunter2'", "chat_id"),
        ("chat_id = 1\ntoken = 'hunter2'", "token"),
        ("chat_id = 1\ntoken_file = '/nonexistent/hunter2'", "token_file"),
        ("chat_id = 1\ntoken_credential = 'hunter2'", "token_credential"),
        ("chat_id = 1\napi_url = 'https://x/bothunter2:x'", "api_url"),
        ("chat_id = 1\napi_url = 'http://tg.example'", "api_url"),
        ("chat_id = 1\ntimeout = '0s'", "timeout"),
    ] {
        let problem =
            open(&format!("type = 'telegram'\n{more}"), &[("TELEGRAM_ALERT_BOT_TOKEN", TOKEN)]);
        let problem = problem.err().unwrap_or_else(|| panic!("opens: {more}"));
        assert_eq!(problem.key, key, "{more}");
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
    }
}

#[test]
fn refusals_say_what_to_do() {
    let telegram = Telegram::start();
    telegram.sim.revoke_token();
    let failure = fails(&*telegram.channel(""), later(), SOON);
    assert!(failure.permanent && failure.message.contains("Unauthorized"), "{failure:?}");
    assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains("@BotFather")), "{failure:?}");
    telegram.sim.restore_token();

    telegram.sim.block(CHAT);
    let failure = fails(&*telegram.channel(""), later(), SOON);
    assert!(failure.permanent && failure.message.contains("blocked"), "{failure:?}");
    assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains("unblock")), "{failure:?}");

    let failure = fails(&*telegram.channel("chat_id = 999999"), later(), SOON);
    assert!(failure.permanent && failure.message.contains("chat not found"), "{failure:?}");
    assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains("Start")), "{failure:?}");
}

#[test]
fn a_pause_is_kept_when_it_fits_and_left_for_later_when_not() {
    let telegram = Telegram::start();
    let channel = telegram.channel("");
    telegram.sim.fault_next("sendMessage", Fault::TooManyRequests(1));
    let begun = Instant::now();
    channel.deliver(&notice(1, Kind::Down), later()).expect("after a pause");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(telegram.sim.calls("sendMessage"), 2);

    telegram.sim.fault_next("sendMessage", Fault::TooManyRequests(60));
    let failure = fails(&*channel, later(), SOON);
    assert!(!failure.permanent && failure.message.contains("Too Many Requests"), "{failure:?}");
    telegram.sim.fault_next("sendMessage", Fault::TooManyRequests(2));
    let failure = fails(&*channel, within(Duration::from_secs(2)), Duration::from_secs(1));
    assert!(!failure.permanent, "{failure:?}");
    assert_eq!(telegram.sim.bot_messages(CHAT).len(), 1);
}

#[test]
fn a_group_that_became_a_supergroup_is_followed() {
    let telegram = Telegram::start();
    telegram.sim.group(-55, "Ops", botapi_sim::ChatKind::Group);
    telegram.sim.migrate(-55, -1_001_234_567_890);
    let channel = telegram.channel("chat_id = -55");
    channel.deliver(&notice(1, Kind::Down), later()).expect("sent to the new id");
    let text = notice(1, Kind::Down).text();
    let messages = telegram.sim.bot_messages(-1_001_234_567_890);
    assert!(messages.iter().any(|message| message.text == text.trim()));
}

#[test]
fn broken_servers_cost_the_attempt_and_no_more() {
    let telegram = Telegram::start();
    let channel = telegram.channel("timeout = '500ms'");
    for fault in [Fault::ServerError, Fault::BadGateway, Fault::Reset, Fault::AnswerLost] {
        telegram.sim.fault_next("sendMessage", fault.clone());
        let failure = fails(&*channel, later(), Duration::from_secs(1));
        assert!(!failure.permanent, "{fault:?}: {failure:?}");
    }
    telegram.sim.fault_next("sendMessage", Fault::BlackHole);
    let failure = fails(&*channel, later(), Duration::from_secs(1));
    assert!(!failure.permanent && failure.message.contains("in time"), "{failure:?}");
    let patient = telegram.channel("");
    telegram.sim.fault_next("sendMessage", Fault::BlackHole);
    fails(&*patient, within(Duration::from_millis(500)), Duration::from_secs(1));
    // The effect is there and the answer says so in its first bytes: a repeat would be a double.
    let before = telegram.sim.bot_messages(CHAT).len();
    telegram.sim.fault_next("sendMessage", Fault::AnswerCut);
    channel.deliver(&notice(1, Kind::Down), later()).expect("its beginning says ok");
    assert_eq!(telegram.sim.bot_messages(CHAT).len(), before + 1);
}

#[test]
fn answers_that_are_not_from_telegram_are_not_believed() {
    let page = |status: &str, headers: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
    };
    let portal = Peer::answering(page("200 OK", "", "<html>Welcome to the hotel</html>"));
    let failure = fails(&*channel(&url(portal.port), ""), later(), SOON);
    assert!(!failure.permanent && failure.message.contains("status 200"), "{failure:?}");

    let target = Peer::answering(page("200 OK", "", r#"{"ok":true,"result":{}}"#));
    let location = format!("location: {}/bot{TOKEN}/sendMessage\r\n", url(target.port));
    let redirect = Peer::answering(page("307 Temporary Redirect", &location, ""));
    let failure = fails(&*channel(&url(redirect.port), ""), later(), SOON);
    assert!(failure.message.contains("307"), "{failure:?}");
    assert_eq!(target.connections(), 0, "redirects are not followed");

    for drip in [
        Peer::dripping("HTTP/1.1 200 OK\r\n", "x-more: yes\r\n"),
        Peer::dripping("HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", " "),
    ] {
        let channel = channel(&url(drip.port), "timeout = '500ms'");
        fails(&*channel, later(), Duration::from_secs(1));
    }
    let endless = Peer::serve(|mut connection, _| {
        use std::io::Write;
        request(&mut connection);
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while connection.write_all(b"4\r\nspam\r\n").is_ok() {}
    });
    let failure = fails(&*channel(&url(endless.port), "timeout = '2s'"), later(), SOON);
    assert!(words(&failure).len() < 2_000);

    let failure = fails(&*channel(&url(closed_port()), ""), later(), SOON);
    assert!(!failure.permanent && failure.message.contains("onnection refused"), "{failure:?}");
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
